//! What waits for the transcriber. Owns the order: final captions, what somebody waits for, partial captions,
//! final passes; and what happens when the transcriber is behind: a partial caption gives way to the next one
//! of its microphone and to every final caption, even while it is being made; captions older than two minutes
//! of waiting audio are left out, since the final pass writes all of it down anyway; audio never is. How much
//! is possible is judged in `pace`.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::pace::Pace;
use crate::{
    speech::{DeskError, Request, SAMPLE_RATE_HZ, Switch, Utterance},
    status::{ModelState, Status},
};

/// Most audio that waits for captions, in samples of 16 kHz: 7.7 MB.
const MOST_WAITING: usize = 120 * SAMPLE_RATE_HZ as usize;

/// An utterance of the running recording, or as much as has been said of it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) recording: String,
    /// Which of its microphones.
    pub(super) lane: usize,
    pub(super) label: Option<String>,
    pub(super) utterance: Utterance,
}

/// The next thing to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Another model, which what comes after it is written down with.
    Switch(Switch),
    Live(Live),
    /// Captions that were left out.
    Skipped {
        recording: String,
        skipped_ms: u64,
        waiting_ms: u64,
    },
    /// A recording is gone, with all that is known of it.
    Forgotten(String),
    /// Audio of no recording, for which somebody waits.
    Urgent(Request),
    /// What has been said so far of an utterance; given up when the flag is set.
    Partial(Live, Arc<AtomicBool>),
    Final(Final),
}

/// Stored audio to be written down.
#[derive(Debug)]
pub(super) enum Final {
    /// A recording, by the core itself.
    Recording(String),
    /// What somebody handed in for one.
    Request { recording: String, request: Request },
}

impl Final {
    fn recording(&self) -> &str {
        match self {
            Self::Recording(id) => id,
            Self::Request { recording, .. } => recording,
        }
    }

    /// Says to who asked that it will not be done.
    fn refuse(self, error: DeskError) {
        if let Self::Request { request, .. } = self {
            refuse(request, error);
        }
    }
}

fn refuse(request: Request, error: DeskError) {
    // Who asked may have gone.
    request.reply.send(Err(error)).ok();
}

/// The queue; one reader, any number of writers.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    status: Arc<Status>,
}

#[derive(Debug)]
struct Waiting {
    live: VecDeque<Live>,
    live_samples: usize,
    skipped: Option<(String, usize)>,
    forgotten: VecDeque<String>,
    /// One a microphone; the one that waited longest first.
    partials: VecDeque<Live>,
    /// Of the partial caption that is being made: whose, and its flag.
    partial: Option<(String, Arc<AtomicBool>)>,
    pace: Pace,
    switches: VecDeque<Switch>,
    urgent: VecDeque<Request>,
    finals: VecDeque<Final>,
    running: Option<String>,
    cancelled: bool,
    closed: bool,
}

impl Queue {
    /// A partial caption is wanted every `interval` while somebody speaks.
    pub(super) fn new(interval: Duration, status: Arc<Status>) -> Self {
        let waiting = Waiting {
            live: VecDeque::new(),
            live_samples: 0,
            skipped: None,
            forgotten: VecDeque::new(),
            partials: VecDeque::new(),
            partial: None,
            pace: Pace::new(interval),
            switches: VecDeque::new(),
            urgent: VecDeque::new(),
            finals: VecDeque::new(),
            running: None,
            cancelled: false,
            closed: false,
        };
        Self { waiting: Mutex::new(waiting), wake: Condvar::new(), status }
    }

    /// An utterance has ended.
    pub(super) fn live(&self, live: Live) {
        let mut waiting = self.lock();
        waiting.give_up_partial(None);
        let ended = |it: &Live| it.lane == live.lane;
        if waiting.partials.iter().any(ended) {
            self.missed(&mut waiting);
            waiting.partials.retain(|it| !ended(it));
        }
        waiting.live_samples += live.utterance.samples.len();
        waiting.live.push_back(live);
        while waiting.live_samples > MOST_WAITING && waiting.live.len() > 1 {
            let Some(left_out) = waiting.pop_live() else { break };
            let before =
                waiting.skipped.take().filter(|(id, _)| *id == left_out.recording).map_or(0, |it| it.1);
            waiting.skipped = Some((left_out.recording, before + left_out.utterance.samples.len()));
        }
        self.changed(&mut waiting);
    }

    /// Somebody goes on speaking: `live` is what has been said so far.
    pub(super) fn partial(&self, live: Live) {
        let mut waiting = self.lock();
        match waiting.partials.iter().position(|it| it.lane == live.lane) {
            Some(place) => {
                waiting.partials[place] = live;
                self.missed(&mut waiting);
            }
            None => waiting.partials.push_back(live),
        }
        self.changed(&mut waiting);
    }

    /// The partial caption that was handed out is made, or given up, after `took`.
    pub(super) fn partial_over(&self, made: bool, took: Duration) {
        let mut waiting = self.lock();
        waiting.partial = None;
        let others = waiting.partials.len();
        waiting.pace.worked(took, others, Instant::now());
        if made {
            waiting.pace.made();
        } else {
            waiting.pace.missed();
        }
        self.changed(&mut waiting);
    }

    /// The running recording has ended, after its last utterance.
    pub(super) fn ended(&self) {
        let mut waiting = self.lock();
        waiting.partials.clear();
        waiting.pace.rest();
        self.changed(&mut waiting);
    }

    /// A recording is complete. Asking twice is asking once.
    pub(super) fn final_pass(&self, recording: String) {
        let mut waiting = self.lock();
        let same = |it: &Final| matches!(it, Final::Recording(id) if *id == recording);
        if !waiting.finals.iter().any(same) {
            waiting.finals.push_back(Final::Recording(recording));
        }
        self.changed(&mut waiting);
    }

    /// Somebody handed in audio.
    pub(super) fn request(&self, request: Request) {
        let mut waiting = self.lock();
        if waiting.closed {
            return refuse(request, DeskError::Closed);
        }
        match request.recording_id.clone() {
            Some(recording) => waiting.finals.push_back(Final::Request { recording, request }),
            None => waiting.urgent.push_back(request),
        }
        self.changed(&mut waiting);
    }

    /// Another model is to be used; it goes before everything else.
    pub(super) fn switch(&self, switch: Switch) {
        let mut waiting = self.lock();
        if waiting.closed {
            // Who asked may have gone.
            switch.reply.send(Err(DeskError::Closed)).ok();
            return;
        }
        waiting.switches.push_back(switch);
        self.changed(&mut waiting);
    }

    /// A recording is gone.
    pub(super) fn forget(&self, recording: &str) {
        let mut waiting = self.lock();
        waiting.live.retain(|it| it.recording != recording);
        waiting.live_samples = waiting.live.iter().map(|it| it.utterance.samples.len()).sum();
        waiting.partials.retain(|it| it.recording != recording);
        waiting.give_up_partial(Some(recording));
        waiting.forgotten.push_back(recording.to_owned());
        let (gone, left): (VecDeque<_>, _) =
            waiting.finals.drain(..).partition(|it| it.recording() == recording);
        waiting.finals = left;
        gone.into_iter().for_each(|it| it.refuse(DeskError::Deleted));
        waiting.cancelled |= waiting.running.as_deref() == Some(recording);
        self.changed(&mut waiting);
    }

    /// Nothing more is done; what waits is taken up at the next start.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.give_up_partial(None);
        waiting.finals.drain(..).for_each(|it| it.refuse(DeskError::Closed));
        waiting.urgent.drain(..).for_each(|it| refuse(it, DeskError::Closed));
        waiting.switches.drain(..).for_each(|it| drop(it.reply.send(Err(DeskError::Closed))));
        drop(waiting);
        self.wake.notify_all();
    }

    /// The next thing to do; waits for it. `None` when the queue is closed.
    pub(super) fn next(&self) -> Option<Work> {
        let mut waiting = self.lock();
        loop {
            waiting.running = None;
            if waiting.closed {
                return None;
            }
            let work = waiting.next_switch().or_else(|| waiting.next_live());
            let work = work.or_else(|| waiting.next_urgent()).or_else(|| waiting.next_partial());
            if let Some(work) = work {
                self.changed(&mut waiting);
                return Some(work);
            }
            if let Some(work) = waiting.finals.pop_front() {
                waiting.running = Some(work.recording().to_owned());
                waiting.cancelled = false;
                return Some(Work::Final(work));
            }
            waiting = if waiting.partials.is_empty() {
                self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else {
                let until_due = waiting.pace.wait(Instant::now());
                self.wake.wait_timeout(waiting, until_due).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// What should go before the running work: captions, and before a final pass what somebody waits for.
    pub(super) fn meanwhile(&self, of_final: bool) -> Option<Work> {
        let mut waiting = self.lock();
        let work = waiting.next_switch().or_else(|| waiting.next_live());
        let work = work.or_else(|| of_final.then(|| waiting.next_urgent()).flatten());
        let work = work.or_else(|| waiting.next_partial());
        self.changed(&mut waiting);
        work
    }

    /// Whether the running final pass should be left.
    pub(super) fn cancelled(&self) -> bool {
        let waiting = self.lock();
        waiting.cancelled || waiting.closed
    }

    /// Whether nothing more is to be done.
    pub(super) fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether the recording of the running final pass is gone.
    pub(super) fn forgotten(&self) -> bool {
        self.lock().cancelled
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partial caption was not made; while there is no model yet, that says nothing of this box.
    fn missed(&self, waiting: &mut Waiting) {
        if !matches!(self.status.facts().model, ModelState::Loading { .. }) {
            waiting.pace.missed();
        }
    }

    fn changed(&self, waiting: &mut Waiting) {
        self.status.utterances_waiting.store(waiting.live.len() as u64, Ordering::Relaxed);
        let first = waiting.live.front().map_or(0, |it| it.utterance.samples.len());
        let state = waiting.pace.state(ms(waiting.live_samples), ms(first));
        self.status.update(|it| it.captions = state);
        self.wake.notify_one();
    }
}

impl Waiting {
    fn pop_live(&mut self) -> Option<Live> {
        let live = self.live.pop_front()?;
        self.live_samples -= live.utterance.samples.len();
        Some(live)
    }

    /// Gives up the partial caption that is being made, of a recording or of any.
    fn give_up_partial(&self, of: Option<&str>) {
        if let Some((recording, abandon)) = &self.partial
            && of.is_none_or(|it| it == recording)
        {
            abandon.store(true, Ordering::Relaxed);
        }
    }

    fn next_partial(&mut self) -> Option<Work> {
        if self.closed || !self.pace.wait(Instant::now()).is_zero() {
            return None;
        }
        let next = self.partials.pop_front()?;
        let abandon = Arc::new(AtomicBool::new(false));
        self.partial = Some((next.recording.clone(), abandon.clone()));
        Some(Work::Partial(next, abandon))
    }

    fn next_switch(&mut self) -> Option<Work> {
        self.switches.pop_front().map(Work::Switch)
    }

    fn next_urgent(&mut self) -> Option<Work> {
        self.urgent.pop_front().map(Work::Urgent)
    }

    fn next_live(&mut self) -> Option<Work> {
        if let Some(recording) = self.forgotten.pop_front() {
            return Some(Work::Forgotten(recording));
        }
        if let Some((recording, samples)) = self.skipped.take() {
            let (skipped_ms, waiting_ms) = (ms(samples), ms(self.live_samples));
            return Some(Work::Skipped { recording, skipped_ms, waiting_ms });
        }
        self.pop_live().map(Work::Live)
    }
}

fn ms(samples: usize) -> u64 {
    samples as u64 * 1000 / u64::from(SAMPLE_RATE_HZ)
}

#[cfg(test)]
mod tests;
