//! The API's description: OpenAPI 3.1 at `/openapi.json`, a page to read and try it at `/docs`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use http::StatusCode;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{self, Content, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::{App, execute, explain, grade, jobs, languages, openai, regrade, rubrics, runs, tasks};

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
        (name = "execution", description = "Programs run in the sandbox."),
        (name = "rubrics", description = "Rubrics by name."),
        (name = "runs", description = "What was kept: groups, rewards, metrics, exports."),
        (name = "tasks", description = "Environments that make tasks."),
        (name = "models", description = "The OpenAI wire of a model that is served."),
    ),
    components(schemas(openai::ErrorReply)),
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
        .routes(routes!(jobs::submit))
        .routes(routes!(jobs::read, jobs::cancel))
        .routes(routes!(explain::explain))
        .routes(routes!(execute::execute))
        .routes(routes!(languages::list))
        .routes(routes!(regrade::regrade))
        .routes(routes!(rubrics::list))
        .routes(routes!(rubrics::read, rubrics::put, rubrics::delete))
        .routes(routes!(runs::list))
        .routes(routes!(runs::read, runs::delete))
        .routes(routes!(runs::metrics))
        .routes(routes!(runs::groups))
        .routes(routes!(runs::group))
        .routes(routes!(runs::export))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::generate))
        .routes(routes!(openai::models::list))
        .routes(routes!(openai::completions::complete))
        .routes(routes!(openai::chat::complete))
}

/// The description and the page that shows it.
pub fn pages(mut document: Document) -> Router {
    describe_problems(&mut document);
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
    let mut document = routes().split_for_parts().1;
    describe_problems(&mut document);
    document
}

/// What every operation may answer besides what it says itself.
const PROBLEMS: [(&str, &str); 4] = [
    ("400", "The request cannot be read"),
    ("401", "No valid key"),
    ("429", "Full; nothing was begun"),
    ("503", "Stopping, or the store is away"),
];
/// And every operation with a body.
const BODY_PROBLEMS: [(&str, &str); 4] = [
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The body has a type or encoding that is not understood"),
    ("422", "Understood but invalid, with the place"),
];
const PROBLEM_TYPE: &str = "application/problem+json";

/// Errors are problem documents everywhere; said here once instead of at each operation.
fn describe_problems(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let problem = if openai::PATHS.contains(&path.as_str()) { openai_error } else { problem };
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let for_body: &[_] = if operation.request_body.is_some() { &BODY_PROBLEMS } else { &[] };
            let responses = &mut operation.responses.responses;
            for (status, description) in PROBLEMS.iter().chain(for_body) {
                responses.insert((*status).to_owned(), problem(description).into());
            }
            for (status, response) in responses.iter_mut().filter(|(status, _)| !status.starts_with('2')) {
                let description = match response {
                    RefOr::T(described) if !described.description.is_empty() => described.description.clone(),
                    _ => description_of(status).to_owned(),
                };
                *response = problem(&description).into();
            }
        }
    }
}

fn problem(description: &str) -> openapi::Response {
    let schema = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(description).content(PROBLEM_TYPE, schema).build()
}

/// The same on the OpenAI wire.
fn openai_error(description: &str) -> openapi::Response {
    let schema = Content::new(Some(Ref::from_schema_name("OpenAiError")));
    ResponseBuilder::new().description(description).content("application/json", schema).build()
}

fn description_of(status: &str) -> &'static str {
    match status {
        "404" => "There is no such thing",
        "409" => "This conflicts with what is there",
        _ => "A problem",
    }
}
