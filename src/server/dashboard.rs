//! `/`: the dashboard, one page that reads the API.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http::header;

/// The page loads nothing from elsewhere, is framed by nobody, and talks to this server alone: what it shows was
/// written by models.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub fn routes() -> Router {
    let page = ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("dashboard.html")));
    Router::new().route("/", get(async move || page))
}
