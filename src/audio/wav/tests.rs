//! Headers of ours judged by hound, headers of others by hand, and anything at all by proptest.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

const ENCODINGS: [Encoding; 6] =
    [Encoding::U8, Encoding::S16, Encoding::S24, Encoding::S32, Encoding::F32, Encoding::F64];

/// A file of `frames` frames whose bytes count up.
fn file(encoding: Encoding, channels: u16, frames: usize) -> Vec<u8> {
    let data_bytes = frames * usize::from(encoding.bytes() * channels);
    let mut bytes = header(encoding, 16_000, channels, data_bytes as u64);
    bytes.extend((0..data_bytes).map(|i| i as u8));
    bytes
}

fn all(bytes: &[u8]) -> (WavInfo, Vec<u8>) {
    let mut reader = WavReader::new(Cursor::new(bytes)).unwrap();
    let mut out = Vec::new();
    while reader.read(7, &mut out).unwrap() > 0 {}
    (reader.info(), out)
}

#[test]
fn an_independent_reader_reads_our_headers() {
    for encoding in ENCODINGS {
        for channels in [1, 2, 6, 16] {
            let bytes = file(encoding, channels, 10);
            let (info, _) = all(&bytes);
            assert_eq!((info.encoding, info.frames()), (encoding, 10));
            // hound knows no doubles.
            if encoding == Encoding::F64 {
                continue;
            }
            let judge = hound::WavReader::new(Cursor::new(&bytes)).unwrap();
            let spec = judge.spec();
            assert_eq!((spec.channels, spec.sample_rate), (channels, 16_000));
            assert_eq!(spec.bits_per_sample, encoding.bytes() * 8);
            assert_eq!(spec.sample_format == hound::SampleFormat::Float, encoding == Encoding::F32);
            assert_eq!(judge.duration(), 10, "{encoding:?} {channels}");
        }
    }
}

#[test]
fn samples_come_as_they_lie_there_or_converted() {
    let cases: [(Encoding, &[u8], &[u8]); 6] = [
        (Encoding::U8, &[0x00, 0x80, 0xff], &[0x00, 0x80, 0x00, 0x00, 0x00, 0x7f]),
        (Encoding::S16, &[1, 2], &[1, 2]),
        (Encoding::S24, &[1, 2, 3], &[1, 2, 3]),
        (Encoding::S32, &[1, 2, 3, 4], &[1, 2, 3, 4]),
        (Encoding::F32, &[0, 0, 0, 0x3f], &[0, 0, 0, 0x3f]),
        (Encoding::F64, &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f], &[0, 0, 0, 0x3f]),
    ];
    for (encoding, stored, delivered) in cases {
        let mut bytes = header(encoding, 8_000, 1, stored.len() as u64);
        bytes.extend_from_slice(stored);
        let (info, out) = all(&bytes);
        assert_eq!(out, delivered, "{encoding:?}");
        assert_eq!(info.format.sample, encoding.delivered());
        assert_eq!(info.frames() as usize * info.format.frame_bytes(), out.len());
    }
}

#[test]
fn foreign_chunks_padding_and_trailing_chunks_are_passed_over() {
    let plain = file(Encoding::S16, 2, 5);
    let mut bytes = plain[..12].to_vec();
    bytes.extend_from_slice(b"LIST\x03\0\0\0abc\0junk\0\0\0\0");
    bytes.extend_from_slice(&plain[12..]);
    bytes.extend_from_slice(b"id3 \x02\0\0\0xy");
    let (info, out) = all(&bytes);
    assert_eq!((info.frames(), out.as_slice()), (5, &plain[44..]));
}

#[test]
fn what_was_not_finished_reaches_to_the_end_of_the_file() {
    let plain = file(Encoding::S16, 2, 5);
    for size in [0, u32::MAX, 0x7fff_f000, 21] {
        let mut bytes = plain.clone();
        bytes[4..8].copy_from_slice(&0_u32.to_le_bytes());
        bytes[40..44].copy_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&[1, 2, 3]);
        let expected = &plain[44..];
        let (_, out) = all(&bytes);
        assert_eq!(out, expected, "size {size:#x}");
    }
    // 0 from somebody who finished means nothing.
    let mut empty = header(Encoding::S16, 16_000, 2, 0);
    empty[4..8].copy_from_slice(&46_u32.to_le_bytes());
    empty.extend_from_slice(b"id3 \x02\0\0\0xy");
    assert_eq!(all(&empty).0.frames(), 0);
}

#[test]
fn more_than_4_gib_is_told_by_rf64() {
    for data_bytes in [u64::from(u32::MAX) - 100, u64::from(u32::MAX), 5 << 32] {
        let bytes = header(Encoding::S16, 48_000, 2, data_bytes);
        let big = data_bytes > u64::from(u32::MAX) - 100;
        assert_eq!(bytes.starts_with(b"RF64"), big);
        let mut sparse = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut sparse, &bytes).unwrap();
        sparse.set_len(bytes.len() as u64 + data_bytes + 1000).unwrap();
        let info = read_info(&mut sparse).unwrap();
        assert_eq!((info.data_offset, info.frames()), (bytes.len() as u64, data_bytes / 4));
    }
}

#[test]
fn twenty_four_bits_in_four_bytes_are_left_justified() {
    let mut bytes = file(Encoding::S32, 1, 3);
    bytes[34..36].copy_from_slice(&24_u16.to_le_bytes());
    let (info, _) = all(&bytes);
    assert_eq!((info.format.sample, info.frames()), (SampleFormat::S32Le, 3));
}

#[test]
fn errors_say_what_to_do() {
    let plain = file(Encoding::S16, 1, 4);
    let patched = |at: usize, value: &[u8]| {
        let mut bytes = plain.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let cases = [
        (Vec::new(), "is no WAV file (it is empty)"),
        (b"OggS\0\x02 vorbis".to_vec(), r#"is no WAV file (it starts with "OggS\x00\x02 vorbi")"#),
        (b"RIFX\0\0\0\0WAVE".to_vec(), "big-endian WAV (RIFX) is not supported"),
        (plain[..20].to_vec(), "damaged"),
        (plain[..40].to_vec(), "it ends before its audio begins"),
        (patched(20, &[2, 0]), "compressed WAV (format 0x0002) is not supported: convert it with `ffmpeg"),
        (patched(22, &[17, 0]), "17 channels (at most 16)"),
        (patched(22, &[0, 0]), "0 channels"),
        (patched(24, &[1, 0, 0, 0]), "a sample rate of 1 Hz"),
        (patched(34, &[24, 0]), "contradicts itself"),
        (patched(12, b"nope"), "does not say its format"),
    ];
    for (bytes, expected) in cases {
        let error = read_info(&mut Cursor::new(&bytes)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\ndoes not contain\n{expected}");
    }
    let error = WavReader::open("/nonexistent/x.wav").unwrap_err();
    assert_eq!(error.to_string(), "cannot open `/nonexistent/x.wav`");
}

#[test]
fn seeking_goes_to_the_frame_or_the_end() {
    let bytes = file(Encoding::S24, 2, 9);
    let mut reader = WavReader::new(Cursor::new(&bytes)).unwrap();
    reader.seek_frame(4).unwrap();
    let mut out = Vec::new();
    assert_eq!(reader.read(2, &mut out).unwrap(), 2);
    assert_eq!((out[0], out.len(), reader.position()), (24, 12, 6));
    reader.seek_frame(99).unwrap();
    assert_eq!((reader.read(2, &mut out).unwrap(), reader.position()), (0, 9));
}

proptest! {
    #[test]
    fn no_bytes_upset_the_parser(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0_usize..60,
        base in 0_usize..6,
    ) {
        let mut damaged = file(ENCODINGS[base], 3, 4);
        let end = (at + bytes.len().min(6)).min(damaged.len());
        damaged[at..end].copy_from_slice(&bytes[..(end - at).min(bytes.len())]);
        for bytes in [bytes, damaged] {
            if let Ok(mut reader) = WavReader::new(Cursor::new(&bytes)) {
                let info = reader.info();
                prop_assert!(info.data_offset + info.data_bytes <= bytes.len() as u64);
                let mut out = Vec::new();
                let got = reader.read(1000, &mut out).unwrap();
                prop_assert_eq!(got as u64, info.frames());
            }
        }
    }
}
