//! Headers as this program writes them: as short as the format allows, and of the same length for every
//! amount of data below 4 GiB, so that a header can be replaced in place.

use super::Encoding;

pub(super) const PCM: u16 = 1;
pub(super) const IEEE_FLOAT: u16 = 3;
pub(super) const EXTENSIBLE: u16 = 0xFFFE;
/// What follows the format tag in the sub-format of WAVE_FORMAT_EXTENSIBLE (KSDATAFORMAT_SUBTYPE_…).
pub(super) const SUBTYPE_TAIL: [u8; 14] =
    [0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71];

/// No header below 4 GiB of data is longer, bytes: RIFF, extensible `fmt `, `fact`, `data`.
pub(crate) const HEADER_MAX_BYTES: u64 = 12 + 48 + 12 + 8;

/// Everything before the first frame of a WAV file that holds `data_bytes` of whole frames; a pad byte has
/// to follow when they are odd. RF64 (EBU Tech 3306) when RIFF's 32 bits do not suffice.
pub(crate) fn header(encoding: Encoding, rate_hz: u32, channels: u16, data_bytes: u64) -> Vec<u8> {
    let float = matches!(encoding, Encoding::F32 | Encoding::F64);
    let tag = if float { IEEE_FLOAT } else { PCM };
    let bytes = encoding.bytes();
    let frame_bytes = bytes * channels;
    let extensible = channels > 2 || bytes > 2;
    let frames = data_bytes / u64::from(frame_bytes);

    let mut chunks = Vec::with_capacity(80);
    chunks.extend_from_slice(b"fmt ");
    chunks.extend_from_slice(&if extensible { 40_u32 } else { 16 }.to_le_bytes());
    chunks.extend_from_slice(&if extensible { EXTENSIBLE } else { tag }.to_le_bytes());
    chunks.extend_from_slice(&channels.to_le_bytes());
    chunks.extend_from_slice(&rate_hz.to_le_bytes());
    chunks.extend_from_slice(&rate_hz.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    chunks.extend_from_slice(&frame_bytes.to_le_bytes());
    chunks.extend_from_slice(&(bytes * 8).to_le_bytes());
    if extensible {
        // Front centre; front left and right; and no places in the room for seats.
        let mask: u32 = match channels {
            1 => 0x4,
            2 => 0x3,
            _ => 0,
        };
        chunks.extend_from_slice(&22_u16.to_le_bytes());
        chunks.extend_from_slice(&(bytes * 8).to_le_bytes());
        chunks.extend_from_slice(&mask.to_le_bytes());
        chunks.extend_from_slice(&tag.to_le_bytes());
        chunks.extend_from_slice(&SUBTYPE_TAIL);
    }
    if float {
        // Asked for with everything that is not PCM.
        chunks.extend_from_slice(b"fact");
        chunks.extend_from_slice(&4_u32.to_le_bytes());
        chunks.extend_from_slice(&u32::try_from(frames).unwrap_or(u32::MAX).to_le_bytes());
    }
    chunks.extend_from_slice(b"data");

    let padded = data_bytes + data_bytes % 2;
    let riff_bytes = 4 + chunks.len() as u64 + 4 + padded;
    let mut header = Vec::with_capacity(128);
    if let (Ok(riff), Ok(data)) = (u32::try_from(riff_bytes), u32::try_from(data_bytes)) {
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&riff.to_le_bytes());
        header.extend_from_slice(b"WAVE");
        header.extend_from_slice(&chunks);
        header.extend_from_slice(&data.to_le_bytes());
    } else {
        header.extend_from_slice(b"RF64");
        header.extend_from_slice(&u32::MAX.to_le_bytes());
        header.extend_from_slice(b"WAVEds64");
        header.extend_from_slice(&28_u32.to_le_bytes());
        header.extend_from_slice(&(riff_bytes + 36).to_le_bytes());
        header.extend_from_slice(&data_bytes.to_le_bytes());
        header.extend_from_slice(&frames.to_le_bytes());
        header.extend_from_slice(&0_u32.to_le_bytes());
        header.extend_from_slice(&chunks);
        header.extend_from_slice(&u32::MAX.to_le_bytes());
    }
    header
}
