//! Transcripts of every form, read by other people's parsers: webvtt-py, srt, Python's HTML parser, ffmpeg.

use std::{collections::BTreeSet, fs, process::Command};

use panotti::speech::{Header, Segment, Transcript, TranscriptFormat, Word};
use serde_json::{Value, json};

use crate::clients::python;

/// Everything that has ever broken an export.
fn ugly() -> (Transcript, Header) {
    let word = |start_ms: u64, i: usize, text: &str| Word {
        start_ms: start_ms + i as u64 * 400,
        end_ms: start_ms + i as u64 * 400 + 400,
        text: text.into(),
        confidence: 0.5,
    };
    let segment = |start_ms: u64, speaker: Option<&str>, text: &str| {
        let words: Vec<Word> =
            text.split_whitespace().enumerate().map(|(i, it)| word(start_ms, i, it)).collect();
        let end_ms = words.last().map_or(start_ms, |it| it.end_ms);
        Segment {
            start_ms,
            end_ms,
            speaker: speaker.map(Into::into),
            text: text.into(),
            words,
            confidence: 0.5,
        }
    };
    let long = "This is a sentence that goes on and on, as some people do when nobody stops them, \
                with commas, and with clauses, until at last it ends.";
    let segments = vec![
        segment(0, Some("Ann <script>alert(1)</script>"), "Plain <b>bold</b> &amp; \"quoted\" 'words'"),
        segment(3_000, Some("  "), "An arrow --> in the text, and {\\an8} braces"),
        segment(6_000, Some("דוד"), "שלום לכולם, מה שלומכם היום?"),
        segment(
            10_000,
            Some("Ann <script>alert(1)</script>"),
            "🙂 👩\u{200d}👩\u{200d}👧 emoji\u{202e}reversed",
        ),
        segment(14_000, Some("Bo: 00:01 --> 00:02"), "1\n\n2\n\n00:00:01,000 --> 00:00:02,000\n\nNOTE x"),
        segment(20_000, None, "   \n "),
        segment(21_000, None, long),
        segment(24_000, Some("Cyd"), "Meanwhile I say this."),
        segment(3 * 3_600_000 + 5, Some("Cyd"), "Three hours later."),
    ];
    let transcript = Transcript {
        language: "en".into(),
        duration_ms: 3 * 3_600_000 + 9_000,
        model: "demo\"><x>".into(),
        segments,
    };
    let header = Header {
        title: "Budget <i> --> \"Q3\" & more\nsecond line".into(),
        attendees: vec!["Ann <ann@example.com>".into(), "Bo & Co".into()],
        ..Header::default()
    };
    (transcript, header)
}

#[test]
fn exports_are_read_by_other_peoples_parsers() {
    let dir = tempfile::tempdir().unwrap();
    let (transcript, header) = ugly();
    for format in TranscriptFormat::ALL {
        fs::write(dir.path().join(format!("t.{}", format.name())), transcript.render(format, &header))
            .unwrap();
    }
    let output = python("exports.py").arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |form: &str| read[form].as_array().unwrap().clone();
    let bare = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");

    // Every word comes back, in order of time; every cue is short enough to be read.
    let (vtt, srt) = (list("vtt"), list("srt"));
    assert_eq!(vtt.len(), srt.len());
    for cue in vtt.iter().chain(&srt) {
        let (start, end) = (cue["start"].as_f64().unwrap(), cue["end"].as_f64().unwrap());
        assert!(start < end && end - start <= 7.0, "{cue}");
        assert!(cue["text"].as_str().unwrap().lines().count() <= 2, "{cue}");
    }
    assert!(vtt.is_sorted_by_key(|it| (it["start"].as_f64().unwrap() * 1000.0) as u64));
    let numbers: Vec<_> = srt.iter().map(|it| it["number"].as_u64().unwrap()).collect();
    assert!(numbers.into_iter().eq(1..=srt.len() as u64));
    let spoken = |cues: &[Value], from: f64, to: f64| {
        let within = |it: &&Value| (from..to).contains(&it["start"].as_f64().unwrap());
        bare(&cues.iter().filter(within).map(|it| it["text"].as_str().unwrap()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(spoken(&srt, 3.0, 6.0), "An arrow -> in the text, and {\\an8} braces");
    assert_eq!(spoken(&vtt, 6.0, 9.0), "שלום לכולם, מה שלומכם היום?");
    assert_eq!(spoken(&srt, 6.0, 9.0), "דוד: שלום לכולם, מה שלומכם היום?");
    assert_eq!(spoken(&vtt, 14.0, 20.0), "1 2 00:00:01,000 --> 00:00:02,000 NOTE x");
    assert_eq!(spoken(&vtt, 10_000.0, 20_000.0), "Three hours later.");
    let voices: BTreeSet<_> = vtt.iter().filter_map(|it| it["voice"].as_str()).collect();
    assert!(voices.contains("Cyd") && voices.contains("דוד"), "{voices:?}");
    // The long sentence has several cues, and the one who speaks meanwhile his own.
    let within = vtt.iter().filter(|it| (21.0..40.0).contains(&it["start"].as_f64().unwrap()));
    assert!(within.count() >= 3, "{vtt:#?}");

    // The page: what is written in it is text, and nothing of it is markup.
    let page = &read["html"];
    assert_eq!(page["balanced"], true);
    let tags: BTreeSet<_> = page["tags"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let known = "body dd div dl dt h1 h2 head header html main meta p section span style time title";
    assert_eq!(tags, known.split(' ').collect());
    let texts = |tag: &str| -> Vec<String> {
        page["text"][tag].as_array().unwrap().iter().map(|it| bare(it.as_str().unwrap())).collect()
    };
    assert_eq!(texts("h1"), ["Budget <i> --> \"Q3\" & more second line"]);
    assert_eq!(texts("title"), texts("h1"));
    assert_eq!(texts("h2")[0], "Ann <script>alert(1)</script>");
    let said: Vec<_> =
        transcript.segments.iter().map(|it| bare(&it.text)).filter(|it| !it.is_empty()).collect();
    assert_eq!(texts("span"), said);
    assert!(texts("dd").contains(&"Ann <ann@example.com>, Bo & Co".to_owned()));
    assert_eq!(texts("time").last().unwrap(), "03:00:00");
    let attributes = page["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!(["html", "lang", "en"])));
    let loads = |it: &&Value| {
        matches!(it[1].as_str(), Some("src" | "href")) || it[1].as_str().unwrap().starts_with("on")
    };
    assert_eq!(attributes.iter().find(loads), None, "nothing is loaded, nothing runs");

    // ffmpeg reads the subtitles as players do.
    for (form, count) in [("srt", srt.len()), ("vtt", vtt.len())] {
        let args = ["-v", "error", "-show_entries", "packet=pts_time", "-of", "json"];
        let output =
            Command::new("ffprobe").args(args).arg(dir.path().join(format!("t.{form}"))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{form}: {said}");
        let packets: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(packets["packets"].as_array().unwrap().len(), count, "{form}");
    }
}
