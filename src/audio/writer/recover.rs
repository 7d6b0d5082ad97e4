//! The segments of a recording as a directory has them, and their repair after a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{Error, remove_segment};
use crate::audio::{
    format::StreamFormat,
    wav::{self, HEADER_MAX_BYTES, WavInfo, header},
};

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Segments that hold audio, in order.
    pub files: Vec<PathBuf>,
    /// That of the first segment; none where there is no audio.
    pub format: Option<StreamFormat>,
    /// Length of all segments, ms.
    pub duration_ms: u64,
    /// Whether anything had to be changed.
    pub repaired: bool,
}

/// Makes every segment in `dir` consistent after a crash: counts in its header the whole frames that the
/// file has, and removes segments without any. Doing it again changes nothing.
pub fn recover(dir: &Path) -> Result<Recovered, Error> {
    let mut recovered = Recovered { files: Vec::new(), format: None, duration_ms: 0, repaired: false };
    for (_, path) in numbered(dir)? {
        let (info, repaired) = repair(&path)?;
        recovered.repaired |= repaired;
        if let Some(info) = info {
            recovered.format.get_or_insert(info.format);
            recovered.duration_ms += info.duration_ms();
            recovered.files.push(path);
        }
    }
    if recovered.repaired {
        sync_dir(dir)?;
    }
    Ok(recovered)
}

/// The segments in `dir`, in order.
pub fn segment_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(numbered(dir)?.into_iter().map(|(_, path)| path).collect())
}

/// The segments in `dir` with their numbers, in order.
pub(super) fn numbered(dir: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let failed = |source| Error::Directory { path: dir.to_owned(), source };
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|it| it.strip_prefix("audio-")?.strip_suffix(".wav"));
        if let Some(number) = number.and_then(|it| it.parse().ok()) {
            segments.push((number, entry.path()));
        }
    }
    segments.sort();
    Ok(segments)
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    let synced = File::open(dir).and_then(|it| it.sync_all());
    synced.map_err(|source| Error::Directory { path: dir.to_owned(), source })
}

/// What the segment holds, nothing when it was removed; and whether anything was done.
fn repair(path: &Path) -> Result<(Option<WavInfo>, bool), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    let info = match wav::WavReader::open(path) {
        Ok(reader) => reader.info(),
        // Cut off within its header, it never held audio.
        Err(wav::Error::NotWav { .. } | wav::Error::Damaged { .. }) if length < HEADER_MAX_BYTES => {
            remove_segment(path)?;
            return Ok((None, true));
        }
        Err(error) => return Err(Error::Segment(error)),
    };
    let header_of = |data_bytes| header(info.encoding, info.format.rate_hz, info.format.channels, data_bytes);
    // Somebody else's file: it can be read, and what lies behind its audio is not ours to judge.
    if info.data_offset != header_of(0).len() as u64 {
        return Ok((Some(info), false));
    }

    let frame = info.stored_frame_bytes();
    let data_bytes = (length - info.data_offset) / frame * frame;
    if data_bytes == 0 {
        remove_segment(path)?;
        return Ok((None, true));
    }
    let wanted_length = info.data_offset + data_bytes + data_bytes % 2;
    let wanted_header = header_of(data_bytes);
    let info = WavInfo { data_bytes, ..info };
    if length == wanted_length && starts_with(path, &wanted_header).map_err(failed)? {
        return Ok((Some(info), false));
    }
    // The length first: a crash between leaves a header that counts less, which is what we began with.
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.set_len(wanted_length).and_then(|()| file.sync_all()).map_err(failed)?;
    file.write_all(&wanted_header).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok((Some(info), true))
}

fn starts_with(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut start = vec![0; bytes.len()];
    io::Read::read_exact(&mut File::open(path)?, &mut start)?;
    Ok(start == bytes)
}
