//! Every form of audio but plain WAV, by symphonia. Owns keeping the times that the container gives,
//! and going on behind packets that are damaged; which track is heard is chosen in `track`.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::Path,
};

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::AudioDecoder,
    errors::Error as Symphonia,
    formats::{FormatOptions, FormatReader, Track, probe::Hint},
    io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource},
    meta::MetadataOptions,
    packet::Packet,
    units::{Duration, TimeBase, Timestamp},
};

use super::{Error, MOST_CHANNELS, RATES_HZ, cut, seconds, sniff, track::choose};
use crate::audio::{SampleFormat, StreamFormat, wav::duration_ms};

/// A hole in the times of packets up to this is the rounding of containers, ms.
const ROUNDING_MS: u64 = 100;
/// A longer hole is taken for a fault in the times, ms.
const LONGEST_HOLE_MS: u64 = 3_600_000;
/// Silence that one file may have added to it in all, ms: what is broken should not become endless.
const MOST_SILENCE_MS: u64 = 12 * 3_600_000;
/// An end that comes so much before the announced one is not worth a word, ms.
const NEGLIGIBLE_MS: u64 = 500;

/// The sound of one file, packet by packet.
pub(super) struct Media {
    container: Box<dyn FormatReader>,
    track: u32,
    decoder: Box<dyn AudioDecoder>,
    time_base: Option<TimeBase>,
    /// The time of the container at which its first track begins, ms.
    origin_ms: i64,
    /// Of the track, and where it does not say, of the whole.
    duration_ms: Option<u64>,
    /// Whether that is the sound's own length, and not a picture's.
    is_own_duration: bool,
    /// Of what is decoded.
    format: StreamFormat,
    decoded: Vec<f32>,
    /// Frames of silence that come before `decoded`.
    silence: u64,
    added_ms: u64,
    /// What was decoded before the rate changed, ms, and frames since.
    before_ms: u64,
    frames: u64,
    damaged_packets: u64,
    ended: bool,
    fault: Option<String>,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Media {
    /// Opens the file at `path`, which begins with `start`, and decodes its first packet.
    pub(super) fn open(path: &Path, name: &str, start: &[u8]) -> Result<Self, Error> {
        let file = || File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source });
        match Self::read_from(Box::new(file()?), name, start) {
            // MP4 and MKV refuse to begin when the file is shorter than they say; what is read from front to
            // back begins.
            Err(error @ Error::Damaged { .. }) => {
                let stream = Box::new(ReadOnlySource::new(file()?));
                Self::read_from(stream, name, start).map_err(|_| error)
            }
            opened => opened,
        }
    }

    fn read_from(source: Box<dyn MediaSource>, name: &str, start: &[u8]) -> Result<Self, Error> {
        let failed = |source| Error::Read { file: name.to_owned(), source };
        let damaged = |what: &str| Error::Damaged { file: name.to_owned(), what: what.to_owned() };
        let mut stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let tag = id3_bytes(start);
        if tag > 0 && stream.is_seekable() {
            stream.seek(SeekFrom::Start(tag)).map_err(failed)?;
        }
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        let probed = symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata);
        let container = probed.map_err(|error| match error {
            Symphonia::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => failed(error),
            Symphonia::Unsupported(_) if !sniff::begins_as_audio(start) => {
                Error::NotAudio { file: name.to_owned(), start: start.escape_ascii().to_string() }
            }
            _ if start.get(4..8) == Some(b"ftyp") => {
                damaged("its index is missing or broken, as in a recording that was cut off")
            }
            Symphonia::IoError(_) => damaged("it ends before its audio begins"),
            Symphonia::Unsupported(_) => damaged("there is no audio behind its beginning"),
            error => damaged(&error.to_string()),
        })?;
        let (track, decoder) = choose(container.as_ref(), name)?;
        let (id, time_base) = (track.id, track.time_base);
        let own = length_ms(track);
        let info = container.media_info();
        let whole = info.time_base.zip(info.duration).and_then(|(base, it)| millis(base, it));
        let mut media = Self {
            origin_ms: info.time_base.map_or(0, |base| at_ms(base, info.start_ts)),
            is_own_duration: (container.tracks().len() == 1 || track.num_frames.is_some()) && !is_adts(start),
            duration_ms: own.or(whole),
            container,
            track: id,
            decoder,
            time_base,
            format: StreamFormat { sample: SampleFormat::FloatLe, rate_hz: 48_000, channels: 1 },
            decoded: Vec::new(),
            silence: 0,
            added_ms: 0,
            before_ms: 0,
            frames: 0,
            damaged_packets: 0,
            ended: false,
            fault: None,
        };
        media.next_packet()?;
        match media.fault.take() {
            Some(what) if media.decoded.is_empty() => Err(damaged(&what)),
            _ if media.decoded.is_empty() && media.damaged_packets > 0 => {
                Err(damaged(&format!("none of its {} packets can be decoded", media.damaged_packets)))
            }
            fault => {
                media.fault = fault;
                Ok(media)
            }
        }
    }

    pub(super) fn duration_ms(&self) -> Option<u64> {
        self.duration_ms
    }

    pub(super) fn format(&self) -> StreamFormat {
        self.format
    }

    /// See [`super::AudioFile::read`].
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> Result<Option<StreamFormat>, Error> {
        // The format may change right here, and nothing before a change is not the end.
        if self.silence == 0 {
            self.next_packet()?;
        }
        let format = self.format;
        let channels = usize::from(format.channels);
        let begin = out.len();
        let full = begin + format.rate_hz as usize * channels;
        // A new format is kept for the next time.
        while out.len() < full && self.format == format {
            if self.silence > 0 {
                let frames = self.silence.min(((full - out.len()) / channels) as u64);
                out.resize(out.len() + frames as usize * channels, 0.0);
                self.silence -= frames;
                self.frames += frames;
            } else if !self.decoded.is_empty() {
                self.frames += (self.decoded.len() / channels) as u64;
                out.append(&mut self.decoded);
            } else if !self.ended {
                self.next_packet()?;
            } else {
                break;
            }
        }
        Ok((out.len() > begin).then_some(format))
    }

    pub(super) fn give_up(&mut self, why: &str) {
        self.fault = Some(format!("{why} after {}", seconds(self.position_ms())));
        self.ended = true;
        self.decoded.clear();
        self.silence = 0;
    }

    pub(super) fn damage(&self) -> Option<String> {
        let there = self.position_ms();
        let early = self
            .duration_ms
            .filter(|said| self.is_own_duration && there + NEGLIGIBLE_MS.max(said / 100) < *said);
        match (&self.fault, early) {
            (_, Some(said)) => Some(cut(there, said)),
            (Some(fault), None) => Some(fault.clone()),
            (None, None) => (self.damaged_packets > 0).then(|| {
                let packets = if self.damaged_packets == 1 { "packet" } else { "packets" };
                format!("{} {packets} in it cannot be decoded", self.damaged_packets)
            }),
        }
    }

    fn position_ms(&self) -> u64 {
        self.before_ms + duration_ms(self.frames, self.format.rate_hz)
    }

    /// Decodes the next packet of the track that can be decoded into `self.decoded`, or notes the end.
    fn next_packet(&mut self) -> Result<(), Error> {
        while self.decoded.is_empty() && !self.ended {
            match self.container.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => self.decode(&packet),
                Ok(Some(_)) => {}
                Ok(None) => self.ended = true,
                // Another stream begins in the same file.
                Err(Symphonia::ResetRequired) => match choose(self.container.as_ref(), "") {
                    Ok((track, decoder)) => {
                        (self.track, self.time_base) = (track.id, track.time_base);
                        self.decoder = decoder;
                    }
                    Err(_) => self.give_up("it goes on in a form that is not decoded"),
                },
                Err(Symphonia::IoError(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    self.give_up(&format!("it cannot be read ({error})"));
                }
                Err(Symphonia::IoError(_)) => self.give_up("it ends in the middle of a packet"),
                Err(error) => self.give_up(&format!("it cannot be followed ({error})")),
            }
        }
        Ok(())
    }

    fn decode(&mut self, packet: &Packet) {
        let mut reset = false;
        match self.decoder.decode(packet) {
            Ok(sound) => {
                let format = format_of(&sound);
                if format.is_some() {
                    sound.copy_to_vec_interleaved(&mut self.decoded);
                }
                match format {
                    Some(format) => self.arrange(format, packet.pts),
                    None => self.damaged_packets += 1,
                }
            }
            Err(Symphonia::ResetRequired) => reset = true,
            Err(_) => self.damaged_packets += 1,
        }
        if reset {
            self.decoder.reset();
        }
    }

    /// Puts what was decoded into its place in time.
    fn arrange(&mut self, format: StreamFormat, pts: Timestamp) {
        if self.decoded.is_empty() {
            return;
        }
        if format != self.format {
            self.before_ms = self.position_ms();
            self.frames = 0;
            self.format = format;
        }
        let Some(base) = self.time_base else { return };
        let begins_ms = u64::try_from(at_ms(base, pts).saturating_sub(self.origin_ms)).unwrap_or(0);
        let hole_ms = begins_ms.saturating_sub(self.position_ms());
        if (ROUNDING_MS..=LONGEST_HOLE_MS).contains(&hole_ms) && self.added_ms + hole_ms <= MOST_SILENCE_MS {
            self.added_ms += hole_ms;
            self.silence = hole_ms * u64::from(format.rate_hz) / 1000;
        }
    }
}

/// `None` for what nobody records in.
fn format_of(sound: &GenericAudioBufferRef<'_>) -> Option<StreamFormat> {
    let (rate_hz, channels) = (sound.spec().rate(), sound.num_planes());
    let believed = RATES_HZ.contains(&rate_hz) && (1..=MOST_CHANNELS).contains(&channels);
    believed.then_some(StreamFormat { sample: SampleFormat::FloatLe, rate_hz, channels: channels as u16 })
}

fn length_ms(track: &Track) -> Option<u64> {
    let base = track.time_base;
    base.zip(track.duration.or(track.num_frames.map(Duration::new))).and_then(|(base, it)| millis(base, it))
}

fn millis(base: TimeBase, length: Duration) -> Option<u64> {
    u64::try_from(base.calc_duration(length)?.as_millis()).ok().filter(|it| *it > 0)
}

fn at_ms(base: TimeBase, at: Timestamp) -> i64 {
    i64::try_from(base.calc_time_saturating(at).as_millis()).unwrap_or(0)
}

/// Whether these are bare AAC frames, which say nothing of the whole: its length is an estimate then. Sync
/// word and layer of ISO/IEC 14496-3, 1.A.2.2.1.
fn is_adts(start: &[u8]) -> bool {
    matches!(start, [0xff, second, ..] if second & 0xf6 == 0xf0)
}

/// Length of an ID3v2 tag at the start of a file: pictures in it are larger than what the probe looks
/// through. ID3v2.4.0 structure, 3.1: 10 bytes, of which the last 4 carry 7 bits of the length each.
fn id3_bytes(start: &[u8]) -> u64 {
    match start {
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] => {
            let length = [a, b, c, d].iter().fold(0_u64, |sum, it| sum << 7 | u64::from(**it & 0x7f));
            let footer = if flags & 0x10 == 0 { 0 } else { 10 };
            10 + length + footer
        }
        _ => 0,
    }
}
