//! Every form of one transcript full of traps, to the byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::json;

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
    (transcript, Header { title: "Plan --> B\nx".into(), metadata, ..Header::default() })
}

fn check(format: TranscriptFormat, want: &str) {
    let (transcript, header) = tricky();
    assert_eq!(transcript.render(format, &header), want);
}

#[test]
fn txt() {
    check(TranscriptFormat::Txt, "Seat <1> & co: Tom & \"Jerry\" <b>go</b> --> home now\n[00:00.00] ```\n");
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
        Seat <1> & co: Tom & \"Jerry\"\n<b>go</b> -> home now\n\n\
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
    assert_eq!(it["segments"][0]["seek"], 150);
    let logprob = it["segments"][0]["avg_logprob"].as_f64().unwrap();
    assert!((logprob - 0.5_f64.ln()).abs() < 1e-6, "{logprob}");
    assert_eq!(it["segments"][0]["tokens"], json!([]));
    assert_eq!(it["segments"][0]["text"], transcript.segments[0].text);
    assert_eq!(it["words"].as_array().unwrap().len(), 4);
    assert_eq!(it["words"][1], json!({"word": "<b>", "start": 1.5, "end": 1.75, "probability": 0.5}));
}

#[test]
fn names_of_formats() {
    for format in TranscriptFormat::ALL {
        assert_eq!(format.name().to_uppercase().parse(), Ok(format));
    }
    assert!("docx".parse::<TranscriptFormat>().unwrap_err().contains("use txt, md, json, srt, vtt or html"));
}

#[test]
fn html() {
    let (transcript, header) = tricky();
    let header = Header {
        attendees: vec!["Ann <a@b>".into(), " ".into()],
        started_at: Some("2026-11-21T09:30:00Z".parse().unwrap()),
        ..header
    };
    let page = transcript.render(TranscriptFormat::Html, &header);
    for part in [
        "<html lang=\"en\">",
        "<title>Plan --&gt; B x</title>",
        "<dt>Date</dt><dd dir=\"auto\">2026-11-21 09:30 UTC</dd>",
        "<dt>Attendees</dt><dd dir=\"auto\">Ann &lt;a@b&gt;</dd>",
        "<section class=\"s0\">\n<h2 dir=\"auto\">Seat &lt;1&gt; &amp; co</h2>\n<p><time datetime=\"PT1S\">00:00:01</time> \
         <span dir=\"auto\">Tom &amp; &quot;Jerry&quot; &lt;b&gt;go&lt;/b&gt; --&gt; home now</span></p>\n</section>\n",
        "<section>\n<p><time datetime=\"PT5999S\">01:39:59</time> <span dir=\"auto\">[00:00.00] ```</span></p>",
        "@media print",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
    // A language that is none cannot leave its attribute, and silence says so.
    let odd = Transcript { language: "en\"><b>".into(), ..Transcript::default() };
    let page = odd.render(TranscriptFormat::Html, &Header::default());
    assert!(page.contains("<html>") && page.contains("<title>Transcript</title>"), "{page}");
    assert!(page.contains("<p>Nothing was said.</p>") && !page.contains("<b>"), "{page}");
}
