//! Reading captured frames in step with commands. Owns the order of frames, gaps and marks, which is the
//! same for the recorder and the listener, so that both keep exactly the same frames; leaves what to do
//! with them to its two sinks.
//!
//! A mark names the frame before which it holds: the count of captured frames when the command came.
//! Capture bumps that count before it hands a block on, so no reader is ever past a mark it gets.

use std::{
    collections::VecDeque,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
    time::Duration,
};

use crate::{
    audio::{Block, Stream, StreamFormat},
    status::Position,
};

/// How long a reader sleeps when nothing arrives; marks are seen at least this often.
const NAP: Duration = Duration::from_millis(20);

/// What is done with frames.
pub(super) trait Sink {
    /// What commands look like to this sink.
    type Mark;

    /// Frames as they came.
    fn frames(&mut self, format: StreamFormat, bytes: &[u8]);

    /// Frames that were lost on the way here: the ring was full.
    fn gap(&mut self, format: StreamFormat, frames: u64);

    /// A command that holds from here on. `format` is that of the present stream.
    fn mark(&mut self, format: Option<StreamFormat>, mark: Self::Mark);

    /// Called after every block and every wake-up.
    fn tick(&mut self);
}

/// A command and the place from which it holds.
#[derive(Debug)]
pub(super) struct Marker<M> {
    pub(super) at: Position,
    pub(super) mark: M,
}

/// Reads until `stop` is set, then hands on the marks that are left.
pub(super) fn read<S: Sink>(
    streams: &Receiver<Stream>,
    markers: &Receiver<Marker<S::Mark>>,
    sink: S,
    stop: &AtomicBool,
    beat: &AtomicU64,
) {
    let mut reader = Reader { sink, pending: VecDeque::new(), at: Position::default(), format: None };
    let mut current: Option<Stream> = None;
    let mut block = Block::default();
    while !stop.load(Ordering::Relaxed) {
        beat.fetch_add(1, Ordering::Relaxed);
        reader.pending.extend(markers.try_iter());
        if current.is_none() {
            match streams.try_recv() {
                Ok(stream) => {
                    reader.open(stream.format);
                    current = Some(stream);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    reader.catch_up();
                    std::thread::sleep(NAP);
                }
            }
        }
        if let Some(stream) = &mut current {
            // Asked before the last pop: what is pushed in between is still taken.
            let finished = stream.finished();
            let mut any = false;
            while stream.pop(&mut block) {
                any = true;
                reader.pending.extend(markers.try_iter());
                reader.block(&block);
                // Also with a source so fast that there is always a next block.
                reader.sink.tick();
            }
            reader.fire();
            if finished {
                current = None;
            } else if !any {
                stream.wait(NAP);
            }
        }
        reader.sink.tick();
    }
    reader.pending.extend(markers.try_iter());
    reader.catch_up();
}

struct Reader<S: Sink> {
    sink: S,
    pending: VecDeque<Marker<S::Mark>>,
    at: Position,
    format: Option<StreamFormat>,
}

impl<S: Sink> Reader<S> {
    fn open(&mut self, format: StreamFormat) {
        self.at = Position { stream: self.at.stream + 1, frame: 0 };
        self.format = Some(format);
    }

    fn block(&mut self, block: &Block) {
        let Some(format) = self.format else { return };
        let frames = (block.bytes.len() / format.frame_bytes()) as u64;
        self.pass(format, block.first_frame, None);
        self.pass(format, block.first_frame + frames, Some(&block.bytes));
    }

    /// Goes on to frame `until`, with bytes or without, and stops at each mark on the way.
    fn pass(&mut self, format: StreamFormat, until: u64, mut bytes: Option<&[u8]>) {
        while self.at.frame < until {
            self.fire();
            let next = match self.pending.front() {
                Some(it) if it.at.stream == self.at.stream => it.at.frame.min(until),
                _ => until,
            };
            let count = next - self.at.frame;
            match &mut bytes {
                None => self.sink.gap(format, count),
                Some(rest) => {
                    let (now, later) = rest.split_at(count as usize * format.frame_bytes());
                    self.sink.frames(format, now);
                    *rest = later;
                }
            }
            self.at.frame = next;
        }
    }

    /// Hands on the marks that are due.
    fn fire(&mut self) {
        while self.pending.front().is_some_and(|it| it.at <= self.at) {
            self.fire_first();
        }
    }

    /// No stream is open: whatever was captured is here, so every mark for it is due.
    fn catch_up(&mut self) {
        while self.pending.front().is_some_and(|it| it.at.stream <= self.at.stream) {
            self.fire_first();
        }
    }

    fn fire_first(&mut self) {
        if let Some(marker) = self.pending.pop_front() {
            self.sink.mark(self.format, marker.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::SampleFormat;

    const FORMAT: StreamFormat = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 8000, channels: 1 };

    /// Notes what is kept: the frames' own numbers, −1 for a lost one.
    #[derive(Default)]
    struct Notes {
        keep: bool,
        kept: Vec<i32>,
    }

    impl Sink for Notes {
        type Mark = bool;
        fn frames(&mut self, _: StreamFormat, bytes: &[u8]) {
            if self.keep {
                self.kept.extend(bytes.chunks(2).map(|b| i32::from(i16::from_le_bytes([b[0], b[1]]))));
            }
        }
        fn gap(&mut self, _: StreamFormat, frames: u64) {
            if self.keep {
                self.kept.extend(std::iter::repeat_n(-1, frames as usize));
            }
        }
        fn mark(&mut self, _: Option<StreamFormat>, keep: bool) {
            self.keep = keep;
        }
        fn tick(&mut self) {}
    }

    proptest! {
        #[test]
        fn marks_cut_at_their_frame(
            blocks in proptest::collection::vec((1_u64..40, any::<bool>()), 1..20),
            mut cuts in proptest::collection::vec(0_u64..400, 0..8),
        ) {
            cuts.sort_unstable();
            let mut reader = Reader { sink: Notes::default(), pending: VecDeque::new(), at: Position::default(), format: None };
            reader.open(FORMAT);
            let mark = |(place, frame): (usize, &u64)| Marker { at: Position { stream: 1, frame: *frame }, mark: place % 2 == 0 };
            reader.pending.extend(cuts.iter().enumerate().map(mark));
            let (mut frame, mut all) = (0, Vec::new());
            for (length, lost) in blocks {
                if !lost {
                    let numbers: Vec<i16> = (frame..frame + length).map(|it| it as i16).collect();
                    all.resize(frame as usize, -1);
                    all.extend(numbers.iter().map(|it| i32::from(*it)));
                    reader.block(&Block { first_frame: frame, bytes: numbers.iter().flat_map(|it| it.to_le_bytes()).collect() });
                }
                frame += length;
            }
            let expected: Vec<i32> = all.iter().enumerate().filter_map(|(place, number)| {
                let passed = cuts.iter().filter(|it| **it <= place as u64).count();
                (passed % 2 == 1).then_some(*number)
            }).collect();
            prop_assert_eq!(&reader.sink.kept, &expected);
        }
    }
}
