//! How loud each channel is. Owns root mean square and peak in dBFS; leaves showing them to others.

use super::StreamFormat;
use crate::status::{Level, MAX_CHANNELS};

/// Quietest level told, dBFS. The quantisation noise of 16 bits lies at −98.
pub(crate) const FLOOR_DBFS: f32 = -120.0;
/// Frames decoded at once; keeps the scratch small and fixed.
const CHUNK: usize = 256;

/// Measures runs of frames without allocating after it was made.
#[derive(Debug)]
pub(crate) struct Meter {
    format: StreamFormat,
    samples: Vec<f32>,
}

impl Meter {
    /// A meter for up to 16 channels of `format`; further ones are left out.
    pub(crate) fn new(format: StreamFormat) -> Self {
        Self { format, samples: Vec::with_capacity(CHUNK * usize::from(format.channels)) }
    }

    /// Level of each channel over `frames` (interleaved, whole frames), told to `each` by channel.
    pub(crate) fn measure(&mut self, frames: &[u8], mut each: impl FnMut(usize, Level)) {
        let channels = usize::from(self.format.channels);
        let frame_bytes = self.format.frame_bytes();
        if channels == 0 || frames.len() < frame_bytes {
            return;
        }
        let mut squares = [0.0_f64; MAX_CHANNELS];
        let mut peaks = [0.0_f32; MAX_CHANNELS];
        for chunk in frames.chunks(CHUNK * frame_bytes) {
            self.samples.clear();
            self.format.sample.decode(chunk, &mut self.samples);
            for frame in self.samples.chunks_exact(channels) {
                for ((sample, square), peak) in frame.iter().zip(&mut squares).zip(&mut peaks) {
                    *square += f64::from(sample * sample);
                    *peak = peak.max(sample.abs());
                }
            }
        }
        let count = (frames.len() / frame_bytes) as f64;
        for (channel, (square, peak)) in squares.into_iter().zip(peaks).take(channels).enumerate() {
            let rms = (square / count).sqrt() as f32;
            each(channel, Level { rms_dbfs: dbfs(rms), peak_dbfs: dbfs(peak) });
        }
    }
}

/// An amplitude (full scale 1) in dBFS, −120 at least. Not a number counts as silence.
fn dbfs(amplitude: f32) -> f32 {
    (20.0 * amplitude.log10()).max(FLOOR_DBFS)
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;
    use crate::audio::SampleFormat;

    /// One second: a sine at `amplitude` on channel 0, silence on 1, a square wave on 2.
    fn second(sample: SampleFormat, amplitude: f32) -> (StreamFormat, Vec<u8>) {
        let format = StreamFormat { sample, rate_hz: 48_000, channels: 3 };
        let mut bytes = Vec::new();
        for it in 0..48_000 {
            let phase = it as f32 * 1000.0 / 48_000.0;
            let sine = amplitude * (TAU * phase.fract()).sin();
            let square = if phase.fract() < 0.5 { amplitude } else { -amplitude };
            for value in [sine, 0.0, square] {
                let scaled = |full: f64| (f64::from(value) * full).round() as i32;
                match sample {
                    SampleFormat::S16Le => bytes.extend(&scaled(32_767.0).to_le_bytes()[..2]),
                    SampleFormat::S24Le3 => bytes.extend(&scaled(8_388_607.0).to_le_bytes()[..3]),
                    SampleFormat::S24Le => {
                        bytes.extend(&scaled(8_388_607.0).to_le_bytes()[..3]);
                        // What some drivers leave in the unused byte.
                        bytes.push(0x5a);
                    }
                    SampleFormat::S32Le => bytes.extend(scaled(2_147_483_647.0).to_le_bytes()),
                    SampleFormat::FloatLe => bytes.extend(value.to_le_bytes()),
                }
            }
        }
        (format, bytes)
    }

    #[test]
    fn sine_silence_and_square_measure_what_they_are() {
        // A sine's effective value is its peak less 3.01 dB, a square wave's is its peak.
        for (amplitude, peak) in [(1.0, 0.0), (0.5, -6.02), (0.01, -40.0)] {
            for sample in SampleFormat::ALL {
                let (format, bytes) = second(sample, amplitude);
                let mut levels = Vec::new();
                Meter::new(format).measure(&bytes, |channel, level| {
                    assert_eq!(channel, levels.len());
                    levels.push((level.rms_dbfs, level.peak_dbfs));
                });
                let expected = [(peak - 3.01, peak), (FLOOR_DBFS, FLOOR_DBFS), (peak, peak)];
                for (got, want) in levels.iter().zip(expected) {
                    let near = |a: f32, b: f32| (a - b).abs() < 0.02;
                    assert!(near(got.0, want.0) && near(got.1, want.1), "{sample} {got:?} {want:?}");
                }
                assert_eq!(levels.len(), 3);
            }
        }
    }
}
