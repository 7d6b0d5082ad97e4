//! Bytes of all kinds through the readers. Real files of every form are made in `tests/it/formats.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/speech/ex01.wav")
}

/// All frames, their format and what is missing.
type Decoded = (Vec<f32>, Option<StreamFormat>, Option<String>);

fn decoded(bytes: &[u8]) -> Result<Decoded, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, bytes).unwrap();
    let mut file = AudioFile::open(&path)?;
    let (mut samples, mut last) = (Vec::new(), None);
    loop {
        let before = samples.len();
        let Some(format) = file.read(&mut samples)? else { break };
        let frames = (samples.len() - before) / usize::from(format.channels);
        assert!(frames > 0 && frames <= 2 * format.rate_hz as usize + 200_000, "{frames} frames at once");
        last = Some(format);
    }
    assert!(file.read(&mut Vec::new())?.is_none(), "the end stays the end");
    Ok((samples, last, file.damage()))
}

#[test]
fn a_wav_is_what_its_own_reader_says_and_a_cut_one_says_so() {
    let bytes = std::fs::read(fixture()).unwrap();
    let (samples, format, damage) = decoded(&bytes).unwrap();
    let want: Vec<f32> = hound::WavReader::open(fixture())
        .unwrap()
        .samples::<i16>()
        .map(|it| f32::from(it.unwrap()) / 32_768.0)
        .collect();
    assert_eq!(samples, want);
    assert_eq!(format.unwrap(), StreamFormat { sample: SampleFormat::FloatLe, rate_hz: 16_000, channels: 1 });
    assert_eq!(damage, None);

    let (cut, _, damage) = decoded(&bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(cut[..], want[..cut.len()]);
    assert!(damage.unwrap().ends_with("is damaged: it ends after 2.2 s of 4.5 s"));
    // Never finished: the length was not known, so nothing is missing.
    let mut open = bytes[..bytes.len() / 2].to_vec();
    open[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decoded(&open).unwrap().2, None);
}

#[test]
fn what_is_no_audio_is_called_what_it_is() {
    for (bytes, want) in [
        (&b""[..], "is empty (0 bytes)"),
        (
            b"Minutes of the meeting on Monday, by Ann",
            "is no audio that is known here (it starts with \"Minutes",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "\\x89PNG"),
        (b"ID3\x04\0\0\0\0\0\x7f", "there is no audio behind its beginning"),
        (b"fLaC\0\0\0\x22", "is damaged"),
        (b"OggS", "is damaged"),
        (b"RIFF\x04\0\0\0WAVE", "is a damaged WAV file"),
        (b"RIFF\x04\0\0\0AVI ", "no WAV file"),
    ] {
        let error = decoded(bytes).unwrap_err().to_string();
        assert!(error.contains(want), "{}: {error}", bytes.escape_ascii());
    }
    let missing = AudioFile::open("none/at/all.mp3").unwrap_err();
    assert!(matches!(&missing, Error::Open { .. }) && missing.to_string().contains("all.mp3"));
    assert!(matches!(AudioFile::open(env!("CARGO_MANIFEST_DIR")), Err(Error::Read { .. })));
}

const BEGINNINGS: [&[u8]; 10] = [
    b"",
    b"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x0a\xc4\x42\xf0",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0",
    b"\xff\xfb\x90\x64",
    b"\xff\xf1\x50\x80\x02\x1f\xfc",
    b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42",
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01",
    b"FORM\0\0\x10\0AIFFCOMM\0\0\0\x12\0\x01",
    b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20",
    b"RIFF\xff\xff\0\0WAVEfmt \x14\0\0\0\x11\0\x01\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    /// Whatever lies on a disk is decoded, or refused in words, and the program goes on.
    #[test]
    fn any_bytes_are_survived(
        beginning in proptest::sample::select(&BEGINNINGS[..]),
        rest in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        match decoded(&[beginning, &rest].concat()) {
            Ok((samples, ..)) => prop_assert!(samples.len() < 1 << 28),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
