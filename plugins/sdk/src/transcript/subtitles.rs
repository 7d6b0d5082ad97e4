//! SubRip and WebVTT. Owns their syntax; where a cue begins and ends is in `cues`.

use std::fmt::Write as _;

use super::{
    Header, Transcript, clock,
    cues::{Cue, cues},
    escaped, one_line,
};

impl Transcript {
    /// SubRip, as players read it: the speaker stands before the text of every cue.
    pub(super) fn srt(&self) -> String {
        let mut out = String::new();
        for (i, cue) in cues(&self.segments, true).iter().enumerate() {
            let label = cue.speaker.as_deref().map(|it| format!("{it}: ")).unwrap_or_default();
            // SubRip knows no escapes, and readers look for the arrow anywhere.
            let text = format!("{label}{}", cue.lines.join("\n")).replace("-->", "->");
            _ = writeln!(out, "{}\n{}\n{text}\n", i + 1, times(cue, ','));
        }
        out
    }

    /// WebVTT; the speaker is its voice.
    pub(super) fn vtt(&self, header: &Header) -> String {
        let title = one_line(&header.title).replace("-->", "->");
        let mut out = if title.is_empty() { "WEBVTT\n\n".into() } else { format!("WEBVTT - {title}\n\n") };
        for cue in cues(&self.segments, false) {
            let voice = cue.speaker.as_deref().map(|it| format!("<v {}>", escaped(it))).unwrap_or_default();
            _ = writeln!(out, "{}\n{voice}{}\n", times(&cue, '.'), escaped(&cue.lines.join("\n")));
        }
        out
    }
}

fn times(cue: &Cue, point: char) -> String {
    let time = |ms: u64| format!("{}{point}{:03}", clock(ms), ms % 1000);
    format!("{} --> {}", time(cue.start_ms), time(cue.end_ms))
}
