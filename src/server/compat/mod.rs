//! The wires of trainers and of other judging servers, so that who speaks one of them needs no change.
//!
//! Each file is one wire. They only translate; what is run and judged goes through the judge like everything else.
//! What wires with rewards share is in `scoring.rs`: routing, gates, and what becomes of a failure.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;
use super::{App, auth};
use crate::tasks::TaskSets;

mod atropos;
mod episode;
mod eval_protocol;
mod label;
mod lenient;
mod llama_factory;
mod messages;
mod nemo_gym;
mod open_instruct;
mod openenv;
mod openrlhf;
mod ors;
mod pickle;
mod roll;
pub mod sandbox_fusion;
mod scoring;
pub mod settings;
mod slime;
mod task_api;
mod transcript;
mod validation;

pub use roll::Failures as RollFailures;
pub use settings::WiresSettings;

/// What the wires need to know.
#[derive(Debug, Default)]
pub struct Wires {
    /// How they are served.
    pub settings: WiresSettings,
    /// The tasks that can be asked for.
    pub sets: TaskSets,
    /// What ROLL's samples failed at.
    pub roll: RollFailures,
}

/// All of them. They need a key like the rest; the ping says nothing but that the process runs.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/run_code", post(sandbox_fusion::run_code))
        .route("/get_reward", post(openrlhf::get_reward))
        .merge(nemo_gym::routes())
        .merge(atropos::routes())
        .route("/rm", post(slime::rm))
        .route("/reward", post(eval_protocol::reward))
        .route("/evaluate", post(eval_protocol::reward))
        .route("/score", post(llama_factory::score))
        .route("/v1/score/evaluation", post(llama_factory::score))
        .route("/roll/submit", post(roll::submit))
        .route("/roll/result", get(roll::result))
        .route("/test_program", post(open_instruct::asserts))
        .route("/test_program_stdio", post(open_instruct::streams))
        .merge(openenv::routes())
        .merge(ors::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard));
    Router::new()
        .route("/v1/ping", get(sandbox_fusion::ping))
        .route("/health", get(ors::health))
        .route("/version", get(ors::version))
        .merge(guarded)
        .with_state(app)
}

/// A body's fields; those that are not known are left alone, as trainers add to them.
fn fields<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(body).map_err(|error| {
        let message = graders::plain_words(&error.inner().to_string());
        Problem::invalid_at(graders::pointer_of(error.path()), message)
    })
}
