//! The read loop of the capture thread. Owns reading periods, noticing that nothing comes, and recovering
//! from what the device survives; what it does not survive is returned, and `capture` opens it again.

use std::time::{Duration, Instant};

use alsa::{
    pcm::State,
    poll::{Descriptors as _, Flags, pollfd},
};

use super::{
    Error,
    device::Device,
    negotiate::{Agreed, negotiate},
    pacer::Pacer,
};
use crate::{
    audio::{sink::CaptureSink, stop::Stop},
    config,
};

/// How long one wait for frames takes at most, in ms: also how soon a stop is seen.
const WAIT_MS: i32 = 100;
/// A device that claims to run and delivers nothing for so long is taken for lost.
const STALLED: Duration = Duration::from_secs(3);
/// Pause when a device has nothing although it said so, or fails again at once.
const PAUSE: Duration = Duration::from_millis(10);
/// A device that is slow to wake from suspend is asked so often, every 50 ms, then set up anew.
const RESUMES: u32 = 40;

/// What to do about an error of a running device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Nothing happened.
    Again,
    /// The device's buffer ran over: start it again.
    Overrun,
    /// It left its state for another reason: start it again.
    Restart,
    /// The machine slept: wake the device.
    Resume,
    /// Nothing helps but opening it anew.
    Reopen,
}

fn cure(errno: i32) -> Cure {
    match errno {
        libc::EAGAIN | libc::EINTR => Cure::Again,
        libc::EPIPE => Cure::Overrun,
        libc::EBADFD => Cure::Restart,
        libc::ESTRPIPE => Cure::Resume,
        _ => Cure::Reopen,
    }
}

/// Captures from `wanted.device` into `sink` until asked to stop.
pub(crate) fn record(wanted: &config::Audio, sink: &mut CaptureSink, stop: &Stop) -> Result<(), Error> {
    let device = Device::open(&wanted.device)?;
    let agreed = negotiate(&device, wanted, sink.last_format())?;
    device.pcm.prepare().and_then(|()| device.pcm.start()).map_err(|it| device.set_up_error(it))?;
    // Told before the device is closed: with a sound server that hangs, closing takes half a minute.
    read(&device, agreed, sink, stop).inspect_err(|error| sink.lost(error))
}

/// The stream is opened with its first frames: a device that opens and delivers nothing is never there.
fn read(device: &Device, agreed: Agreed, sink: &mut CaptureSink, stop: &Stop) -> Result<(), Error> {
    let frame_bytes = agreed.format.frame_bytes();
    let mut buffer = vec![0; agreed.period_frames * frame_bytes];
    let io = device.pcm.io_bytes();
    let mut last_frames = Instant::now();
    let mut pacer = Pacer::new(agreed.format.rate_hz, last_frames);
    let mut failures = 0_u32;
    let mut open = false;
    let mut ready = Ready::new(device, agreed.period_frames).map_err(|it| device.read_error(it))?;
    while !stop.requested() {
        if last_frames.elapsed() > STALLED {
            return Err(Error::Stalled { device: device.name.clone(), seconds: STALLED.as_secs() });
        }
        let outcome = match ready.wait(device, stop) {
            Ok(true) => io.readi(&mut buffer),
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        match outcome {
            // A plugin whose file has ended is ready for ever and gives nothing.
            Ok(0) => {
                stop.sleep(PAUSE);
            }
            Ok(frames) => {
                last_frames = Instant::now();
                failures = 0;
                if !open {
                    open = true;
                    sink.open(&device.name, agreed.format);
                }
                sink.push(&buffer[..(frames * frame_bytes).min(buffer.len())]);
                let pause = pacer.pause(frames, last_frames);
                if !pause.is_zero() {
                    stop.sleep(pause);
                }
            }
            Err(error) => {
                failures += 1;
                if failures > 1 {
                    stop.sleep(PAUSE);
                }
                let cure = cure(error.errno());
                match cure {
                    Cure::Again => continue,
                    Cure::Reopen => return Err(device.read_error(error)),
                    Cure::Overrun | Cure::Restart => restart(device),
                    Cure::Resume => resume(device, stop),
                }
                .map_err(|it| device.read_error(it))?;
                if failures == 1 {
                    // The monotonic clock stands still while the machine sleeps: that is no gap.
                    sink.skip(frames_in(last_frames.elapsed(), agreed.format.rate_hz));
                }
                if cure == Cure::Overrun {
                    sink.overrun();
                }
            }
        }
    }
    Ok(())
}

/// Waits for frames. Not `snd_pcm_wait`: with a plugin whose descriptor wakes for other things than frames
/// (`pulse` with a suspended source) that spins inside alsa-lib and never returns.
struct Ready {
    descriptors: Vec<pollfd>,
    period: alsa::pcm::Frames,
}

impl Ready {
    fn new(device: &Device, period_frames: usize) -> alsa::Result<Self> {
        Ok(Self { descriptors: device.pcm.get()?, period: period_frames as alsa::pcm::Frames })
    }

    /// Whether frames are there, within [`WAIT_MS`].
    fn wait(&mut self, device: &Device, stop: &Stop) -> alsa::Result<bool> {
        // Also the device's state, as an error; some plugins tell of frames here alone.
        if device.pcm.avail_update()? >= self.period {
            return Ok(true);
        }
        // This function's number is negative, those of all others are not.
        let woken = alsa::poll::poll(&mut self.descriptors, WAIT_MS)
            .map_err(|it| alsa::Error::new(it.func(), it.errno().abs()))?;
        if woken == 0 {
            return Ok(false);
        }
        let events = device.pcm.revents(&self.descriptors)?;
        if events.contains(Flags::IN) {
            return Ok(true);
        }
        if events.intersects(Flags::ERR | Flags::NVAL) {
            return Err(alsa::Error::new("poll", state_error(device.pcm.state())));
        }
        stop.sleep(PAUSE);
        Ok(false)
    }
}

/// The error that a state stands for, as in `snd_pcm_wait`.
fn state_error(state: State) -> i32 {
    match state {
        State::XRun => libc::EPIPE,
        State::Suspended => libc::ESTRPIPE,
        State::Disconnected => libc::ENODEV,
        _ => libc::EIO,
    }
}

fn frames_in(time: Duration, rate_hz: u32) -> u64 {
    time.as_micros() as u64 * u64::from(rate_hz) / 1_000_000
}

fn restart(device: &Device) -> alsa::Result<()> {
    device.pcm.prepare()?;
    device.pcm.start()
}

fn resume(device: &Device, stop: &Stop) -> alsa::Result<()> {
    for _ in 0..RESUMES {
        match device.pcm.resume() {
            Ok(()) => return Ok(()),
            Err(error) if error.errno() == libc::EAGAIN => {
                if stop.sleep(Duration::from_millis(50)) {
                    return Ok(());
                }
            }
            // Many drivers cannot resume: they start anew.
            Err(_) => break,
        }
    }
    restart(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_cure() {
        for (errno, expected) in [
            (libc::EAGAIN, Cure::Again),
            (libc::EINTR, Cure::Again),
            (libc::EPIPE, Cure::Overrun),
            (libc::EBADFD, Cure::Restart),
            (libc::ESTRPIPE, Cure::Resume),
            (libc::EIO, Cure::Reopen),
            (libc::ENODEV, Cure::Reopen),
            (libc::ENOTTY, Cure::Reopen),
        ] {
            assert_eq!(cure(errno), expected, "{errno}");
        }
    }

    #[test]
    fn a_gap_is_counted_in_frames() {
        assert_eq!(frames_in(Duration::from_millis(250), 48_000), 12_000);
    }
}
