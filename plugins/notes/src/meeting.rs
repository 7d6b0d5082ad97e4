//! A meeting as data: who said what, when. Owns how it is read from the event and the transcript's JSON; nothing
//! here or later reads Markdown to learn what was said.

use panotti_sdk::{
    jiff::Timestamp,
    payloads::{Transcript, TranscriptionCompleted},
    serde_json::Value,
};

use crate::text::one_line;

/// Longest label of a speaker that is kept, characters: a label is a name, not a text.
const LONGEST_LABEL: usize = 80;

/// Something that one speaker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Start, ms from the start of the recording.
    pub start_ms: u64,
    /// End, ms from the start of the recording.
    pub end_ms: u64,
    /// The channel's label; `None` where it has none.
    pub speaker: Option<String>,
    /// What was said, one line.
    pub text: String,
}

/// What is known of a meeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meeting {
    /// What it is called, one line.
    pub title: String,
    /// When it began, UTC; `None` when nobody said.
    pub started_at: Option<Timestamp>,
    /// How long it took, ms.
    pub duration_ms: u64,
    /// Who took part: names or e-mail addresses.
    pub attendees: Vec<String>,
    /// The language, ISO 639-1; empty when it is not known.
    pub language: String,
    /// What was said, in order of start.
    pub lines: Vec<Line>,
}

impl Meeting {
    /// The meeting that an event and its transcript tell of. Title and attendees come from the event, or from
    /// the metadata of the original's clients.
    pub fn new(event: &TranscriptionCompleted, transcript: Transcript) -> Self {
        let told = event.metadata.get("eventTitle").and_then(Value::as_str).map(one_line);
        let titles = [one_line(&event.title), told.unwrap_or_default(), event.recording_id.clone()];
        let listed = event.metadata.get("eventAttendees").and_then(Value::as_array).into_iter().flatten();
        let mut attendees = event.attendees.clone();
        if attendees.is_empty() {
            attendees = listed.filter_map(Value::as_str).map(str::to_owned).collect();
        }
        let mut known = Vec::new();
        for attendee in attendees.iter().map(|it| one_line(it)).filter(|it| !it.is_empty()) {
            if !known.contains(&attendee) {
                known.push(attendee);
            }
        }
        let mut lines: Vec<_> = transcript
            .segments
            .into_iter()
            .map(|it| Line {
                start_ms: it.start_ms,
                end_ms: it.end_ms.max(it.start_ms),
                speaker: it.speaker.map(|it| label(&it)).filter(|it| !it.is_empty()),
                text: one_line(&it.text),
            })
            .filter(|it| it.text.chars().any(char::is_alphanumeric))
            .collect();
        lines.sort_by_key(|it| it.start_ms);
        let last = lines.iter().map(|it| it.end_ms).max().unwrap_or_default();
        Self {
            title: titles.into_iter().find(|it| !it.is_empty()).unwrap_or_default(),
            started_at: event.started_at,
            duration_ms: transcript.duration_ms.max(event.duration_ms).max(last),
            attendees: known,
            language: one_line(&transcript.language).to_lowercase(),
            lines,
        }
    }

    /// Labels of the speakers, in the order in which they first spoke.
    pub fn labels(&self) -> Vec<&str> {
        let mut labels = Vec::new();
        for label in self.lines.iter().filter_map(|it| it.speaker.as_deref()) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// How long each label spoke, ms, the longest first; `None` is speech without a label.
    pub fn speaking_time(&self) -> Vec<(Option<&str>, u64)> {
        let mut times: Vec<(Option<&str>, u64)> = Vec::new();
        for line in &self.lines {
            let (speaker, took) = (line.speaker.as_deref(), line.end_ms - line.start_ms);
            match times.iter_mut().find(|it| it.0 == speaker) {
                Some(time) => time.1 += took,
                None => times.push((speaker, took)),
            }
        }
        times.sort_by_key(|it| std::cmp::Reverse(it.1));
        times
    }

    /// Whether it was held in English, as far as is known.
    pub fn is_english(&self) -> bool {
        self.language.is_empty() || self.language == "en" || self.language.starts_with("en-")
    }
}

fn label(text: &str) -> String {
    one_line(text).chars().take(LONGEST_LABEL).collect()
}

/// `1 hour 5 minutes`; seconds only where there is no minute.
pub(crate) fn duration(ms: u64) -> String {
    let count = |number: u64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    let minutes = (ms + 30_000) / 60_000;
    match (minutes / 60, minutes % 60) {
        _ if ms < 60_000 => count(ms.div_ceil(1000), "second"),
        (0, minutes) => count(minutes, "minute"),
        (hours, 0) => count(hours, "hour"),
        (hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
    }
}
