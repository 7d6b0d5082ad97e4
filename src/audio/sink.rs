//! Where a source puts its frames. Owns the two rings of a stream, the level meter, counters and notices;
//! leaves opening and reading to the sources.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use super::{
    Stream, StreamFormat,
    level::{FLOOR_DBFS, Meter},
    ring::{Pushed, Writer, ring},
};
use crate::status::{CaptureState, Level, MAX_CHANNELS, Status};

/// How far a reader may be behind before it loses frames.
const CAPACITY: Duration = Duration::from_secs(10);
/// Overruns come in bursts: one notice in this time tells of all.
const OVERRUN_NOTICE: Duration = Duration::from_secs(5);

/// What happens to a source, in order. Every one becomes an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Capture runs.
    Opened {
        /// The source as configured.
        device: String,
        /// What was negotiated.
        format: StreamFormat,
    },
    /// Capture stopped and is being opened again, with backoff. The same reason is told once.
    Lost {
        /// What the device or driver said and what to do about it.
        reason: String,
    },
    /// The device had more than its buffer holds; capture went on at once. Told at most every 5 s.
    Overrun {
        /// Overruns since the start of the program.
        total: u64,
    },
    /// The source has no more (a WAV file was played to its end).
    Ended,
}

/// Takes what a source captures: `open`, then `push` period by period, then `close`.
#[derive(Debug)]
pub(crate) struct CaptureSink {
    record: mpsc::Sender<Stream>,
    listen: mpsc::Sender<Stream>,
    notices: mpsc::Sender<Notice>,
    status: Arc<Status>,
    open: Option<Open>,
    last_format: Option<StreamFormat>,
    overrun_told: Option<Instant>,
    lost_told: Option<String>,
}

/// A stream being captured.
#[derive(Debug)]
struct Open {
    format: StreamFormat,
    record: Writer,
    listen: Writer,
    meter: Meter,
    next_frame: u64,
}

impl CaptureSink {
    /// A sink whose streams and notices go to these channels. Nobody need listen.
    pub(crate) fn new(
        record: mpsc::Sender<Stream>,
        listen: mpsc::Sender<Stream>,
        notices: mpsc::Sender<Notice>,
        status: Arc<Status>,
    ) -> Self {
        Self {
            record,
            listen,
            notices,
            status,
            open: None,
            last_format: None,
            overrun_told: None,
            lost_told: None,
        }
    }

    /// Begins a stream: two rings, status and a notice. Allocates; not for the hot path.
    pub(crate) fn open(&mut self, device: &str, format: StreamFormat) {
        self.close();
        let (record, to_recorder) = ring(format, CAPACITY);
        let (listen, to_listener) = ring(format, CAPACITY);
        self.open = Some(Open { format, record, listen, meter: Meter::new(format), next_frame: 0 });
        self.last_format = Some(format);
        self.lost_told = None;
        self.status.stream_opened();
        self.status.update(|facts| {
            facts.capture = CaptureState::Running { device: device.to_owned(), format };
        });
        tracing::info!(device, %format, "Capture runs.");
        // Whoever dropped its end of a channel wants no more of it.
        self.record.send(to_recorder).ok();
        self.listen.send(to_listener).ok();
        self.notify(Notice::Opened { device: device.to_owned(), format });
    }

    /// Takes whole interleaved frames. No lock, no allocation, no waiting: a reader that is behind loses
    /// the block, and [`Status`] counts its frames.
    pub(crate) fn push(&mut self, frames: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let count = (frames.len() / open.format.frame_bytes().max(1)) as u64;
        // Before the rings: no reader is ever past the position that others see.
        self.status.frames_captured(count);
        if open.record.push(open.next_frame, frames) == Pushed::NoRoom {
            self.status.record_lost_frames.fetch_add(count, Ordering::Relaxed);
        }
        if open.listen.push(open.next_frame, frames) == Pushed::NoRoom {
            self.status.listen_lost_frames.fetch_add(count, Ordering::Relaxed);
        }
        open.next_frame += count;
        open.meter.measure(frames, |channel, level| self.status.set_level(channel, level));
    }

    /// Whether both readers have room for so many bytes. A reader that is gone needs none.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.open.as_ref().is_none_or(|open| {
            [&open.record, &open.listen].into_iter().all(|it| it.has_room(bytes) || !it.has_reader())
        })
    }

    /// The device lost about `frames` frames: the readers see a gap of that length.
    pub(crate) fn skip(&mut self, frames: u64) {
        if let Some(open) = &mut self.open {
            self.status.frames_captured(frames);
            open.next_frame += frames;
        }
    }

    /// Counts an overrun of the device's buffer.
    pub(crate) fn overrun(&mut self) {
        let total = self.status.overruns.fetch_add(1, Ordering::Relaxed) + 1;
        if self.overrun_told.is_none_or(|told| told.elapsed() >= OVERRUN_NOTICE) {
            self.overrun_told = Some(Instant::now());
            tracing::warn!(total, "The sound card had more than its buffer holds; some was lost.");
            self.notify(Notice::Overrun { total });
        }
    }

    /// Ends the stream, if one is open; whether one was.
    pub(crate) fn close(&mut self) -> bool {
        for channel in 0..MAX_CHANNELS {
            self.status.set_level(channel, Level { rms_dbfs: FLOOR_DBFS, peak_dbfs: FLOOR_DBFS });
        }
        self.open.take().is_some()
    }

    /// The format of the last stream.
    pub(crate) fn last_format(&self) -> Option<StreamFormat> {
        self.last_format
    }

    /// Says that the source is lost, unless that is what was said last.
    pub(crate) fn lost(&mut self, error: &dyn Error) {
        let reason = chain(error);
        if self.lost_told.as_ref() == Some(&reason) {
            return;
        }
        self.lost_told = Some(reason.clone());
        tracing::warn!(reason, "Capture stopped; the source is opened again as soon as it is there.");
        self.status.update(|facts| facts.capture = CaptureState::Lost { reason: reason.clone() });
        self.notify(Notice::Lost { reason });
    }

    /// Says that the source has no more.
    pub(crate) fn ended(&mut self) {
        tracing::info!("The source was played to its end.");
        self.status.update(|facts| facts.capture = CaptureState::Ended);
        self.notify(Notice::Ended);
    }

    fn notify(&self, notice: Notice) {
        // Nobody need listen.
        self.notices.send(notice).ok();
    }
}
