//! The lock-free way from the capture thread to one reader. Owns blocks of frames in a bounded ring and
//! waking the reader; leaves what happens on loss to whoever reads.
//!
//! A block lies in the ring as a header (first frame's index, length in bytes) and its frames. It is there
//! whole or not at all: a ring without room drops it, and the next block's index shows the gap.

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering, fence},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::StreamFormat;

/// Bytes before the frames of a block: `u64` first frame, `u32` length in bytes.
const HEADER: usize = 12;
/// What one ring may take at most, in bytes. It is reached beyond 1.6 MB/s (10 s of 48 kHz, 8 channels).
const MAX_CAPACITY: usize = 16 << 20;
/// Room for headers: a block every 20 ms takes less than this share of the slowest stream.
const MIN_CAPACITY: usize = 64 << 10;
/// How often a thread looks that is not the one the ring wakes.
const POLL: Duration = Duration::from_millis(10);

/// A run of interleaved frames in the stream's format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Place of the first frame, counted from the start of the stream. A jump says that frames were lost.
    pub first_frame: u64,
    /// Whole frames.
    pub bytes: Vec<u8>,
}

/// What both ends know beside the frames.
#[derive(Debug, Default)]
struct Shared {
    closed: AtomicBool,
    reader: OnceLock<Thread>,
}

/// Reading end of a ring: one uninterrupted run of capture in one format.
#[derive(Debug)]
pub struct Stream {
    /// The form of every frame in it.
    pub format: StreamFormat,
    frames: rtrb::Consumer<u8>,
    shared: Arc<Shared>,
}

/// Writing end of a ring. Nothing in it waits, allocates or takes a lock. Dropping it closes the stream.
#[derive(Debug)]
pub(crate) struct Writer {
    frames: rtrb::Producer<u8>,
    shared: Arc<Shared>,
}

/// Makes a ring that holds `capacity` of `format`, at most 16 MiB.
pub(crate) fn ring(format: StreamFormat, capacity: Duration) -> (Writer, Stream) {
    let wanted = format.bytes_per_second().saturating_mul(capacity.as_millis() as usize) / 1000;
    with_capacity(format, wanted.clamp(MIN_CAPACITY, MAX_CAPACITY))
}

fn with_capacity(format: StreamFormat, bytes: usize) -> (Writer, Stream) {
    let (producer, consumer) = rtrb::RingBuffer::new(bytes);
    let shared = Arc::new(Shared::default());
    (Writer { frames: producer, shared: shared.clone() }, Stream { format, frames: consumer, shared })
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is in the ring.
    Taken,
    /// The reader is behind: the block was dropped.
    NoRoom,
    /// There is no reader any more.
    NoReader,
}

impl Writer {
    /// Puts whole frames into the ring, or none of them.
    pub(crate) fn push(&mut self, first_frame: u64, bytes: &[u8]) -> Pushed {
        if self.frames.is_abandoned() {
            return Pushed::NoReader;
        }
        let Ok(length) = u32::try_from(bytes.len()) else { return Pushed::NoRoom };
        if !self.has_room(bytes.len()) {
            return Pushed::NoRoom;
        }
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&first_frame.to_le_bytes());
        header[8..].copy_from_slice(&length.to_le_bytes());
        // There is room for both, and room only grows: the reader waits until the whole block is there.
        let whole =
            self.frames.push_entire_slice(&header).and_then(|()| self.frames.push_entire_slice(bytes));
        debug_assert!(whole.is_ok());
        self.wake();
        Pushed::Taken
    }

    /// Whether a block of so many bytes would be taken.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.frames.slots() >= HEADER + bytes
    }

    /// Whether somebody may still read.
    pub(crate) fn has_reader(&self) -> bool {
        !self.frames.is_abandoned()
    }

    fn wake(&self) {
        // Pairs with the fence in `wait`: either the reader sees the block or we see the reader.
        fence(Ordering::SeqCst);
        if let Some(reader) = self.shared.reader.get() {
            reader.unpark();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.wake();
    }
}

impl Stream {
    /// Takes the next block into `block` (its buffer is reused); `false` when nothing is there now.
    pub fn pop(&mut self, block: &mut Block) -> bool {
        let Some((first_frame, length)) = self.next_header() else { return false };
        let Ok(mut chunk) = self.frames.read_chunk(HEADER + length) else { return false };
        let (one, two) = chunk.as_mut_slices();
        block.first_frame = first_frame;
        block.bytes.clear();
        // The header may itself lie across the end of the ring.
        let head_in_one = HEADER.min(one.len());
        block.bytes.extend_from_slice(&one[head_in_one..]);
        block.bytes.extend_from_slice(&two[HEADER - head_in_one..]);
        chunk.commit_all();
        true
    }

    /// Whether capture has closed the stream and everything was taken.
    pub fn finished(&self) -> bool {
        // In this order: nothing comes after closing.
        self.shared.closed.load(Ordering::Acquire) && self.frames.is_empty()
    }

    /// Sleeps until a block is there, the stream is finished or `timeout` is over; `true` when `pop` or
    /// `finished` has something to say. The first thread to call this is woken at once by new frames; any
    /// other looks every 10 ms.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let me = thread::current();
        let woken = self.shared.reader.get_or_init(|| me.clone()).id() == me.id();
        let deadline = Instant::now() + timeout;
        loop {
            fence(Ordering::SeqCst);
            if self.next_header().is_some() || self.shared.closed.load(Ordering::Acquire) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(if woken { left } else { left.min(POLL) });
        }
    }

    /// First frame and length in bytes of the next block, when all of it is there.
    fn next_header(&mut self) -> Option<(u64, usize)> {
        let available = self.frames.slots();
        let header = self.frames.read_chunk(HEADER).ok()?;
        let (one, two) = header.as_slices();
        let mut bytes = [0; HEADER];
        bytes[..one.len()].copy_from_slice(one);
        bytes[one.len()..].copy_from_slice(two);
        let [a, b, c, d, e, f, g, h, length @ ..] = bytes;
        let length = u32::from_le_bytes(length) as usize;
        (available >= HEADER + length).then(|| (u64::from_le_bytes([a, b, c, d, e, f, g, h]), length))
    }
}
