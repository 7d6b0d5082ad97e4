//! What one second of sound costs each part that sees all of it. `cargo bench --bench parts`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{hint::black_box, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use panotti::{
    audio::{Backend, Resampler, SampleFormat, StreamFormat, WavReader, WavWriter},
    config::{self, RecordBackend},
    speech::Listener,
};

/// The first seconds of the fixture's meeting, 16 kHz mono: somebody speaks most of the time.
fn speech(seconds: usize) -> Vec<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/speech/meeting-0.wav");
    let mut file = WavReader::open(path).unwrap();
    let (mut bytes, mut samples) = (Vec::new(), Vec::new());
    file.read(seconds * 16_000, &mut bytes).unwrap();
    file.info().format.sample.decode(&bytes, &mut samples);
    samples
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("resample 1 s to 16 kHz");
    for rate_hz in [48_000, 44_100, 8_000] {
        let second: Vec<f32> = (0..rate_hz).map(|it| (it as f32 * 0.05).sin() * 0.5).collect();
        let mut resampler = Resampler::new(rate_hz, 16_000).unwrap();
        let mut out = Vec::new();
        group.bench_function(format!("from {rate_hz} Hz"), |it| {
            it.iter(|| {
                out.clear();
                resampler.push(black_box(&second), &mut out);
            });
        });
    }
}

fn listening(c: &mut Criterion) {
    let mut group = c.benchmark_group("find speech in 10 s");
    let silence = vec![0.0; 160_000];
    for (name, sound) in [("of silence", &silence), ("of talk", &speech(10))] {
        let mut listener = Listener::new(&config::Vad::default()).unwrap();
        let mut found = Vec::new();
        group.bench_function(name, |it| {
            it.iter(|| {
                found.clear();
                listener.push(black_box(sound), &mut found);
            });
        });
    }
}

fn writing(c: &mut Criterion) {
    let format = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 48_000, channels: 2 };
    let second = vec![0_u8; format.bytes_per_second()];
    let mut group = c.benchmark_group("write 1 s of 48 kHz stereo to WAV");
    group.throughput(Throughput::Bytes(second.len() as u64));
    for (name, wanted) in [("as chosen here", RecordBackend::Auto), ("ordinary writes", RecordBackend::Plain)]
    {
        let (backend, _) = Backend::probe(wanted).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut writer =
            WavWriter::create(dir.path(), format, &config::Record::default(), 0, backend).unwrap();
        group.bench_function(name, |it| it.iter(|| writer.write(black_box(&second)).unwrap()));
        writer.finish().unwrap();
    }
}

criterion_group!(parts, resampling, listening, writing);
criterion_main!(parts);
