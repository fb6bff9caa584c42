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
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::{App, store_problem};
use crate::store::KeyHash;

/// What every key begins with, so that a leaked one is recognised.
const KEY_PREFIX: &str = "gavel_";
/// The other header that may hold it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
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
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.gatekeeper.open {
        return match own_page(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let key = key_of(request.headers());
    match admit(&app, key).await {
        Ok(()) => next.run(request).await,
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

/// The key that a request brings: as a bearer key, or in the header that clients of Open Reward Standard use.
fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = |text: &str| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
    };
    let key = match headers.get(header::AUTHORIZATION) {
        Some(_) => text(header::AUTHORIZATION).and_then(bearer).unwrap_or_default(),
        None => {
            text(API_KEY).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).ok_or_else(|| {
                Problem::unauthorized(
                    "send `Authorization: Bearer <key>`; `gavel keys create <name>` makes a key",
                )
            })?
        }
    };
    if key.starts_with(KEY_PREFIX) {
        return Ok(key);
    }
    Err(Problem::unauthorized(format!("expected `Bearer {KEY_PREFIX}…` in `Authorization`")))
}

async fn admit(app: &App, key: Result<String, Problem>) -> Result<(), Problem> {
    let hash = hash_of(&key?);
    if app.gatekeeper.remembers(&hash) {
        return Ok(());
    }
    match app.store.find_api_key(&hash).await.map_err(store_problem)? {
        Some(_) => {
            app.gatekeeper.remember(hash);
            Ok(())
        }
        None => Err(Problem::unauthorized(
            "this key is not known here, or it was revoked; `gavel keys list` shows those that are, \
             `gavel keys create <name>` makes another",
        )),
    }
}
