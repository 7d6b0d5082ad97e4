//! A meeting of three hours and a small context.

use panotti_notes::tokens;

use super::*;

/// Three hours, a sentence every five seconds.
fn three_hours() -> Vec<String> {
    let subjects = ["supplier", "warehouse", "budget", "website", "release", "contract", "training"];
    (0..2160)
        .map(|it| format!("Sentence {it} says that the {} needs a plan for item {it}.", subjects[it % 7]))
        .collect()
}

/// Notes of a part, as a model writes them; a summary where one is asked for.
fn model(asked: &Asked) -> Answer {
    let prompt = asked.body["messages"][1]["content"].as_str().unwrap();
    if !prompt.contains("It is part ") {
        return chat(
            "The supplier, the warehouse and the budget need plans, as do the website and the training.",
        );
    }
    let part = prompt.split("It is part ").nth(1).unwrap().split(' ').next().unwrap();
    chat(
        &GOOD.replace(
            "Maria shares the roadmap.",
            &format!("Plan {part} is made.\n- The release has a plan."),
        ),
    )
}

/// Question and room for the answer are no more than the context.
fn fits(asked: &Asked, num_ctx: usize) {
    let [system, user] = [0, 1].map(|at| asked.body["messages"][at]["content"].as_str().unwrap());
    let answer = asked.body["options"]["num_predict"].as_u64().unwrap() as usize;
    let used = tokens(system) + tokens(user) + answer;
    assert!(used <= num_ctx, "{used} tokens");
}

#[test]
fn a_long_meeting_is_cut_and_joined_within_the_context() {
    let texts = three_hours();
    let said: Vec<_> = texts.iter().map(|it| ("Room", it.as_str())).collect();
    let (bench, server) = with_server("", json!({ "num_ctx": 4096 }), model);
    let (told, page) = notes(&bench, "r", &said);
    assert_eq!(told.meeting_notes.written_by, Some(NotesWriter::LanguageModel));

    let asked = server.asked();
    let mut heard = Vec::new();
    for it in &asked {
        fits(it, 4096);
        let user = it.body["messages"][1]["content"].as_str().unwrap();
        heard.extend(user.lines().filter_map(|it| it.strip_prefix("Room: ")).map(str::to_owned));
    }
    assert_eq!(heard, texts, "every sentence is read once, in order");

    let parts = asked
        .iter()
        .filter(|it| it.body["messages"][1]["content"].as_str().unwrap().contains("It is part "))
        .count();
    assert!(parts > 10, "{parts}");
    for part in 1..=parts {
        assert_eq!(page.matches(&format!("- Plan {part} is made.\n")).count(), 1, "{part}");
    }
    assert_eq!(page.matches("- The release has a plan.\n").count(), 1, "what every part says stands once");
    assert_eq!(page.matches("- (robert@example.org) Call the supplier [by Saturday]\n").count(), 1);
    assert!(page.contains("The supplier, the warehouse and the budget need plans"), "{page}");
    assert!(page.contains("- Duration: 3 hours\n"), "{page}");
}

#[test]
fn asking_again_stays_within_the_context() {
    // One line without an end: the parts are as full as can be.
    let text = three_hours().join(" ");
    let said = [("Room", text.as_str())];
    let (bench, server) = with_server("", json!({ "num_ctx": 4096 }), |asked| {
        let again = asked.body["messages"][1]["content"].as_str().unwrap().contains("could not be used");
        if again { model(asked) } else { chat("## Next Steps\n## Action Items\n") }
    });
    let (told, _) = notes(&bench, "r", &said);
    assert_eq!(told.meeting_notes.written_by, Some(NotesWriter::LanguageModel));
    server.asked().iter().for_each(|it| fits(it, 4096));
}

/// A model that fails at what `fails` says of its question.
fn failing(fails: impl Fn(&str) -> bool + Send + Sync + 'static, answer: &'static str) {
    let texts = three_hours();
    let said: Vec<_> = texts.iter().map(|it| ("Room", it.as_str())).collect();
    let (bench, _server) = with_server("", json!({ "num_ctx": 8192 }), move |asked| {
        let prompt = asked.body["messages"][1]["content"].as_str().unwrap();
        if fails(prompt) { chat(answer) } else { model(asked) }
    });
    let (told, page) = notes(&bench, "r", &said);
    assert_eq!(told.meeting_notes.written_by, Some(NotesWriter::Extract), "no notes with a hole in them");
    assert!(!page.contains("Plan 1 is made") && !page.contains("HACKED"));
}

#[test]
fn a_part_that_fails_fails_the_whole() {
    failing(|prompt| prompt.contains("It is part 3 "), "HACKED");
}

#[test]
fn a_summary_that_is_none_fails_the_whole() {
    for answer in
        ["HACKED", "HACKED HACKED HACKED HACKED HACKED", "# Summary\nThe supplier and the budget need plans."]
    {
        failing(|prompt| !prompt.contains("It is part "), answer);
    }
}
