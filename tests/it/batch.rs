//! `panotti transcribe` over folders, from standard input, and stopped on its way.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    harness::fixture,
    transcribe::{command, text, transcribe},
};

/// All files below `folder`, by their places in it, in order.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(it) = open.pop() {
        for entry in fs::read_dir(it).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn folders_keep_their_order_and_names_never_meet() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in");
    for (name, from) in [
        ("monday/talk.wav", "speech/ex02.wav"),
        ("friday/talk.wav", "speech/ex03.wav"),
        ("friday/.hidden.wav", "speech/ex03.wav"),
        // By its content.
        ("speech", "speech/ex02.wav"),
        ("notes.txt", "speech/README.md"),
    ] {
        let to = input.join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fixture(from), to).unwrap();
    }
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("speech.txt"), "of another day").unwrap();
    let to = ["--output", out.to_str().unwrap(), "--format", "all"];
    let output = transcribe(&to, &[&input]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let forms = ["html", "json", "md", "srt", "txt", "vtt"];
    let of = |stem: &str| forms.map(|form| format!("{stem}.{form}"));
    assert_eq!(below(&out), [of("friday/talk"), of("monday/talk"), of("speech")].concat());
    let place = |name: &str| said.find(&format!("{} -> ", input.join(name).display()));
    assert!(place("friday/talk.wav") < place("monday/talk.wav"), "{said}");
    assert!(place("monday/talk.wav") < place("speech") && place("friday/talk.wav").is_some(), "{said}");
    assert_eq!(said.matches("passed over").count(), 1, "{said}");
    assert!(said.contains("notes.txt") && said.contains("times real time"), "{said}");
    assert!(fs::read_to_string(out.join("speech.txt")).unwrap().contains("postpone"), "it is replaced");

    // The same name in two places, into one folder; and a folder without sound.
    let flat = dir.path().join("flat");
    let nothing = dir.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let files = [input.join("monday/talk.wav"), input.join("friday/talk.wav"), nothing];
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let output = transcribe(&["--output", flat.to_str().unwrap()], &files);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no audio in this folder"), "{}", text(&output.stderr));
    assert_eq!(below(&flat), ["friday-talk.wav.txt", "monday-talk.wav.txt"]);
    assert!(fs::read_to_string(flat.join("friday-talk.wav.txt")).unwrap().contains("supplier"));

    // Never over what it is made from.
    let own = files[0].to_str().unwrap();
    let output = transcribe(&["--output", own], &files[..1]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is the audio itself"), "{}", text(&output.stderr));
}

#[test]
fn standard_input_as_a_pipe_and_as_a_file() {
    let dir = tempfile::tempdir().unwrap();
    // The index of an MP4 file stands at its end: nobody can read it from front to back.
    let m4a = dir.path().join("talk.m4a");
    let ffmpeg = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(fixture("speech/ex02.wav"))
        .args(["-c:a", "aac", "-b:a", "96k"])
        .arg(&m4a)
        .status();
    assert!(ffmpeg.unwrap().success());
    let bytes = fs::read(&m4a).unwrap();
    let mut child =
        command(&["-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert!(text(&piped.stdout).contains("postpone"), "{}", text(&piped.stderr));
    let redirected = command(&["-"]).stdin(fs::File::open(&m4a).unwrap()).output().unwrap();
    assert_eq!(text(&redirected.stdout), text(&piped.stdout));
    let nothing = command(&["-"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("is empty"), "{}", text(&nothing.stderr));
}

#[test]
fn who_stops_it_has_whole_files() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = command(&["--json", "--format", "all", "--output", out.to_str().unwrap()])
        .args([fixture("speech/ex02.wav"), fixture("speech/meeting-0.wav")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first is done, the second takes longer than a signal.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("ex02.wav"), "{line}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("1 of 2 files are done"), "{}", text(&output.stderr));
    assert_eq!(below(&out), ["html", "json", "md", "srt", "txt", "vtt"].map(|it| format!("ex02.{it}")));
}
