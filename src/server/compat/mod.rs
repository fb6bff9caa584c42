//! The wires of other judging servers, so that a trainer that speaks one of them needs no change.
//!
//! Each file is one wire. They only translate; what is run and judged goes through the judge like everything else.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};

use super::{App, auth};

pub mod sandbox_fusion;
mod validation;

/// All of them. They need a key like the rest; the ping says nothing but that the process runs.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/run_code", post(sandbox_fusion::run_code))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard));
    Router::new().route("/v1/ping", get(sandbox_fusion::ping)).merge(guarded).with_state(app)
}
