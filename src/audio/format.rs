//! How samples lie in memory. Owns sample formats and their conversion to `f32`; leaves negotiation to
//! the sources.

use std::{fmt, str::FromStr};

use panotti_sdk::payloads;
use serde::{Deserialize, Serialize};

/// One sample as the device delivers it, little-endian. The names are ALSA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleFormat {
    /// 16-bit integer in 2 bytes.
    #[serde(rename = "S16_LE")]
    S16Le,
    /// 24-bit integer in 3 bytes.
    #[serde(rename = "S24_3LE")]
    S24Le3,
    /// 24-bit integer in the low 3 of 4 bytes.
    #[serde(rename = "S24_LE")]
    S24Le,
    /// 32-bit integer in 4 bytes.
    #[serde(rename = "S32_LE")]
    S32Le,
    /// IEEE 754 single precision, full scale ±1.
    #[serde(rename = "FLOAT_LE")]
    FloatLe,
}

impl SampleFormat {
    /// All formats, best first.
    pub const ALL: [Self; 5] = [Self::S16Le, Self::S24Le3, Self::S24Le, Self::S32Le, Self::FloatLe];

    /// Bytes one sample takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::S16Le => 2,
            Self::S24Le3 => 3,
            Self::S24Le | Self::S32Le | Self::FloatLe => 4,
        }
    }

    /// Appends the samples in `bytes` to `out`, full scale ±1; a last incomplete sample is left out.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        // Full scale of the two's complement integer, 2^(bits−1).
        const FULL_16: f32 = 32_768.0;
        const FULL_24: f32 = 8_388_608.0;
        const FULL_32: f32 = 2_147_483_648.0;
        let int24 = |b0, b1, b2| (i32::from_le_bytes([0, b0, b1, b2]) >> 8) as f32 / FULL_24;
        match self {
            Self::S16Le => {
                out.extend(
                    bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / FULL_16),
                );
            }
            Self::S24Le3 => out.extend(bytes.chunks_exact(3).map(|b| int24(b[0], b[1], b[2]))),
            Self::S24Le => out.extend(bytes.chunks_exact(4).map(|b| int24(b[0], b[1], b[2]))),
            Self::S32Le => out.extend(
                bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / FULL_32),
            ),
            Self::FloatLe => {
                out.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            }
        }
    }

    /// ALSA's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::S16Le => "S16_LE",
            Self::S24Le3 => "S24_3LE",
            Self::S24Le => "S24_LE",
            Self::S32Le => "S32_LE",
            Self::FloatLe => "FLOAT_LE",
        }
    }
}

impl fmt::Display for SampleFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SampleFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| {
            format!("`{text}` is not a sample format: use S16_LE, S24_3LE, S24_LE, S32_LE or FLOAT_LE")
        })
    }
}

/// The form of a run of interleaved frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamFormat {
    /// How one sample lies in memory.
    pub sample: SampleFormat,
    /// Frames per second, Hz.
    pub rate_hz: u32,
    /// Samples per frame.
    pub channels: u16,
}

impl StreamFormat {
    /// Bytes one frame takes.
    pub fn frame_bytes(self) -> usize {
        self.sample.bytes() * usize::from(self.channels)
    }

    /// Bytes one second takes.
    pub fn bytes_per_second(self) -> usize {
        self.frame_bytes() * self.rate_hz as usize
    }
}

impl From<StreamFormat> for payloads::StreamFormat {
    fn from(format: StreamFormat) -> Self {
        Self { sample: format.sample.name().to_owned(), rate_hz: format.rate_hz, channels: format.channels }
    }
}

impl fmt::Display for StreamFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} Hz {} ch", self.sample, self.rate_hz, self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_in_every_format() {
        let cases: [(SampleFormat, &[u8]); 5] = [
            (SampleFormat::S16Le, &[0x00, 0xc0]),
            (SampleFormat::S24Le3, &[0x00, 0x00, 0xc0]),
            // The unused byte may hold anything.
            (SampleFormat::S24Le, &[0x00, 0x00, 0xc0, 0x7f]),
            (SampleFormat::S32Le, &[0x00, 0x00, 0x00, 0xc0]),
            (SampleFormat::FloatLe, &[0x00, 0x00, 0x00, 0xbf]),
        ];
        for (format, bytes) in cases {
            let mut out = Vec::new();
            format.decode(bytes, &mut out);
            assert_eq!(out, [-0.5], "{format}");
            assert_eq!(format.name().parse(), Ok(format));
        }
    }
}
