//! The command in the process, with the real demo model.
#![allow(clippy::unwrap_used, reason = "tests")]

use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn parsed(line: &[&str]) -> Args {
    Line::try_parse_from([&["transcribe"], line].concat()).unwrap().args
}

#[test]
fn a_bad_file_fails_the_command_but_not_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (good, model) = (fixture("speech/ex02.wav"), fixture("panotti-demo.en-q5_1.bin"));
    let bad = fixture("speech/manifest.tsv");
    let out_text = out.to_str().unwrap();
    let line = [&*bad, &*good, "--model", &*model, "--output", out_text, "-t1", "--format", "txt,vtt"];
    let code = run(&parsed(&line), &Config::default()).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    let mut names: Vec<_> =
        std::fs::read_dir(&out).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["ex02.txt", "ex02.vtt"]);
    let text = std::fs::read_to_string(out.join("ex02.txt")).unwrap();
    let said = "Everyone will postpone the battery plan next Wednesday.";
    assert!(speech::word_error_rate(said, &text) < 0.15 && text.ends_with('\n'), "{text}");
}

#[test]
fn the_form_is_what_the_output_ends_in() {
    let form = |line: &[&str]| parsed(&[&["a.wav"], line].concat()).formats();
    assert_eq!(form(&[]), [TranscriptFormat::Txt]);
    assert_eq!(form(&["--output", "x.SRT"]), [TranscriptFormat::Srt]);
    assert_eq!(form(&["--output", "x.srt", "--format", "md"]), [TranscriptFormat::Md]);
    assert_eq!(form(&["--output", "folder"]), [TranscriptFormat::Txt]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let gathered = gather(&[pipe]).unwrap();
    assert!(gathered.inputs.is_empty());
    assert!(gathered.unreadable[0].1.to_string().contains("standard input"), "{gathered:?}");
}

#[test]
fn what_cannot_work_is_said_before_work_begins() {
    let cases: [(&[&str], &str); 3] = [
        (&["a.wav"], "--model FILE"),
        (&["a.wav", "--json"], "--output"),
        (&["a.wav", "b.wav", "--output", "x.txt"], "only one transcript"),
    ];
    for (line, want) in cases {
        let error = run(&parsed(line), &Config::default()).unwrap_err();
        assert!(format!("{error:#}").contains(want), "{error:#}");
    }
    // Audio that is called as its transcript would be.
    let dir = tempfile::tempdir().unwrap();
    let audio = dir.path().join("talk.txt");
    std::fs::copy(fixture("speech/ex02.wav"), &audio).unwrap();
    let line = [audio.to_str().unwrap(), "--output", dir.path().to_str().unwrap()];
    let error = run(&parsed(&line), &Config::default()).unwrap_err();
    assert!(format!("{error:#}").contains("is audio itself"), "{error:#}");
    assert!(Line::try_parse_from(["transcribe", "a.wav", "--language", "xx"]).is_err());
    assert!(Line::try_parse_from(["transcribe", "a.wav", "--format", "doc"]).is_err());
}
