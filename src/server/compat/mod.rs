//! The wires of trainers and of other judging servers, so that who speaks one of them needs no change.
//!
//! Each file is one wire. They only translate; what is run and judged goes through the judge like everything else.
//! What wires with rewards share is in [`scoring`]: routing, gates, and what becomes of a failure.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;
use super::{App, auth};
use crate::tasks::TaskSets;

mod label;
mod lenient;
mod openrlhf;
pub mod sandbox_fusion;
mod scoring;
pub mod settings;
mod transcript;
mod validation;

pub use settings::WiresSettings;

/// What the wires need to know.
#[derive(Debug, Default)]
pub struct Wires {
    /// How they are served.
    pub settings: WiresSettings,
    /// The tasks that can be asked for.
    pub sets: TaskSets,
}

/// All of them. They need a key like the rest; the ping says nothing but that the process runs.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/run_code", post(sandbox_fusion::run_code))
        .route("/get_reward", post(openrlhf::get_reward))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard));
    Router::new().route("/v1/ping", get(sandbox_fusion::ping)).merge(guarded).with_state(app)
}

/// A body's fields; those that are not known are left alone, as trainers add to them.
fn fields<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(body).map_err(|error| {
        let message = graders::plain_words(&error.inner().to_string());
        Problem::invalid_at(graders::pointer_of(error.path()), message)
    })
}
