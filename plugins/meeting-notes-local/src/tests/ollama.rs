//! Each way in which Ollama can answer, or not.

use panotti_sdk::Health;

use super::*;

/// The whole of conformance again, with a model.
mod with_model {
    use super::*;

    fn server() -> Value {
        static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(|_| chat(GOOD)).unwrap());
        json!({ "ollama_url": SERVER.url(), "writer": "model" })
    }

    panotti_sdk::conformance!(
        Case::of(DESCRIPTOR).config(server()).event(lasting("model.1", SAID)).event(deleted("model.1"))
    );
}

/// Delivers a meeting that cannot be handled; why, and how often the server was asked.
fn failure(behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (String, usize) {
    let config = json!({ "writer": "model", "timeout": 1 });
    let (bench, server) = with_server("", config, behaviour);
    let event = completed(&bench.data_directory(), "r", SAID);
    let error = bench.deliver(event).unwrap_err().to_string();
    let told = bench.events().last().unwrap().clone();
    assert_eq!(told.name.as_str(), "meeting_notes_local.error");
    assert_eq!(
        (&told.payload["recording_id"], &told.payload["meeting_notes"]["status"]),
        (&json!("r"), &json!("error"))
    );
    assert!(told.payload["meeting_notes"]["error"].as_str().unwrap().contains(&error), "{}", told.payload);
    assert!(!bench.data_directory().join("meeting_notes_local").exists(), "no file pretends to be notes");
    assert!(matches!(bench.health().unwrap(), Health::Degraded(why) if why == error));
    (error, server.asked().len())
}

/// The same with `writer: auto`: notes, and what is said of them.
fn fallback(behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let (bench, _server) = with_server("", json!({ "timeout": 1 }), behaviour);
    let (told, page) = notes(&bench, "r", SAID);
    let problem = told.meeting_notes.problem.unwrap();
    assert_eq!(told.meeting_notes.written_by, Some(NotesWriter::Extract));
    assert!(
        page.contains("> Written without a language model") && page.contains(&problem),
        "{problem} in {page}"
    );
    assert!(page.contains("- (robert@example.org) Call the supplier [by Saturday]\n"), "{page}");
    assert!(matches!(bench.health().unwrap(), Health::Degraded(why) if why == problem));
    problem
}

#[test]
fn a_good_answer_becomes_the_notes() {
    let (bench, server) = with_server("", json!({}), |_| chat(GOOD));
    let (told, page) = notes(&bench, "r", SAID);
    let body = &server.asked()[0].body;
    assert_eq!(server.asked()[0].path, "/api/chat");
    assert_eq!((&body["model"], &body["stream"]), (&json!("llama3.1:8b"), &json!(false)));
    assert_eq!(body["options"], json!({ "num_ctx": 131_072, "temperature": 0, "num_predict": 8192 }));
    for (speaker, text) in SAID {
        let asked = body["messages"][1]["content"].as_str().unwrap();
        assert!(asked.contains(&format!("{speaker}: {text}\n")), "{asked}");
    }
    let it = told.meeting_notes;
    assert_eq!((it.written_by, it.problem, it.left_the_box), (Some(NotesWriter::LanguageModel), None, false));
    assert_eq!(it.config["model_name"], "llama3.1:8b");
    assert_eq!((it.files, told.metadata["eventTitle"].as_str()), (vec![it.notes_path], Some("Weekly")));
    assert!(
        page.contains("> Written by the language model llama3.1:8b on this box; nothing left it."),
        "{page}"
    );
    assert!(page.contains("- (robert@example.org) Call the supplier [by Saturday]\n"), "{page}");
    assert!(page.contains("- (UNASSIGNED) Collect the money\n"), "Mallory is nobody here: {page}");
    assert_eq!(bench.health().unwrap(), Health::Healthy);
}

#[test]
fn the_path_of_the_url_is_the_way_of_asking() {
    let generate = json!({ "response": GOOD, "done": true, "done_reason": "stop" });
    let (bench, server) = with_server("/api/generate", json!({}), move |_| Answer::json(&generate));
    notes(&bench, "r", SAID);
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/api/generate");
    assert!(asked.body["prompt"].as_str().unwrap().contains("Call: The supplier contract ends in July."));
    assert!(asked.body["system"].as_str().unwrap().contains("## Decisions Made"));
    for path in ["/", "/api/chat", "/ollama", "/ollama/api/chat"] {
        let (bench, server) = with_server(path, json!({}), |_| chat(GOOD));
        notes(&bench, "r", SAID);
        let asked = server.asked()[0].path.clone();
        assert_eq!(asked, if path.starts_with("/o") { "/ollama/api/chat" } else { "/api/chat" }, "{path}");
    }
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    let refused = bench.configure(json!({ "ollama_url": "localhost:11434" })).start().unwrap_err();
    assert!(format!("{refused:?}").contains("ollama_url"), "{refused:?}");
}

#[test]
fn without_ollama_there_are_notes_at_once() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bench = bench(json!({ "ollama_url": format!("http://127.0.0.1:{port}") }));
    let (told, page) = notes(&bench, "r", SAID);
    let it = told.meeting_notes;
    let problem = it.problem.unwrap();
    assert!(
        problem.contains("nothing listens there") && problem.contains("ollama pull llama3.1:8b"),
        "{problem}"
    );
    assert_eq!((it.written_by, it.left_the_box), (Some(NotesWriter::Extract), false));
    for found in [
        "- (Maria) Share the roadmap\n",
        "- (Call) Send the old contract [tomorrow]\n",
        "- We agreed that Maria will share the roadmap.\n",
        "- The next meeting is on Wednesday at 7:15.\n",
        "- Call: What does a new contract cost?\n",
        "  - Room: 16 seconds\n  - Call: 8 seconds\n",
    ] {
        assert!(page.contains(found), "{found} in {page}");
    }
    assert_eq!(bench.health().unwrap(), Health::Healthy, "a box without Ollama is well");

    let bench =
        super::bench(json!({ "ollama_url": format!("http://127.0.0.1:{port}"), "writer": "extract" }));
    let (told, page) = notes(&bench, "r", SAID);
    assert_eq!(told.meeting_notes.problem, None, "none is wanted");
    assert!(page.contains("> Written without a language model"), "{page}");
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let missing =
        |_: &Asked| Answer::Say(404, json!({ "error": "model 'llama3.1:8b' not found" }).to_string());
    let (error, asked) = failure(missing);
    assert!(error.contains("run `ollama pull llama3.1:8b`"), "{error}");
    assert_eq!(asked, 1, "the same again does not help");
    assert!(fallback(missing).contains("run `ollama pull llama3.1:8b`"));
    let (error, _) = failure(|_| Answer::Say(404, "404 page not found".into()));
    assert!(error.contains("look at `ollama_url`"), "{error}");
}

#[test]
fn a_slow_model_is_waited_for_and_then_done_without() {
    let (error, asked) = failure(|_| Answer::Silence);
    assert!(error.contains("has not answered within 1 s: raise `timeout`"), "{error}");
    assert_eq!(asked, 4, "one request for each attempt");
    assert!(fallback(|_| Answer::Silence).contains("within 1 s"));
}

#[test]
fn failures_of_ollama_are_tried_again_and_told() {
    for (answer, why) in [
        (Answer::Say(500, json!({ "error": "out of memory" }).to_string()), "answers 500: out of memory"),
        (Answer::Say(200, json!({ "error": "out of memory" }).to_string()), "out of memory"),
        (Answer::Say(503, "busy".into()), "answers 503: busy"),
        (Answer::Say(200, "{\"message\": {\"cont".into()), "no JSON"),
        (Answer::Say(200, "{}".into()), "without a text"),
        (Answer::Close, "broke"),
    ] {
        let told = answer.clone();
        let (error, asked) = failure(move |_| answer.clone());
        assert!(error.contains(why), "{error}");
        assert_eq!(asked, 4, "{why}");
        assert!(fallback(move |_| told.clone()).contains(why));
    }
    // It recovers: the attempt after the failure has the model's notes.
    let failures = std::sync::atomic::AtomicU32::new(2);
    let (bench, _server) = with_server("", json!({}), move |_| {
        let left = failures.fetch_update(
            std::sync::atomic::Ordering::SeqCst,
            std::sync::atomic::Ordering::SeqCst,
            |it| it.checked_sub(1),
        );
        if left.is_ok() { Answer::Say(500, String::new()) } else { chat(GOOD) }
    });
    assert_eq!(notes(&bench, "r", SAID).0.meeting_notes.written_by, Some(NotesWriter::LanguageModel));
}

#[test]
fn an_answer_that_is_none_is_asked_for_again_and_never_kept() {
    let cut_off = Answer::json(&json!({ "message": { "content": GOOD }, "done_reason": "length" }));
    for (answer, why) in [
        (chat("I am sorry, I cannot do that."), "is missing"),
        (chat(""), "it was empty"),
        (chat("<think>hm</think>"), "is missing"),
        (cut_off, "cut off after 8192 tokens"),
    ] {
        let told = answer.clone();
        let (error, asked) = failure(move |_| answer.clone());
        assert!(
            error.contains("none of 3 answers of the model could be used") && error.contains(why),
            "{error}"
        );
        assert_eq!(asked, 12, "three questions for each attempt");
        let problem = fallback(move |_| told.clone());
        assert!(problem.contains(why), "{problem}");
    }
    let (bench, server) = with_server("", json!({}), |asked| {
        let asked = asked.body["messages"][1]["content"].as_str().unwrap();
        chat(if asked.contains("could not be used: the section `Next Steps` is missing") {
            GOOD
        } else {
            &GOOD[..GOOD.len() - 31]
        })
    });
    let (told, _) = notes(&bench, "r", SAID);
    assert_eq!(
        told.meeting_notes.written_by,
        Some(NotesWriter::LanguageModel),
        "told what was wrong, it mends it"
    );
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn an_echo_is_no_notes() {
    let echo = |asked: &Asked| {
        let messages = &asked.body["messages"];
        chat(&format!(
            "{}\n{}",
            messages[0]["content"].as_str().unwrap(),
            messages[1]["content"].as_str().unwrap()
        ))
    };
    assert!(failure(echo).0.contains("repeats the instructions"));
    assert!(fallback(echo).contains("repeats the instructions"));
}

#[test]
fn w06_a_failure_is_never_saved_as_notes() {
    let (error, _) =
        failure(|_| Answer::Say(500, json!({ "error": "Error calling Ollama API" }).to_string()));
    assert!(error.contains("Error calling Ollama API"));
    let (bench, _server) = with_server("", json!({}), |_| {
        Answer::Say(500, json!({ "error": "Error calling Ollama API" }).to_string())
    });
    let (told, page) = notes(&bench, "r", SAID);
    assert_eq!(told.meeting_notes.written_by, Some(NotesWriter::Extract));
    let sections = page.split_once("## Meeting Information").unwrap().1;
    assert!(!sections.contains("Error calling"), "{page}");
}
