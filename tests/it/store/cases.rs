//! What every store must do.

use std::collections::BTreeSet;
use std::pin::Pin;

use futures_util::TryStreamExt;
use gavel::store::{
    Export, ExportKind, ExportSteps, GroupQuery, KeyHash, MetricsQuery, SftPick, Store, StoreError,
};
use graders::Prompt;
use serde_json::{Value, json};

use super::samples::{completion, group, messages, name, rubric, unjudged};

pub(crate) type Case = fn(Store) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($case:ident,)+) => { &[$((stringify!($case), |store| Box::pin($case(store)))),+] };
}

pub(crate) const CASES: &[(&str, Case)] = cases![
    groups_come_back_whole,
    large_groups_come_back_whole,
    concurrent_appends_are_all_kept,
    nothing_of_a_refused_append_is_kept,
    close_stores_what_waits,
    runs_are_listed_in_pages,
    groups_are_listed_in_pages,
    deleted_runs_are_gone,
    metrics_by_step,
    latches_stay,
    rubrics_by_name,
    api_keys,
    export_full,
    export_completions,
    export_pairs,
    export_rejection_samples,
    export_of_many_pages,
];

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
    let metadata = json!({"x": [1, 0.1, null, "\0"], "big": u64::MAX, "tiny": 5e-324, "third": 1.0 / 3.0});
    sent.task.metadata.insert("a\0".to_owned(), metadata);
    let mut plain = group("r", None, "plain", vec![completion("x", 0.3, 0.0)]);
    plain.id = None;
    plain.completions[0].reward.components.clear();
    let ids = store.append(vec![sent.clone(), plain.clone()]).await.unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(store.group(ids[0]).await.unwrap().group, sent);
    assert_eq!(store.group(ids[1]).await.unwrap().group, plain);
    let absent = "999999".parse().unwrap();
    assert!(matches!(store.group(absent).await, Err(StoreError::NotFound { .. })));
    assert!(store.append(Vec::new()).await.unwrap().is_empty());
}

async fn large_groups_come_back_whole(store: Store) {
    // More text than one batch or one insert takes, and a number of rows that no power of two divides.
    let completions: Vec<_> =
        (0..37).map(|i| completion(&format!("{i}").repeat(1 << 19), 1.0, 0.0)).collect();
    let large = group("r", Some(1), "large", completions);
    let many: Vec<_> = (0..1001).map(|i| completion(&format!("answer {i}"), f64::from(i % 2), 1.0)).collect();
    let many = group("r", Some(1), "many", many);
    let ids = store.append(vec![large.clone(), many.clone()]).await.unwrap();
    assert_eq!(store.group(ids[0]).await.unwrap().group, large);
    assert_eq!(store.group(ids[1]).await.unwrap().group, many);
}

async fn concurrent_appends_are_all_kept(store: Store) {
    const CALLERS: u64 = 48;
    const APPENDS: u64 = 8;
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for append in 0..APPENDS {
                let run = if caller % 2 == 0 { "even" } else { "odd" };
                // Half of the tasks are shared between callers.
                let prompt = if append % 2 == 0 { format!("{append}") } else { format!("{caller}/{append}") };
                let text = format!("by {caller}, number {append}");
                let sent =
                    group(run, Some(append), &prompt, vec![completion(&text, 1.0, 1.0), unjudged(&text)]);
                let mut own = store.append(vec![sent.clone(), sent.clone()]).await.unwrap();
                assert_eq!(own.len(), 2);
                for id in &own {
                    assert_eq!(store.group(*id).await.unwrap().group, sent);
                }
                ids.append(&mut own);
            }
            ids
        }));
    }
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.extend(task.await.unwrap());
    }
    assert_eq!(ids.len() as u64, CALLERS * APPENDS * 2);
    for run in ["even", "odd"] {
        let run = store.run(&name(run)).await.unwrap();
        assert_eq!(run.n_groups, CALLERS * APPENDS);
        assert_eq!(run.n_completions, CALLERS * APPENDS * 2);
        assert_eq!(run.n_rewarded, CALLERS * APPENDS);
        assert!((run.reward_mean.unwrap() - 1.1).abs() < 1e-9);
        assert_eq!(run.last_step, Some(APPENDS - 1));
    }
}

async fn nothing_of_a_refused_append_is_kept(store: Store) {
    let good = || group("r", Some(1), "q", vec![completion("x", 1.0, 1.0)]);
    let mut empty = good();
    empty.completions.clear();
    let mut not_finite = good();
    not_finite.completions[0].advantage = Some(f64::NAN);
    let mut infinite = good();
    infinite.completions[0].reward.total = Ok(f64::INFINITY);
    let mut bad_hash = good();
    bad_hash.reference_hash = String::from("a b");
    let mut bad_step = good();
    bad_step.step = Some(u64::MAX);
    let mut bad_component = good();
    bad_component.completions[0].reward.components[0].name = "a\0".into();
    for bad in [empty, not_finite, infinite, bad_hash, bad_step, bad_component] {
        let error = store.append(vec![good(), bad]).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "{error}");
        assert!(!error.is_outage());
    }
    assert!(matches!(store.run(&name("r")).await, Err(StoreError::NotFound { .. })));
    assert!(store.runs(None, None).await.unwrap().items.is_empty());
}

async fn close_stores_what_waits(store: Store) {
    let appends: Vec<_> = (0..32)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                store.append(vec![group("r", Some(i), "q", vec![completion("x", 1.0, 1.0)])]).await
            })
        })
        .collect();
    store.append(vec![group("r", None, "q", vec![completion("x", 1.0, 1.0)])]).await.unwrap();
    store.close().await;
    for append in appends {
        // Those that came too late are told so; none is left without an answer.
        match append.await.unwrap() {
            Ok(ids) => assert_eq!(ids.len(), 1),
            Err(error) => assert!(matches!(error, StoreError::Closed), "{error}"),
        }
    }
    let late = store.append(vec![group("r", None, "q", vec![completion("x", 1.0, 1.0)])]).await;
    assert!(matches!(late, Err(StoreError::Closed)));
    assert!(store.ping().await.unwrap_err().is_outage());
    store.close().await;
}

async fn runs_are_listed_in_pages(store: Store) {
    for i in 0..5 {
        store.append(vec![group(&format!("run {i}"), None, "q", vec![unjudged("x")])]).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.runs(after, Some(2)).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|run| run.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["run 4", "run 3", "run 2", "run 1", "run 0"]);
    let run = store.run(&name("run 3")).await.unwrap();
    assert_eq!((run.n_groups, run.n_completions, run.n_rewarded), (1, 1, 0));
    assert_eq!((run.reward_mean, run.last_step), (None, None));
    assert!(run.created_at.unix_ms() > 1_600_000_000_000);
}

async fn groups_are_listed_in_pages(store: Store) {
    let sent = (0..7).map(|i| {
        let step = (i != 3).then_some(i % 2);
        group("r", step, &format!("q{i}"), vec![completion("x", 1.0, 1.0), completion("y", 0.0, 1.0)])
    });
    let ids = store.append(sent.collect()).await.unwrap();
    store.append(vec![group("other", Some(0), "q", vec![unjudged("x")])]).await.unwrap();
    let read = async |step: Option<u64>| {
        let mut seen = Vec::new();
        let mut query = GroupQuery { step, after: None, limit: Some(2) };
        loop {
            let page = store.groups(&name("r"), query).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items.iter().map(|group| group.id));
            query.after = page.next;
            if query.after.is_none() {
                return seen;
            }
        }
    };
    assert_eq!(read(None).await, ids);
    assert_eq!(read(Some(0)).await, [ids[0], ids[2], ids[4], ids[6]]);
    assert_eq!(read(Some(1)).await, [ids[1], ids[5]]);
    assert!(read(Some(u64::MAX)).await.is_empty());

    let first = &store.groups(&name("r"), GroupQuery::default()).await.unwrap().items[0];
    assert_eq!((first.caller_id.as_deref(), first.step), (Some("q0#"), Some(0)));
    assert_eq!((first.rubric_hash.as_str(), first.rubric_name.as_deref()), ("sha256:1", Some("math")));
    assert_eq!((first.n_completions, first.n_rewarded), (2, 2));
    assert_eq!((first.reward_min, first.reward_max), (Some(0.1), Some(1.1)));
    assert!((first.reward_mean.unwrap() - 0.6).abs() < 1e-12);
    assert!((first.reward_std.unwrap() - 0.5).abs() < 1e-12);
    let absent = store.groups(&name("absent"), GroupQuery::default()).await;
    assert!(matches!(absent, Err(StoreError::NotFound { what: "run", .. })));
}

async fn deleted_runs_are_gone(store: Store) {
    let many = |run: &str| -> Vec<_> {
        (0..80).map(|i| group(run, Some(i), &format!("q{i}"), vec![completion("x", 1.0, 1.0)])).collect()
    };
    let gone = store.append(many("gone")).await.unwrap();
    let kept = store.append(many("kept")).await.unwrap();
    store.set_latch(&name("gone"), &name("l")).await.unwrap();
    store.delete_run(&name("gone")).await.unwrap();
    assert!(matches!(store.run(&name("gone")).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.delete_run(&name("gone")).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.group(gone[5]).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.runs(None, None).await.unwrap().items.len(), 1);
    // The other run's tasks are the same ones.
    assert_eq!(store.group(kept[79]).await.unwrap().group, many("kept")[79]);
    // The name is free again, and nothing of the old run comes back with it.
    let again = store.append(many("gone")).await.unwrap();
    assert!(again[0] > kept[79]);
    assert_eq!(store.run(&name("gone")).await.unwrap().n_groups, 80);
    assert!(store.latches(&name("gone")).await.unwrap().is_empty());
}

async fn metrics_by_step(store: Store) {
    let mut abstained = completion("abstained", 0.0, 0.0);
    abstained.reward.components[0].outcome.as_mut().unwrap().score = None;
    let groups = vec![
        group("r", Some(2), "a", vec![completion("right", 1.0, 1.0), completion("wrong!", 0.0, 1.0)]),
        group("r", Some(2), "b", vec![completion("r", 1.0, 0.0), completion("s", 1.0, 0.0), unjudged("u")]),
        group("r", Some(10), "c", vec![unjudged("u")]),
        group("r", Some(10), "d", vec![abstained]),
        group("r", None, "e", vec![completion("e", 0.0, 0.0)]),
        group("other", Some(2), "a", vec![completion("e", 0.0, 0.0)]),
    ];
    store.append(groups).await.unwrap();
    let all = store.metrics(&name("r"), MetricsQuery::default()).await.unwrap();
    assert_eq!(all.iter().map(|step| step.step).collect::<Vec<_>>(), [None, Some(2), Some(10)]);

    let two = &all[1];
    assert_eq!((two.n_groups, two.n_completions), (2, 5));
    let rewards = [1.1, 0.1, 1.0, 1.0];
    let mean = rewards.iter().sum::<f64>() / 4.0;
    let std = (rewards.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / 4.0).sqrt();
    assert!((two.reward_mean.unwrap() - mean).abs() < 1e-12);
    assert!((two.reward_std.unwrap() - std).abs() < 1e-12);
    let components: Vec<_> = two.components.iter().map(|(n, mean)| (n.as_str(), *mean)).collect();
    assert_eq!(components, [("accuracy", Some(0.75)), ("format", Some(0.5))]);
    assert_eq!(two.null_fraction, 0.2);
    assert_eq!(two.zero_variance_fraction, Some(0.5));
    // "right" and "r" and "s"; "wrong!".
    assert_eq!((two.right_tokens_mean, two.wrong_tokens_mean), (Some(7.0 / 3.0), Some(6.0)));

    let ten = &all[2];
    assert_eq!((ten.reward_mean, ten.reward_std), (Some(0.0), Some(0.0)));
    assert_eq!(ten.components, [("accuracy".to_owned(), None), ("format".to_owned(), Some(0.0))]);
    assert_eq!((ten.null_fraction, ten.zero_variance_fraction), (0.5, None));
    assert_eq!((ten.right_tokens_mean, ten.wrong_tokens_mean), (None, None));

    let page = MetricsQuery { from_step: Some(1), limit: Some(1) };
    assert_eq!(store.metrics(&name("r"), page).await.unwrap(), all[1..2]);
    let beyond = MetricsQuery { from_step: Some(11), limit: None };
    assert!(store.metrics(&name("r"), beyond).await.unwrap().is_empty());
    let absent = store.metrics(&name("absent"), MetricsQuery::default()).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })));
}

async fn latches_stay(store: Store) {
    assert!(store.latches(&name("r")).await.unwrap().is_empty());
    assert!(store.set_latch(&name("r"), &name("length")).await.unwrap());
    assert!(!store.set_latch(&name("r"), &name("length")).await.unwrap());
    assert!(store.set_latch(&name("r"), &name("format")).await.unwrap());
    assert!(store.set_latch(&name("s"), &name("length")).await.unwrap());
    let latches: Vec<_> = store.latches(&name("r")).await.unwrap().into_iter().collect();
    assert_eq!(latches, ["format", "length"]);
    assert_eq!(store.run(&name("r")).await.unwrap().n_groups, 0);
    store.append(vec![group("r", Some(0), "q", vec![completion("x", 1.0, 1.0)])]).await.unwrap();
    assert_eq!(store.run(&name("r")).await.unwrap().n_groups, 1);
}

async fn rubrics_by_name(store: Store) {
    let first = json!({"components": [{"name": "\0", "weight": 0.1}]});
    let second = json!({"components": []});
    let put = store.put_rubric(&name("math"), &first).await.unwrap();
    assert_eq!((put.name.as_str(), &put.body), ("math", &first));
    assert_eq!(store.rubric(&name("math")).await.unwrap(), put);
    let put = store.put_rubric(&name("math"), &second).await.unwrap();
    assert_eq!(put.body, second);
    assert!(put.created_at <= put.updated_at);
    store.put_rubric(&name("Zeta"), &first).await.unwrap();
    let names: Vec<_> = store.rubrics().await.unwrap().into_iter().map(|rubric| rubric.name).collect();
    assert_eq!(names, ["Zeta", "math"]);
    store.delete_rubric(&name("math")).await.unwrap();
    assert!(matches!(store.delete_rubric(&name("math")).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.rubric(&name("math")).await, Err(StoreError::NotFound { .. })));
}

async fn api_keys(store: Store) {
    let (one, two) = (KeyHash([1; 32]), KeyHash([0; 32]));
    let key = store.create_api_key(&name("trainer"), &one).await.unwrap();
    assert_eq!((key.name.as_str(), key.last_used_at, key.revoked_at), ("trainer", None, None));
    assert!(matches!(store.create_api_key(&name("x"), &one).await, Err(StoreError::Conflict { .. })));
    let other = store.create_api_key(&name("trainer"), &two).await.unwrap();
    let found = store.find_api_key(&one).await.unwrap().unwrap();
    assert_eq!(found.id, key.id);
    let used = found.last_used_at.unwrap();
    // A second use within the minute is not noted.
    assert_eq!(store.find_api_key(&one).await.unwrap().unwrap().last_used_at, Some(used));
    assert_eq!(store.find_api_key(&KeyHash([9; 32])).await.unwrap(), None);
    store.revoke_api_key(key.id).await.unwrap();
    assert!(matches!(store.revoke_api_key(key.id).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.find_api_key(&one).await.unwrap(), None);
    let keys = store.api_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [other.id, key.id]);
    assert!(keys[1].revoked_at.is_some());
    // A revoked key does not come back by being made again.
    assert!(matches!(store.create_api_key(&name("x"), &one).await, Err(StoreError::Conflict { .. })));
}

async fn export(store: &Store, kind: ExportKind) -> Vec<Value> {
    let export = Export { kind, steps: ExportSteps::default() };
    store.export(&name("r"), export).await.unwrap().try_collect().await.unwrap()
}

async fn export_full(store: Store) {
    let mut judged = completion("NUL \0", 1.0, 0.0);
    judged.advantage = Some(0.5);
    let sent = vec![
        group("r", Some(3), "q", vec![judged, unjudged("u")]),
        group("r", None, "p", vec![completion("x", 0.0, 0.0)]),
        group("other", None, "p", vec![completion("x", 0.0, 0.0)]),
    ];
    store.append(sent.clone()).await.unwrap();
    let lines = export(&store, ExportKind::Full).await;
    assert_eq!(lines.len(), 2);
    let first = &lines[0];
    assert_eq!((&first["id"], &first["step"], &first["run"]), (&json!("q#"), &json!(3), &json!("r")));
    assert_eq!(first["task"], serde_json::to_value(&sent[0].task).unwrap());
    assert_eq!(first["rubric"], json!({"hash": "sha256:1", "name": "math"}));
    assert_eq!(first["grader_versions"], json!({"format": 1, "math": 3}));
    assert_eq!(
        first["completions"][0],
        json!({
            "id": null, "text": "NUL \0", "n_tokens": 5, "finish_reason": null,
            "reward": 1.0, "advantage": 0.5, "error": null,
            "components": [
                {"name": "accuracy", "weight": 1.0, "score": 1.0, "reason": "equivalent",
                 "detail": {"extracted": "NUL \0"}, "error": null},
                {"name": "format", "weight": 0.1, "score": 0.0, "reason": "well_formed", "detail": {}, "error": null},
            ],
        })
    );
    let error = json!({"kind": "sandbox_unavailable", "message": "no sandbox: \0 \"python\""});
    assert_eq!(first["completions"][1]["reward"], Value::Null);
    assert_eq!(first["completions"][1]["error"]["component"], "accuracy");
    assert_eq!(first["completions"][1]["error"]["message"], error["message"]);
    assert_eq!(first["completions"][1]["components"][0]["error"], error);
    assert_eq!(first["completions"][1]["components"][1]["reason"], "too_short");
    assert_eq!(lines[1]["step"], Value::Null);

    let steps = ExportSteps { from: Some(3), to: Some(3) };
    let whole: Vec<_> = store.whole_groups(&name("r"), steps).await.unwrap().try_collect().await.unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].group, sent[0]);
    let until = ExportSteps { from: None, to: Some(2) };
    let none: Vec<_> = store.whole_groups(&name("r"), until).await.unwrap().try_collect().await.unwrap();
    assert!(none.is_empty());
    let absent = Export { kind: ExportKind::Full, steps };
    assert!(matches!(store.export(&name("absent"), absent).await, Err(StoreError::NotFound { .. })));
    let bad = Export { kind: ExportKind::Pairs { min_margin: f64::NAN }, steps };
    assert!(matches!(store.export(&name("r"), bad).await, Err(StoreError::Invalid { .. })));
}

async fn export_completions(store: Store) {
    let mut chat = group("r", None, "chat", vec![completion("yes", 1.0, 0.0)]);
    chat.task.prompt = Some(Prompt::Messages(messages("chat")));
    let text =
        group("r", Some(1), "q", vec![unjudged("u"), completion("no", 0.0, 1.0), completion("", 1.0, 1.0)]);
    let ids = store.append(vec![chat, text]).await.unwrap();
    let lines = export(&store, ExportKind::Completions { threshold: 1.0 }).await;
    let short: Vec<_> =
        lines.iter().map(|l| (l["completion"].clone(), l["label"].clone(), l["reward"].clone())).collect();
    assert_eq!(
        short,
        [
            (json!([{"role": "assistant", "content": "yes"}]), json!(true), json!(1.0)),
            (json!("no"), json!(false), json!(0.1)),
            (json!(""), json!(true), json!(1.1)),
        ]
    );
    assert_eq!(lines[0]["prompt"], json!(messages("chat")));
    assert_eq!((&lines[1]["prompt"], &lines[1]["step"]), (&json!("q"), &json!(1)));
    assert_eq!(lines[1]["group"].to_string(), ids[1].to_string());
}

async fn export_pairs(store: Store) {
    let mut chat =
        group("r", Some(5), "chat", vec![completion("worst \0", 0.0, 0.0), completion("best 😀", 1.0, 0.0)]);
    chat.task.prompt = Some(Prompt::Messages(messages("chat \0")));
    let mut no_prompt = group("r", None, "none", vec![completion("b", 1.0, 1.0), completion("w", 0.0, 0.0)]);
    no_prompt.task.prompt = None;
    let groups = vec![
        chat,
        // All equal; all but one null; equal texts.
        group("r", None, "equal", vec![completion("a", 1.0, 0.0), completion("b", 1.0, 0.0)]),
        group("r", None, "null", vec![completion("a", 1.0, 0.0), unjudged("b"), unjudged("c")]),
        group("r", None, "same", vec![completion("same", 1.0, 0.0), completion("same", 0.0, 0.0)]),
        // Ties at both ends: the first of each. The null one is no worst.
        group(
            "r",
            None,
            "ties",
            vec![
                unjudged("null"),
                completion("mid", 0.5, 0.0),
                completion("low 1", 0.0, 0.0),
                completion("low 2", 0.0, 0.0),
                completion("top 1", 1.0, 1.0),
                completion("top 2", 1.0, 1.0),
            ],
        ),
        // Only the format differs.
        group("r", None, "close", vec![completion("a", 1.0, 1.0), completion("b", 1.0, 0.0)]),
        no_prompt,
    ];
    store.append(groups).await.unwrap();
    let lines = export(&store, ExportKind::Pairs { min_margin: 0.0 }).await;
    let short: Vec<_> = lines.iter().map(|l| (l["chosen"].clone(), l["rejected"].clone())).collect();
    assert_eq!(
        short,
        [
            (
                json!([{"role": "assistant", "content": "best 😀"}]),
                json!([{"role": "assistant", "content": "worst \0"}])
            ),
            (json!("top 1"), json!("low 1")),
            (json!("a"), json!("b")),
            (json!("b"), json!("w")),
        ]
    );
    assert_eq!(lines[0]["prompt"], json!(messages("chat \0")));
    assert_eq!((&lines[0]["chosen_reward"], &lines[0]["rejected_reward"]), (&json!(1.0), &json!(0.0)));
    assert_eq!((&lines[1]["chosen_reward"], &lines[1]["rejected_reward"]), (&json!(1.1), &json!(0.0)));
    assert_eq!((&lines[0]["step"], &lines[1]["step"]), (&json!(5), &Value::Null));
    assert_eq!(lines[3]["prompt"], Value::Null);
    assert_eq!(export(&store, ExportKind::Pairs { min_margin: 0.5 }).await.len(), 3);
    assert!(export(&store, ExportKind::Pairs { min_margin: 2.0 }).await.is_empty());
}

async fn export_rejection_samples(store: Store) {
    let mut chat = group("r", Some(1), "chat", vec![completion("hello", 1.0, 1.0)]);
    chat.task.prompt = Some(Prompt::Messages(messages("hi")));
    let groups = vec![
        group("r", Some(1), "q", vec![completion("long but best", 1.0, 1.0), completion("short", 1.0, 0.0)]),
        group("r", Some(1), "hopeless", vec![completion("wrong", 0.0, 1.0), unjudged("u")]),
        chat,
        // The same task, later: the same text in other white space, a new one, and a shorter wrong one.
        group(
            "r",
            Some(2),
            "q",
            vec![
                completion(" long  but\nbest\t", 1.0, 1.0),
                completion("another one", 1.0, 0.5),
                completion("-", 0.0, 0.0),
            ],
        ),
        group("other", Some(1), "q", vec![completion("x", 1.0, 1.0)]),
    ];
    store.append(groups).await.unwrap();
    let sft = async |pick, per_task| {
        let lines = export(&store, ExportKind::Sft { threshold: 1.0, pick, per_task }).await;
        lines.iter().map(|l| (l["prompt"].clone(), l["completion"].clone())).collect::<Vec<_>>()
    };
    let hello = (json!(messages("hi")), json!([{"role": "assistant", "content": "hello"}]));
    let q = |text: &str| (json!("q"), json!(text));
    // Tasks come in the order of their keys, which is not promised.
    let sorted = |mut lines: Vec<(Value, Value)>| {
        lines.sort_by_key(|line| line.0.is_array());
        lines
    };
    assert_eq!(sorted(sft(SftPick::Best, 1).await), [q("long but best"), hello.clone()]);
    assert_eq!(sorted(sft(SftPick::Shortest, 1).await), [q("short"), hello.clone()]);
    assert_eq!(
        sorted(sft(SftPick::Best, 9).await),
        [q("long but best"), q("another one"), q("short"), hello.clone()]
    );
    assert_eq!(sorted(sft(SftPick::Shortest, 2).await), [q("short"), q("another one"), hello.clone()]);

    let kind = ExportKind::Sft { threshold: 1.1, pick: SftPick::Best, per_task: 9 };
    let strict = export(&store, kind).await;
    assert_eq!(strict.len(), 2);
    let chat = strict.iter().find(|line| line["prompt"].is_array()).unwrap();
    let mut conversation = messages("hi");
    conversation.push(json!({"role": "assistant", "content": "hello"}));
    assert_eq!((&chat["messages"], &chat["reward"]), (&json!(conversation), &json!(1.1)));
    let text = strict.iter().find(|line| line["prompt"].is_string()).unwrap();
    assert_eq!(text.get("messages"), None);

    let steps = ExportSteps { from: Some(2), to: None };
    let later: Vec<Value> =
        store.export(&name("r"), Export { kind, steps }).await.unwrap().try_collect().await.unwrap();
    assert_eq!(later.len(), 1);
    assert_eq!(later[0]["completion"], " long  but\nbest\t");
    let none = ExportKind::Sft { threshold: 1.0, pick: SftPick::Best, per_task: 0 };
    let refused = store.export(&name("r"), Export { kind: none, steps }).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })));
}

async fn export_of_many_pages(store: Store) {
    // More than two pages of keys, with groups of another run and with useless ones in between.
    let groups: Vec<_> = (0..600)
        .flat_map(|i| {
            let own = vec![completion("right", 1.0, 0.0), completion("wrong", 0.0, 0.0)];
            let mut own = group("r", Some(i), &format!("q{i}"), own);
            own.rubric = rubric(&format!("sha256:{}", i % 3));
            [own, group("other", Some(i), "q", vec![unjudged("x")])]
        })
        .collect();
    store.append(groups).await.unwrap();
    let steps =
        |lines: &[Value]| lines.iter().map(|line| line["step"].as_u64().unwrap()).collect::<BTreeSet<_>>();
    let all: BTreeSet<u64> = (0..600).collect();
    let full = export(&store, ExportKind::Full).await;
    assert_eq!((full.len(), steps(&full)), (600, all.clone()));
    assert_eq!(full[4]["rubric"]["hash"], "sha256:1");
    let flat = export(&store, ExportKind::Completions { threshold: 1.0 }).await;
    assert_eq!((flat.len(), steps(&flat)), (1200, all.clone()));
    let pairs = export(&store, ExportKind::Pairs { min_margin: 0.0 }).await;
    assert_eq!((pairs.len(), steps(&pairs)), (600, all.clone()));
    let sft = export(&store, ExportKind::Sft { threshold: 1.0, pick: SftPick::Best, per_task: 1 }).await;
    assert_eq!((sft.len(), steps(&sft)), (600, all));
    assert!(sft.iter().all(|line| line["completion"] == "right"));
}
