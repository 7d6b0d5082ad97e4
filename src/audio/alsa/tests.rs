//! The real libasound with devices made of its own plugins: `file` over `null` delivers a file as fast as
//! it is read, and after its end whatever lies in its buffer, for ever; `pulse` delivers in real time from a private PulseAudio.
//!
//! alsa-lib reads its configuration once per process: each test runs again in a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    audio::{Block, Capture, Notice, SampleFormat, Stream, StreamFormat},
    config,
    status::{CaptureState, Status},
};

/// Nothing here takes so long, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const FOLDER: &str = "PANOTTI_TEST_ALSA_FOLDER";

/// Runs `work` in a process whose ALSA configuration is `devices`; both are given a folder of their own.
fn with_devices(test: &str, devices: impl FnOnce(&Path) -> String, work: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return work(&PathBuf::from(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let asound = folder.path().join("asound.conf");
    fs::write(&asound, devices(folder.path())).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("audio::alsa::tests::{test}"), "--nocapture"])
        .env(FOLDER, folder.path())
        .env("ALSA_CONFIG_PATH", format!("/usr/share/alsa/alsa.conf:{}", asound.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    // What alsa-lib has to say belongs into errors, not onto the terminal.
    assert!(!text.contains("ALSA lib"), "{text}");
}

fn file_device(name: &str, file: &Path) -> String {
    format!(
        "pcm.{name} {{ type file; slave.pcm \"null\"; file \"/dev/null\"; infile \"{}\"; format \"raw\" }}\n",
        file.display()
    )
}

fn audio(device: &str) -> config::Audio {
    config::Audio { device: device.into(), realtime_priority: 0, ..config::Audio::default() }
}

fn start(audio: &config::Audio) -> (Capture, Arc<Status>) {
    let status = Arc::new(Status::default());
    (Capture::start(audio, status.clone()).unwrap(), status)
}

/// Bytes from `stream` until there are `count`.
fn take(stream: &mut Stream, count: usize) -> Vec<u8> {
    let (mut bytes, mut block) = (Vec::new(), Block::default());
    while bytes.len() < count {
        assert!(stream.wait(PATIENCE), "nothing comes");
        while bytes.len() < count && stream.pop(&mut block) {
            assert_eq!(block.first_frame, (bytes.len() / stream.format.frame_bytes()) as u64);
            bytes.extend_from_slice(&block.bytes);
        }
        assert!(!stream.finished() || bytes.len() >= count, "closed after {} bytes", bytes.len());
    }
    bytes.truncate(count);
    bytes
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lost_reason(capture: &Capture) -> String {
    loop {
        if let Notice::Lost { reason } = capture.notices.recv_timeout(PATIENCE).expect("a notice") {
            return reason;
        }
    }
}

/// Bytes without order (a linear congruential generator), so that a shifted or lost one is seen. In S24_LE
/// the unused byte holds whatever comes, too.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn formats() -> Vec<StreamFormat> {
    let shapes = [(8_000, 1), (11_025, 3), (16_000, 2), (44_100, 1), (48_000, 2), (96_000, 8), (192_000, 16)];
    SampleFormat::ALL
        .into_iter()
        .flat_map(|sample| shapes.map(|(rate_hz, channels)| StreamFormat { sample, rate_hz, channels }))
        .collect()
}

#[test]
fn every_format_comes_through_byte_by_byte() {
    const FRAMES: usize = 6000;
    let devices = |folder: &Path| {
        formats()
            .into_iter()
            .enumerate()
            .map(|(it, format)| {
                let file = folder.join(format!("{it}.raw"));
                fs::write(&file, noise(FRAMES * format.frame_bytes())).unwrap();
                file_device(&format!("d{it}"), &file)
            })
            .collect()
    };
    with_devices("every_format_comes_through_byte_by_byte", devices, |folder| {
        for (it, format) in formats().into_iter().enumerate() {
            let mut wanted = audio(&format!("d{it}"));
            wanted.format = Some(format.sample);
            wanted.rate_hz = Some(format.rate_hz);
            wanted.channels = Some(format.channels);
            let (capture, status) = start(&wanted);
            let mut record = capture.record.recv_timeout(PATIENCE).expect("a stream");
            let mut listen = capture.listen.recv_timeout(PATIENCE).expect("a stream");
            assert_eq!((record.format, listen.format), (format, format));
            let expected = fs::read(folder.join(format!("{it}.raw"))).unwrap();
            let got = take(&mut record, expected.len());
            assert!(got == expected, "{format}");
            assert!(take(&mut listen, expected.len()) == expected, "{format}");
            until("frames are counted", || status.position().frame >= FRAMES as u64);
            let running = CaptureState::Running { device: wanted.device.clone(), format };
            assert_eq!(status.facts().capture, running);
            drop(capture);
            for stream in [&mut record, &mut listen] {
                while stream.pop(&mut Block::default()) {}
                assert!(stream.finished(), "{format}");
            }
        }
    });
}

#[test]
fn what_is_not_configured_is_chosen_and_what_is_must_be_there() {
    let devices = |_: &Path| {
        "pcm.any { type null }
         pcm.integers { type linear; slave { pcm \"null\"; format S16_LE } }
         pcm.pair { type multi; slaves.a { pcm \"null\"; channels 2 }
                    bindings.0 { slave a; channel 0 } bindings.1 { slave a; channel 1 } }"
            .into()
    };
    with_devices("what_is_not_configured_is_chosen_and_what_is_must_be_there", devices, |_| {
        for (device, sample, channels) in [
            ("any", SampleFormat::S16Le, 1),
            ("integers", SampleFormat::S16Le, 1),
            ("pair", SampleFormat::S16Le, 2),
        ] {
            let (capture, _) = start(&audio(device));
            let stream = capture.record.recv_timeout(PATIENCE).expect(device);
            assert_eq!(stream.format, StreamFormat { sample, rate_hz: 48_000, channels }, "{device}");
        }
        let float = config::Audio { format: Some(SampleFormat::FloatLe), ..audio("integers") };
        let five = config::Audio { channels: Some(5), ..audio("pair") };
        for (wanted, says) in [
            (float, ["`integers` does not have FLOAT_LE", "S16_LE S24_3LE S24_LE S32_LE;"]),
            (five, ["`pair` does not have 5 channels", "; 2 ch)"]),
        ] {
            let (capture, _) = start(&wanted);
            let reason = lost_reason(&capture);
            assert!(says.iter().all(|it| reason.contains(it)), "{reason}");
        }
    });
}

#[test]
fn an_unknown_device_is_told_once_and_looked_for_again() {
    let devices = |_: &Path| String::new();
    with_devices("an_unknown_device_is_told_once_and_looked_for_again", devices, |_| {
        let (capture, status) = start(&audio("no_such_device"));
        let reason = lost_reason(&capture);
        for part in ["`no_such_device`", "`panotti devices`", "Unknown PCM", "os error 2"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(status.facts().capture, CaptureState::Lost { reason });
        // Two further attempts, after 0.25 and 0.5 s, say nothing new.
        assert!(capture.notices.recv_timeout(Duration::from_secs(1)).is_err());
        drop(capture);
    });
}

#[test]
fn a_reader_that_is_behind_loses_blocks_and_they_are_counted() {
    let devices = |folder: &Path| {
        let file = folder.join("zero.raw");
        fs::File::create(&file).unwrap().set_len(1 << 20).unwrap();
        file_device("fast", &file)
    };
    with_devices("a_reader_that_is_behind_loses_blocks_and_they_are_counted", devices, |_| {
        let (capture, status) = start(&audio("fast"));
        let mut record = capture.record.recv_timeout(PATIENCE).expect("a stream");
        drop(capture.listen.recv_timeout(PATIENCE).expect("a stream"));
        until("frames are lost", || status.record_lost_frames.load(Ordering::Relaxed) > 0);
        let before = status.position().frame;
        until("capture goes on", || status.position().frame > before + 48_000);
        drop(capture);
        let (mut block, mut got) = (Block::default(), 0);
        while record.pop(&mut block) {
            got += (block.bytes.len() / record.format.frame_bytes()) as u64;
        }
        assert!(record.finished());
        let lost = status.record_lost_frames.load(Ordering::Relaxed);
        assert_eq!(got + lost, status.position().frame);
        assert_eq!(status.listen_lost_frames.load(Ordering::Relaxed), 0, "nobody listens: nothing is lost");
    });
}

/// A PulseAudio of our own with one sink, `room`, that nothing is played into.
struct Pulse(Child);

impl Pulse {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("native");
        fs::remove_file(&socket).ok();
        let protocol = format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display());
        let child = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-L", &protocol])
            .args(["-L", "module-null-sink sink_name=room rate=48000 channels=1"])
            .env("XDG_RUNTIME_DIR", folder)
            .env("HOME", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("PulseAudio listens", || socket.exists());
        Self(child)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whether there is a PulseAudio; said when not.
fn pulse_is_missing() -> bool {
    let missing = Command::new("pulseaudio").arg("--version").output().is_err();
    if missing {
        eprintln!("skipped: PulseAudio is not installed (apt-get install pulseaudio libasound2-plugins)");
    }
    missing
}

fn pulse_device(name: &str, source: &str, folder: &Path) -> String {
    let socket = folder.join("native");
    format!("pcm.{name} {{ type pulse; server \"unix:{}\"; device \"{source}\" }}\n", socket.display())
}

#[test]
fn a_device_that_goes_away_comes_back() {
    if pulse_is_missing() {
        return;
    }
    let devices = |folder: &Path| pulse_device("room", "room.monitor", folder);
    with_devices("a_device_that_goes_away_comes_back", devices, |folder| {
        let pulse = Pulse::start(folder);
        let (capture, status) = start(&audio("room"));
        let mut first = capture.record.recv_timeout(PATIENCE).expect("a stream");
        let bytes = take(&mut first, 9600);
        assert!(bytes.iter().all(|it| *it == 0), "nothing is played");
        drop(pulse);
        let reason = lost_reason(&capture);
        assert!(reason.contains("`room`"), "{reason}");
        until("the stream is closed", || {
            while first.pop(&mut Block::default()) {}
            first.finished()
        });
        let _pulse = Pulse::start(folder);
        let mut second = capture.record.recv_timeout(PATIENCE).expect("a stream");
        assert_eq!(second.format, first.format);
        take(&mut second, 9600);
        assert!(matches!(status.facts().capture, CaptureState::Running { .. }));
    });
}
