//! What is known of speech before it is heard. Owns what a meeting tells of its words, and when a language
//! that was found out is kept; leaves what a model can do with it to the `Transcriber`.

use std::sync::Arc;

use super::{Segment, Transcriber};

/// From this probability a language is taken for the meeting's; faster-whisper's own
/// `language_detection_threshold`.
const SURE: f32 = 0.5;
/// Names beyond this many characters are left out: with a title of 300 they fill what Whisper takes.
const NAMES_AT_MOST: usize = 300;

/// What is known before anything is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The language spoken, ISO 639-1; the configured one when not given.
    pub language: Option<String>,
    /// Words that are likely to be said: the meeting's title, names.
    pub prompt: Option<String>,
}

impl Hints {
    /// After `transcriber` has heard `said`: keeps the language it found out, once it is sure of it. Gives
    /// whether that was now.
    pub fn learn(self: &mut Arc<Self>, transcriber: &dyn Transcriber, said: &[Segment]) -> bool {
        if self.language.is_some() || said.is_empty() {
            return false;
        }
        match transcriber.heard_language() {
            Some((language, probability)) if probability >= SURE => {
                Arc::make_mut(self).language = Some(language.to_owned());
                true
            }
            _ => false,
        }
    }
}

/// What a meeting tells of the words that are said in it, as a text that might have come before them, since
/// that is what Whisper takes a prompt for. Of e-mail addresses it takes the name.
pub fn meeting_prompt(title: Option<&str>, attendees: &[String]) -> Option<String> {
    let mut names = String::new();
    for name in attendees.iter().map(|it| spoken_name(it)).filter(|it| !it.is_empty()) {
        if names.chars().count() + name.chars().count() > NAMES_AT_MOST {
            break;
        }
        let between = if names.is_empty() { "" } else { ", " };
        names = format!("{names}{between}{name}");
    }
    let title = title.map(|it| it.trim().trim_end_matches('.')).filter(|it| !it.is_empty());
    let parts = [title, Some(names.as_str()).filter(|it| !it.is_empty())];
    let text: Vec<_> = parts.into_iter().flatten().map(|it| format!("{it}.")).collect();
    Some(text.join(" ")).filter(|it| !it.is_empty())
}

/// `anna.berg@example.org` is called Anna Berg.
fn spoken_name(attendee: &str) -> String {
    let Some((name, _)) = attendee.split_once('@') else { return attendee.trim().to_owned() };
    let words = name.split(['.', '_', '-', '+']).filter(|it| it.chars().any(char::is_alphabetic));
    let capital = |it: &str| {
        let mut letters = it.trim().chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    words.map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::{Effort, How, ScriptedTranscriber, TranscribeError, Utterance};

    #[test]
    fn a_meeting_tells_of_its_words() {
        let prompt = |title, attendees: &[&str]| {
            let attendees: Vec<_> = attendees.iter().map(|it| (*it).to_owned()).collect();
            meeting_prompt(title, &attendees)
        };
        assert_eq!(prompt(None, &[]), None);
        assert_eq!(prompt(Some(" "), &["@", "1@x.org"]), None);
        assert_eq!(prompt(Some("Budget review."), &[]).as_deref(), Some("Budget review."));
        let all = prompt(Some("Kiosk"), &["Bo Chen", "anna.berg@example.org"]);
        assert_eq!(all.as_deref(), Some("Kiosk. Bo Chen, Anna Berg."));
        let many: Vec<String> = (0..200).map(|it| format!("Participant {it}")).collect();
        let long = meeting_prompt(None, &many).unwrap();
        assert!((250..=350).contains(&long.len()) && long.ends_with('.'), "{long}");
    }

    /// Says that it heard a language.
    struct Heard(ScriptedTranscriber, Option<(&'static str, f32)>);

    impl Transcriber for Heard {
        fn transcribe(&mut self, utterance: &Utterance, how: &How) -> Result<Vec<Segment>, TranscribeError> {
            self.0.transcribe(utterance, how)
        }
        fn name(&self) -> String {
            self.0.name()
        }
        fn heard_language(&self) -> Option<(&str, f32)> {
            self.1
        }
    }

    #[test]
    fn a_language_is_kept_from_the_first_confident_words_on() {
        let said = ScriptedTranscriber::new(["Ja"])
            .transcribe(&Utterance { start_sample: 0, samples: vec![0.0; 16_000] }, &How::of(Effort::Live))
            .unwrap();
        let mut hints = Arc::new(Hints { language: None, prompt: Some("Kiosk.".into()) });
        let mut hear = |heard, said: &[Segment]| {
            let learnt = hints.learn(&Heard(ScriptedTranscriber::default(), heard), said);
            (learnt, hints.language.clone())
        };
        assert_eq!(hear(None, &said), (false, None), "the model did not look");
        assert_eq!(hear(Some(("de", 0.4)), &said), (false, None), "unsure");
        assert_eq!(hear(Some(("nl", 0.9)), &[]), (false, None), "nothing was said");
        assert_eq!(hear(Some(("de", 0.9)), &said), (true, Some("de".into())));
        assert_eq!(hear(Some(("fr", 1.0)), &said), (false, Some("de".into())), "once");
        assert_eq!(hints.prompt.as_deref(), Some("Kiosk."));
    }
}
