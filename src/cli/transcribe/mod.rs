//! `panotti transcribe`: audio files to transcripts. Owns its options and the way through the files; which
//! files these are is in `inputs`, where transcripts go in `outputs`, what is told meanwhile in `telling`.

mod inputs;
mod outputs;
mod telling;
#[cfg(all(test, feature = "whisper"))]
mod tests;

use std::{
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    audio::decode::AudioFile,
    config::{Config, TellApart, language_name},
    speech::{self, Hints, TrackInput, Transcriber, TranscriptFormat, transcribe_tracks},
};
use inputs::{Gathered, Input, gather};
use outputs::Outputs;
use telling::{Done, Teller};

/// What a shell says of a program that was stopped by Ctrl-C: 128 and the number of SIGINT.
const STOPPED: u8 = 130;

/// Write down what is said in audio files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Audio or video files, folders (with all that lies below them), or - for standard input; each file
    /// becomes a transcript of its own. WAV, FLAC, MP3, OGG, Opus, M4A, AAC, MP4, MKV, WebM, AIFF, CAF
    #[arg(required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Form of the transcript: txt, md, json, srt, vtt, html (a page to print) or all; several separated by
    /// commas [default: what --output ends in, or txt]
    #[arg(long, short, value_delimiter = ',', value_parser = wanted)]
    format: Vec<Wanted>,
    /// Directory or file to write to, or - for the terminal. What is there already is replaced
    #[arg(long, short, value_name = "DIR|FILE|-", default_value = "-")]
    output: PathBuf,
    /// Whisper model in ggml form: a path, or the name of one in the models directory
    #[arg(long, short, value_name = "FILE|NAME")]
    model: Option<String>,
    /// Threads for Whisper
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// Language spoken (ISO 639-1), or auto
    #[arg(long, short, value_parser = language)]
    language: Option<String>,
    /// Words that are likely to be said: a title, names, terms
    #[arg(long, short, value_name = "TEXT")]
    prompt: Option<String>,
    /// Silero model that finds the speech, instead of the built-in detector
    #[arg(long, value_name = "FILE")]
    silero: Option<PathBuf>,
    /// Tell voices apart: Speaker 1, Speaker 2 and so on
    #[arg(long)]
    speakers: bool,
    /// A line of JSON for each file instead of words for people (file, ok, seconds, audio_seconds, written,
    /// warnings or error)
    #[arg(long)]
    json: bool,
}

/// A value of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    One(TranscriptFormat),
}

fn language(text: &str) -> Result<String, String> {
    match text == "auto" || language_name(text).is_some() {
        true => Ok(text.to_owned()),
        false => Err("Whisper knows no such language: use a code of ISO 639-1 such as en, or auto".into()),
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "all" => Ok(Wanted::All),
        text => text.parse().map(Wanted::One).map_err(|error| format!("{error}, or all")),
    }
}

impl Args {
    /// The forms asked for, each once.
    fn formats(&self) -> Vec<TranscriptFormat> {
        let mut formats = Vec::new();
        if self.format.is_empty() {
            let ending = self.output.extension().and_then(|it| it.to_str()).filter(|_| !self.output.is_dir());
            formats.push(ending.and_then(|it| it.parse().ok()).unwrap_or(TranscriptFormat::Txt));
        }
        for it in &self.format {
            match it {
                Wanted::All => formats.extend(TranscriptFormat::ALL),
                Wanted::One(it) => formats.push(*it),
            }
        }
        let mut seen = Vec::new();
        formats.retain(|it| {
            !seen.contains(it) && {
                seen.push(*it);
                true
            }
        });
        formats
    }
}

/// Transcribes every file; the exit code is 0 only if all of them worked. A file that is damaged has worked:
/// what can be heard is written down, and what is missing is told.
///
/// # Errors
/// What cannot work at all: the model, or where to write to.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut config = config.clone();
    config.transcription.speakers = if args.speakers { TellApart::Final } else { TellApart::Off };
    config.transcription.model_on_command_line = args.model.is_some();
    config.transcription.model = args.model.clone().or(config.transcription.model);
    config.transcription.threads = args.threads.or(config.transcription.threads);
    if let Some(language) = &args.language {
        config.transcription.language.clone_from(language);
    }
    config.vad.silero_model = args.silero.clone().or(config.vad.silero_model);
    let hints = Hints { language: args.language.clone(), prompt: args.prompt.clone() };

    let Gathered { inputs, passed_over, unreadable } = gather(&args.files)?;
    let outputs = Outputs::new(&args.output, args.formats(), args.json, &inputs)?;
    let mut transcriber = speech::load(&config.transcription, &config.storage.models_dir())?;
    let stop = stop_on_signal();

    let mut teller = Teller::new(args.json, &inputs);
    teller.passed_over(&passed_over);
    let mut failed = unreadable.len();
    for (path, error) in unreadable {
        teller.file(&path.display().to_string(), &Err(error))?;
    }
    for (index, input) in inputs.iter().enumerate() {
        teller.begin(input);
        let done = one(&config, &hints, input, transcriber.as_mut(), &stop, &mut teller)
            .and_then(|written| Ok((outputs.write(index, input, &written.transcript)?, written)))
            .map(|(files, written)| Done {
                audio_ms: written.transcript.duration_ms,
                written: files,
                warnings: written.damage,
            });
        if stop.load(Ordering::Relaxed) {
            teller.stopped(index);
            return Ok(STOPPED.into());
        }
        failed += usize::from(done.is_err());
        teller.file(&input.shown, &done)?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(
    config: &Config,
    hints: &Hints,
    input: &Input,
    transcriber: &mut dyn Transcriber,
    stop: &AtomicBool,
    teller: &mut Teller,
) -> anyhow::Result<speech::Written> {
    let labels = &config.audio.labels;
    let channels = usize::from(AudioFile::open(&input.path)?.format().channels);
    // The configured labels are those of the microphone; they fit a file with as many channels.
    let channel_labels = if labels.len() == channels { labels.clone() } else { Vec::new() };
    let track = TrackInput {
        files: vec![input.path.clone()],
        label: None,
        channel_labels,
        tell_voices_apart: config.transcription.speakers != TellApart::Off,
    };
    let mut on_progress = |it: speech::Progress, _: &[speech::Segment]| {
        teller.progress(it);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    Ok(transcribe_tracks(&[track], hints, &config.vad, transcriber, &mut on_progress)?)
}

/// A flag that Ctrl-C or SIGTERM sets, so that the command ends between two sentences and never within a file
/// it writes. Who asks twice does not want to wait.
fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let watch = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            loop {
                tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
                if asked.swap(true, Ordering::Relaxed) {
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
                }
            }
        })
    };
    // Without it signals end the program at once, as they always do.
    std::thread::spawn(move || {
        let ended: std::io::Result<()> = watch();
        if let Err(error) = ended {
            tracing::debug!(%error, "Signals are not watched.");
        }
    });
    stop
}
