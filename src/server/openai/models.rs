//! `GET /v1/models`: the model that is served.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::App;
use crate::serving::Served;

/// The models there are.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiModels)]
struct Models {
    /// Always `list`.
    object: &'static str,
    /// One, or none where the server serves no model.
    data: Vec<Model>,
}

/// A model.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiModel)]
struct Model {
    /// Its name in requests.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// When the server was started with it, in seconds since 1970.
    created: u64,
    /// Always `gavel`.
    owned_by: &'static str,
    /// Tokens of its context; null until it is loaded.
    max_model_len: Option<usize>,
}

impl From<&Arc<Served>> for Model {
    fn from(served: &Arc<Served>) -> Self {
        Self {
            id: served.name().to_owned(),
            object: "model",
            created: served.created(),
            owned_by: "gavel",
            max_model_len: served.ready().ok().map(|ready| ready.card.context),
        }
    }
}

/// The model that this server serves.
#[utoipa::path(
    get, path = "/v1/models", tag = "models",
    responses((status = 200, description = "The models", body = Models))
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Response {
    let data = app.model.iter().map(Model::from).collect();
    crate::server::json(&Models { object: "list", data })
}
