//! `GET /v1/languages`: what can be run here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use sandboxes::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;

/// A language.
#[derive(Debug, Serialize, ToSchema)]
pub struct LanguageReply {
    /// Its name, as requests and tests write it.
    pub language: &'static str,
    /// Whether it can be run right now. If not, code in it cannot be judged and its rewards are null.
    pub ready: bool,
    /// How to get it, where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// All languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct LanguageList {
    /// In the order of their names.
    pub languages: Vec<LanguageReply>,
}

/// List the languages that programs may be written in, and whether they can be run.
#[utoipa::path(get, path = "/v1/languages", tag = "execution", responses((status = 200, body = LanguageList)))]
pub async fn list(State(app): State<Arc<App>>) -> Json<LanguageList> {
    let ready = app.sandbox.as_ref().map(|sandbox| sandbox.languages()).unwrap_or_default();
    let reply = |language: Language| {
        let is_ready = ready.contains(&language);
        let how = (!is_ready).then(|| {
            "`gavel sandbox list` on the server's machine shows which guest runs it and how it is installed".to_owned()
        });
        LanguageReply { language: language.name(), ready: is_ready, how }
    };
    Json(LanguageList { languages: Language::ALL.into_iter().map(reply).collect() })
}
