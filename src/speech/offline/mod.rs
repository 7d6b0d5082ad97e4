//! Audio files to a transcript. Owns the way through files, channels and labels; holds seconds of audio at
//! a time, however long the files are.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{
    Effort, Error, Hints, How, Lane, Listener, SAMPLE_RATE_HZ, Segment, Speakers, Transcriber, Transcript,
    Utterance,
};
use crate::{
    audio::{Resampler, StreamFormat, decode::AudioFile},
    config,
};

/// Sound that belongs together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackInput {
    /// Audio files of any form that follow one another without a gap.
    pub files: Vec<PathBuf>,
    /// Who speaks in channels that have no label of their own.
    pub label: Option<String>,
    /// Who speaks in each channel, in order. A channel without a label, or with an empty one, is mixed
    /// with the others like it.
    pub channel_labels: Vec<String>,
    /// Whether voices in channels without a label are told apart, where this build can.
    pub tell_voices_apart: bool,
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Audio that is done, over all tracks, ms.
    pub done_ms: u64,
    /// All audio, ms; `None` where a file does not say how long it is.
    pub total_ms: Option<u64>,
}

/// What was written down, and what could not be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// What was said.
    pub transcript: Transcript,
    /// Files that were damaged, and what of them is missing; a sentence each.
    pub damage: Vec<String>,
}

/// Writes down everything that is said in `tracks`, with times from the start of each. `on_progress` is
/// asked after every utterance, of which it gets the segments, and at least once per 10 s of audio; when it breaks, the result is
/// [`Error::Cancelled`]. Of a damaged file what can be heard is written down.
///
/// # Errors
/// A file that cannot be heard at all, a transcriber that fails, or the wish to stop.
pub fn transcribe_tracks(
    tracks: &[TrackInput],
    hints: &Hints,
    vad: &config::Vad,
    transcriber: &mut dyn Transcriber,
    on_progress: &mut dyn FnMut(Progress, &[Segment]) -> ControlFlow<()>,
) -> Result<Written, Error> {
    let mut total_ms = Some(0);
    for path in tracks.iter().flat_map(|it| &it.files) {
        let length_ms = AudioFile::open(path).map_err(|it| unreadable(path, it))?.duration_ms();
        total_ms = total_ms.zip(length_ms).map(|(sum, it)| sum + it);
    }
    transcriber.renew();
    let mut job = Job {
        how: How { hints: hints.clone().into(), ..How::of(Effort::Final) },
        vad,
        transcriber,
        on_progress,
        progress: Progress { done_ms: 0, total_ms },
        segments: Vec::new(),
        voices: 0,
        damage: Vec::new(),
    };
    let mut duration_ms = 0;
    for track in tracks {
        let before = job.progress.done_ms;
        job.track(track)?;
        duration_ms = duration_ms.max(job.progress.done_ms - before);
    }
    let language = job.how.hints.language.clone();
    // One that the model cannot write was not heeded.
    let language = language.filter(|it| job.transcriber.languages().contains(it));
    let Job { mut segments, damage, .. } = job;
    segments.sort_by_key(|it| it.start_ms);
    let (language, model) = (language.unwrap_or_else(|| transcriber.language()), transcriber.name());
    Ok(Written { transcript: Transcript { language, duration_ms, model, segments }, damage })
}

fn unreadable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Audio { path: path.into(), source: Box::new(source) }
}

struct Job<'a> {
    how: How,
    vad: &'a config::Vad,
    transcriber: &'a mut dyn Transcriber,
    on_progress: &'a mut dyn FnMut(Progress, &[Segment]) -> ControlFlow<()>,
    progress: Progress,
    segments: Vec<Segment>,
    /// Told apart so far.
    voices: usize,
    damage: Vec<String>,
}

/// A lane of a track.
struct Heard {
    lane: Lane,
    speakers: Option<Speakers>,
    said: Vec<Segment>,
    resampler: Option<Resampler>,
    listener: Listener,
}

impl Job<'_> {
    fn track(&mut self, track: &TrackInput) -> Result<(), Error> {
        let mut lanes = Vec::new();
        for lane in Lane::of(&track.channel_labels, track.label.as_deref()) {
            let nameless = track.tell_voices_apart && lane.label.is_none();
            let speakers = nameless.then(Speakers::new).flatten();
            let listener = Listener::new(self.vad)?;
            lanes.push(Heard { lane, speakers, said: Vec::new(), resampler: None, listener });
        }

        let mut last: Option<StreamFormat> = None;
        // Where the rate last changed, and frames since.
        let (mut run_ms, mut run_frames) = (self.progress.done_ms, 0_u64);
        let (mut samples, mut mono) = (Vec::new(), Vec::new());
        let mut since_report = 0;
        for path in &track.files {
            let mut file = AudioFile::open(path).map_err(|it| unreadable(path, it))?;
            loop {
                samples.clear();
                let Some(format) = file.read(&mut samples).map_err(|it| unreadable(path, it))? else { break };
                if last.is_none_or(|it| it.rate_hz != format.rate_hz) {
                    for lane in &mut lanes {
                        self.finish_rate(lane)?;
                        let made = Resampler::new(format.rate_hz, SAMPLE_RATE_HZ);
                        lane.resampler = Some(made.map_err(|it| unreadable(path, it))?);
                    }
                    (run_ms, run_frames) = (self.progress.done_ms, 0);
                }
                last = Some(format);
                let channels = usize::from(format.channels);
                for lane in &mut lanes {
                    mono.clear();
                    lane.lane.pick(&samples, channels, &mut mono);
                    self.hear(lane, &mono)?;
                }
                run_frames += (samples.len() / channels.max(1)) as u64;
                self.progress.done_ms = run_ms + run_frames * 1000 / u64::from(format.rate_hz);
                since_report += 1;
                if since_report >= 10 {
                    since_report = 0;
                    self.report(&[])?;
                }
            }
            self.damage.extend(file.damage());
        }
        for lane in &mut lanes {
            self.finish_rate(lane)?;
            let mut utterances = Vec::new();
            lane.listener.flush(&mut utterances);
            self.write(lane, &utterances)?;
            let said = std::mem::take(&mut lane.said);
            self.segments.extend(match &mut lane.speakers {
                Some(speakers) => speakers.settle(said, &mut self.voices),
                None => said,
            });
        }
        self.report(&[])
    }

    /// Tells how far it is, and what was `said` since.
    fn report(&mut self, said: &[Segment]) -> Result<(), Error> {
        match (self.on_progress)(self.progress, said) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    fn hear(&mut self, lane: &mut Heard, mono: &[f32]) -> Result<(), Error> {
        let mut resampled = Vec::new();
        if let Some(resampler) = &mut lane.resampler {
            resampler.push(mono, &mut resampled);
        }
        let mut utterances = Vec::new();
        lane.listener.push(&resampled, &mut utterances);
        self.write(lane, &utterances)
    }

    /// Takes the last samples out of the resampler before its rate changes or the track ends.
    fn finish_rate(&mut self, lane: &mut Heard) -> Result<(), Error> {
        let Some(mut resampler) = lane.resampler.take() else { return Ok(()) };
        let mut rest = Vec::new();
        resampler.flush(&mut rest);
        let mut utterances = Vec::new();
        lane.listener.push(&rest, &mut utterances);
        self.write(lane, &utterances)
    }

    fn write(&mut self, lane: &mut Heard, utterances: &[Utterance]) -> Result<(), Error> {
        for utterance in utterances {
            let mut segments = self.transcriber.transcribe(utterance, &self.how)?;
            self.how.hints.learn(self.transcriber, &segments);
            for segment in &mut segments {
                segment.speaker.clone_from(&lane.lane.label);
            }
            if let Some(speakers) = &mut lane.speakers {
                speakers.take(utterance);
            }
            self.report(&segments)?;
            lane.said.append(&mut segments);
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "whisper"))]
mod tests;
