//! Reading a header. Trusts nothing: lengths are held against the file, and what is missing at its end
//! is taken as not yet written.

use std::io::{self, Read, Seek, SeekFrom};

use super::{
    Encoding, Error, StreamFormat, WavInfo,
    header::{EXTENSIBLE, IEEE_FLOAT, PCM, SUBTYPE_TAIL},
};

/// Real files have a handful of chunks; a file of zeros would otherwise keep us busy for minutes.
const MAX_CHUNKS: usize = 1000;
const MAX_CHANNELS: u16 = 16;
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// What a WAV file holds. Leaves the position anywhere. RIFF, RF64 and BW64; PCM of 8 to 32 bits and IEEE
/// float of 32 and 64; 1 to 16 channels; 1 kHz to 384 kHz. A data size of 0 or 0xFFFFFFFF, or one beyond
/// the end, means "until the end of the file", as programs leave it that could not finish.
pub fn read_info(file: &mut (impl Read + Seek)) -> Result<WavInfo, Error> {
    parse(file, "the file")
}

/// [`read_info`], whose errors call the file `name`.
pub(super) fn parse(file: &mut (impl Read + Seek), name: &str) -> Result<WavInfo, Error> {
    let failed = |source| Error::Read { file: name.to_owned(), source };
    let damaged = |what: &str| Error::Damaged { file: name.to_owned(), what: what.to_owned() };

    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut start = [0; 12];
    let got = read_up_to(file, &mut start).map_err(failed)?;
    check_start(&start[..got], name)?;

    let mut riff_bytes = u64::from(u32_at(&start, 4));
    let mut data_bytes_64 = None;
    let mut fmt = None;
    let mut at = 12_u64;
    for _ in 0..MAX_CHUNKS {
        let mut chunk = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        if read_up_to(file, &mut chunk).map_err(failed)? < chunk.len() {
            return Err(damaged("it ends before its audio begins"));
        }
        let size = u32_at(&chunk, 4);
        let body = at + 8;
        match &chunk[..4] {
            b"ds64" => {
                let mut sizes = [0; 16];
                if read_up_to(file, &mut sizes).map_err(failed)? == sizes.len() {
                    riff_bytes = u64_at(&sizes, 0);
                    data_bytes_64 = Some(u64_at(&sizes, 8));
                }
            }
            b"fmt " => {
                let mut bytes = [0; 40];
                let wanted = bytes.len().min(size as usize);
                let got = read_up_to(file, &mut bytes[..wanted]).map_err(failed)?;
                fmt = Some(parse_fmt(&bytes[..got], name)?);
            }
            b"data" => {
                let (format, encoding) = fmt.ok_or_else(|| damaged("it does not say its format"))?;
                let there = length - body.min(length);
                let whole = riff_bytes.saturating_add(8) == length;
                let said = match (size, data_bytes_64) {
                    (u32::MAX, Some(size)) => size,
                    // Only a header that was finished can mean "no audio" by 0.
                    (0, _) if !whole => there,
                    (size, _) => u64::from(size),
                };
                let mut info =
                    WavInfo { format, encoding, data_offset: body, data_bytes: 0, missing_bytes: 0 };
                let frame = info.stored_frame_bytes();
                info.data_bytes = said.min(there) / frame * frame;
                // All ones is what a program writes that does not know the length yet.
                if said != u64::from(u32::MAX) && said != u64::MAX {
                    info.missing_bytes = said.saturating_sub(there);
                }
                return Ok(info);
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        at = body + u64::from(size) + u64::from(size % 2);
    }
    Err(damaged("no audio within its first 1000 chunks"))
}

fn check_start(start: &[u8], name: &str) -> Result<(), Error> {
    let not_wav = |start: String| Error::NotWav { file: name.to_owned(), start };
    match (start.get(..4), start.get(8..12)) {
        _ if start.is_empty() => Err(not_wav("is empty".into())),
        (Some(b"RIFF" | b"RF64" | b"BW64"), Some(b"WAVE")) => Ok(()),
        (Some(b"RIFX"), Some(b"WAVE")) => Err(Error::Unsupported {
            file: name.to_owned(),
            what: "big-endian WAV (RIFX)".into(),
            options: "",
        }),
        _ => Err(not_wav(format!("starts with \"{}\"", start.escape_ascii()))),
    }
}

/// Format and encoding from the body of a `fmt ` chunk, of which at most 40 bytes are given.
fn parse_fmt(bytes: &[u8], name: &str) -> Result<(StreamFormat, Encoding), Error> {
    let damaged = |what: String| Error::Damaged { file: name.to_owned(), what };
    let unsupported = |what: String, options| Error::Unsupported { file: name.to_owned(), what, options };

    if bytes.len() < 16 {
        return Err(damaged("its format description is too short".into()));
    }
    let channels = u16_at(bytes, 2);
    let rate_hz = u32_at(bytes, 4);
    let block = u16_at(bytes, 12);
    let bits = u16_at(bytes, 14);
    let tag = match u16_at(bytes, 0) {
        EXTENSIBLE if bytes.len() < 40 => {
            return Err(damaged("its extended format description is too short".into()));
        }
        EXTENSIBLE if bytes[26..40] != SUBTYPE_TAIL => {
            return Err(unsupported("WAV with a sub-format of its own".into(), ""));
        }
        EXTENSIBLE => u16_at(bytes, 24),
        tag => tag,
    };
    if tag != PCM && tag != IEEE_FLOAT {
        return Err(unsupported(format!("compressed WAV (format {tag:#06x})"), ""));
    }
    if channels == 0 {
        return Err(damaged("it has 0 channels".into()));
    }
    if channels > MAX_CHANNELS {
        let what = format!("a WAV file of {channels} channels (at most {MAX_CHANNELS})");
        return Err(unsupported(what, "-ac 1 "));
    }
    if !RATES_HZ.contains(&rate_hz) {
        return Err(unsupported(format!("a sample rate of {rate_hz} Hz (1000 to 384000)"), "-ar 48000 "));
    }

    // What a sample occupies follows from the frame; a frame length of 0 is found in the wild.
    let sample_bytes = if block == 0 { bits.div_ceil(8) } else { block / channels };
    if bits == 0 || !block.is_multiple_of(channels) || bits.div_ceil(8) > sample_bytes {
        return Err(damaged(format!(
            "its header contradicts itself ({bits} bits, {channels} channels, {block} bytes per frame)"
        )));
    }
    let encoding = match (tag, sample_bytes) {
        (PCM, 1) => Encoding::U8,
        (PCM, 2) => Encoding::S16,
        (PCM, 3) => Encoding::S24,
        (PCM, 4) => Encoding::S32,
        (IEEE_FLOAT, 4) if bits == 32 => Encoding::F32,
        (IEEE_FLOAT, 8) if bits == 64 => Encoding::F64,
        _ => {
            let kind = if tag == PCM { "integers" } else { "floating-point numbers" };
            return Err(unsupported(format!("WAV with {bits}-bit {kind} in {sample_bytes} bytes"), ""));
        }
    };
    Ok((StreamFormat { sample: encoding.delivered(), rate_hz, channels }, encoding))
}

/// Fills `out` as far as the file reaches; bytes read.
pub(super) fn read_up_to(file: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < out.len() {
        match file.read(&mut out[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
