//! Whatever is said, and whatever a model answers: no panic, and the form holds.

use proptest::prelude::*;

use super::meeting;
use crate::{
    Prompt,
    answer::{self, Told},
    extract,
    owners::Owners,
    render,
    text::one_line,
};

/// Words with which the cues have to do, and others.
fn talk() -> impl Strategy<Value = String> {
    let cue = prop::sample::select(vec![
        "Anna", "and", "Bob,", "will", "please", "could", "you", "we", "agreed", "to", "decided", "that",
        "by", "on", "the", "end", "of", "Friday", "May", "6th", "at", "7:15", "send", "be", "don't",
        "forget", "action", "item", "for", "is", "Project", "I'll", "let's", "go", "with", ".", "?", "—",
        "…", "Ärger", "日本", "İ", "ß", "## x", "](", "<b>",
    ]);
    let word = prop_oneof![5 => cue.prop_map(str::to_owned), 1 => "[^\\p{C}\\[\\]<>{}]{0,6}"];
    prop::collection::vec(word, 0..12).prop_map(|it| one_line(&it.join(" ")))
}

fn headings(page: &str) -> usize {
    page.lines().filter(|it| it.trim_start().starts_with("# ") || it.trim_start().starts_with("## ")).count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
    #[test]
    fn notes_without_a_model_hold_the_form(said in prop::collection::vec((prop::sample::select(vec!["", "Ada", "İx"]), talk()), 0..12)) {
        let said: Vec<_> = said.iter().filter(|it| !it.1.is_empty()).map(|(who, text)| (*who, text.as_str())).collect();
        let meeting = meeting(&said, &["Anna İ", "bob@example.org"]);
        let notes = extract(&meeting);
        let all: String = said.iter().map(|it| format!("{} ", it.1)).collect();
        let all = one_line(&all);
        for sentence in notes.decisions.iter().chain(&notes.next_steps) {
            let begins: String = sentence.split(' ').take(3).collect::<Vec<_>>().join(" ");
            prop_assert!(all.contains(&begins), "{} was not said in {}", sentence, all);
        }
        prop_assert_eq!(headings(&render(&meeting, &notes, "x")), 7);
    }

    #[test]
    fn answers_that_pass_hold_the_form(parts in prop::collection::vec((0_usize..5, 0_usize..4, talk()), 0..14)) {
        let sections = ["## Executive Summary", "## Key Discussion Points", "## Action Items", "## Decisions Made", "## Next Steps"];
        let noise = ["### x\n", "", "text\n", "* [x](\n"];
        let mut answer = String::new();
        for (index, section) in sections.iter().enumerate() {
            answer += section;
            answer += if index == 0 { "\nWe talked about what was to be talked about.\n" } else { "\n" };
            for (_, kind, text) in parts.iter().filter(|it| it.0 == index) {
                let owner = if index == 2 { "(Ada, Mallory) " } else { "" };
                answer += &format!("- {owner}{text}\n{}", if index == 2 { "" } else { noise[*kind] });
            }
        }
        let meeting = meeting(&[("Ada", "We talked.")], &[]);
        let prompt = Prompt::notes(&meeting, &meeting.lines, None, 100_000);
        let told = Told { lines: &meeting.lines, english: false };
        // Tasks without a word in them are refused; everything else here may stand.
        let empty = parts.iter().any(|it| it.0 == 2 && crate::text::words(&it.2).is_empty());
        let judged = answer::notes(&answer, &prompt, &told, &Owners::of(&meeting));
        prop_assert_eq!(judged.is_err(), empty, "{:?} of {}", judged, answer);
        if let Ok(notes) = judged {
            let page = render(&meeting, &notes, "x");
            prop_assert_eq!(headings(&page), 7, "{}", page);
            prop_assert!(notes.actions.iter().all(|it| it.owner.as_deref() == Some("Ada")), "{:?}", notes);
        }
    }
}
