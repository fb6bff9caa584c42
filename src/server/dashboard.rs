//! `/`: the dashboard, one page that reads the API.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

/// The page. It loads nothing from elsewhere.
pub fn routes() -> Router {
    Router::new().route("/", get(async || Html(include_str!("dashboard.html"))))
}
