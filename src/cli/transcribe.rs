//! `panotti transcribe`: audio files to transcripts.

use std::{
    io::{IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    audio::WavReader,
    config::Config,
    speech::{self, Header, TrackInput, Transcriber, Transcript, TranscriptFormat, transcribe_files},
};

/// Write down what is said in audio files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// WAV files; each becomes a transcript of its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the transcript: txt, md, json, srt or vtt; several separated by commas
    #[arg(long, short, value_delimiter = ',', default_value = "txt")]
    format: Vec<TranscriptFormat>,
    /// Directory or file to write to, or - for the terminal
    #[arg(long, short, value_name = "DIR|FILE|-", default_value = "-")]
    output: PathBuf,
    /// Whisper model in ggml form: a path, or the name of one in the models directory
    #[arg(long, short, value_name = "FILE|NAME")]
    model: Option<String>,
    /// Threads for Whisper
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// Language spoken (ISO 639-1), or auto
    #[arg(long, short)]
    language: Option<String>,
    /// Silero model that finds the speech, instead of the built-in detector
    #[arg(long, value_name = "FILE")]
    silero: Option<PathBuf>,
    /// A line of JSON for each file instead of words for people (file, ok, seconds, written or error)
    #[arg(long)]
    json: bool,
}

/// Transcribes every file; the exit code is 0 only if all of them worked.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut config = config.clone();
    config.transcription.model_on_command_line = args.model.is_some();
    config.transcription.model = args.model.clone().or(config.transcription.model);
    config.transcription.threads = args.threads.or(config.transcription.threads);
    if let Some(language) = &args.language {
        config.transcription.language.clone_from(language);
    }
    config.vad.silero_model = args.silero.clone().or(config.vad.silero_model);
    check_output(args)?;
    let mut transcriber = speech::load(&config.transcription, &config.storage.models_dir())?;

    let mut failed = 0;
    for path in &args.files {
        let started = Instant::now();
        let done = one(args, &config, path, transcriber.as_mut());
        let seconds = started.elapsed().as_secs_f64();
        failed += usize::from(done.is_err());
        tell(args.json, path, seconds, &done)?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses what would write several transcripts into one file, before hours of work.
fn check_output(args: &Args) -> anyhow::Result<()> {
    if args.json && is_stdout(args) {
        anyhow::bail!("--json writes to the terminal itself: say with --output where the transcripts go");
    }
    let many = args.files.len() * args.format.len() > 1;
    if many && !is_stdout(args) && !args.output.is_dir() && args.output.extension().is_some() {
        anyhow::bail!(
            "{} can hold only one transcript: give a directory to --output, or one file and one --format",
            args.output.display()
        );
    }
    Ok(())
}

fn is_stdout(args: &Args) -> bool {
    args.output == Path::new("-")
}

/// Transcribes one file; the files that were written.
fn one(
    args: &Args,
    config: &Config,
    path: &Path,
    transcriber: &mut dyn Transcriber,
) -> anyhow::Result<Vec<PathBuf>> {
    let labels = &config.audio.labels;
    let channels = usize::from(WavReader::open(path)?.info().format.channels);
    // The configured labels are those of the microphone; they fit a file with as many channels.
    let channel_labels = if labels.len() == channels { labels.clone() } else { Vec::new() };
    let track = TrackInput { files: vec![path.into()], label: None, channel_labels };
    let bar = Bar::new(path);
    let mut on_progress = |it: speech::Progress, _: &[speech::Segment]| {
        bar.show(it);
        ControlFlow::Continue(())
    };
    let transcript =
        transcribe_files(&[track], &speech::Hints::default(), &config.vad, transcriber, &mut on_progress)?;
    bar.0.finish_and_clear();
    write(args, path, &transcript)
}

fn write(args: &Args, path: &Path, transcript: &Transcript) -> anyhow::Result<Vec<PathBuf>> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let header = Header { title: stem.clone(), metadata: metadata(path, transcript) };
    let mut written = Vec::new();
    for format in &args.format {
        let text = transcript.render(*format, &header);
        if is_stdout(args) {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .context("cannot write to the terminal")?;
            continue;
        }
        let is_file = args.output.extension().is_some() && !args.output.is_dir();
        let to = if is_file {
            args.output.clone()
        } else {
            std::fs::create_dir_all(&args.output)
                .with_context(|| format!("cannot make the directory {}", args.output.display()))?;
            args.output.join(format!("{stem}.{}", format.name()))
        };
        write_atomically(&to, &text).with_context(|| format!("cannot write {}", to.display()))?;
        written.push(to);
    }
    Ok(written)
}

fn metadata(path: &Path, transcript: &Transcript) -> serde_json::Map<String, serde_json::Value> {
    let mut it = serde_json::Map::new();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    it.insert("audio".into(), name.into());
    it.insert("model".into(), transcript.model.clone().into());
    it.insert("language".into(), transcript.language.clone().into());
    it.insert("duration_ms".into(), transcript.duration_ms.into());
    it
}

/// Writes beside `to` and renames, so that a reader finds the old text or the whole new one.
fn write_atomically(to: &Path, text: &str) -> std::io::Result<()> {
    let mut name = to.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let beside = to.with_file_name(name);
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, to)
    };
    write().inspect_err(|_| {
        // Whatever went wrong is told; a left-over beside it would only confuse.
        _ = std::fs::remove_file(&beside);
    })
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a subcommand talks to the terminal")]
fn tell(json: bool, path: &Path, seconds: f64, done: &anyhow::Result<Vec<PathBuf>>) -> anyhow::Result<()> {
    if json {
        let line = match done {
            Ok(written) => serde_json::json!({
                "file": path, "ok": true, "seconds": seconds, "written": written,
            }),
            Err(error) => serde_json::json!({
                "file": path, "ok": false, "seconds": seconds, "error": format!("{error:#}"),
            }),
        };
        println!("{}", serde_json::to_string(&line).context("cannot write JSON")?);
        return Ok(());
    }
    match done {
        Ok(written) => {
            for to in written {
                eprintln!("{} -> {} ({seconds:.1} s)", path.display(), to.display());
            }
        }
        Err(error) => eprintln!("{}: {error:#}", path.display()),
    }
    Ok(())
}

/// A bar with the time left where a person looks; nothing where none does, for the lines after each file
/// are enough in a log.
struct Bar(ProgressBar);

impl Bar {
    fn new(path: &Path) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {elapsed} left {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    fn show(&self, it: speech::Progress) {
        self.0.set_length(it.total_ms);
        self.0.set_position(it.done_ms);
    }
}

#[cfg(all(test, feature = "whisper"))]
mod tests {
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
        let mut names: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["ex02.txt", "ex02.vtt"]);
        let text = std::fs::read_to_string(out.join("ex02.txt")).unwrap();
        let said = "Everyone will postpone the battery plan next Wednesday.";
        assert!(speech::word_error_rate(said, &text) < 0.15 && text.ends_with('\n'), "{text}");
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
        assert!(Line::try_parse_from(["transcribe", "a.wav", "--format", "doc"]).is_err());
    }
}
