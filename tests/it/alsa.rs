//! The microphone from outside, through real libasound: every sample format, a sound server that dies, one
//! that falls silent, and no device at all.

use std::path::Path;

use panotti::{audio::Resampler, speech::word_error_rate};
use serde_json::{Value, json};

use crate::{
    harness::{Panotti, Setup, fixture, read_wav, text_of},
    room::{self, Room},
};

/// What `ex01.wav` says.
const SAID: &str = "Sam, could you please clean the interview plan next week?";
/// Silence before: a device without a clock runs a second ahead before anybody can press record.
const LEAD_MS: usize = 4000;
/// Silence after: behind its end alsa-lib's plugin delivers whatever lies in its buffer.
const TRAIL_MS: usize = 6000;

/// One way a device can deliver.
#[derive(Clone, Copy)]
struct Shape {
    format: &'static str,
    rate_hz: u32,
    channels: u16,
    /// As stored: bits of a sample, and whether it is a float. S24_LE loses its unused byte.
    stored: (u16, bool),
    /// Most word errors.
    errors: f64,
}

const fn shape(format: &'static str, rate_hz: u32, channels: u16, bits: u16) -> Shape {
    // 8 kHz has no consonants above 4 kHz: a small model may take one word for another.
    let errors = if rate_hz < 16_000 { 0.5 } else { 0.2 };
    Shape { format, rate_hz, channels, stored: (bits, bits == 32 && format.len() == 8), errors }
}

const SHAPES: [Shape; 9] = [
    shape("S16_LE", 48_000, 2, 16),
    shape("S24_3LE", 44_100, 1, 24),
    shape("S24_LE", 48_000, 2, 24),
    shape("S32_LE", 96_000, 4, 32),
    shape("S32_LE", 192_000, 1, 32),
    shape("FLOAT_LE", 16_000, 1, 32),
    shape("FLOAT_LE", 22_050, 3, 32),
    shape("S16_LE", 8_000, 1, 16),
    shape("S16_LE", 48_000, 16, 16),
];

/// The sentence between its silences, as a device of this shape delivers it.
fn raw(shape: Shape) -> Vec<u8> {
    let (said, rate, _) = read_wav(&std::fs::read(fixture("speech/ex01.wav")).unwrap());
    let mut resampler = Resampler::new(rate, shape.rate_hz).unwrap();
    let mut samples = vec![0.0; LEAD_MS * shape.rate_hz as usize / 1000];
    resampler.push(&said, &mut samples);
    resampler.flush(&mut samples);
    samples.resize(samples.len() + TRAIL_MS * shape.rate_hz as usize / 1000, 0.0);
    let mut bytes = Vec::new();
    for sample in samples {
        let integer = (f64::from(sample) * f64::from(1_u32 << 31)) as i32;
        let [_, low, middle, high] = integer.to_le_bytes();
        let encoded = match shape.format {
            "S16_LE" => vec![middle, high],
            "S24_3LE" => vec![low, middle, high],
            // Whatever is in the unused byte is nothing to anybody.
            "S24_LE" => vec![low, middle, high, 0xa5],
            "S32_LE" => integer.to_le_bytes().to_vec(),
            _ => sample.to_le_bytes().to_vec(),
        };
        (0..shape.channels).for_each(|_| bytes.extend_from_slice(&encoded));
    }
    bytes
}

async fn hears(shape: Shape) {
    let name = format!("{} {} Hz {} ch", shape.format, shape.rate_hz, shape.channels);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sentence.raw");
    let bytes = raw(shape);
    std::fs::write(&file, &bytes).unwrap();
    let config = dir.path().join("asound.conf");
    std::fs::write(&config, room::file_device("sentence", &file)).unwrap();
    let box_ = Setup::hearing("sentence")
        .set("ALSA_CONFIG_PATH", room::alsa_config_path(&config))
        .set("PANOTTI_AUDIO__FORMAT", shape.format)
        .set("PANOTTI_AUDIO__RATE_HZ", shape.rate_hz.to_string())
        .set("PANOTTI_AUDIO__CHANNELS", shape.channels.to_string())
        .set("PANOTTI_TRANSCRIPTION__THREADS", "1")
        .start();
    let id = box_.record(&name).await;
    let captured = async || box_.get("/system").await["counters"]["captured_frames"].as_u64().unwrap();
    let frame_bytes = bytes.len() as u64 / u64::from(shape.channels) / bytes_of(shape.format);
    let enough = frame_bytes - TRAIL_MS as u64 * u64::from(shape.rate_hz) / 2000;
    box_.until(&name, async || (captured().await >= enough).then_some(())).await;
    let recording = box_.finish(&id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null), "{name}");

    let audio = box_.audio(&id).await;
    let spec = hound::WavReader::new(std::io::Cursor::new(&audio)).unwrap().spec();
    let stored = (spec.bits_per_sample, spec.sample_format == hound::SampleFormat::Float);
    assert_eq!((spec.sample_rate, spec.channels), (shape.rate_hz, shape.channels), "{name}");
    assert_eq!(stored, shape.stored, "{name}");
    let (heard, ..) = read_wav(&audio);
    let frames = heard.len() / usize::from(shape.channels);
    assert_eq!(recording["duration_ms"], frames as u64 * 1000 / u64::from(shape.rate_hz), "{name}");
    let loudest = |channel: usize| {
        let its = heard.iter().skip(channel).step_by(shape.channels.into());
        its.fold(0.0_f32, |most, it| most.max(it.abs()))
    };
    let levels: Vec<_> = (0..shape.channels.into()).map(loudest).collect();
    assert!(levels.iter().all(|it| *it > 0.1 && (it - levels[0]).abs() < 1e-6), "{name}: {levels:?}");

    let transcript = box_.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let errors = word_error_rate(SAID, &text_of(&transcript));
    println!("{name}: {}", text_of(&transcript));
    assert!(errors <= shape.errors, "{name}: {errors}: {}", text_of(&transcript));
}

fn bytes_of(format: &str) -> u64 {
    match format {
        "S16_LE" => 2,
        "S24_3LE" => 3,
        _ => 4,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_in_every_format() {
    // Three boxes at a time: each takes a model and a core while it listens.
    for some in SHAPES.chunks(3) {
        futures_util::future::join_all(some.iter().map(|it| hears(*it))).await;
    }
}

/// A box in a room; it hears 16 kHz, one channel.
fn box_in(room: &Room) -> Setup {
    let setup = Setup::hearing("room")
        .set("PANOTTI_AUDIO__RATE_HZ", "16000")
        .set("PANOTTI_AUDIO__CHANNELS", "1")
        .set("PANOTTI_AUDIO__FORMAT", "S16_LE");
    room.environment().into_iter().fold(setup, |it, (name, value)| it.set(name, value))
}

/// Says a sentence into the room and waits until it has been said.
async fn say(room: &Room, wav: &Path) {
    let mut speaker = room.speak(wav);
    let said = tokio::task::spawn_blocking(move || speaker.wait().unwrap()).await.unwrap();
    assert!(said.success(), "{said}");
}

async fn capture_is(box_: &Panotti, state: &str) {
    let what = format!("capture is {state}");
    box_.until(&what, async || (box_.get("/system").await["capture"]["state"] == state).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_server_that_dies_in_a_recording() {
    let mut room = Room::open();
    let box_ = box_in(&room).start();
    let id = box_.record("Interrupted").await;
    let sentences = ["ex01", "ex03"].map(|it| fixture(&format!("speech/{it}.wav")));
    say(&room, &sentences[0]).await;
    room.kill_server();
    let lost = box_.wait_events("capture.lost", 1).await;
    let reason = lost[0]["payload"]["reason"].as_str().unwrap();
    assert!(reason.contains("`room`"), "{reason}");
    assert_eq!(box_.get(&format!("/recordings/{id}")).await["state"], "recording", "it waits for the device");
    let (status, problem) = box_.answer("GET", "/health/ready", Value::Null).await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["reasons"][0].as_str().unwrap().contains(reason), "{problem}");

    room.start_server();
    box_.wait_events("capture.opened", 2).await;
    capture_is(&box_, "running").await;
    say(&room, &sentences[1]).await;
    box_.wait_events("caption.published", 2).await;
    let recording = box_.finish(&id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));
    let (heard, ..) = read_wav(&box_.audio(&id).await);
    let mut from = 0;
    for sentence in sentences {
        let (played, ..) = read_wav(&std::fs::read(&sentence).unwrap());
        let (at, likeness) = room::find(&played, &heard[from..]);
        assert!(likeness > 0.98, "{}: {likeness} at {at} from {from}", sentence.display());
        from += at + played.len() / 2;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_is_lost_and_found() {
    let room = Room::open();
    let box_ = box_in(&room).start();
    // Open and running, but delivering nothing, for as long as it is suspended.
    room.suspend(true);
    let lost = box_.wait_events("capture.lost", 1).await;
    let reason = lost[0]["payload"]["reason"].as_str().unwrap();
    assert!(reason.contains("`room`"), "{reason}");
    println!("{reason}");
    room.suspend(false);
    capture_is(&box_, "running").await;
    let id = box_.record("After").await;
    say(&room, &fixture("speech/ex01.wav")).await;
    box_.wait_events("caption.published", 1).await;
    assert_eq!(box_.finish(&id).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_server_that_hangs_does_not_hold_the_box() {
    let room = Room::open();
    let box_ = box_in(&room).start();
    let id = box_.record("Hanging").await;
    say(&room, &fixture("speech/ex01.wav")).await;
    room.freeze_server();
    let lost = box_.wait_events("capture.lost", 1).await;
    println!("{}", lost[0]["payload"]["reason"]);
    // Opening it again hangs inside libasound; the service ends all the same, and nothing is lost.
    let began = std::time::Instant::now();
    let (status, setup) = box_.stop();
    assert!(status.success() && began.elapsed().as_secs() < 10, "{status} after {:?}", began.elapsed());
    drop(room);
    let box_ = setup.start();
    let recording = box_.done(&id).await;
    assert_eq!(recording["state"], "done", "{recording}");
    let (heard, ..) = read_wav(&box_.audio(&id).await);
    let (played, ..) = read_wav(&std::fs::read(fixture("speech/ex01.wav")).unwrap());
    assert!(room::find(&played, &heard).1 > 0.98);
}

/// A terminal that nobody else may open: what a busy sound card is to alsa-lib, EBUSY from the kernel, there
/// is without sound hardware too. Its name, and what keeps it.
fn exclusive_terminal() -> (String, [std::fs::File; 2]) {
    use std::os::{fd::AsRawFd, unix::fs::OpenOptionsExt};
    let open = |path: &str| {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
    };
    let (multiplexer, mut number, unlock) = (open("/dev/ptmx"), 0_u32, 0_i32);
    let ask = |file: &std::fs::File, request, argument: *mut libc::c_void| {
        #[expect(unsafe_code, reason = "no safe wrapper is at hand for these three")]
        // SAFETY: the descriptor is open, and each request is given the integer, or the null, that it takes.
        let answer = unsafe { libc::ioctl(file.as_raw_fd(), request, argument) };
        assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    };
    ask(&multiplexer, libc::TIOCSPTLCK, (&raw const unlock).cast_mut().cast());
    ask(&multiplexer, libc::TIOCGPTN, (&raw mut number).cast());
    let name = format!("/dev/pts/{number}");
    let terminal = open(&name);
    ask(&terminal, libc::TIOCEXCL, std::ptr::null_mut());
    (name, [multiplexer, terminal])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_another_program_holds() {
    let (terminal, held) = exclusive_terminal();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("asound.conf");
    // alsa-lib's plugin for OSS opens any device file, as its `hw` opens those of a sound card.
    std::fs::write(&config, format!("pcm.busy {{ type oss device \"{terminal}\" }}\n")).unwrap();
    let setup = Setup::hearing("busy").set("ALSA_CONFIG_PATH", room::alsa_config_path(&config));
    // Who administers the system may open it all the same.
    let is_root = rustix::process::getuid().is_root();
    let box_ = match is_root {
        true => setup.behind(&["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]).start(),
        false => setup.start(),
    };
    let (status, problem) = box_.answer("POST", "/recordings", json!({})).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 503, "{problem}");
    for part in ["`busy`", "another program uses it", "fuser", "resource busy"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    let (status, ready) = box_.answer("GET", "/health/ready", Value::Null).await;
    assert_eq!(status, 503);
    assert!(ready["reasons"][0].as_str().unwrap().contains("another program uses it"), "{ready}");
    assert_eq!(box_.get("/recordings").await["items"], json!([]), "nothing half-done");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_device_the_box_is_up_and_says_what_to_do() {
    for (device, says) in [
        ("no_such_device", ["`no_such_device`", "`panotti devices`"]),
        ("hw:7", ["`hw:7`", "`panotti devices`"]),
        ("wav:/no/such/file.wav", ["/no/such/file.wav", "No such file"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("notify");
        let systemd = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
        systemd.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
        let box_ = Setup::hearing(device).set("NOTIFY_SOCKET", socket.to_str().unwrap()).start();
        let all = |text: &str| {
            assert!(says.iter().all(|it| text.contains(it)), "{device}: {text}");
        };
        if cfg!(feature = "systemd") {
            let mut bytes = [0; 4096];
            let length = systemd.recv(&mut bytes).unwrap();
            let notified = String::from_utf8_lossy(&bytes[..length]).into_owned();
            assert!(notified.starts_with("READY=1\n") && notified.contains("no microphone"), "{notified}");
        }
        let system = box_.get("/system").await;
        assert_eq!((&system["device"], &system["capture"]["state"]), (&json!(device), &json!("lost")));
        all(system["capture"]["reason"].as_str().unwrap());
        let (status, ready) = box_.answer("GET", "/health/ready", Value::Null).await;
        assert_eq!(status, 503);
        all(ready["reasons"][0].as_str().unwrap());
        let (status, problem) = box_.answer("POST", "/recordings", json!({ "title": "None" })).await;
        assert_eq!((status, &problem["status"]), (503, &json!(503)));
        all(problem["detail"].as_str().unwrap());
        assert_eq!(box_.get("/recordings").await["items"], json!([]), "nothing half-done");
        let folders = std::fs::read_dir(box_.data_dir().join("recordings")).unwrap().count();
        assert_eq!(folders, 0, "nothing half-done");
        assert!(box_.events("recording.started").await.is_empty());
    }
}
