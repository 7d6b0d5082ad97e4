//! Good and bad model files.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panotti-demo.en-q5_1.bin")
}

fn written(dir: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("model.bin");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_demo_model_is_good() {
    let dir = Path::new("models");
    let digest = "3c36d26989fb679ad8db665bedf0aba4565a24143c697fdb73a5e3a6548ab5ca";
    check_whisper(&demo(), dir, Some(&digest.to_uppercase())).unwrap();
    let error = check_whisper(&demo(), dir, Some(&digest.replace('3', "4"))).unwrap_err();
    assert!(error.to_string().contains("model_sha256"), "{error}");
}

#[test]
fn what_is_no_model_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = std::fs::read(demo()).unwrap();
    let mut no_magic = good.clone();
    no_magic[0] ^= 1;
    let mut longer = good.clone();
    longer.push(0);
    let mut layers = good.clone();
    layers[20] = 5;
    let mut huge = good.clone();
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let silero_header = [&MAGIC_BYTES[..], &10_u32.to_le_bytes(), b"silero-16k", &[0; 64]].concat();
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty"),
        (b"RIFF....WAVE", "magic"),
        (&no_magic, "magic"),
        (&longer, "cut short"),
        (&layers, "cut short"),
        (&huge, "n_vocab"),
        (&silero_header, "vad.silero_model"),
    ];
    for (bytes, want) in cases {
        let error = check_whisper(&written(&dir, bytes), dir.path(), None).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains("model.bin"), "{want}: {error}");
    }
    assert!(check_whisper(dir.path(), dir.path(), None).is_err());
}

const MAGIC_BYTES: [u8; 4] = *b"lmgg";

#[test]
fn silero_is_told_from_whisper() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/models/silero-v6.2.0-ggml.bin");
    assert!(check_silero(&demo()).is_err());
    if !path.exists() {
        eprintln!("Skipped: there is no {}.", path.display());
        return;
    }
    check_silero(&path).unwrap();
    assert!(check_whisper(&path, Path::new("models"), None).unwrap_err().to_string().contains("Silero"));
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 3, 30, 100, 10_000, bytes.len() - 1] {
        assert!(check_silero(&written(&dir, &bytes[..cut])).is_err(), "{cut}");
    }
}

#[test]
fn a_missing_model_says_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ggml-tiny.en.bin"), b"").unwrap();
    let path = resolve("base.en", dir.path());
    assert_eq!(path, dir.path().join("ggml-base.en.bin"));
    let error = check_whisper(&path, dir.path(), None).unwrap_err().to_string();
    assert!(error.contains("are: tiny.en") && error.contains("panotti model fetch"), "{error}");
    assert_eq!(resolve("a/b.bin", dir.path()), Path::new("a/b.bin"));
    assert_eq!(resolve("b.bin", dir.path()), dir.path().join("b.bin"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_truncated_file_is_accepted(place in 0.0_f64..1.0, near_start: bool) {
        let dir = tempfile::tempdir().unwrap();
        let good = std::fs::read(demo()).unwrap();
        let span = if near_start { 2000 } else { good.len() };
        let cut = (span as f64 * place) as usize;
        prop_assert!(check_whisper(&written(&dir, &good[..cut]), dir.path(), None).is_err());
    }
}
