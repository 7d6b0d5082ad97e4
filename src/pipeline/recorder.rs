//! The thread "record": kept frames go into WAV files. Owns the writer of the running recording; what a
//! file looks like is in `audio`.

use std::{path::PathBuf, time::Instant};

use tokio::sync::oneshot;

use super::reader::Sink;
use crate::{
    audio::{Backend, StreamFormat, WavWriter, WriterError},
    config::Record,
    error_chain::chain,
    recordings::Recordings,
};

/// Commands as the recorder sees them.
#[derive(Debug)]
pub(super) enum Mark {
    Begin { id: String, dir: PathBuf, reply: oneshot::Sender<Result<StreamFormat, String>> },
    Pause { reply: oneshot::Sender<u64> },
    Resume { reply: oneshot::Sender<u64> },
    End { reply: oneshot::Sender<u64> },
}

/// Where kept frames go.
pub(super) struct Recorder {
    pub(super) options: Record,
    pub(super) min_free_bytes: u64,
    pub(super) backend: Backend,
    pub(super) recordings: Recordings,
    pub(super) job: Option<Job>,
    /// Length of the last recording, ms; what an end after the end is told.
    pub(super) last_ms: u64,
}

/// The running recording.
pub(super) struct Job {
    id: String,
    dir: PathBuf,
    keeping: bool,
    format: StreamFormat,
    writer: WavWriter,
    /// Length of what earlier writers closed, ms: a device that came back in another format begins anew.
    closed_ms: u64,
}

impl Job {
    fn recorded_ms(&self) -> u64 {
        self.closed_ms + self.writer.recorded_ms()
    }
}

impl Recorder {
    fn open(&self, dir: &std::path::Path, format: StreamFormat) -> Result<WavWriter, WriterError> {
        WavWriter::create(dir, format, &self.options, self.min_free_bytes, self.backend)
    }

    fn begin(
        &mut self,
        format: Option<StreamFormat>,
        id: String,
        dir: PathBuf,
    ) -> Result<StreamFormat, String> {
        let format = format.ok_or("no sound arrives yet: try again in a moment")?;
        let writer = self.open(&dir, format).map_err(|error| chain(&error))?;
        self.job = Some(Job { id, dir, keeping: true, format, writer, closed_ms: 0 });
        Ok(format)
    }

    /// Closes the files; what cannot be closed properly is repaired at the next start.
    fn close(&mut self) -> u64 {
        if let Some(job) = self.job.take() {
            self.last_ms = job.recorded_ms();
            if let Err(error) = job.writer.finish() {
                tracing::error!(
                    recording = job.id,
                    error = chain(&error),
                    "Cannot close the recording's files."
                );
            }
        }
        self.last_ms
    }

    /// The disk does not take any more: the recording ends here, with what there is.
    fn give_up(&mut self, error: &WriterError) {
        let Some(id) = self.job.as_ref().map(|it| it.id.clone()) else { return };
        let (reason, recorded_ms) = (chain(error), self.close());
        tracing::error!(recording = id, reason, "The recording was stopped; what was recorded is kept.");
        let recordings = self.recordings.clone();
        let told = std::thread::Builder::new().name("record-ended".into()).spawn(move || {
            // Not on this thread: a stop that is under way holds the recording and waits for us.
            let problem = format!("the recording was stopped and what was recorded is kept: {reason}");
            if let Err(error) = recordings.ended_by_itself(&id, recorded_ms, problem) {
                tracing::error!(
                    recording = id,
                    error = chain(&error),
                    "Cannot note the end of the recording."
                );
            }
        });
        if let Err(error) = told {
            tracing::error!(%error, "Cannot note the end of the recording.");
        }
    }

    fn with_writer(&mut self, work: impl FnOnce(&mut WavWriter) -> Result<(), WriterError>) {
        let Some(job) = &mut self.job else { return };
        if let Err(error) = work(&mut job.writer) {
            self.give_up(&error);
        }
    }

    /// The job's writer fits `format`: after a change of format a new file is begun.
    fn fit(&mut self, format: StreamFormat) {
        let Some(job) = self.job.as_ref().filter(|it| it.keeping && it.format != format) else { return };
        match self.open(&job.dir, format) {
            Ok(writer) => {
                let Some(job) = &mut self.job else { return };
                job.closed_ms = job.recorded_ms();
                job.format = format;
                let old = std::mem::replace(&mut job.writer, writer);
                if let Err(error) = old.finish() {
                    tracing::error!(recording = job.id, error = chain(&error), "Cannot close a segment.");
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn keeping(&self) -> bool {
        self.job.as_ref().is_some_and(|it| it.keeping)
    }
}

impl Sink for Recorder {
    type Mark = Mark;

    fn frames(&mut self, format: StreamFormat, bytes: &[u8]) {
        if self.keeping() {
            self.fit(format);
            self.with_writer(|it| it.write(bytes));
        }
    }

    fn gap(&mut self, format: StreamFormat, frames: u64) {
        if !self.keeping() {
            return;
        }
        // Silence in place of what was lost: what follows stays at its time. All formats write it as zeros.
        let second = vec![0; format.bytes_per_second()];
        let mut left = frames as usize * format.frame_bytes();
        self.fit(format);
        while left > 0 {
            let now = left.min(second.len());
            self.with_writer(|it| it.write(&second[..now]));
            left -= now;
        }
    }

    fn mark(&mut self, format: Option<StreamFormat>, mark: Mark) {
        let set = |job: &mut Option<Job>, keeping| {
            if let Some(job) = job {
                job.keeping = keeping;
            }
        };
        // A caller that went away needs no answer.
        let answer = |reply: oneshot::Sender<u64>, ms| {
            reply.send(ms).ok();
        };
        match mark {
            Mark::Begin { id, dir, reply } => {
                reply.send(self.begin(format, id, dir)).ok();
            }
            Mark::Pause { reply } => {
                set(&mut self.job, false);
                answer(reply, self.job.as_ref().map_or(self.last_ms, Job::recorded_ms));
            }
            Mark::Resume { reply } => {
                set(&mut self.job, true);
                answer(reply, self.job.as_ref().map_or(self.last_ms, Job::recorded_ms));
            }
            Mark::End { reply } => {
                let ms = self.close();
                answer(reply, ms);
            }
        }
    }

    fn tick(&mut self) {
        self.with_writer(|it| it.tick(Instant::now()));
    }
}
