//! The API's description: what it says is a promise, so a change of it shows in a golden file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use reqwest::StatusCode;
use serde_json::Value;

use crate::server::Server;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

#[tokio::test]
async fn the_description_is_the_golden_one() {
    let server = Server::start().await;
    let mut found = serde_json::to_string_pretty(&server.get("/openapi.json").await.json()).unwrap();
    found.push('\n');
    let path = PathBuf::from("tests/golden/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &found).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((number, (new, old))) =
        found.lines().zip(golden.lines()).enumerate().find(|(_, (new, old))| new != old)
    {
        panic!(
            "the description of the API changed at line {}:\n- {old}\n+ {new}\nif that is meant, run \
             `UPDATE_GOLDEN=1 cargo test --test it openapi` and name the change in CHANGELOG.md",
            number + 1
        );
    }
    assert_eq!(found.len(), golden.len(), "the description ends elsewhere; UPDATE_GOLDEN=1 renews the file");
}

#[tokio::test]
async fn every_operation_says_what_goes_in_and_out() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut missing = Vec::new();
    let mut n_operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in
            item.as_object().unwrap().iter().filter(|(m, _)| METHODS.contains(&m.as_str()))
        {
            n_operations += 1;
            let place = format!("{method} {path}");
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                missing.push(format!("{place}: a summary"));
            }
            let named: BTreeSet<&str> = parameters(operation);
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                if !named.contains(name) {
                    missing.push(format!("{place}: the parameter {name}"));
                }
            }
            if let Some(body) = operation.get("requestBody")
                && !content(body).all(described)
            {
                missing.push(format!("{place}: a schema or an example of its body"));
            }
            let responses = operation["responses"].as_object().unwrap();
            if !responses.keys().any(|status| status.starts_with('2')) {
                missing.push(format!("{place}: what it answers when all is well"));
            }
            for (status, response) in responses.iter().filter(|(status, _)| *status != "204") {
                if content(response).next().is_none() || !content(response).all(described) {
                    missing.push(format!("{place}: a schema or an example of {status}"));
                }
            }
        }
    }
    assert!(n_operations >= 13, "only {n_operations} operations are described");
    assert!(missing.is_empty(), "the description lacks\n{}", missing.join("\n"));
    assert_references_resolve(&document, &document);
}

fn parameters(operation: &Value) -> BTreeSet<&str> {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect()
}

fn content(holder: &Value) -> impl Iterator<Item = &Value> {
    holder["content"].as_object().into_iter().flat_map(|content| content.values())
}

fn described(media: &Value) -> bool {
    media.get("schema").is_some() || media.get("example").is_some()
}

fn assert_references_resolve(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("nothing leads out of the document");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|field| assert_references_resolve(document, field));
        }
        Value::Array(items) => items.iter().for_each(|item| assert_references_resolve(document, item)),
        _ => {}
    }
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    for page in ["/docs/", "/"] {
        let reply = server.get(page).await;
        assert_eq!(reply.status, StatusCode::OK, "{page}");
        let text = reply.text();
        for attribute in ["src=\"", "href=\""] {
            for part in text.split(attribute).skip(1) {
                let link = part.split('"').next().unwrap();
                if link.starts_with("data:") || link.starts_with('#') {
                    continue;
                }
                assert!(!link.contains("//"), "{page} loads {link}");
                let path = if link.starts_with('/') {
                    link.to_owned()
                } else {
                    format!("{page}{}", link.trim_start_matches("./"))
                };
                assert_eq!(server.get(&path).await.status, StatusCode::OK, "{page} asks for {path}");
            }
        }
    }
    let script = server.get("/docs/swagger-initializer.js").await.text();
    assert!(script.contains("/openapi.json") && !script.contains("http"), "{script}");
}
