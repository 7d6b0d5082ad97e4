//! The thread "listen": kept frames become utterances. Owns a lane for each speaker's channel, and when a
//! partial caption is wanted; finding speech is in `speech`.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    queue::{Live, Queue},
    reader::Sink,
};
use crate::{
    audio::{Resampler, StreamFormat},
    config::Vad,
    error_chain::chain,
    speech::{Lane, Listener, SAMPLE_RATE_HZ, Utterance},
};

/// No caption is wanted of less speech: about a word, ms.
const LEAST_PARTIAL_MS: u64 = 600;

/// Commands as the listener sees them.
#[derive(Debug)]
pub(super) enum Mark {
    Begin { id: String },
    Pause,
    Resume,
    End { reply: oneshot::Sender<()> },
}

/// Where kept frames are listened to.
pub(super) struct Ear {
    pub(super) vad: Vad,
    pub(super) labels: Vec<String>,
    /// While somebody speaks, a partial caption is wanted this often, ms of audio; 0 wants none.
    pub(super) partial_interval_ms: u32,
    pub(super) queue: Arc<Queue>,
    pub(super) job: Option<Job>,
}

/// The running recording.
pub(super) struct Job {
    id: String,
    keeping: bool,
    /// Audio kept so far, in samples of 16 kHz.
    kept: f64,
    /// The present run in one format without a pause; empty before its first frame.
    format: Option<StreamFormat>,
    lanes: Vec<Heard>,
    samples: Vec<f32>,
}

/// A lane in the present run.
struct Heard {
    lane: Lane,
    /// Where the run began, in samples of 16 kHz from the start of the recording.
    base: u64,
    resampler: Resampler,
    listener: Listener,
    mono: Vec<f32>,
    resampled: Vec<f32>,
    found: Vec<Utterance>,
    /// Where the speech began of which a partial caption was wanted last, and how long it was then, samples.
    shown: Option<(u64, u64)>,
}

impl Heard {
    /// What has been said so far, when a partial caption of it is due.
    fn so_far(&mut self, interval: u64) -> Option<Utterance> {
        let (start, length) = self.listener.speech()?;
        let due = match self.shown {
            Some((of, shown)) if of == start => shown + interval,
            _ => samples(LEAST_PARTIAL_MS),
        };
        if length < due {
            return None;
        }
        self.shown = Some((start, length));
        self.listener.so_far()
    }

    fn hear(&mut self, samples: &[f32], channels: usize) {
        self.mono.clear();
        self.lane.pick(samples, channels, &mut self.mono);
        self.resampled.clear();
        self.resampler.push(&self.mono, &mut self.resampled);
        self.listener.push(&self.resampled, &mut self.found);
    }

    fn flush(&mut self) {
        self.resampled.clear();
        self.resampler.flush(&mut self.resampled);
        self.listener.push(&self.resampled, &mut self.found);
        self.listener.flush(&mut self.found);
    }
}

impl Ear {
    /// Ends the present run: what is being said is an utterance now.
    fn end_run(&mut self) {
        let Some(job) = &mut self.job else { return };
        job.lanes.iter_mut().for_each(Heard::flush);
        self.hand_on();
        if let Some(job) = &mut self.job {
            job.lanes.clear();
            job.format = None;
        }
    }

    fn fit(&mut self, format: StreamFormat) {
        if self.job.as_ref().is_none_or(|it| it.format == Some(format)) {
            return;
        }
        self.end_run();
        let Some(job) = &mut self.job else { return };
        job.format = Some(format);
        let lanes = Lane::of(&self.labels, None);
        for lane in lanes.into_iter().filter(|it| it.is_in(usize::from(format.channels))) {
            let base = job.kept.round() as u64;
            match (Resampler::new(format.rate_hz, SAMPLE_RATE_HZ), Listener::new(&self.vad)) {
                (Ok(resampler), Ok(listener)) => job.lanes.push(Heard {
                    lane,
                    base,
                    resampler,
                    listener,
                    mono: Vec::new(),
                    resampled: Vec::new(),
                    found: Vec::new(),
                    shown: None,
                }),
                (Err(error), _) => tracing::error!(error = chain(&error), "Cannot listen."),
                (_, Err(error)) => tracing::error!(error = chain(&error), "Cannot listen."),
            }
        }
    }

    fn hand_on(&mut self) {
        let Some(job) = &mut self.job else { return };
        let interval = samples(self.partial_interval_ms.into());
        for (lane, heard) in job.lanes.iter_mut().enumerate() {
            let (base, label) = (heard.base, heard.lane.label.clone());
            let live = |mut utterance: Utterance| {
                utterance.start_sample += base;
                Live { recording: job.id.clone(), lane, label: label.clone(), utterance }
            };
            heard.found.drain(..).for_each(|it| self.queue.live(live(it)));
            if interval > 0
                && let Some(so_far) = heard.so_far(interval)
            {
                self.queue.partial(live(so_far));
            }
        }
    }

    fn hear(&mut self, format: StreamFormat, decode: impl FnOnce(&mut Vec<f32>)) {
        self.fit(format);
        let Some(job) = &mut self.job else { return };
        job.samples.clear();
        decode(&mut job.samples);
        let channels = usize::from(format.channels);
        for lane in &mut job.lanes {
            lane.hear(&job.samples, channels);
        }
        let frames = (job.samples.len() / channels) as f64;
        job.kept += frames * f64::from(SAMPLE_RATE_HZ) / f64::from(format.rate_hz);
        self.hand_on();
    }

    fn keeping(&self) -> bool {
        self.job.as_ref().is_some_and(|it| it.keeping)
    }
}

impl Sink for Ear {
    type Mark = Mark;

    fn frames(&mut self, format: StreamFormat, bytes: &[u8]) {
        if self.keeping() {
            self.hear(format, |samples| format.sample.decode(bytes, samples));
        }
    }

    fn gap(&mut self, format: StreamFormat, frames: u64) {
        if !self.keeping() {
            return;
        }
        let mut left = frames as usize;
        while left > 0 {
            let now = left.min(format.rate_hz as usize);
            self.hear(format, |samples| samples.resize(now * usize::from(format.channels), 0.0));
            left -= now;
        }
    }

    fn mark(&mut self, _: Option<StreamFormat>, mark: Mark) {
        match mark {
            Mark::Begin { id } => {
                self.job = Some(Job {
                    id,
                    keeping: true,
                    kept: 0.0,
                    format: None,
                    lanes: Vec::new(),
                    samples: Vec::new(),
                });
            }
            Mark::Pause => {
                self.end_run();
                if let Some(job) = &mut self.job {
                    job.keeping = false;
                }
            }
            Mark::Resume => {
                if let Some(job) = &mut self.job {
                    job.keeping = true;
                }
            }
            Mark::End { reply } => {
                self.end_run();
                self.job = None;
                self.queue.ended();
                // A caller that went away needs no answer.
                reply.send(()).ok();
            }
        }
    }

    fn tick(&mut self) {}
}

fn samples(ms: u64) -> u64 {
    ms * u64::from(SAMPLE_RATE_HZ) / 1000
}
