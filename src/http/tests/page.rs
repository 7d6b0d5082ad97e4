//! The page and the documentation: complete, and with nothing from elsewhere.

use super::*;
use crate::http::page;

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let it = bench();
    for asset in page::ASSETS {
        let answer = it.send(&format!("GET {}", asset.path), &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let tag = answer.header("etag").to_owned();
        let known = it.send(&format!("GET {}", asset.path), &[("if-none-match", &tag)], "").await;
        assert_eq!((known.status, known.bytes.len()), (StatusCode::NOT_MODIFIED, 0));

        let text = asset.text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !text.contains("//cdn") && !text.contains("http://") && !text.contains("https://"),
            "{}",
            asset.path
        );
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", " onclick"]
        {
            assert!(!text.contains(forbidden), "{} has {forbidden}", asset.path);
        }
    }
}

#[tokio::test]
async fn every_element_the_script_asks_for_is_there() {
    let [html, _, js, _] = page::ASSETS;
    for part in js.text.split("$('").skip(1) {
        let id = part.split('\'').next().unwrap();
        assert!(html.text.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[tokio::test]
async fn the_docs_load_nothing_from_elsewhere() {
    let it = bench();
    let index = it.send("GET /docs/", &[], "").await;
    let html = String::from_utf8(index.bytes.clone()).unwrap();
    assert!(index.header("content-security-policy").contains("script-src 'self';"));
    assert!(
        !html.contains("src=\"http") && !html.contains("href=\"http") && !html.contains("<script>"),
        "{html}"
    );
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert_eq!(it.send(&format!("GET /docs/{file}"), &[], "").await.status, StatusCode::OK, "{file}");
    }
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_route_is_there() {
    let it = bench();
    let api = it.send("GET /openapi.json", &[], "").await.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let (mut documented, mut ids) = (Vec::new(), Vec::new());
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let line = format!("{} {path}", method.to_uppercase());
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{line}");
            assert!(
                operation["responses"].as_object().unwrap().len() > usize::from(path != "/health/live"),
                "{line}"
            );
            let answer = it.send(&line.replace("{id}", "x"), &[], "").await;
            let public = ["/health/live", "/health/ready", "/session"].contains(&path.as_str());
            let refused = matches!(answer.status.as_u16(), 401 | 403);
            assert_eq!(refused, !public, "{line} answers {}", answer.status);
            assert!(public || operation["security"].as_array().is_some_and(|it| it.len() == 2), "{line}");
            documented.push(line);
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(!ids.contains(&id), "{id} is there twice");
            ids.push(id);
        }
    }
    documented.sort();
    assert_eq!(
        documented,
        [
            "DELETE /events/dead-letters/{subscription}/{seq}",
            "DELETE /events/filter/{name}",
            "DELETE /models/{name}",
            "DELETE /recordings/{id}",
            "GET /events",
            "GET /events/dead-letters",
            "GET /events/filter",
            "GET /events/filter/{name}",
            "GET /events/replay",
            "GET /events/replay/{id}",
            "GET /events/schemas",
            "GET /events/schemas/{name}",
            "GET /events/status",
            "GET /events/stream",
            "GET /events/{id}",
            "GET /health",
            "GET /health/live",
            "GET /health/ready",
            "GET /live",
            "GET /models",
            "GET /plugins",
            "GET /plugins/{id}",
            "GET /plugins/{id}/status",
            "GET /recordings",
            "GET /recordings/{id}",
            "GET /recordings/{id}/audio",
            "GET /recordings/{id}/notes",
            "GET /recordings/{id}/transcript",
            "GET /session",
            "GET /system",
            "GET /v1/models",
            "GET /v1/models/{model}",
            "PATCH /recordings/{id}",
            "POST /api/recording-ended",
            "POST /api/recording-started",
            "POST /events",
            "POST /events/dead-letters/{subscription}/{seq}/replay",
            "POST /events/filter",
            "POST /events/replay",
            "POST /events/replay/{id}/stop",
            "POST /events/stop-replay",
            "POST /models/{name}/fetch",
            "POST /models/{name}/verify",
            "POST /plugins/{id}/disable",
            "POST /plugins/{id}/enable",
            "POST /recordings",
            "POST /recordings/{id}/audio-link",
            "POST /recordings/{id}/pause",
            "POST /recordings/{id}/resume",
            "POST /recordings/{id}/stop",
            "POST /recordings/{id}/transcribe",
            "POST /v1/audio/transcriptions",
            "PUT /events/filter/{name}",
            "PUT /models/in-use",
            "PUT /plugins/{id}/config",
        ]
    );
    // Every reference leads somewhere.
    let text = api.to_string();
    for part in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", part.split('"').next().unwrap());
        assert!(api.pointer(&pointer).is_some(), "{pointer}");
    }
    for scheme in ["api_key", "bearer"] {
        assert!(api["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
}
