//! Cleans one WAV file with the settings that ship and says what it gained and what it took:
//! `cargo run --release -p panotti-noise-reduction --example clean -- IN.wav OUT.wav [SYSTEM.wav]`.
//! `KEY=VALUE` behind these changes a setting.

#![allow(clippy::print_stdout, reason = "it speaks to the terminal")]

use std::{env, error::Error, sync::atomic::AtomicBool, time::Instant};

use panotti_noise_reduction::{Config, Task, clean};
use panotti_sdk::serde_json::{self, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let (settings, paths): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|it| it.contains('='));
    let [input, output, system @ ..] = &paths[..] else {
        return Err("usage: clean IN.wav OUT.wav [SYSTEM.wav] [KEY=VALUE …]".into());
    };
    let mut config = serde_json::to_value(Config::default())?;
    for setting in &settings {
        let (key, value) = setting.split_once('=').unwrap_or_default();
        config[key] = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    }
    let task = Task {
        microphone: vec![input.into()],
        keep_channels: false,
        system: system.iter().map(Into::into).collect(),
        output: output.into(),
    };
    let start = Instant::now();
    let cleaned = clean(&task, &serde_json::from_value(config)?, &AtomicBool::new(false))?;
    let (took, minutes) =
        (start.elapsed().as_secs_f64(), cleaned.frames as f64 / f64::from(cleaned.rate_hz) / 60.0);
    println!("pauses quieter by {:.1} dB", cleaned.gain_db.unwrap_or_default());
    println!("method {:?}, {:.2} s for each minute of audio", cleaned.method, took / minutes);
    for problem in &cleaned.problems {
        println!("{problem}");
    }
    Ok(())
}
