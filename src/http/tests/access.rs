//! Who gets in.

use super::*;

#[tokio::test]
async fn roles() {
    let it = bench();
    let id = it.stopped().await;
    let id = id.as_str();
    // Status without a key, with a wrong one, as a viewer, as an operator, as the administrator.
    for (line, expected) in [
        ("GET /health/live".to_owned(), [200, 200, 200, 200, 200]),
        ("GET /health/ready".into(), [503, 503, 503, 503, 503]),
        ("GET /session".into(), [200, 401, 200, 200, 200]),
        ("GET /".into(), [200, 200, 200, 200, 200]),
        ("GET /openapi.json".into(), [200, 200, 200, 200, 200]),
        ("GET /docs/".into(), [200, 200, 200, 200, 200]),
        ("GET /recordings".into(), [401, 401, 200, 200, 200]),
        (format!("GET /recordings/{id}"), [401, 401, 200, 200, 200]),
        (format!("GET /recordings/{id}/audio"), [401, 401, 200, 200, 200]),
        (format!("POST /recordings/{id}/audio-link"), [401, 401, 201, 201, 201]),
        (format!("GET /recordings/{id}/transcript"), [401, 401, 409, 409, 409]),
        ("GET /events".into(), [401, 401, 200, 200, 200]),
        ("GET /events/schemas".into(), [401, 401, 200, 200, 200]),
        ("GET /events/status".into(), [401, 401, 200, 200, 200]),
        ("GET /events/filter".into(), [401, 401, 200, 200, 200]),
        ("GET /events/dead-letters".into(), [401, 401, 200, 200, 200]),
        ("GET /events/replay".into(), [401, 401, 200, 200, 200]),
        ("GET /events/none".into(), [401, 401, 404, 404, 404]),
        ("POST /events".into(), [401, 401, 403, 422, 422]),
        ("POST /events/filter".into(), [401, 401, 403, 422, 422]),
        ("PUT /events/filter/f".into(), [401, 401, 403, 201, 200]),
        ("DELETE /events/filter/none".into(), [401, 401, 403, 404, 404]),
        ("DELETE /events/dead-letters/none/1".into(), [401, 401, 403, 404, 404]),
        ("POST /events/dead-letters/none/1/replay".into(), [401, 401, 403, 404, 404]),
        ("POST /events/replay".into(), [401, 401, 403, 422, 422]),
        ("POST /events/replay/none/stop".into(), [401, 401, 403, 404, 404]),
        ("POST /events/stop-replay".into(), [401, 401, 403, 200, 200]),
        ("GET /models".into(), [401, 401, 200, 200, 200]),
        ("POST /models/none/verify".into(), [401, 401, 403, 404, 404]),
        ("POST /models/none/fetch".into(), [401, 401, 403, 403, 422]),
        ("PUT /models/in-use".into(), [401, 401, 403, 403, 422]),
        ("DELETE /models/none".into(), [401, 401, 403, 403, 404]),
        ("GET /system".into(), [401, 401, 200, 200, 200]),
        ("GET /live".into(), [401, 401, 200, 200, 200]),
        (format!("PATCH /recordings/{id}"), [401, 401, 403, 200, 200]),
        (format!("POST /recordings/{id}/stop"), [401, 401, 403, 409, 409]),
        (format!("POST /recordings/{id}/pause"), [401, 401, 403, 409, 409]),
        (format!("POST /recordings/{id}/resume"), [401, 401, 403, 409, 409]),
        ("POST /recordings".into(), [401, 401, 403, 201, 409]),
        (format!("DELETE /recordings/{id}"), [401, 401, 403, 409, 409]),
        ("GET /health".into(), [403, 403, 200, 200, 200]),
        ("POST /api/recording-started".into(), [403, 403, 403, 422, 422]),
        ("POST /api/recording-ended".into(), [403, 403, 403, 422, 422]),
        ("GET /v1/models".into(), [401, 401, 200, 200, 200]),
        ("POST /v1/audio/transcriptions".into(), [401, 401, 403, 400, 400]),
        ("GET /nothing".into(), [404, 404, 404, 404, 404]),
        ("PUT /recordings".into(), [405, 405, 405, 405, 405]),
    ] {
        for (key, expected) in ["", "wrong", &it.viewer, &it.operator, ADMIN].into_iter().zip(expected) {
            if line.starts_with("DELETE") && expected == 409 {
                continue;
            }
            let answer = it.send(&line, &[("x-api-key", key)], "").await;
            assert_eq!(answer.status.as_u16(), expected, "{line} with `{key}`");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{line}");
            if answer.status == StatusCode::UNAUTHORIZED {
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                if !line.contains("/v1/") {
                    answer.problem(401);
                }
            }
        }
    }
    let bearer = format!("bearer {}", it.viewer);
    assert_eq!(it.send("GET /system", &[("authorization", &bearer)], "").await.status, StatusCode::OK);
    let other_case = [("x-api-key", "THE-FIRST-KEY")];
    assert_eq!(it.send("GET /system", &other_case, "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(it.send("PUT /recordings", &[], "").await.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn without_any_key_the_refusal_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let router = router(app(dir.path(), None, Access::Keys));
    let answer = send(&router, request("GET /recordings", &[], "")).await;
    assert!(answer.problem(401).contains("panotti key create"));
    let session = send(&router, request("GET /session", &[], "")).await.json();
    assert!(session["hint"].as_str().unwrap().contains("panotti key create"), "{session}");
}

#[tokio::test]
async fn open_access_is_for_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path(), None, Access::OpenOnLoopback);
    let router = router(app.clone());
    for (headers, expected) in [
        (&[("host", "127.0.0.1:54789")][..], 200),
        (&[("host", "localhost")], 200),
        (&[("host", "[::1]:54789")], 200),
        (&[("host", "localhost:1"), ("origin", "http://localhost:1")], 200),
        (&[("host", "localhost:1"), ("origin", "http://localhost:2")], 403),
        (&[("host", "localhost:1"), ("origin", "https://evil.example")], 403),
        (&[("host", "localhost:1"), ("origin", "null")], 403),
        (&[("host", "evil.example:54789")], 403),
        (&[("host", "127.0.0.1.evil.example")], 403),
    ] {
        for line in ["GET /live", "GET /session", "GET /health"] {
            let answer = send(&router, request(line, headers, "")).await;
            assert_eq!(answer.status.as_u16(), expected, "{line} {headers:?}");
        }
    }
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve(everywhere, app, std::future::pending()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn other_sites_are_told_nothing() {
    let it = bench();
    let headers = [("origin", "https://evil.example"), ("x-api-key", ADMIN)];
    let answer = it.send("GET /recordings", &headers, "").await;
    assert!(answer.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn a_panic_is_a_problem_that_leaks_nothing() {
    let panics = Router::new()
        .route("/", axum::routing::get(async || -> &'static str { panic!("secret {}", 1) }))
        .layer(middleware::from_fn(guard::guard));
    let answer = send(&panics, request("GET /", &[], "")).await;
    assert!(!answer.problem(500).contains("secret"));
}

#[tokio::test]
async fn whoever_guesses_keys_must_wait() {
    let it = bench();
    let ask = async |address: [u8; 4], line: &str, key: &str| {
        let mut request = request(line, &[("x-api-key", key)], "");
        request.extensions_mut().insert(connections::Peer(address.into()));
        send(&it.router, request).await
    };
    let (guesser, other) = ([192, 0, 2, 1], [198, 51, 100, 1]);
    ask(guesser, "GET /recordings", "guess").await.problem(401);
    for line in ["GET /recordings", "GET /session", "POST /api/recording-started"] {
        // Another guess is free every second, which may be now.
        let answer = loop {
            while ask(guesser, "GET /recordings", "guess").await.status != StatusCode::TOO_MANY_REQUESTS {}
            let answer = ask(guesser, line, ADMIN).await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                break answer;
            }
        };
        assert!(answer.json()["detail"].as_str().unwrap().contains("wait"), "{line}");
        assert_eq!(answer.header("retry-after"), "1", "{line}");
    }
    assert_eq!(
        ask(guesser, "GET /session", "").await.status,
        StatusCode::OK,
        "without a key nothing is guessed"
    );
    assert_eq!(ask(other, "GET /recordings", ADMIN).await.status, StatusCode::OK);
}
