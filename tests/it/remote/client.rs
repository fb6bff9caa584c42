//! The client: what is tried again, what is not, and what a server cannot do to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gavel::remote::{BreakerSettings, Client, RemoteError, RemoteErrorKind, Settings};
use serde_json::{Value, json};

use super::{Act, Fake, nobody, settings};

fn ask(settings: Settings) -> Result<Value, RemoteError> {
    Client::new(settings).unwrap().post_blocking("/v1/x", &json!({ "a": 1 }))
}

fn ok() -> Act {
    Act::Json(json!({ "ok": true }))
}

fn status(code: u16) -> Act {
    Act::Status(code, Vec::new(), json!({ "error": { "message": "told\u{1b}[31m so" } }).to_string())
}

#[test]
fn passing_faults_are_tried_again() {
    for act in [status(408), status(429), status(500), status(503), Act::Cut] {
        let fake = Fake::new(move |n, _| if n < 2 { act.clone() } else { ok() });
        assert_eq!(ask(settings(&[&fake.url])).unwrap(), json!({ "ok": true }));
        assert_eq!(fake.seen().len(), 3);
        assert_eq!(fake.seen()[2].body, json!({ "a": 1 }));
    }
}

#[test]
fn lasting_faults_are_not_tried_again() {
    use RemoteErrorKind as Kind;
    let elsewhere =
        Act::Status(307, vec![("location", "http://elsewhere.example/v1/x".to_owned())], String::new());
    for (act, kind, part) in [
        (status(400), Kind::Refused, "400 Bad Request: told[31m so"),
        (status(401), Kind::Refused, "401"),
        (status(404), Kind::Refused, "404"),
        (status(422), Kind::Refused, "422"),
        (status(501), Kind::Refused, "501"),
        (elsewhere, Kind::Redirect, "http://elsewhere.example"),
        (Act::Text("<html>".to_owned()), Kind::Malformed, "not what was expected"),
        (Act::Text(String::new()), Kind::Malformed, "not what was expected"),
        (Act::Text("{} {}".to_owned()), Kind::Malformed, "trailing"),
        (Act::Text("[".repeat(100_000)), Kind::Malformed, "recursion"),
        (Act::Endless, Kind::TooLarge, "longer than"),
    ] {
        let fake = Fake::new(move |_, _| act.clone());
        let error = ask(Settings { max_reply_bytes: 200_000, ..settings(&[&fake.url]) }).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!((error.n_tries, fake.seen().len()), (1, 1), "{error}");
        let told = error.to_string();
        assert!(told.contains(part) && told.contains(&fake.url), "{told}");
        assert!(told.starts_with("rollout engine at http://") && !told.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn slow_servers_are_given_up() {
    for act in [Act::Hang, Act::Slow] {
        let fake = Fake::new(move |_, _| act.clone());
        let limits = Settings { timeout: Duration::from_millis(150), retries: 1, ..settings(&[&fake.url]) };
        let error = ask(limits).unwrap_err();
        assert_eq!((error.kind, error.n_tries), (RemoteErrorKind::Timeout, 2), "{error}");
    }
    // The whole call has its bound too, however many tries it may have.
    let fake = Fake::new(|_, _| Act::Hang);
    let limits = Settings { deadline: Duration::from_millis(150), retries: 1000, ..settings(&[&fake.url]) };
    assert!(ask(limits).is_err());
    assert_eq!(fake.seen().len(), 1);
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let busy = || Act::Status(429, vec![("retry-after", "1".to_owned())], String::new());
    // Another one is asked at once.
    let (fake, free) = (Fake::new(move |_, _| busy()), Fake::new(|_, _| ok()));
    let client = Client::new(settings(&[&fake.url, &free.url])).unwrap();
    for _ in 0..6 {
        client.post_blocking::<Value>("/v1/x", &json!({})).unwrap();
    }
    assert_eq!((fake.seen().len(), free.seen().len()), (1, 6));
    // Longer than the call has time for: no further try.
    let fake =
        Fake::new(|_, _| Act::Status(429, vec![("retry-after", "3600".to_owned())], "later".to_owned()));
    let error = ask(Settings { deadline: Duration::from_millis(300), ..settings(&[&fake.url]) }).unwrap_err();
    assert_eq!(fake.seen().len(), 1, "{error}");
    assert!(error.to_string().contains("429") || error.to_string().contains("no server was free"), "{error}");
}

#[test]
fn what_is_down_is_left_alone_and_comes_back() {
    let n_down = std::sync::Arc::new(AtomicUsize::new(1000));
    let down = std::sync::Arc::clone(&n_down);
    let fake = Fake::new(move |_, _| {
        let is_down = down.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if is_down { status(500) } else { ok() }
    });
    let breaker = BreakerSettings { rest: Duration::from_millis(400), ..settings(&[]).breaker };
    let client = Client::new(Settings { retries: 0, breaker, ..settings(&[&fake.url]) }).unwrap();
    let ask = || client.post_blocking::<Value>("/v1/x", &json!({}));
    for _ in 0..4 {
        assert_eq!(ask().unwrap_err().kind, RemoteErrorKind::Server);
    }
    let error = ask().unwrap_err();
    assert_eq!(error.kind, RemoteErrorKind::Resting, "{error}");
    assert!(error.to_string().contains("500 Internal Server Error"), "{error}");
    n_down.store(0, Ordering::SeqCst);
    let came_back = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ask().is_ok()
    });
    assert!(came_back);
    assert!(ask().is_ok());
}

#[test]
fn one_that_is_down_among_several_costs_nothing() {
    let fakes = [Fake::new(|_, _| ok()), Fake::new(|_, _| ok())];
    let down = nobody();
    let client = Client::new(settings(&[&fakes[0].url, &down, &fakes[1].url])).unwrap();
    for _ in 0..60 {
        client.post_blocking::<Value>("/v1/x", &json!({})).unwrap();
    }
    let n: Vec<usize> = fakes.iter().map(|fake| fake.seen().len()).collect();
    assert_eq!(n.iter().sum::<usize>(), 60);
    assert!(n.iter().all(|n| *n >= 20), "they take turns: {n:?}");
}

#[test]
fn all_down_is_told_with_what_to_do() {
    let (a, b) = (nobody(), nobody());
    let error = ask(settings(&[&a, &b])).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("the connection failed") && told.contains("is it running"), "{told}");
    assert!(told.contains(&a) || told.contains(&b), "{told}");
    assert!(error.n_tries > 1);
    // Where a call may wait, it waits through the rests and says in the end what was wrong.
    let breaker = BreakerSettings { min_failures: 1, ..settings(&[]).breaker };
    let error = ask(Settings { fail_fast: false, breaker, ..settings(&[&a]) }).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn tries_have_a_budget() {
    let fake = Fake::new(|_, _| status(500));
    let breaker = BreakerSettings { min_failures: 1000, ..BreakerSettings::default() };
    let limits = Settings { retries: 3, retry_budget: (5.0, 0.0), breaker, ..settings(&[&fake.url]) };
    let client = Client::new(limits).unwrap();
    for _ in 0..10 {
        assert!(client.post_blocking::<Value>("/v1/x", &json!({})).is_err());
    }
    assert_eq!(fake.seen().len(), 10 + 5);
}

#[test]
fn no_more_requests_than_allowed_are_under_way() {
    let (now, most) = (std::sync::Arc::new(AtomicUsize::new(0)), std::sync::Arc::new(AtomicUsize::new(0)));
    let (n, highest) = (std::sync::Arc::clone(&now), std::sync::Arc::clone(&most));
    let fake = Fake::new(move |_, _| {
        highest.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(1));
        n.fetch_sub(1, Ordering::SeqCst);
        ok()
    });
    let client = Client::new(Settings { concurrency: 3, ..settings(&[&fake.url]) }).unwrap();
    assert_eq!(client.capacity(), 3);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| client.post_blocking::<Value>("/v1/x", &json!({})).unwrap());
        }
    });
    assert_eq!(fake.seen().len(), 16);
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
}

#[test]
fn a_key_is_sent_and_never_told() {
    // Set before anything of this name is read; no other test has this name.
    const NAME: &str = "PATH";
    let secret = std::env::var(NAME).unwrap();
    let fake = Fake::new(|_, _| status(500));
    let limits = Settings { api_key_env: Some(NAME.to_owned()), retries: 0, ..settings(&[&fake.url]) };
    let client = Client::new(limits).unwrap();
    let error = client.post_blocking::<Value>("/v1/x", &json!({})).unwrap_err();
    assert_eq!(fake.seen()[0].headers["authorization"], format!("Bearer {}", secret.trim()));
    assert!(!format!("{error} {error:?} {client:?}").contains(&secret));
}

#[test]
fn every_server_is_told() {
    let fakes = [Fake::new(|_, _| Act::Text("done".to_owned())), Fake::new(|_, _| status(400))];
    let down = nobody();
    let client = Client::new(settings(&[&fakes[0].url, &fakes[1].url, &down])).unwrap();
    let replies = client.post_to_each_blocking("/load", &json!({})).unwrap();
    assert_eq!(replies[0].as_deref(), Ok("done"));
    assert_eq!(replies[1].as_ref().unwrap_err().status, Some(400));
    assert_eq!(replies[2].as_ref().unwrap_err().kind, RemoteErrorKind::Connection);
    client.set_serving(1, false);
    client.set_serving(2, false);
    assert_eq!(client.capacity(), client.settings().concurrency);
    client.set_serving(0, false);
    assert_eq!(
        client.post_blocking::<Value>("/v1/x", &json!({})).unwrap_err().kind,
        RemoteErrorKind::Resting
    );
}
