//! A WAV file in the place of a microphone. Owns its pace; leaves reading the file to `wav`. The file's own
//! format is what is captured: `rate_hz`, `channels` and `format` of the configuration are for sound cards.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    sink::CaptureSink,
    stop::Stop,
    wav::{self, WavReader},
};

/// How often a fast source looks whether its readers have room again.
const FULL: Duration = Duration::from_millis(1);

/// How fast a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As a sound card would deliver it; a reader that is behind loses frames.
    RealTime,
    /// As fast as both readers take it; nothing is lost.
    Fast,
}

/// Plays the file at `path`, `period_ms` at a time, to its end or until asked to stop.
pub(crate) fn play(
    (device, path, pace): (&str, &Path, Pace),
    period_ms: u32,
    sink: &mut CaptureSink,
    stop: &Stop,
) -> Result<(), wav::Error> {
    let mut file = WavReader::open(path)?;
    let format = file.info().format;
    let rate = u64::from(format.rate_hz.max(1));
    let period = usize::try_from(rate * u64::from(period_ms) / 1000).unwrap_or(1).max(1);
    let mut frames = Vec::with_capacity(period * format.frame_bytes());
    sink.open(device, format);
    let start = Instant::now();
    loop {
        frames.clear();
        if file.read(period, &mut frames)? == 0 {
            return Ok(());
        }
        let stopped = match pace {
            // From the start of the file, not from the last period: pauses do not add up.
            Pace::RealTime => {
                stop.sleep_until(start + Duration::from_secs_f64(file.position() as f64 / rate as f64))
            }
            Pace::Fast => {
                while !sink.has_room(frames.len()) && !stop.sleep(FULL) {}
                stop.requested()
            }
        };
        if stopped {
            return Ok(());
        }
        sink.push(&frames);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use std::{fs, sync::Arc, sync::atomic::Ordering};

    use super::*;
    use crate::{
        audio::{Block, Capture, Notice, SampleFormat, Stream, StreamFormat},
        config,
        status::{CaptureState, Status},
    };

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A WAV file of 16 bits, 8,000 Hz, two channels.
    fn wav(folder: &Path, frames: usize) -> (String, Vec<u8>) {
        let bytes: Vec<u8> = (0..frames * 4).map(|it| (it * 7 % 251) as u8).collect();
        let mut file = wav::header(wav::Encoding::S16, 8000, 2, bytes.len() as u64);
        file.extend_from_slice(&bytes);
        let path = folder.join("a.wav");
        fs::write(&path, file).unwrap();
        (path.display().to_string(), bytes)
    }

    fn start(device: String) -> (Capture, Arc<Status>) {
        let status = Arc::new(Status::default());
        let audio = config::Audio { device, ..config::Audio::default() };
        (Capture::start(&audio, status.clone()).unwrap(), status)
    }

    fn read(mut stream: Stream) -> Vec<u8> {
        let (mut bytes, mut block) = (Vec::new(), Block::default());
        while !stream.finished() {
            assert!(stream.wait(PATIENCE));
            while stream.pop(&mut block) {
                assert_eq!(block.first_frame, bytes.len() as u64 / 4);
                bytes.extend_from_slice(&block.bytes);
            }
        }
        bytes
    }

    #[test]
    fn both_readers_get_the_whole_file_at_either_pace() {
        let folder = tempfile::tempdir().unwrap();
        // Two minutes do not fit into a ring of 10 s: the fast source has to wait for its readers.
        for (kind, seconds) in [("wav-fast", 120), ("wav", 1)] {
            let (file, expected) = wav(folder.path(), 8000 * seconds);
            let (capture, status) = start(format!("{kind}:{file}"));
            let began = Instant::now();
            let record = capture.record.recv_timeout(PATIENCE).unwrap();
            let listen = capture.listen.recv_timeout(PATIENCE).unwrap();
            let format = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 8000, channels: 2 };
            assert_eq!(record.format, format);
            let recorder = std::thread::spawn(move || read(record));
            assert!(read(listen) == expected && recorder.join().unwrap() == expected, "{kind}");
            if kind == "wav" {
                // What a sound card has not yet heard it cannot deliver. (The first period was awaited.)
                assert!(began.elapsed() > Duration::from_millis(900));
            }
            let notices: Vec<Notice> = capture.notices.iter().collect();
            assert!(matches!(notices[..], [Notice::Opened { .. }, Notice::Ended]), "{notices:?}");
            assert_eq!(status.facts().capture, CaptureState::Ended);
            assert_eq!(status.position().frame, 8000 * seconds as u64);
            assert_eq!(status.record_lost_frames.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn dropping_the_handle_ends_a_source_that_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = wav(folder.path(), 8000 * 600);
        for kind in ["wav-fast", "wav"] {
            let (capture, _) = start(format!("{kind}:{file}"));
            let Capture { record, handle, .. } = capture;
            let mut stream = record.recv_timeout(PATIENCE).unwrap();
            assert!(stream.wait(PATIENCE));
            // Returns when the thread has ended: ten minutes before the file does.
            drop(handle);
            while stream.pop(&mut Block::default()) {}
            assert!(stream.finished(), "{kind}");
        }
    }

    #[test]
    fn a_missing_file_and_a_missing_name_are_told() {
        let (capture, _) = start("wav:/nowhere/a.wav".into());
        let notice = capture.notices.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(&notice, Notice::Lost { reason } if reason.contains("/nowhere/a.wav")),
            "{notice:?}"
        );
        for device in ["", " ", "wav:", "wav-fast: "] {
            let audio = config::Audio { device: device.into(), ..config::Audio::default() };
            let error = Capture::start(&audio, Arc::default()).expect_err(device);
            assert!(error.to_string().contains("panotti devices"));
        }
    }
}
