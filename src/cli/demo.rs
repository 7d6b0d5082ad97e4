//! `panotti demo`: the whole service on a spoken meeting that comes with the program. Owns setting the
//! stage (a virtual microphone, a model, a place for the data) and telling the viewer what happens;
//! what is shown is the real service.

use std::{
    fs,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use panotti_sdk::{Filter, names};

use crate::{
    audio::SampleFormat,
    config::{Audio, Config},
    daemon::Daemon,
    http::Access,
    recordings::{NewRecording, Recording, State},
    speech::{Header, Segment, Transcript, TranscriptFormat, word_error_rate},
    status::ModelState,
};

const MODEL_FILE: &str = "ggml-panotti-demo.en-q5_1.bin";
const MODEL: &[u8] = include_bytes!("../../tests/fixtures/panotti-demo.en-q5_1.bin");
const MEETING: &[u8] = include_bytes!("../../tests/fixtures/speech/meeting_picked.wav");
const REFERENCE: &str = include_str!("../../tests/fixtures/speech/meeting_picked.txt");

/// The plugin whose notes are shown, and how long they are waited for.
const NOTES: &str = "meeting_notes_local";
const NOTES_WITHIN: Duration = Duration::from_secs(60);

/// What `demo` is given.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after the transcript; the exit code is 0 only if words were recognised
    #[arg(long)]
    once: bool,
    /// Address of the page; another port is taken when this one is in use
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 54789)))]
    listen: SocketAddr,
}

/// Shows everything once, and stays until Ctrl-C.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let stage = Stage::set(config)?;
    let config = stage.config(config, args.listen);
    writeln!(
        out,
        "Panotti demo: a spoken meeting of {} s, {}.",
        MEETING.len() / BYTES_PER_SECOND,
        stage.source
    )?;

    let mut daemon = Daemon::start(config, Access::OpenOnLoopback)?;
    writeln!(out, "The page: http://{}/  (no key is needed here; Ctrl-C ends the demo)\n", daemon.address())?;
    let shown = show(&mut out, &daemon, stage.temporary);
    let ended = match &shown {
        Ok(_) if !args.once && !daemon.signalled() => {
            writeln!(out, "\nThe page stays up: http://{}/  Press Ctrl-C to end.", daemon.address())?;
            daemon.run_until_signal()
        }
        _ => Ok(()),
    };
    daemon.stop();
    stage.clear();
    ended?;
    Ok(if shown? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Records the meeting and prints what becomes of it. Whether words were recognised.
fn show(out: &mut impl Write, daemon: &Daemon, temporary: bool) -> anyhow::Result<bool> {
    let title = NewRecording { title: "Panotti demo".into(), ..NewRecording::default() };
    let recording = daemon.block_on(daemon.recordings().start(title))?;
    writeln!(out, "Recording {} has begun. Captions, as they are heard:", recording.id)?;
    let mut captions = Captions::new(daemon, &recording);
    let end = Instant::now() + meeting_length();
    while Instant::now() < end && !daemon.signalled() {
        if let ModelState::Failed { reason } = daemon.status().facts().model {
            anyhow::bail!("the demo model cannot be used: {reason}");
        }
        captions.print(out)?;
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.block_on(daemon.recordings().stop(&recording.id))?;
    let recording = loop {
        captions.print(out)?;
        let now = daemon.recordings().get(&recording.id)?;
        if matches!(now.state, State::Done | State::Failed) || daemon.signalled() {
            break now;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if let Some(error) = &recording.error {
        writeln!(out, "The box says: {error}")?;
    }
    let Some(transcript) = daemon.recordings().transcript(&recording.id)? else {
        writeln!(out, "Nothing was written down.")?;
        return Ok(false);
    };
    let recognised = print_results(out, daemon, &recording, &transcript)?;
    print_notes(out, daemon, &recording)?;
    if temporary {
        writeln!(out, "(All files go when the demo ends; `--data-dir DIR` keeps them.)")?;
    }
    Ok(recognised)
}

/// The notes, where a plugin writes them.
fn print_notes(out: &mut impl Write, daemon: &Daemon, recording: &Recording) -> anyhow::Result<()> {
    let deadline = Instant::now() + NOTES_WITHIN;
    while daemon.plugins().roster().expects(NOTES) && !daemon.signalled() {
        if let Some(notes) = daemon.recordings().notes(&recording.id, Some(NOTES))? {
            writeln!(out, "\nNotes, by the plugin {NOTES}:")?;
            for line in notes.lines() {
                writeln!(out, "  {line}")?;
            }
            return Ok(());
        }
        let stages = daemon.recordings().get(&recording.id)?.stages;
        let failed = stages.get(NOTES).and_then(|it| it.problem.clone());
        if failed.is_some() || Instant::now() > deadline {
            let reason = failed.unwrap_or_else(|| "they take too long".into());
            writeln!(out, "\nThere are no notes: {reason}")?;
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn print_results(
    out: &mut impl Write,
    daemon: &Daemon,
    recording: &Recording,
    transcript: &Transcript,
) -> anyhow::Result<bool> {
    writeln!(out, "\nRecording")?;
    for file in daemon.recordings().audio_files(recording)?.concat() {
        writeln!(out, "  {} ({:.1} s)", file.display(), recording.duration_ms as f64 / 1000.0)?;
    }
    writeln!(out, "Transcript, the final pass over the recording:")?;
    let header = Header {
        title: recording.title.clone(),
        metadata: recording.metadata.clone(),
        attendees: recording.attendees.clone(),
        started_at: Some(recording.started_at),
    };
    for line in transcript.render(TranscriptFormat::Txt, &header).lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "In every format:")?;
    let folder = daemon.recordings().audio_files(recording)?.concat();
    let folder = folder.first().and_then(|it| it.parent()).context("the recording has no folder")?.to_owned();
    for format in TranscriptFormat::ALL {
        let file = folder.join(format!("{}.{}", recording.id, format.name()));
        fs::write(&file, transcript.render(format, &header))
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        writeln!(out, "  {}", file.display())?;
    }
    let said: Vec<_> = transcript.segments.iter().map(|it| it.text.as_str()).collect();
    let words = said.join(" ").split_whitespace().count();
    let rate = word_error_rate(REFERENCE, &said.join(" "));
    writeln!(out, "{words} words; word error rate against the reference: {:.1} %", rate * 100.0)?;
    Ok(words > 0 && rate < 1.0)
}

/// Captions of one recording, printed once each.
struct Captions<'a> {
    daemon: &'a Daemon,
    filter: Filter,
    seen: u64,
}

impl<'a> Captions<'a> {
    fn new(daemon: &'a Daemon, recording: &Recording) -> Self {
        let filter = Filter::topic(names::CAPTION_PUBLISHED.into()).correlated(recording.correlation_id);
        Self { daemon, filter, seen: 0 }
    }

    fn print(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        for event in self.daemon.log().read(self.seen, 100, &self.filter)? {
            self.seen = event.seq;
            let segment = event.payload.get("segment").cloned().unwrap_or_default();
            if let Ok(Segment { start_ms, text, .. }) = serde_json::from_value(segment) {
                let seconds = start_ms / 1000;
                writeln!(out, "  [{:02}:{:02}] {text}", seconds / 60, seconds % 60)?;
            }
        }
        Ok(())
    }
}

/// What the demo needs on disk, and how it is heard.
struct Stage {
    dir: PathBuf,
    /// Whether the directory goes when the demo ends.
    temporary: bool,
    device: String,
    source: &'static str,
}

/// Silence before the meeting, in bytes: the recording has begun when the first word comes.
const LEAD_IN: usize = 2 * BYTES_PER_SECOND;
/// What is recorded after it: the last caption comes.
const LEAD_OUT: usize = BYTES_PER_SECOND;
/// Silence before it is heard again.
const GAP: usize = 6 * BYTES_PER_SECOND;
/// The fixture is 16 kHz mono 16 bit behind a header of 44 bytes.
const BYTES_PER_SECOND: usize = 32_000;
const HEADER: usize = 44;
/// The room goes on: whoever presses Start on the page hears the meeting again, for about a quarter of an
/// hour.
const REPEATS: usize = 15;

impl Stage {
    fn set(config: &Config) -> anyhow::Result<Self> {
        // A data directory that was asked for stays; the default one is the service's, not the demo's.
        let temporary = config.storage.data_dir == Config::default().storage.data_dir;
        let dir = if temporary {
            std::env::temp_dir().join(format!("panotti-demo-{}", std::process::id()))
        } else {
            config.storage.data_dir.clone()
        };
        fs::create_dir_all(dir.join("models"))
            .with_context(|| format!("cannot create `{}`: choose a place with --data-dir", dir.display()))?;
        let dir = dir.canonicalize().with_context(|| format!("cannot open `{}`", dir.display()))?;
        write(&dir.join("models").join(MODEL_FILE), MODEL)?;
        let mut room = vec![0; LEAD_IN];
        for _ in 0..REPEATS {
            room.extend_from_slice(&MEETING[HEADER..]);
            room.resize(room.len() + GAP, 0);
        }
        let (device, source) = virtual_microphone(&dir, &room)?;
        Ok(Self { dir, temporary, device, source })
    }

    fn config(&self, config: &Config, listen: SocketAddr) -> Config {
        let mut config = config.clone();
        config.storage.data_dir.clone_from(&self.dir);
        config.storage.recordings_dir = None;
        config.server.listen = match std::net::TcpListener::bind(listen) {
            Ok(_) => listen,
            Err(_) => SocketAddr::new(listen.ip(), 0),
        };
        config.audio = Audio {
            device: self.device.clone(),
            rate_hz: Some(16_000),
            channels: Some(1),
            format: Some(SampleFormat::S16Le),
            realtime_priority: 0,
            ..Audio::default()
        };
        config.transcription.model = Some("panotti-demo.en-q5_1".into());
        config.transcription.model_sha256 = None;
        config.transcription.model_on_command_line = true;
        config
    }

    fn clear(self) {
        if self.temporary {
            // What cannot be removed from the temporary directory is the system's to clean.
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// How long the meeting takes, with silence before and after.
fn meeting_length() -> Duration {
    Duration::from_secs_f64((LEAD_IN + MEETING.len() - HEADER + LEAD_OUT) as f64 / BYTES_PER_SECOND as f64)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}

/// ALSA's own `file` plugin, which reads `room` as if it were a microphone (Panotti paces it); the WAV
/// source where ALSA is not installed. `room` is 16 kHz mono S16_LE.
fn virtual_microphone(dir: &Path, room: &[u8]) -> anyhow::Result<(String, &'static str)> {
    const ALSA: &str = "/usr/share/alsa/alsa.conf";
    if cfg!(feature = "alsa") && Path::new(ALSA).exists() {
        let (raw, ours) = (dir.join("room.raw"), dir.join("asound.conf"));
        write(&raw, room)?;
        let device = format!(
            "pcm.meeting_room {{ type file slave.pcm null file /dev/null infile \"{}\" format raw }}\n",
            raw.display()
        );
        write(&ours, device.as_bytes())?;
        #[expect(unsafe_code, reason = "libasound takes its configuration from the environment only")]
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe {
            std::env::set_var("ALSA_CONFIG_PATH", format!("{ALSA}:{}", ours.display()));
        }
        return Ok((
            "meeting_room".into(),
            "heard through a virtual ALSA microphone (alsa-lib's file plugin)",
        ));
    }
    let wav = dir.join("room.wav");
    let sizes = u32::try_from(room.len()).context("the demo's audio is too long for a WAV file")?;
    let mut bytes = MEETING[..HEADER].to_vec();
    bytes[4..8].copy_from_slice(&(sizes + 36).to_le_bytes());
    bytes[40..44].copy_from_slice(&sizes.to_le_bytes());
    bytes.extend_from_slice(room);
    write(&wav, &bytes)?;
    Ok((
        format!("wav:{}", wav.display()),
        "played by the built-in WAV source, since ALSA is not installed here",
    ))
}
