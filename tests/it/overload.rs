//! Five seconds of far more than the server can do: everybody is answered, nothing is lost, nothing stays behind.
//!
//! Only counts are asserted, so that a slow machine makes no difference; `make soak` measures times.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::running::{Client, Running};

const TIME: Duration = Duration::from_secs(5);
/// Twelve times what the limits below let in.
const CLIENTS: usize = 48;
const LIMITS: [&str; 4] = ["--max-requests", "4", "--max-completions", "16"];
const RUN: &str = "overload";

/// What one client saw.
#[derive(Default)]
struct Seen {
    n_accepted: usize,
    n_refused: usize,
    /// Ids of groups said to be kept.
    acknowledged: BTreeSet<String>,
    /// Ids of groups that were refused.
    refused: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_answered_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(&folder.path().join("overload.db"), &LIMITS);
    let client = Client::new();
    let uri = server.uri("/v1/grade");
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(send_until_the_end(client.clone(), uri.clone(), number, began)))
        .collect();

    let mut all = Seen::default();
    for client in clients {
        let seen = client.await.unwrap();
        all.n_accepted += seen.n_accepted;
        all.n_refused += seen.n_refused;
        all.acknowledged.extend(seen.acknowledged);
        all.refused.extend(seen.refused);
    }
    println!(
        "{} accepted, {} refused, {} groups kept",
        all.n_accepted,
        all.n_refused,
        all.acknowledged.len()
    );
    assert!(all.n_accepted > 0, "overload must not starve everybody");
    assert!(all.n_refused > 0, "the limits let everybody in, so this was no overload");
    assert!(!all.acknowledged.is_empty());

    assert_eq!(client.metric(&server, "gavel_pending_completions").await, 0.0);
    assert_eq!(
        client.metric(&server, "gavel_requests_total").await as usize,
        all.n_accepted + all.n_refused + 1
    );
    assert_eq!(client.metric(&server, "gavel_refused_total").await as usize, all.n_refused);
    let kept = client.group_ids(&server, RUN).await;
    assert_eq!(kept, all.acknowledged, "what is kept is what was said to be kept");
    assert!(kept.is_disjoint(&all.refused), "nothing of a refused request is begun");

    // It takes requests again, in full.
    let (status, reply) = client.post(&uri, request("afterwards", Some(RUN))).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{reply:?}");
}

async fn send_until_the_end(client: Client, uri: Uri, number: usize, began: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut n = 0;
    while began.elapsed() < TIME {
        let id = format!("{number}-{n}");
        let keep = (number + n).is_multiple_of(2);
        n += 1;
        let (status, body) = client.post(&uri, request(&id, keep.then_some(RUN))).await.unwrap();
        let reply: Value = serde_json::from_slice(&body).unwrap();
        match status {
            StatusCode::OK => {
                seen.n_accepted += 1;
                let rewards = reply["groups"][0]["rewards"].as_array().unwrap();
                assert_eq!(rewards.len(), 4);
                assert!(rewards.iter().all(|reward| reward["reward"].is_number()), "{reply}");
                if keep {
                    assert_eq!(reply["stored"]["n_groups"], 1, "{reply}");
                    seen.acknowledged.insert(id);
                }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                seen.n_refused += 1;
                assert!(reply["retry_after_s"].as_u64().is_some_and(|seconds| seconds > 0), "{reply}");
                seen.refused.insert(id);
                // A client as impatient as can be, but not one that keeps the machine busy with refusals alone.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => panic!("{other}: {reply}"),
        }
    }
    seen
}

fn request(id: &str, run: Option<&str>) -> Bytes {
    let text =
        format!("<think>{}</think><answer>4</answer>", "two and two make four, or so they say; ".repeat(50));
    let component = |n: usize| json!({"name": format!("r{n}"), "grader": {"type": "repetition", "n": n}});
    json!({
        "rubric": {"components": (1..=8).map(component).collect::<Vec<_>>()},
        "run": run,
        "groups": [{"id": id, "task": {"reference": "4"}, "completions": [text, text, text, text]}],
    })
    .to_string()
    .into()
}
