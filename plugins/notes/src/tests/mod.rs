//! Tests of the notes: what is found without a model, which answers of a model pass, how meetings are cut.

mod answer;
mod any;
mod extract;
mod form;
mod http;
mod split;

use panotti_sdk::payloads::{Segment, Transcript};

use crate::{Line, Meeting};

/// Lines of five seconds each: label and text.
fn lines(said: &[(&str, &str)]) -> Vec<Line> {
    let line = |(index, (speaker, text)): (usize, &(&str, &str))| Line {
        start_ms: index as u64 * 5000,
        end_ms: index as u64 * 5000 + 4000,
        speaker: (!speaker.is_empty()).then(|| (*speaker).to_owned()),
        text: (*text).to_owned(),
    };
    said.iter().enumerate().map(line).collect()
}

fn meeting(said: &[(&str, &str)], attendees: &[&str]) -> Meeting {
    let lines = lines(said);
    Meeting {
        title: "Weekly".into(),
        started_at: Some("2025-01-01T10:00:00Z".parse().unwrap()),
        duration_ms: lines.len() as u64 * 5000,
        attendees: attendees.iter().map(|it| (*it).to_owned()).collect(),
        language: "en".into(),
        lines,
    }
}

fn transcript(said: &[(&str, &str)]) -> Transcript {
    let segment = |it: Line| Segment {
        start_ms: it.start_ms,
        end_ms: it.end_ms,
        speaker: it.speaker,
        text: it.text,
        words: Vec::new(),
        confidence: 1.0,
    };
    let segments: Vec<_> = lines(said).into_iter().map(segment).collect();
    let duration_ms = segments.len() as u64 * 5000;
    Transcript { language: "en".into(), duration_ms, model: "test".into(), segments }
}
