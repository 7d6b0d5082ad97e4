//! What each service is sent, and what its answers become.

use super::*;

#[test]
fn openai_is_asked_in_its_form() {
    let answer = json!({ "choices": [{ "message": { "content": GOOD }, "finish_reason": "stop" }] });
    let (bench, server) = with_server("openai", json!({}), move |_| Answer::json(&answer));
    let (_, page) = notes(&bench, "r");
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.path.as_str(), asked.header("authorization")),
        ("/chat/completions", Some(&*format!("Bearer {KEY}")))
    );
    let body = &asked.body;
    assert_eq!(
        (&body["model"], &body["temperature"], &body["max_tokens"]),
        (&json!("m-1"), &json!(0), &json!(8192))
    );
    assert_eq!(
        (&body["messages"][0]["role"], &body["messages"][1]["role"]),
        (&json!("system"), &json!("user"))
    );
    assert!(
        body["messages"][1]["content"]
            .as_str()
            .unwrap()
            .contains("Call: The supplier contract ends in July.\n")
    );
    assert!(
        page.contains(
            "> The transcript of this meeting left the room: it was sent to OpenAI (http://127.0.0.1:"
        ),
        "{page}"
    );
}

#[test]
fn anthropic_is_asked_in_its_form() {
    let (bench, server) = with_server("anthropic", json!({}), |_| anthropic(GOOD));
    let (told, page) = notes(&bench, "r");
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.header("x-api-key")), ("/messages", Some(KEY)));
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
    let body = &asked.body;
    assert_eq!(
        (&body["model"], &body["temperature"], &body["max_tokens"]),
        (&json!("m-1"), &json!(0), &json!(8192))
    );
    assert!(body["system"].as_str().unwrap().contains("## Decisions Made"));
    assert!(
        body["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("Call: The supplier contract ends in July.\n")
    );
    let it = told.meeting_notes;
    assert_eq!((it.written_by, it.left_the_box, it.problem), (Some(NotesWriter::LanguageModel), true, None));
    assert_eq!(json!(it.config), json!({ "provider": "anthropic", "model": "m-1" }));
    assert!(
        page.contains("> The transcript of this meeting left the room: it was sent to Anthropic (http"),
        "{page}"
    );
    assert!(page.contains("- (robert@example.org) Call the supplier [by Saturday]\n"), "{page}");
    assert!(page.contains("- (UNASSIGNED) Collect the money\n"), "Mallory is nobody here: {page}");
    assert!(page.contains("- Attendees:\n  - robert@example.org\n- Speaking"), "{page}");
}

#[test]
fn google_is_asked_in_its_form() {
    let parts = json!([{ "text": &GOOD[..50] }, { "text": &GOOD[50..] }]);
    let answer = json!({ "candidates": [{ "content": { "parts": parts }, "finishReason": "STOP" }] });
    let (bench, server) = with_server("google", json!({}), move |_| Answer::json(&answer));
    let (_, page) = notes(&bench, "r");
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.path.as_str(), asked.header("x-goog-api-key")),
        ("/models/m-1:generateContent", Some(KEY))
    );
    let body = &asked.body;
    assert_eq!(body["generationConfig"], json!({ "temperature": 0, "maxOutputTokens": 8192 }));
    assert!(body["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("## Decisions Made"));
    let user = body["contents"][0]["parts"][0]["text"].as_str().unwrap();
    assert!(user.contains("Call: The supplier contract ends in July.\n"));
    assert!(page.contains("it was sent to Google (http"), "{page}");
}

#[test]
fn an_answer_that_was_cut_off_is_asked_for_again() {
    for (provider, cut_off) in [
        ("openai", json!({ "choices": [{ "message": { "content": GOOD }, "finish_reason": "length" }] })),
        ("anthropic", json!({ "content": [{ "text": GOOD }], "stop_reason": "max_tokens" })),
        (
            "google",
            json!({ "candidates": [{ "content": { "parts": [{ "text": GOOD }] }, "finishReason": "MAX_TOKENS" }] }),
        ),
    ] {
        let (bench, server) = with_server(provider, json!({}), move |_| Answer::json(&cut_off));
        let error = bench.deliver(completed(&bench.data_directory(), "r", SAID)).unwrap_err().to_string();
        assert!(error.contains("cut off after 8192 tokens"), "{provider}: {error}");
        assert_eq!(server.asked().len(), 12, "three questions for each attempt");
    }
}

#[test]
fn settings_that_are_left_out_have_their_defaults() {
    let config: Config = serde_json::from_value(json!({ "openai": { "model": "mine" } })).unwrap();
    assert_eq!(
        (config.openai.model.as_str(), config.openai.base_url.as_str()),
        ("mine", "https://api.openai.com/v1")
    );
    assert_eq!((config.provider, config.timeout), (Provider::Anthropic, 600));
    let example: Config = serde_json::from_value(Bench::new(DESCRIPTOR).unwrap().config().clone()).unwrap();
    assert_eq!(json!(example), json!(Config::default()), "the example shows the defaults");
}
