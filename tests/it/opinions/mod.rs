//! Models that judge, behind the real service: what they are sent, how many at a time, and that nothing they fail at
//! is a score.

#[cfg(feature = "learner")]
mod local;
mod servers;

use std::process::Command;
use std::time::Duration;

use gavel::opinion::OpinionSettings;
use serde_json::{Value, json};

use self::servers::{Does, Models};
use crate::server::{Options, Server};

/// Models at an address where nobody listens.
pub(crate) fn nowhere() -> OpinionSettings {
    let at = json!({"url": "http://127.0.0.1:9", "retries": 0, "timeout_ms": 5000});
    settings(&at, &at)
}

/// The language model `m` and the reward model `r` with these settings.
fn settings(judge: &Value, rewards: &Value) -> OpinionSettings {
    let mut judge = judge.clone();
    judge["model"] = json!("judge-7b");
    serde_json::from_value(json!({"judges": {"m": judge}, "reward_models": {"r": rewards}})).unwrap()
}

async fn server_with(models: &Models, more: Value) -> Server {
    server(models, more, Options::default()).await
}

async fn server(models: &Models, more: Value, options: Options) -> Server {
    let mut at = json!({"url": models.url(), "retries": 0});
    at.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut judge = at.clone();
    for field in ["max_batch", "max_wait_ms"] {
        judge.as_object_mut().unwrap().remove(field);
    }
    Server::with(Options { opinions: settings(&judge, &at), ..options }).await
}

#[expect(clippy::needless_pass_by_value, reason = "rows of `json!`")]
fn judged(more: Value) -> Value {
    let mut grader = json!({"type": "judge", "model": "m"});
    grader.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"components": [{"name": "a", "grader": grader}]})
}

fn external() -> Value {
    json!({"components": [{"name": "a", "grader": {"type": "external", "model": "r"}}]})
}

fn request(rubric: &Value, completions: &[String]) -> Value {
    let task = json!({"prompt": "Six times seven?", "reference": "42"});
    json!({"rubric": rubric, "groups": [{"task": task, "completions": completions}]})
}

fn boxed(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("\\boxed{{number {n}}}")).collect()
}

fn rewards(reply: &Value) -> Vec<Value> {
    reply["groups"][0]["rewards"].as_array().unwrap().clone()
}

/// The reward of the first completion, or the kind of its error.
fn first(reply: &Value) -> Result<f64, String> {
    let reward = &rewards(reply)[0];
    match reward["reward"].as_f64() {
        Some(score) => Ok(score),
        None => Err(reward["error"]["kind"].as_str().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn a_model_is_asked_and_its_answer_is_the_reward() {
    let models = Models::that(Does::Yes(0.9)).await;
    let server = server_with(&models, json!({"revision": "abc"})).await;
    let reply = server.grade(&request(&judged(json!({"score": "graded"})), &boxed(3))).await;
    for reward in rewards(&reply) {
        assert!((reward["reward"].as_f64().unwrap() - 0.9).abs() < 1e-9, "{reward}");
        let component = &reward["components"][0];
        assert_eq!(component["reason"], "judged_score");
        assert_eq!(component["detail"]["revision"], "judge-7b@abc");
    }
    let sent = &models.requests()[0];
    assert_eq!(
        (&sent["model"], &sent["logprobs"], &sent["max_tokens"]),
        (&json!("judge-7b"), &json!(true), &json!(1))
    );
    let said = sent["messages"][1]["content"].as_str().unwrap();
    assert!(
        said.contains("| number ") && said.contains("| Six times seven?") && said.contains("| 42"),
        "{said}"
    );
}

#[tokio::test]
async fn what_a_model_fails_at_is_null_with_its_kind() {
    let models = Models::that(Does::Yes(1.0)).await;
    // A failure must not keep the next row from its server.
    let server = server_with(&models, json!({"timeout_ms": 500, "breaker_failures": 20})).await;
    let verdict = json!({"read": "verdict"});
    for (does, more, expected) in [
        (Does::Yes(0.9), json!({}), Ok(1.0)),
        (Does::Says("yes"), verdict.clone(), Ok(1.0)),
        (Does::Says("No."), verdict.clone(), Ok(0.0)),
        (Does::Says("yes and no"), verdict.clone(), Err("judge_unreadable")),
        (Does::Says("yes"), json!({}), Err("judge_unreadable")),
        (Does::Body("{\"choices\": []}"), json!({}), Err("judge_unreadable")),
        (Does::Body("garbage"), json!({}), Err("judge_unreadable")),
        (Does::Body("{\"choices\": [{\"message\": {}}]}"), json!({}), Err("judge_unreadable")),
        (Does::Status(500), json!({}), Err("judge_unavailable")),
        (Does::Status(429), json!({}), Err("judge_unavailable")),
        (Does::Status(404), json!({}), Err("judge_unavailable")),
        (Does::Hangs, json!({}), Err("judge_unavailable")),
        (Does::Yes(0.1), json!({}), Ok(0.0)),
    ] {
        models.now(does.clone());
        let reply = server.grade(&request(&judged(more), &boxed(1))).await;
        assert_eq!(first(&reply), expected.map_err(str::to_owned), "{does:?}: {reply}");
    }
}

#[tokio::test]
async fn what_a_reward_model_fails_at_is_null_with_its_kind() {
    let models = Models::that(Does::Scores).await;
    let more = json!({"timeout_ms": 500, "breaker_failures": 20, "max_wait_ms": 0});
    let server = server_with(&models, more).await;
    for (does, text, expected) in [
        (Does::Scores, "0.25", Ok(0.25)),
        (Does::Scores, "-3", Ok(-3.0)),
        (Does::Scores, "none", Err("external_unavailable")),
        (Does::Body("{\"scores\": []}"), "1", Err("external_unreadable")),
        (Does::Body("{\"scores\": [1, 2]}"), "1", Err("external_unreadable")),
        (Does::Body("{\"scores\": [NaN]}"), "1", Err("external_unreadable")),
        (Does::Body("{\"scores\": [1e999]}"), "1", Err("external_unreadable")),
        (Does::Body("{\"scores\": [\"1\"]}"), "1", Err("external_unreadable")),
        (Does::Body("{}"), "1", Err("external_unreadable")),
        (Does::Body("garbage"), "1", Err("external_unreadable")),
        (Does::Status(500), "1", Err("external_unavailable")),
        (Does::Status(503), "1", Err("external_unavailable")),
        (Does::Hangs, "1", Err("external_unavailable")),
        (Does::Scores, "1", Ok(1.0)),
    ] {
        models.now(does.clone());
        let reply = server.grade(&request(&external(), &[text.to_owned()])).await;
        assert_eq!(first(&reply), expected.map_err(str::to_owned), "{does:?}: {reply}");
    }
}

#[tokio::test]
async fn completions_go_to_a_reward_model_in_batches() {
    let models = Models::that(Does::Scores).await;
    // Only a full batch goes before ten seconds are over.
    let server = server_with(&models, json!({"max_batch": 12, "max_wait_ms": 10_000})).await;
    let texts: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let reply = server.grade(&request(&external(), &texts)).await;
    let scores: Vec<f64> = rewards(&reply).iter().map(|reward| reward["reward"].as_f64().unwrap()).collect();
    assert_eq!(scores, (0..12).map(f64::from).collect::<Vec<_>>());
    assert_eq!(models.n_requests(), 1);
    let item = &models.requests()[0]["items"][0];
    assert_eq!((&item["prompt"], &item["reference"]), (&json!("Six times seven?"), &json!("42")));
}

#[tokio::test]
async fn many_questions_are_under_way_although_few_threads_judge() {
    let models = Models::that(Does::Yes(0.9)).await;
    let server = server_with(&models, json!({"concurrency": 64})).await;
    // No answer comes before all 64 are asked.
    models.wait_for(64);
    let reply = server.grade(&request(&judged(json!({})), &boxed(64))).await;
    assert!(rewards(&reply).iter().all(|reward| reward["reward"] == json!(1.0)), "{reply}");
    assert_eq!((models.n_requests(), models.n_most()), (64, 64));
}

#[tokio::test]
async fn a_models_limit_holds_and_other_requests_go_on() {
    let models = Models::that(Does::Yes(0.9)).await;
    let options = Options { n_threads: 1, ..Options::default() };
    let server = server(&models, json!({"concurrency": 8}), options).await;
    // All wait until one more is under way than may be.
    models.wait_for(9);
    let sent = request(&judged(json!({})), &boxed(300));
    let asking = server.grade(&sent);
    let others = async {
        models.until(8).await;
        // The only thread that judges is free for others.
        for _ in 0..20 {
            let reply = server.grade(&request(&json!("math"), &["\\boxed{42}".to_owned()])).await;
            assert_eq!(first(&reply), Ok(1.0));
        }
        assert_eq!(models.n_most(), 8);
        models.wait_for(0);
    };
    let (reply, ()) = tokio::join!(asking, others);
    assert!(rewards(&reply).iter().all(|reward| reward["reward"] == json!(1.0)));
    assert_eq!((models.n_requests(), models.n_most()), (300, 8));
}

#[tokio::test]
async fn a_deadline_or_a_caller_who_left_ends_the_wait() {
    let models = Models::that(Does::Hangs).await;
    let server = server_with(&models, json!({"concurrency": 64})).await;
    let mut sent = request(&judged(json!({})), &boxed(20));
    sent["deadline_ms"] = json!(300);
    let reply = server.grade(&sent).await;
    for reward in rewards(&reply) {
        assert_eq!(reward["error"]["kind"], "deadline_exceeded", "{reply}");
    }
    models.until(0).await;
    let sent = request(&judged(json!({})), &boxed(20));
    {
        let leaving = server.post("/v1/grade", &sent);
        tokio::select! {
            _ = leaving => panic!("nothing answers"),
            () = models.until(20) => {}
        }
    }
    // The caller has left, and what was under way for it is given up.
    models.until(0).await;
    models.now(Does::Yes(1.0));
    assert_eq!(first(&server.grade(&request(&judged(json!({})), &boxed(1))).await), Ok(1.0));
}

#[tokio::test]
async fn a_model_that_keeps_failing_is_left_alone_and_asked_again() {
    let models = Models::that(Does::Status(500)).await;
    let patient = server_with(&models, json!({"breaker_failures": 2, "breaker_rest_ms": 3_600_000})).await;
    let one = |n: usize| request(&judged(json!({})), &[format!("\\boxed{{n {n}}}")]);
    for n in 0..2 {
        assert_eq!(first(&patient.grade(&one(n)).await), Err("judge_unavailable".to_owned()));
    }
    models.now(Does::Yes(1.0));
    let reply = patient.grade(&one(2)).await;
    assert_eq!(first(&reply), Err("judge_unavailable".to_owned()));
    let message = rewards(&reply)[0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("left alone"), "{message}");
    assert_eq!(models.n_requests(), 2, "the third was not sent");

    models.now(Does::Status(500));
    let eager = server_with(&models, json!({"breaker_failures": 2, "breaker_rest_ms": 20})).await;
    for n in 0..2 {
        assert_eq!(first(&eager.grade(&one(n)).await), Err("judge_unavailable".to_owned()));
    }
    models.now(Does::Yes(1.0));
    while first(&eager.grade(&one(3)).await).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(first(&eager.grade(&one(4)).await), Ok(1.0));
}

#[tokio::test]
async fn verdicts_are_kept_and_errors_are_not() {
    let models = Models::that(Does::Yes(0.9)).await;
    let options = Options { cache_bytes: 1 << 20, ..Options::default() };
    let server = server(&models, json!({"breaker_failures": 20}), options).await;
    let sent = request(&judged(json!({})), &boxed(4));
    let once = server.grade(&sent).await;
    let twice = server.grade(&sent).await;
    assert_eq!((rewards(&once), models.n_requests()), (rewards(&twice), 4));
    let mut other = sent.clone();
    other["groups"][0]["task"]["prompt"] = json!("Seven times six?");
    models.now(Does::Status(500));
    assert_eq!(first(&server.grade(&other).await), Err("judge_unavailable".to_owned()));
    models.now(Does::Yes(0.9));
    assert_eq!(first(&server.grade(&other).await), Ok(1.0));
    assert_eq!(models.n_requests(), 12);
}

#[tokio::test]
async fn a_second_opinion_is_asked_where_rules_are_unsure() {
    let models = Models::that(Does::Yes(0.9)).await;
    let server = server_with(&models, json!({})).await;
    let judge = json!({"type": "judge", "model": "m", "when": "unsure", "rules": "rules"});
    let rubric = json!({"components": [
        {"name": "accuracy", "grader": judge},
        {"name": "rules", "grader": {"type": "math"}, "weight": 0.0},
    ]});
    let texts = ["\\boxed{42}", "\\boxed{41}", "\\boxed{a]]) of all}", "no idea"].map(str::to_owned);
    let reply = server.grade(&request(&rubric, &texts)).await;
    let found: Vec<_> = rewards(&reply)
        .iter()
        .map(|reward| {
            let part = &reward["components"][0];
            assert_eq!(reward["components"][1]["name"], "rules");
            (reward["reward"].clone(), part["reason"].clone(), part["detail"]["decided_by"].clone())
        })
        .collect();
    let row = |reward: f64, reason: &str, by: &str| (json!(reward), json!(reason), json!(by));
    assert_eq!(
        found,
        [
            row(1.0, "equivalent", "rules"),
            row(0.0, "different", "rules"),
            row(1.0, "judged_equivalent", "judge"),
            row(0.0, "no_answer", "rules"),
        ]
    );
    assert_eq!(models.n_requests(), 1);
}

#[tokio::test]
async fn an_explanation_shows_the_prompt_and_the_probabilities() {
    let models = Models::that(Does::Yes(0.75)).await;
    let server = server_with(&models, json!({})).await;
    let grader = json!({"type": "judge", "model": "m"});
    let sent = json!({"grader": grader, "task": {"reference": "42"}, "completion": "\\boxed{forty-two}"});
    let reply = server.post("/v1/explain", &sent).await.json();
    assert_eq!(reply["verdict"]["reason"], "judged_equivalent", "{reply}");
    let asked = &reply["asked"][0];
    assert_eq!(asked["answers"], json!(["yes", "no"]));
    assert!((asked["probabilities"][0][0].as_f64().unwrap() - 0.75).abs() < 1e-9);
    assert_eq!(asked["messages"][0]["role"], "system");
    assert!(asked["messages"][1]["content"].as_str().unwrap().contains("| forty-two"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_asks_the_models_of_its_configuration() {
    let models = Models::that(Does::Yes(0.9)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = format!(
        "[judges.m]\nurl = \"{}\"\nmodel = \"judge-7b\"\n\n[reward_models.r]\nurl = \"{0}\"\n",
        models.url()
    );
    std::fs::write(path("gavel.toml"), config).unwrap();
    std::fs::write(path("rubric.json"), judged(json!({})).to_string()).unwrap();
    let line = json!({"task": {"reference": "42"}, "completions": ["\\boxed{forty-two}"]});
    std::fs::write(path("groups.jsonl"), format!("{line}\n")).unwrap();
    let run = |arguments: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
        let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (code, out, error) = run(words("grade --config gavel.toml --rubric rubric.json groups.jsonl"));
    assert_eq!(code, Some(0), "{error}");
    let reply: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(reply["rewards"][0]["reward"], json!(1.0), "{reply}");

    let mut explain = words("explain --config gavel.toml --reference 42 --grader");
    explain.extend([json!({"type": "judge", "model": "m"}).to_string(), "--completion".to_owned()]);
    explain.push("\\boxed{forty-two}".to_owned());
    let (code, out, error) = run(explain);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("| forty-two") && out.contains("answered  yes 0.9"), "{out}");

    std::fs::write(path("gavel.toml"), "[judges.m]\nurl = \"nowhere\"\nmodel = \"x\"\n").unwrap();
    let (code, _, error) = run(words("grade --config gavel.toml --rubric rubric.json groups.jsonl"));
    assert_eq!(code, Some(2));
    assert!(error.contains("[judges.m]"), "{error}");
}
