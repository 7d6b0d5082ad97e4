//! The written forms of a transcript. Owns how text, Markdown, JSON, SubRip and WebVTT look and what
//! must be escaped in them; the data is a payload, since events carry it too.

use std::{fmt::Write as _, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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
}

/// What stands above a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The meeting's title; may be empty.
    pub title: String,
    /// Whatever else is known of the meeting.
    pub metadata: Map<String, Value>,
}

impl TranscriptFormat {
    /// All forms.
    pub const ALL: [Self; 5] = [Self::Txt, Self::Md, Self::Json, Self::Srt, Self::Vtt];

    /// Name in requests and ending of a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Md => "md",
            Self::Json => "json",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
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
        }
    }
}

impl FromStr for TranscriptFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is not a form of a transcript: use txt, md, json, srt or vtt"))
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

    /// The form of whisper's `verbose_json` (times in s), with what we know beyond it.
    fn json(&self, header: &Header) -> String {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let words = |segment: &Segment| -> Vec<Value> {
            let word = |it: &Word| {
                json!({
                    "word": it.text, "start": seconds(it.start_ms), "end": seconds(it.end_ms),
                    "probability": it.confidence,
                })
            };
            segment.words.iter().map(word).collect()
        };
        let segments: Vec<Value> = self
            .segments
            .iter()
            .enumerate()
            .map(|(id, it)| {
                json!({
                    "id": id, "start": seconds(it.start_ms), "end": seconds(it.end_ms), "text": it.text,
                    "speaker": it.speaker, "confidence": it.confidence, "words": words(it),
                })
            })
            .collect();
        let all: Vec<Value> = self.segments.iter().flat_map(words).collect();
        let mut out = pretty(&json!({
            "task": "transcribe", "language": self.language, "duration": seconds(self.duration_ms),
            "text": self.text(), "segments": segments, "words": all, "model": self.model,
            "title": header.title, "metadata": header.metadata,
        }));
        out.push('\n');
        out
    }

    fn srt(&self) -> String {
        let mut out = String::new();
        for (i, segment) in self.segments.iter().enumerate() {
            let (start, end) = cue(segment, ',');
            // SubRip knows no escapes, and readers look for the arrow anywhere.
            let text = labelled(segment).replace("-->", "->");
            _ = writeln!(out, "{}\n{start} --> {end}\n{text}\n", i + 1);
        }
        out
    }

    fn vtt(&self, header: &Header) -> String {
        let title = one_line(&header.title).replace("-->", "->");
        let mut out = if title.is_empty() { "WEBVTT\n\n".into() } else { format!("WEBVTT - {title}\n\n") };
        for segment in &self.segments {
            let (start, end) = cue(segment, '.');
            let voice = match segment.speaker.as_deref().map(one_line) {
                Some(label) if !label.is_empty() => format!("<v {}>", escaped(&label)),
                _ => String::new(),
            };
            _ = writeln!(out, "{start} --> {end}\n{voice}{}\n", escaped(&one_line(&segment.text)));
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
    match segment.speaker.as_deref().map(one_line) {
        Some(label) if !label.is_empty() => format!("{label}: {text}"),
        _ => text,
    }
}

/// Escapes of WebVTT's cue text (W3C WebVTT, 4.2.2); `>` too, so that no arrow is left.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Start and end of a cue, `HH:MM:SS` and milliseconds; the end always lies after the start.
fn cue(segment: &Segment, point: char) -> (String, String) {
    let time = |ms: u64| {
        let (s, ms) = (ms / 1000, ms % 1000);
        format!("{:02}:{:02}:{:02}{point}{ms:03}", s / 3600, s / 60 % 60, s % 60)
    };
    (time(segment.start_ms), time(segment.end_ms.max(segment.start_ms + 1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn tricky() -> (Transcript, Header) {
        let word = |text: &str| Word { start_ms: 1500, end_ms: 1750, text: text.into(), confidence: 0.5 };
        let segment = |start_ms, end_ms, speaker: Option<&str>, text: &str| Segment {
            start_ms,
            end_ms,
            speaker: speaker.map(Into::into),
            text: text.into(),
            words: vec![word("Hi"), word("<b>")],
            confidence: 0.5,
        };
        let segments = vec![
            segment(1_500, 2_250, Some("Seat <1> & co"), "Tom & \"Jerry\" <b>go</b> --> home\n\nnow"),
            segment(5_999_996, 5_999_996, None, "[00:00.00] ```"),
        ];
        let transcript =
            Transcript { language: "en".into(), duration_ms: 6_000_500, model: "demo".into(), segments };
        let metadata = json!({"note": "```\n# Not a heading\n`````"});
        let metadata = metadata.as_object().unwrap().clone();
        (transcript, Header { title: "Plan --> B\nx".into(), metadata })
    }

    fn check(format: TranscriptFormat, want: &str) {
        let (transcript, header) = tricky();
        assert_eq!(transcript.render(format, &header), want);
    }

    #[test]
    fn txt() {
        check(
            TranscriptFormat::Txt,
            "Seat <1> & co: Tom & \"Jerry\" <b>go</b> --> home now\n[00:00.00] ```\n",
        );
    }

    #[test]
    fn md_metadata_cannot_leave_its_fence() {
        let want = "# Merged Transcript\n\n## Metadata\n\n``````json\n{\n  \
            \"note\": \"```\\n# Not a heading\\n`````\",\n  \"title\": \"Plan --> B\\nx\"\n}\n``````\n\n\
            ## Transcript\n\n\
            [00:01.50] Seat <1> & co: Tom & \"Jerry\" <b>go</b> --> home now\n[100:00.00] [00:00.00] ```\n";
        check(TranscriptFormat::Md, want);
    }

    #[test]
    fn a_track_in_the_form_of_the_original() {
        let (transcript, header) = tricky();
        let header = Header { metadata: Map::new(), ..header };
        let want = "# Audio Transcript\n\nSpeaker: Todd\n\n## Metadata\n\n```json\n{\n  \
            \"title\": \"Plan --> B\\nx\"\n}\n```\n\n## Segments\n\n\
            [00:01.50 -> 00:02.25] Seat <1> & co: Tom & \"Jerry\" <b>go</b> --> home now\n\
            [100:00.00 -> 100:00.00] Todd: [00:00.00] ```\n";
        assert_eq!(transcript.track_md("Todd", &header), want);
    }

    #[test]
    fn srt() {
        let want = "1\n00:00:01,500 --> 00:00:02,250\n\
            Seat <1> & co: Tom & \"Jerry\" <b>go</b> -> home now\n\n\
            2\n01:39:59,996 --> 01:39:59,997\n[00:00.00] ```\n\n";
        check(TranscriptFormat::Srt, want);
    }

    #[test]
    fn vtt() {
        let want = "WEBVTT - Plan -> B x\n\n00:00:01.500 --> 00:00:02.250\n\
            <v Seat &lt;1&gt; &amp; co>Tom &amp; \"Jerry\" &lt;b&gt;go&lt;/b&gt; --&gt; home now\n\n\
            01:39:59.996 --> 01:39:59.997\n[00:00.00] ```\n\n";
        check(TranscriptFormat::Vtt, want);
    }

    #[test]
    fn json_has_the_fields_of_verbose_json() {
        let (transcript, header) = tricky();
        let text = transcript.render(TranscriptFormat::Json, &header);
        let it: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(it["task"], "transcribe");
        assert_eq!(it["language"], "en");
        assert_eq!(it["duration"], 6000.5);
        assert_eq!(it["text"], "Tom & \"Jerry\" <b>go</b> --> home now [00:00.00] ```");
        assert_eq!(it["segments"][1]["id"], 1);
        assert_eq!(it["segments"][0]["start"], 1.5);
        assert_eq!(it["segments"][0]["text"], transcript.segments[0].text);
        assert_eq!(it["words"].as_array().unwrap().len(), 4);
        assert_eq!(it["words"][1], json!({"word": "<b>", "start": 1.5, "end": 1.75, "probability": 0.5}));
    }

    #[test]
    fn names_of_formats() {
        for format in TranscriptFormat::ALL {
            assert_eq!(format.name().to_uppercase().parse(), Ok(format));
        }
        assert!("docx".parse::<TranscriptFormat>().unwrap_err().contains("use txt, md, json, srt or vtt"));
    }
}
