//! The API's description: OpenAPI 3.1 at `/openapi.json`, a page to read and try it at `/docs`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use http::StatusCode;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::{App, grade, regrade, rubrics, runs};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gavel",
        description = "Verifiable rewards for reinforcement learning on language models: completions in, rewards \
            out, with the reason for every part of them.\n\nWhat the model did is a verdict; what the judge failed \
            at leaves the reward null. Null is never 0: mask it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "grading", description = "Rollouts in, rewards out."),
        (name = "rubrics", description = "Rubrics by name."),
        (name = "runs", description = "What was kept: groups, rewards, metrics, exports."),
        (name = "tasks", description = "Environments that make tasks."),
    ),
    modifiers(&BearerKey)
)]
struct Api;

struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("key", scheme);
    }
}

/// Every route that is described.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(grade::grade))
        .routes(routes!(regrade::regrade))
        .routes(routes!(rubrics::list))
        .routes(routes!(rubrics::read, rubrics::put, rubrics::delete))
        .routes(routes!(runs::list))
        .routes(routes!(runs::read, runs::delete))
        .routes(routes!(runs::metrics))
        .routes(routes!(runs::groups))
        .routes(routes!(runs::group))
        .routes(routes!(runs::export))
}

/// The description and the page that shows it.
pub fn pages(document: Document) -> Router {
    let pages: Router = SwaggerUi::new("/docs").url("/openapi.json", document).into();
    pages.layer(middleware::map_response(async |response: Response| {
        if response.status() == StatusCode::NOT_FOUND {
            super::no_such_path().await.into_response()
        } else {
            response
        }
    }))
}

/// The description as a document.
pub fn document() -> Document {
    routes().split_for_parts().1
}
