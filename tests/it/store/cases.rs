//! What every store must do.

use std::collections::BTreeSet;
use std::pin::Pin;

use gavel::store::{GroupQuery, KeyHash, MetricsQuery, Store, StoreError};
use graders::Prompt;
use serde_json::json;

use super::samples::{completion, group, messages, name, unjudged};

pub(crate) type Case = fn(Store) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($case:ident,)+) => { &[$((stringify!($case), |store| Box::pin($case(store)))),+] };
}

pub(crate) const CASES: &[(&str, Case)] = cases![groups_come_back_whole,];

async fn groups_come_back_whole(store: Store) {
    store.ping().await.unwrap();
    let big = "é".repeat(1 << 19);
    let mut odd = completion("NUL \0 in the middle, \u{1F600} and \u{FFFD} at the end\0", 1.0, 0.5);
    odd.completion.id = Some("a\0b".to_owned());
    odd.completion.finish_reason = Some("stop\0".to_owned());
    odd.advantage = Some(-0.1 - 0.2);
    let mut sent = group(
        "r",
        Some(7),
        "1 \0 + 1?",
        vec![odd, completion("", 0.0, 0.0), unjudged("\0"), completion(&big, 1.0, 1.0)],
    );
    sent.id = Some("\0q".to_owned());
    sent.task.prompt = Some(Prompt::Messages(messages("1 \0 + 1?")));
    sent.task
        .metadata
        .insert("a\0".to_owned(), json!({"x": [1, 0.1, null, "\0"], "big": u64::MAX, "tiny": 5e-324}));
    let plain = group("r", None, "plain", vec![completion("x", 0.3, 0.0)]);
    let ids = store.append(vec![sent.clone(), plain.clone()]).await.unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(store.group(ids[0]).await.unwrap().group, sent);
    assert_eq!(store.group(ids[1]).await.unwrap().group, plain);
}
