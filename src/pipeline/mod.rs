//! From captured frames to captions and transcripts. Owns the threads between capture and the log, the
//! commands that `recordings` gives, and the one decision what happens when a part is behind:
//!
//! ```text
//!                 ┌─ring─▶ "record" ─▶ WAV files            a full ring: silence in place of what was lost
//!  capture thread ┤
//!                 └─ring─▶ "listen" ─utterances─▶ queue ─▶ "transcribe" ─▶ captions, transcripts
//!                          and speech so far       a slow model: fewer partial captions, then none;
//!                                                  a full queue: the oldest captions are left out
//!  "desk": audio that plugins hand in, models to switch to ─▶ queue
//!  "control": commands ─▶ marks at the same frame for "record" and "listen"
//!  "notices": what happens to the microphone ─▶ events
//! ```

mod affinity;
mod ear;
mod pace;
mod queue;
mod reader;
mod recorder;
mod scribe;

use std::{
    io,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use panotti_sdk::{NewEvent, Priority, names, payloads};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use crate::{
    audio::{self, Backend, Capture, Notice},
    config::Config,
    error_chain::chain,
    event_log::{Batch, EventLog},
    live::Live,
    recordings::{Command, Recordings},
    speech::{self, Listener, Order, Requests},
    status::{CaptureState, Status},
};
use queue::Queue;
use reader::Marker;

/// The running threads.
#[derive(Debug)]
pub struct Pipeline {
    stop: Arc<AtomicBool>,
    queue: Arc<Queue>,
    /// Readers first: they end before the transcriber does.
    readers: Vec<JoinHandle<()>>,
    scribe: JoinHandle<()>,
    /// Kept while the pipeline runs; dropping it ends capture.
    capture: audio::CaptureHandle,
}

/// The pipeline cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source can be tried.
    #[error("cannot start capture")]
    Capture(#[source] audio::CaptureError),
    /// Recordings cannot be written as configured.
    #[error("cannot write recordings as configured")]
    Recorder(#[source] audio::WriterError),
    /// The configured speech detector cannot be used.
    #[error("cannot listen for speech as configured")]
    Listener(#[source] speech::Error),
    /// The system gives no more threads.
    #[error("cannot start the thread `{name}`")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Pipeline {
    /// Starts everything. The model is read in the background.
    pub fn start(
        config: &Config,
        recordings: &Recordings,
        commands: UnboundedReceiver<Command>,
        requests: Requests,
        live: &Arc<Live>,
        log: &EventLog,
        status: &Arc<Status>,
    ) -> Result<Self, Error> {
        let (backend, why) = Backend::probe(config.record.backend).map_err(Error::Recorder)?;
        tracing::info!(recorder = why, "Recordings are written.");
        // Judged now, so that a detector that cannot be used is not found out in a meeting.
        let vad = Listener::new(&config.vad).map_err(Error::Listener)?.vad_name();
        status.update(|it| {
            it.recorder = why;
            it.vad = vad.to_owned();
        });

        let Capture { record, listen, notices, handle } =
            Capture::start(&config.audio, status.clone()).map_err(Error::Capture)?;
        let stop = Arc::new(AtomicBool::new(false));
        let partial_interval_ms = config.transcription.partial_interval_ms;
        let queue = Queue::new(Duration::from_millis(partial_interval_ms.into()), status.clone());
        let queue = Arc::new(queue);

        let (options, min_free_bytes) = (config.record.clone(), config.storage.min_free_mib << 20);
        let owner = recordings.clone();
        let ear = ear::Ear {
            vad: config.vad.clone(),
            labels: config.audio.labels.clone(),
            partial_interval_ms,
            queue: queue.clone(),
            job: None,
        };
        let scribe = scribe::Scribe {
            transcription: config.transcription.clone(),
            vad: config.vad.clone(),
            models_dir: config.storage.models_dir(),
            queue: queue.clone(),
            recordings: recordings.clone(),
            log: log.clone(),
            status: status.clone(),
            live: live.clone(),
            model: requests.model,
            shown: scribe::Shown::default(),
        };

        let (to_recorder, recorder_marks) = mpsc::channel();
        let (to_ear, ear_marks) = mpsc::channel();
        let (stop_record, stop_listen) = (stop.clone(), stop.clone());
        let (record_status, listen_status) = (status.clone(), status.clone());
        let readers = vec![
            spawn("record", move || {
                // Made here: what io_uring gives belongs to one thread.
                let recorder = recorder::Recorder {
                    options,
                    min_free_bytes,
                    backend,
                    recordings: owner,
                    job: None,
                    last_ms: 0,
                };
                reader::read(&record, &recorder_marks, recorder, &stop_record, &record_status.record_ticks);
            })?,
            spawn("listen", move || {
                reader::read(&listen, &ear_marks, ear, &stop_listen, &listen_status.listen_ticks);
            })?,
        ];
        let scribe = spawn("transcribe", move || scribe.run())?;
        let control = Control { status: status.clone(), to_recorder, to_ear, queue: queue.clone() };
        let handed_in = queue.clone();
        // These end by themselves when the last sender is gone: the desk, `Recordings`, and capture.
        spawn("desk", move || hand_in(requests.incoming, &handed_in))?;
        spawn("control", move || control.run(commands))?;
        let log = log.clone();
        spawn("notices", move || tell_notices(&notices, &log))?;
        Ok(Self { stop, queue, readers, scribe, capture: handle })
    }

    /// Stops everything, waiting at most `patience` for the transcriber: what it leaves undone is taken up
    /// at the next start. Recordings should be stopped before.
    pub fn stop(self, patience: Duration) {
        self.queue.close();
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(self.capture);
        for reader in self.readers {
            if reader.join().is_err() {
                tracing::error!("A reader of captured audio has panicked.");
            }
        }
        let deadline = Instant::now() + patience;
        while !self.scribe.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        if !self.scribe.is_finished() {
            tracing::info!("The transcriber is left where it is; it begins again at the next start.");
        }
    }
}

fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.into()).spawn(work).map_err(|source| Error::Thread { name, source })
}

/// The thread "control".
struct Control {
    status: Arc<Status>,
    to_recorder: Sender<Marker<recorder::Mark>>,
    to_ear: Sender<Marker<ear::Mark>>,
    queue: Arc<Queue>,
}

impl Control {
    fn run(&self, mut commands: UnboundedReceiver<Command>) {
        while let Some(command) = commands.blocking_recv() {
            self.handle(command);
        }
    }

    fn handle(&self, command: Command) {
        match command {
            Command::Start { id, dir, reply } => {
                let begun = self.ready().and_then(|()| {
                    let (answer, begun) = oneshot::channel();
                    let begin = recorder::Mark::Begin { id: id.clone(), dir, reply: answer };
                    self.mark(begin, ear::Mark::Begin { id });
                    begun.blocking_recv().unwrap_or(Err(STOPPING.into()))
                });
                if begun.is_err() {
                    self.end_listening();
                }
                reply.send(begun).ok();
            }
            Command::Pause { reply } => {
                let paused = self.both(|reply| recorder::Mark::Pause { reply }, ear::Mark::Pause);
                reply.send(paused).ok();
            }
            Command::Resume { reply } => {
                let resumed = self
                    .ready()
                    .and_then(|()| self.both(|reply| recorder::Mark::Resume { reply }, ear::Mark::Resume));
                reply.send(resumed).ok();
            }
            Command::Stop { reply } => {
                let (answer, listened) = oneshot::channel();
                let closed =
                    self.both(|reply| recorder::Mark::End { reply }, ear::Mark::End { reply: answer });
                // The last utterance is queued before the final pass is.
                listened.blocking_recv().ok();
                reply.send(closed).ok();
            }
            Command::Transcribe { id } => self.queue.final_pass(id),
            Command::Forget { id } => self.queue.forget(&id),
        }
    }

    /// Whether sound arrives.
    fn ready(&self) -> Result<(), String> {
        match self.status.facts().capture {
            CaptureState::Running { .. } => Ok(()),
            CaptureState::Starting => Err("the microphone is being opened: try again in a moment".into()),
            CaptureState::Lost { reason } => Err(format!("no sound arrives from the microphone: {reason}")),
            CaptureState::Ended => Err("the audio source has been played to its end".into()),
        }
    }

    /// The same mark at the same frame for both readers.
    fn mark(&self, record: recorder::Mark, listen: ear::Mark) {
        let at = self.status.position();
        // A reader that is gone drops its answer with the mark, and the asker sees that.
        self.to_recorder.send(Marker { at, mark: record }).ok();
        self.to_ear.send(Marker { at, mark: listen }).ok();
    }

    fn both(
        &self,
        record: impl FnOnce(oneshot::Sender<u64>) -> recorder::Mark,
        listen: ear::Mark,
    ) -> Result<u64, String> {
        let (answer, done) = oneshot::channel();
        self.mark(record(answer), listen);
        done.blocking_recv().map_err(|_| STOPPING.to_owned())
    }

    fn end_listening(&self) {
        let (answer, _) = oneshot::channel();
        let at = self.status.position();
        self.to_ear.send(Marker { at, mark: ear::Mark::End { reply: answer } }).ok();
    }
}

/// From the desk to the queue, where the order is made.
fn hand_in(mut orders: UnboundedReceiver<Order>, queue: &Queue) {
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Audio(request) => queue.request(request),
            Order::Switch(switch) => queue.switch(switch),
        }
    }
}

const STOPPING: &str = "the service is stopping";

fn tell_notices(notices: &Receiver<Notice>, log: &EventLog) {
    for notice in notices {
        let event = match notice {
            Notice::Opened { device, format } => {
                let opened = payloads::CaptureOpened { device, format: format.into() };
                NewEvent::of(names::CAPTURE_OPENED, &opened)
            }
            Notice::Lost { reason } => NewEvent::of(names::CAPTURE_LOST, &payloads::CaptureLost { reason })
                .with_priority(Priority::High),
            Notice::Overrun { total } => {
                NewEvent::of(names::CAPTURE_OVERRUN, &payloads::CaptureOverrun { total })
            }
            Notice::Ended => NewEvent::of(names::CAPTURE_ENDED, &payloads::Nothing {}),
        };
        let event = event.from_source("core");
        if let Err(error) = log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }
}
