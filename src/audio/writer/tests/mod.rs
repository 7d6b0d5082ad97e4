//! What is written is read back by somebody else, whole, and after every kind of interruption.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod system;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::audio::{JoinedWav, read_info, wav::WavReader};

const BACKENDS: [Backend; 2] = [Backend::IoUring, Backend::Plain];

fn stream(sample: SampleFormat, channels: u16) -> StreamFormat {
    StreamFormat { sample, rate_hz: 8_000, channels }
}

/// Options under which a segment takes a second, at 8 kHz.
fn options(segment_seconds: u32) -> config::Record {
    config::Record { segment_seconds, ..Default::default() }
}

/// `frames` frames no two of which are alike nearby; floats are finite.
fn frames(format: StreamFormat, frames: usize) -> Vec<u8> {
    let bytes = frames * format.frame_bytes();
    (0..bytes).map(|i| ((i * 7 + i / 251) % 120) as u8).collect()
}

/// What should be in the files.
fn as_stored(format: StreamFormat, bytes: &[u8]) -> Vec<u8> {
    match format.sample {
        SampleFormat::S24Le => bytes.chunks_exact(4).flat_map(|b| b[..3].to_vec()).collect(),
        _ => bytes.to_vec(),
    }
}

fn audio(files: &[PathBuf]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in files {
        let mut reader = WavReader::open(path).unwrap();
        while reader.read(4096, &mut bytes).unwrap() > 0 {}
    }
    bytes
}

/// Writes in blocks of 20 ms, ticking as if in real time.
fn write_all(writer: &mut WavWriter, bytes: &[u8]) {
    let start = Instant::now();
    for block in bytes.chunks(writer.given.frame_bytes() * 160) {
        writer.write(block).unwrap();
        writer.tick(start + Duration::from_millis(writer.recorded_ms())).unwrap();
    }
}

#[test]
fn both_backends_write_the_same_files_in_every_format_and_another_reader_reads_them() {
    for sample in SampleFormat::ALL {
        for channels in [1, 2, 3] {
            let format = stream(sample, channels);
            let bytes = frames(format, 20_001);
            let written = BACKENDS.map(|backend| {
                let dir = tempfile::tempdir().unwrap();
                let mut writer = WavWriter::create(dir.path(), format, &options(1), 0, backend).unwrap();
                write_all(&mut writer, &bytes);
                assert_eq!(writer.recorded_ms(), 2500);
                let files = writer.finish().unwrap();
                assert_eq!(files, segment_files(dir.path()).unwrap());
                assert_eq!(audio(&files), as_stored(format, &bytes), "{format} {backend:?}");

                let lengths: Vec<u32> = files
                    .iter()
                    .map(|path| {
                        let mut judge = hound::WavReader::open(path).unwrap();
                        assert_eq!(judge.spec().channels, channels);
                        let samples = if sample == SampleFormat::FloatLe {
                            judge.samples::<f32>().map(Result::unwrap).count()
                        } else {
                            judge.samples::<i32>().map(Result::unwrap).count()
                        };
                        assert_eq!(samples, judge.duration() as usize * usize::from(channels));
                        judge.duration()
                    })
                    .collect();
                assert_eq!(lengths, [8_000, 8_000, 4_001], "{format} {backend:?}");
                files.iter().map(|it| fs::read(it).unwrap()).collect::<Vec<_>>()
            });
            assert!(written[0] == written[1], "{format}");
            for file in &written[0] {
                let riff = u32::from_le_bytes(file[4..8].try_into().unwrap());
                assert_eq!((riff as usize + 8, file.len() % 2), (file.len(), 0), "{format}");
            }
            // Nothing of this needs repair.
            let dir = tempfile::tempdir().unwrap();
            for (i, file) in written[0].iter().enumerate() {
                fs::write(dir.path().join(format!("audio-{i:04}.wav")), file).unwrap();
            }
            assert!(!recover(dir.path()).unwrap().repaired, "{format}");
        }
    }
}

#[test]
fn at_every_instant_the_files_are_playable_and_at_most_a_second_short() {
    let format = stream(SampleFormat::S24Le3, 1);
    let bytes = frames(format, 8_000 * 4 + 80);
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = WavWriter::create(dir.path(), format, &options(2), 0, backend).unwrap();
        // Gone when the writing below is over, or has failed.
        let writing = Arc::new(());
        let still = Arc::downgrade(&writing);
        // What a header counts has to be in the file, whatever is being written in between.
        let check = || {
            let mut whole = Vec::new();
            for path in segment_files(dir.path()).unwrap() {
                let file = fs::read(&path).unwrap();
                // The file is there before its first header is.
                let Some(said) = file.get(64..68) else { continue };
                let said = u32::from_le_bytes(said.try_into().unwrap()) as usize;
                assert_eq!(said % format.frame_bytes(), 0);
                whole.extend_from_slice(&file[68..][..said]);
            }
            assert!(bytes.starts_with(&whole), "{backend:?}");
            whole.len() / format.frame_bytes()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while still.strong_count() > 0 {
                    check();
                }
            });
            let _writing = writing;
            let start = Instant::now();
            for block in bytes.chunks(480) {
                writer.write(block).unwrap();
                writer.tick(start + Duration::from_millis(writer.recorded_ms())).unwrap();
                assert!(check() as u64 * 1000 / 8_000 + 1000 >= writer.recorded_ms(), "{backend:?}");
                for path in segment_files(dir.path()).unwrap() {
                    hound::WavReader::open(path).unwrap().samples::<i32>().for_each(|it| assert!(it.is_ok()));
                }
            }
        });
        // What the last round did not count is there all the same.
        let crashed = tempfile::tempdir().unwrap();
        for path in segment_files(dir.path()).unwrap() {
            fs::copy(&path, crashed.path().join(path.file_name().unwrap())).unwrap();
        }
        let recovered = recover(crashed.path()).unwrap();
        assert!(recovered.duration_ms + 500 >= writer.recorded_ms());
        assert!(bytes.starts_with(&audio(&recovered.files)));
    }
}

#[test]
fn a_recording_goes_on_behind_what_is_there_and_empty_ones_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let format = stream(SampleFormat::S16Le, 1);
    for (expected, backend) in BACKENDS.into_iter().enumerate() {
        let mut writer = WavWriter::create(dir.path(), format, &options(1), 0, backend).unwrap();
        writer.write(&frames(format, 10)).unwrap();
        let name = format!("audio-{expected:04}.wav");
        assert_eq!(writer.finish().unwrap(), [dir.path().join(name)]);
    }
    let writer = WavWriter::create(dir.path(), format, &options(1), 0, Backend::Plain).unwrap();
    assert!(writer.finish().unwrap().is_empty());
    assert_eq!(segment_files(dir.path()).unwrap().len(), 2);
}

#[test]
fn segments_end_before_two_gib() {
    let most = stream(SampleFormat::S32Le, 16);
    assert_eq!(segment_bytes(most, 1), 8_000 * 64);
    for channels in 1..=16 {
        let format = StreamFormat { sample: SampleFormat::S24Le3, rate_hz: 192_000, channels };
        let bytes = segment_bytes(format, u32::MAX);
        assert_eq!(bytes % format.frame_bytes() as u64, 0);
        assert!(bytes > (1 << 31) - 200 && bytes + 81 < 1 << 31);
    }
    assert_eq!(segment_bytes(most, 0), 64);
}

#[test]
fn too_little_free_space_is_told_before_and_while_recording() {
    let dir = tempfile::tempdir().unwrap();
    let format = stream(SampleFormat::S16Le, 1);
    let create = |min| WavWriter::create(dir.path(), format, &options(9), min, Backend::Plain);
    let error = create(u64::MAX).unwrap_err();
    assert!(matches!(error, Error::DiskFull { min_free_bytes: u64::MAX, source: None, .. }), "{error}");
    assert!(error.to_string().contains("storage.min_free_mib"), "{error}");

    let mut writer = create(0).unwrap();
    writer.write(&frames(format, 800)).unwrap();
    writer.min_free_bytes = u64::MAX;
    let error = writer.tick(Instant::now() + Duration::from_secs(2)).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert_eq!(audio(&writer.finish().unwrap()), frames(format, 800));
}

#[test]
fn what_is_no_longer_wav_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audio-0000.wav");
    fs::write(&path, [7; 500]).unwrap();
    assert!(matches!(recover(dir.path()).unwrap_err(), Error::Segment(wav::Error::NotWav { .. })));
    assert_eq!(fs::read(&path).unwrap(), [7; 500]);
}

/// A recording of two segments whose writer died.
fn crashed(dir: &Path, format: StreamFormat, bytes: &[u8]) {
    let mut writer = WavWriter::create(dir, format, &options(1), 0, Backend::Plain).unwrap();
    write_all(&mut writer, bytes);
    writer.segment.flush().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_file_cut_off_anywhere_keeps_all_its_whole_frames(
        sample in 0_usize..5,
        channels in 1_u16..4,
        cut in 0.0..1.0_f64,
        within_header in any::<bool>(),
    ) {
        let format = stream(SampleFormat::ALL[sample], channels);
        let bytes = frames(format, 11_999);
        let dir = tempfile::tempdir().unwrap();
        crashed(dir.path(), format, &bytes);
        let last = dir.path().join("audio-0001.wav");
        let length = if within_header { 90 } else { fs::metadata(&last).unwrap().len() };
        let kept = (length as f64 * cut) as u64;
        fs::File::options().write(true).open(&last).unwrap().set_len(kept).unwrap();

        let recovered = recover(dir.path()).unwrap();
        let stored = as_stored(format, &bytes);
        let frame = stored.len() / 11_999;
        let first = fs::File::open(dir.path().join("audio-0000.wav"));
        let header = read_info(&mut first.unwrap()).unwrap().data_offset;
        let frames_left = 8_000 + kept.saturating_sub(header) as usize / frame;
        prop_assert_eq!(audio(&recovered.files), &stored[..frames_left * frame]);
        prop_assert_eq!(recovered.files.len(), if frames_left > 8_000 { 2 } else { 1 });
        prop_assert_eq!(recovered.duration_ms, 1000 + (frames_left as u64 - 8_000) / 8);
        for path in &recovered.files {
            let said = hound::WavReader::open(path).unwrap().duration() as usize;
            prop_assert!(said == 8_000 || said == frames_left - 8_000);
        }
        let again = recover(dir.path()).unwrap();
        prop_assert!(!again.repaired);
        prop_assert_eq!(again.files, recovered.files);
    }
}

#[test]
fn joined_segments_are_one_file() {
    for (sample, count) in [(SampleFormat::S16Le, 20_000), (SampleFormat::S24Le3, 20_001)] {
        let dir = tempfile::tempdir().unwrap();
        let format = stream(sample, 1);
        let bytes = frames(format, count);
        let mut writer = WavWriter::create(dir.path(), format, &options(1), 0, Backend::Plain).unwrap();
        write_all(&mut writer, &bytes);
        let joined = JoinedWav::open(&writer.finish().unwrap()).unwrap();
        let mut whole = wav::header(wav::Encoding::of(sample), 8_000, 1, bytes.len() as u64);
        whole.extend_from_slice(&bytes);
        whole.resize(whole.len() + bytes.len() % 2, 0);
        assert_eq!(joined.len(), whole.len() as u64);
        for (offset, length) in [(0, whole.len() + 9), (1, 50), (16_000, 9_000), (whole.len() - 1, 5)] {
            let mut buffer = vec![0xee; length];
            let expected = &whole[offset..whole.len().min(offset + length)];
            assert_eq!(joined.read_at(offset as u64, &mut buffer).unwrap(), expected.len());
            assert_eq!(&buffer[..expected.len()], expected, "{offset} {length}");
        }
        assert_eq!(joined.read_at(whole.len() as u64, &mut [0; 4]).unwrap(), 0);
    }
}
