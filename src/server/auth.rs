//! Who may call: bearer keys, stored hashed.
//!
//! A key is 32 random bytes, so its plain SHA-256 cannot be searched for and a slow password hash would only
//! slow every request down.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::{App, store_problem};
use crate::store::KeyHash;

/// What every key begins with, so that a leaked one is recognised.
const KEY_PREFIX: &str = "gavel_";
/// How long a key that was found is believed without asking the store: a revoked key works that long.
const TRUST: Duration = Duration::from_secs(10);
/// How many keys are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Makes a new key: the text for the caller, the hash for the store.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_key() -> Result<(String, KeyHash), getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let mut key = KEY_PREFIX.to_owned();
    for byte in secret {
        let _ = write!(key, "{byte:02x}");
    }
    let hash = hash_of(&key);
    Ok((key, hash))
}

fn hash_of(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// Who calls: the hash of the key, or nobody in particular where no key is asked for. An extension of every request
/// that was let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller(Option<KeyHash>);

impl Caller {
    /// Who sent a request.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get().copied().unwrap_or_default()
    }
}

/// Decides who may call.
#[derive(Debug)]
pub struct Gatekeeper {
    open: bool,
    known: RwLock<HashMap<KeyHash, Instant>>,
}

impl Gatekeeper {
    /// Lets everybody in when `open`, else only who has a key.
    pub fn new(open: bool) -> Self {
        Self { open, known: RwLock::default() }
    }

    fn remembers(&self, hash: &KeyHash) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).is_some_and(|since| since.elapsed() < TRUST)
    }

    fn remember(&self, hash: KeyHash) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(hash, Instant::now());
    }
}

/// Lets a request through when it may.
pub async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if app.gatekeeper.open {
        return match own_page(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let key = key_in(request.headers());
    match admit(&app, key).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => {
            app.admission.discard(request.into_body()).await;
            problem.into_response()
        }
    }
}

/// Without keys the browser of somebody who can reach the server is a way in for every page it shows: only
/// pages of the server itself may call. Programs send no `Origin` and are not concerned.
fn own_page(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if page.is_some() && page == host {
        return Ok(());
    }
    Err(Problem::forbidden(
        "a web page of another server may not call one that lets everybody in; make a key with `gavel keys create <name>`",
    ))
}

/// The hash of the key that a request brings. Trainers' clients have headers of their own for it.
fn key_in(headers: &HeaderMap) -> Result<KeyHash, Problem> {
    let bearers = [header::AUTHORIZATION.as_str(), "xrl-authorization"].map(|name| headers.get(name));
    let plain = headers.get("x-api-key");
    if bearers.iter().flatten().next().is_none() && plain.is_none() {
        return Err(Problem::unauthorized(
            "send `Authorization: Bearer <key>`; `gavel keys create <name>` makes a key",
        ));
    }
    fn text(value: &HeaderValue) -> Option<&str> {
        value.to_str().ok()
    }
    let bearers = bearers.into_iter().flatten().filter_map(text).filter_map(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let mut keys = bearers.chain(plain.and_then(text).map(str::trim));
    let key = keys.find(|key| key.starts_with(KEY_PREFIX)).ok_or_else(|| {
        Problem::unauthorized(format!("expected `Bearer {KEY_PREFIX}…` in `Authorization`"))
    })?;
    Ok(hash_of(key))
}

async fn admit(app: &App, key: Result<KeyHash, Problem>) -> Result<Caller, Problem> {
    let hash = key?;
    if app.gatekeeper.remembers(&hash) {
        return Ok(Caller(Some(hash)));
    }
    match app.store.find_api_key(&hash).await.map_err(store_problem)? {
        Some(_) => {
            app.gatekeeper.remember(hash);
            Ok(Caller(Some(hash)))
        }
        None => Err(Problem::unauthorized(
            "this key is not known here, or it was revoked; `gavel keys list` shows those that are, \
             `gavel keys create <name>` makes another",
        )),
    }
}
