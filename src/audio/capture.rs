//! From a configured device name to running capture. Owns the choice of source, its thread, real-time
//! priority and opening a lost source again; leaves the devices to `alsa` and `wav_source`.

use std::{
    error,
    path::PathBuf,
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    Notice, Stream, alsa,
    sink::CaptureSink,
    stop::Stop,
    wav_source::{self, Pace},
};
use crate::{config, status::Status};

/// The first pause before a lost source is opened again; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A thread that does not end within this is inside libasound, which waits for a sound server or a file
/// that does not answer: it is left behind.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Running capture: two streams for two readers, and notices. The fields may be moved to different
/// threads; capture runs as long as `handle` lives.
#[derive(Debug)]
pub struct Capture {
    /// Streams for the recorder; a new one after each opening.
    pub record: mpsc::Receiver<Stream>,
    /// The same frames for the listener.
    pub listen: mpsc::Receiver<Stream>,
    /// What happens.
    pub notices: mpsc::Receiver<Notice>,
    /// Ends the capture thread when dropped; the streams are then finished.
    pub handle: Handle,
}

/// Capture cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source is named.
    #[error(
        "no source is configured: set `audio.device` to an ALSA name (`panotti devices` lists them) or `wav:FILE`"
    )]
    NoDevice,
    /// The system gives no thread.
    #[error("cannot start the capture thread")]
    Thread(#[source] std::io::Error),
}

/// The capture thread's life. Dropping it ends the thread within about 100 ms; a thread that libasound holds
/// is left behind after two seconds, and keeps nothing any more.
#[derive(Debug)]
pub struct Handle {
    stop: Stop,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let deadline = Instant::now() + END_WITHIN;
            while !thread.is_finished() {
                if Instant::now() >= deadline {
                    tracing::warn!("The sound system does not answer; the capture thread is left behind.");
                    return;
                }
                thread::sleep(Duration::from_millis(1));
            }
            if thread.join().is_err() {
                tracing::error!("The capture thread panicked.");
            }
        }
    }
}

/// Where sound comes from.
#[derive(Debug, PartialEq)]
enum Source {
    Alsa,
    Wav(PathBuf, Pace),
}

impl Source {
    fn of(device: &str) -> Result<Self, Error> {
        let (wav, name) = match device.split_once(':') {
            Some(("wav", file)) => (Some(Pace::RealTime), file),
            Some(("wav-fast", file)) => (Some(Pace::Fast), file),
            _ => (None, device),
        };
        match wav {
            _ if name.trim().is_empty() => Err(Error::NoDevice),
            Some(pace) => Ok(Self::Wav(PathBuf::from(name), pace)),
            None => Ok(Self::Alsa),
        }
    }
}

impl Capture {
    /// Starts the capture thread. A device that is not there is not an error: it is looked for again and
    /// again, and a [`Notice`] says so. Dropping `handle` ends the thread.
    pub fn start(audio: &config::Audio, status: Arc<Status>) -> Result<Self, Error> {
        let source = Source::of(&audio.device)?;
        let (to_recorder, record) = mpsc::channel();
        let (to_listener, listen) = mpsc::channel();
        let (notify, notices) = mpsc::channel();
        let stop = Stop::default();
        let thread = {
            let (audio, stop) = (audio.clone(), stop.clone());
            thread::Builder::new().name("capture".into()).spawn(move || {
                if source == Source::Alsa {
                    ask_for_real_time(audio.realtime_priority, &status);
                }
                let mut sink = CaptureSink::new(to_recorder, to_listener, notify, status);
                keep_running(&source, &audio, &mut sink, &stop);
                sink.close();
            })
        };
        let thread = Some(thread.map_err(Error::Thread)?);
        Ok(Self { record, listen, notices, handle: Handle { stop, thread } })
    }
}

/// Runs the source, again and again when it is lost, until it ends or is asked to stop.
fn keep_running(source: &Source, audio: &config::Audio, sink: &mut CaptureSink, stop: &Stop) {
    let mut pause = FIRST_PAUSE;
    loop {
        let outcome: Result<(), Box<dyn error::Error>> = match source {
            Source::Alsa => alsa::record(audio, sink, stop).map_err(Into::into),
            Source::Wav(path, pace) => {
                wav_source::play((&audio.device, path, *pace), audio.period_ms, sink, stop)
                    .map_err(Into::into)
            }
        };
        let ran = sink.close();
        match outcome {
            _ if stop.requested() => return,
            Ok(()) => return sink.ended(),
            Err(error) => sink.lost(&*error),
        }
        pause = if ran { FIRST_PAUSE } else { pause };
        if stop.sleep(pause) {
            return;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Asks for SCHED_FIFO, so that a busy machine does not delay reading. A refusal is no error: the device's
/// buffer (`audio.buffer_ms`) then is all there is against it.
#[cfg(target_os = "linux")]
fn ask_for_real_time(priority: u8, status: &Status) {
    if priority == 0 {
        return;
    }
    let parameter = libc::sched_param { sched_priority: priority.into() };
    // Children (there are none) would start without it.
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    #[expect(unsafe_code, reason = "no safe wrapper sets a scheduling policy")]
    // SAFETY: 0 is the calling thread, and `parameter` lives through the call, which keeps no pointer to it.
    let refused = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } != 0;
    status.realtime.store(!refused, Ordering::Relaxed);
    if refused {
        let error = std::io::Error::last_os_error();
        tracing::warn!(
            priority,
            %error,
            "Capture runs without real-time priority; give the service `LimitRTPRIO=99`, or set \
             `audio.realtime_priority` to 0 to be silent about it."
        );
    } else {
        tracing::debug!(priority, "Capture runs with real-time priority.");
    }
}

/// Only Linux has the sound cards this is for.
#[cfg(not(target_os = "linux"))]
fn ask_for_real_time(_priority: u8, status: &Status) {
    status.realtime.store(false, Ordering::Relaxed);
}
