//! A track: WAV files that follow one another, read as one. Owns their order and what is missing at an end;
//! headers are read by `wav`.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::PathBuf,
};

use super::wav::{Error, Wav};

/// Audio of a track, from its start.
#[derive(Debug)]
pub(crate) struct Track {
    wavs: Vec<Wav>,
    /// The file that is read, and frames left in it.
    current: Option<(BufReader<File>, u64)>,
    next: usize,
    bytes: Vec<u8>,
    /// What is missing, for people.
    problem: Option<String>,
}

impl Track {
    /// Reads the headers of `files`. A file that was cut short, as by a power cut, is read as far as it
    /// goes, and [`Self::problem`] says so.
    pub(crate) fn open(files: &[PathBuf]) -> Result<Self, Error> {
        let mut wavs: Vec<Wav> = Vec::with_capacity(files.len());
        let mut problem = None;
        for (place, path) in files.iter().enumerate() {
            match Wav::open(path) {
                // The power went away right when a file was begun.
                Err(Error::Unbegun { .. }) if place > 0 && place + 1 == files.len() => {
                    problem = Some(format!("`{}` ends in its header and is left out", path.display()));
                }
                Ok(wav) => {
                    let same = |it: &Wav| (it.rate_hz, it.channels) == (wav.rate_hz, wav.channels);
                    if !wavs.first().is_none_or(same) {
                        return Err(Error::Changed { path: wav.path });
                    }
                    if wav.cut {
                        let (file, seconds) = (path.display(), wav.frames as f64 / f64::from(wav.rate_hz));
                        problem = Some(format!(
                            "`{file}` was not finished and is read as far as it goes, {seconds:.1} s"
                        ));
                    }
                    wavs.push(wav);
                }
                Err(error) => return Err(error),
            }
        }
        if wavs.is_empty() {
            return Err(Error::NoFiles);
        }
        Ok(Self { wavs, current: None, next: 0, bytes: Vec::new(), problem })
    }

    /// Frames per second, Hz.
    pub(crate) fn rate_hz(&self) -> u32 {
        self.wavs[0].rate_hz
    }

    /// Samples per frame.
    pub(crate) fn channels(&self) -> usize {
        self.wavs[0].channels.into()
    }

    /// Frames of all files.
    pub(crate) fn frames(&self) -> u64 {
        self.wavs.iter().map(|it| it.frames).sum()
    }

    /// What is missing, for people.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Replaces what is in `out` by the next `frames` frames, one vector for each channel; fewer only at the
    /// end. Answers their number.
    pub(crate) fn read(&mut self, frames: usize, out: &mut [Vec<f32>]) -> Result<usize, Error> {
        out.iter_mut().for_each(Vec::clear);
        let mut got = 0;
        while got < frames {
            let Some((file, left)) = &mut self.current else {
                let Some(wav) = self.wavs.get(self.next) else { break };
                let open = |source| Error::Open { path: wav.path.clone(), source };
                let mut file = BufReader::with_capacity(1 << 16, File::open(&wav.path).map_err(open)?);
                file.seek(SeekFrom::Start(wav.offset)).map_err(open)?;
                self.current = Some((file, wav.frames));
                self.next += 1;
                continue;
            };
            let wav = &self.wavs[self.next - 1];
            let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(frames - got);
            self.bytes.resize(wanted * wav.frame_bytes(), 0);
            file.read_exact(&mut self.bytes)
                .map_err(|source| Error::Read { path: wav.path.clone(), source })?;
            for frame in self.bytes.chunks_exact(wav.frame_bytes()) {
                for (sample, channel) in frame.chunks_exact(wav.encoding.bytes()).zip(&mut *out) {
                    channel.push(wav.encoding.sample(sample));
                }
            }
            got += wanted;
            *left -= wanted as u64;
            if *left == 0 {
                self.current = None;
            }
        }
        Ok(got)
    }
}
