//! The ring against a list that does the same.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::audio::SampleFormat;

const FORMAT: StreamFormat = StreamFormat { sample: SampleFormat::S24Le3, rate_hz: 48_000, channels: 2 };

/// Frames that carry their own index.
fn frames(first: u64, count: usize) -> Vec<u8> {
    (first..first + count as u64).flat_map(|it| it.to_le_bytes()[..6].to_vec()).collect()
}

proptest! {
    #[test]
    fn blocks_come_back_in_order_with_gaps_where_they_were_dropped(
        capacity in 1_usize..600,
        steps in prop::collection::vec(prop::option::of(0_usize..40), 1..200),
    ) {
        let (mut writer, mut stream) = with_capacity(FORMAT, capacity);
        let mut block = Block::default();
        let (mut inside, mut next) = (std::collections::VecDeque::new(), 0);
        for step in steps {
            if let Some(count) = step {
                let bytes = frames(next, count);
                let used: usize = inside.iter().map(|it: &Block| HEADER + it.bytes.len()).sum();
                let fits = capacity - used >= HEADER + bytes.len();
                let expected = if fits { Pushed::Taken } else { Pushed::NoRoom };
                prop_assert_eq!(writer.push(next, &bytes), expected);
                if fits {
                    inside.push_back(Block { first_frame: next, bytes });
                }
                next += count as u64;
            } else {
                let popped = stream.pop(&mut block).then(|| block.clone());
                prop_assert_eq!(popped, inside.pop_front());
            }
        }
        drop(writer);
        for expected in inside {
            prop_assert!(!stream.finished() && stream.pop(&mut block));
            prop_assert_eq!(&block, &expected);
        }
        prop_assert!(stream.finished() && !stream.pop(&mut block));
    }
}

#[test]
fn two_threads_agree_and_the_reader_is_woken() {
    const BLOCKS: u64 = 20_000;
    let (mut writer, mut stream) = with_capacity(FORMAT, 1000);
    let writing = thread::spawn(move || {
        let mut lost = 0;
        for it in 0..BLOCKS {
            match writer.push(it * 5, &frames(it * 5, 5)) {
                Pushed::Taken => {}
                Pushed::NoRoom => lost += 5,
                Pushed::NoReader => unreachable!("the reader lives"),
            }
            if it % 16 == 0 {
                thread::yield_now();
            }
        }
        lost
    });
    let (mut block, mut got, mut gaps, mut next) = (Block::default(), 0, 0, 0);
    while stream.wait(Duration::from_secs(60)) && !stream.finished() {
        while stream.pop(&mut block) {
            gaps += block.first_frame - next;
            assert_eq!(block.bytes, frames(block.first_frame, 5));
            got += 5;
            next = block.first_frame + 5;
        }
    }
    gaps += BLOCKS * 5 - next;
    assert!(stream.finished());
    assert_eq!((got + gaps, gaps), (BLOCKS * 5, writing.join().unwrap()));
}

#[test]
fn waiting_ends_by_itself_by_frames_or_by_closing() {
    let (mut writer, mut stream) = with_capacity(FORMAT, 1000);
    assert!(!stream.wait(Duration::from_millis(1)));
    assert_eq!(writer.push(0, &frames(0, 1)), Pushed::Taken);
    assert!(stream.wait(Duration::ZERO));
    assert!(stream.pop(&mut Block::default()));
    let closing = thread::spawn(move || drop(writer));
    assert!(stream.wait(Duration::from_secs(60)));
    assert!(stream.finished());
    closing.join().unwrap();
}

#[test]
fn a_ring_without_a_reader_says_so() {
    let (mut writer, stream) = with_capacity(FORMAT, 1000);
    drop(stream);
    assert!(!writer.has_reader());
    assert_eq!(writer.push(0, &frames(0, 1)), Pushed::NoReader);
}

#[test]
fn memory_is_bounded() {
    let huge = StreamFormat { sample: SampleFormat::S32Le, rate_hz: 192_000, channels: 16 };
    let tiny = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 8_000, channels: 1 };
    for (format, seconds, expected) in
        [(huge, 10, MAX_CAPACITY), (tiny, 1, MIN_CAPACITY), (FORMAT, 10, 2_880_000)]
    {
        let (writer, _stream) = ring(format, Duration::from_secs(seconds));
        assert_eq!(writer.frames.buffer().capacity(), expected, "{format}");
    }
}
