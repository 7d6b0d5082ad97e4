//! The written forms of a transcript. Owns how text and Markdown look, and what stands above them; the other
//! forms have files of their own. The data is a payload, since events carry it too.

mod cues;
mod html;
mod json;
mod subtitles;
#[cfg(test)]
mod tests;

use std::{fmt::Write as _, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::payloads::{Segment, Transcript, Word};

/// A written form of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TranscriptFormat {
    /// Plain text, a line a segment.
    Txt,
    /// Markdown in the original's merged form.
    Md,
    /// JSON in the form of whisper's `verbose_json`.
    Json,
    /// SubRip.
    Srt,
    /// WebVTT.
    Vtt,
    /// A page to print or to read, whole in one file.
    Html,
}

/// What stands above a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The meeting's title; may be empty.
    pub title: String,
    /// Whatever else is known of the meeting.
    pub metadata: Map<String, Value>,
    /// Who took part.
    pub attendees: Vec<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
}

impl TranscriptFormat {
    /// All forms.
    pub const ALL: [Self; 6] = [Self::Txt, Self::Md, Self::Json, Self::Srt, Self::Vtt, Self::Html];

    /// Name in requests and ending of a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Md => "md",
            Self::Json => "json",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Html => "html",
        }
    }

    /// Media type for HTTP.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Txt => "text/plain; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

impl FromStr for TranscriptFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            format!("`{text}` is not a form of a transcript: use txt, md, json, srt, vtt or html")
        })
    }
}

impl Transcript {
    /// The transcript in one of its written forms, ending in a newline.
    pub fn render(&self, format: TranscriptFormat, header: &Header) -> String {
        match format {
            TranscriptFormat::Txt => self.txt(),
            TranscriptFormat::Md => self.md(header),
            TranscriptFormat::Json => self.json(header),
            TranscriptFormat::Srt => self.srt(),
            TranscriptFormat::Vtt => self.vtt(header),
            TranscriptFormat::Html => self.html(header),
        }
    }

    /// All that was said, in one line.
    pub fn text(&self) -> String {
        self.segments.iter().map(|it| one_line(&it.text)).collect::<Vec<_>>().join(" ")
    }

    fn txt(&self) -> String {
        let mut out = String::new();
        for segment in &self.segments {
            out += &labelled(segment);
            out.push('\n');
        }
        out
    }

    /// The merged form of the original: start times only, minutes counted on beyond an hour.
    fn md(&self, header: &Header) -> String {
        let metadata = header.metadata_block();
        let mut out = format!("# Merged Transcript\n\n{metadata}## Transcript\n\n");
        for segment in &self.segments {
            _ = writeln!(out, "[{}] {}", minutes(segment.start_ms), labelled(segment));
        }
        out
    }

    /// The original's Markdown of one track, with start and end of what was said: `speaker` is the track's
    /// label, for segments without one of their own too.
    pub fn track_md(&self, speaker: &str, header: &Header) -> String {
        let speaker = one_line(speaker);
        let metadata = header.metadata_block();
        let mut out = format!("# Audio Transcript\n\nSpeaker: {speaker}\n\n{metadata}## Segments\n\n");
        for segment in &self.segments {
            let (start, end) = (minutes(segment.start_ms), minutes(segment.end_ms));
            let who = segment.speaker.clone().filter(|it| !it.trim().is_empty());
            let segment =
                Segment { speaker: Some(who.unwrap_or_else(|| speaker.clone())), ..segment.clone() };
            _ = writeln!(out, "[{start} -> {end}] {}", labelled(&segment));
        }
        out
    }
}

impl Header {
    /// The heading and the fenced JSON that stand above the original's Markdown.
    fn metadata_block(&self) -> String {
        let mut metadata = self.metadata.clone();
        if !self.title.is_empty() && !metadata.contains_key("title") {
            metadata.insert("title".into(), Value::from(self.title.as_str()));
        }
        let metadata = pretty(&Value::Object(metadata));
        // A fence longer than any run of backticks inside cannot be closed by what is inside.
        let run = metadata.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(3.max(run + 1));
        format!("## Metadata\n\n{fence}json\n{metadata}\n{fence}\n\n")
    }
}

/// `MM:SS.ss`, minutes counted on beyond an hour.
fn minutes(ms: u64) -> String {
    let hundredths = (ms + 5) / 10;
    let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
    format!("{minutes:02}:{:02}.{:02}", rest / 100, rest % 100)
}

/// Indented JSON; a [`Value`] always has a written form.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// All forms but JSON are made of lines: whatever breaks one becomes a space.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn labelled(segment: &Segment) -> String {
    let text = one_line(&segment.text);
    label(segment).map_or_else(|| text.clone(), |label| format!("{label}: {text}"))
}

/// Who speaks, where that has a name.
fn label(segment: &Segment) -> Option<String> {
    segment.speaker.as_deref().map(one_line).filter(|it| !it.is_empty())
}

/// Escapes of WebVTT's cue text (W3C WebVTT, 4.2.2), which are HTML's too; `>` as well, so that no arrow is
/// left.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `HH:MM:SS`, hours counted on.
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
