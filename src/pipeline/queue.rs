//! What waits for the transcriber. Owns the order (captions before final passes) and what happens when
//! the transcriber is behind: captions older than two minutes of waiting audio are left out, since the
//! final pass writes all of it down anyway; audio never is.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use crate::{
    speech::{DeskError, Request, SAMPLE_RATE_HZ, Switch, Utterance},
    status::Status,
};

/// Most audio that waits for captions, in samples of 16 kHz: 7.7 MB.
const MOST_WAITING: usize = 120 * SAMPLE_RATE_HZ as usize;

/// An utterance of the running recording.
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
    /// Audio of no recording, for which somebody waits.
    Urgent(Request),
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

#[derive(Debug, Default)]
struct Waiting {
    live: VecDeque<Live>,
    live_samples: usize,
    skipped: Option<(String, usize)>,
    switches: VecDeque<Switch>,
    urgent: VecDeque<Request>,
    finals: VecDeque<Final>,
    running: Option<String>,
    cancelled: bool,
    closed: bool,
}

impl Queue {
    pub(super) fn new(status: Arc<Status>) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), status }
    }

    pub(super) fn live(&self, live: Live) {
        let mut waiting = self.lock();
        waiting.live_samples += live.utterance.samples.len();
        waiting.live.push_back(live);
        while waiting.live_samples > MOST_WAITING && waiting.live.len() > 1 {
            let Some(left_out) = waiting.pop_live() else { break };
            let before =
                waiting.skipped.take().filter(|(id, _)| *id == left_out.recording).map_or(0, |it| it.1);
            waiting.skipped = Some((left_out.recording, before + left_out.utterance.samples.len()));
        }
        self.changed(&waiting);
    }

    /// A recording is complete. Asking twice is asking once.
    pub(super) fn final_pass(&self, recording: String) {
        let mut waiting = self.lock();
        let same = |it: &Final| matches!(it, Final::Recording(id) if *id == recording);
        if !waiting.finals.iter().any(same) {
            waiting.finals.push_back(Final::Recording(recording));
        }
        self.changed(&waiting);
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
        self.changed(&waiting);
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
        self.changed(&waiting);
    }

    /// A recording is gone.
    pub(super) fn forget(&self, recording: &str) {
        let mut waiting = self.lock();
        waiting.live.retain(|it| it.recording != recording);
        waiting.live_samples = waiting.live.iter().map(|it| it.utterance.samples.len()).sum();
        let (gone, left): (VecDeque<_>, _) =
            waiting.finals.drain(..).partition(|it| it.recording() == recording);
        waiting.finals = left;
        gone.into_iter().for_each(|it| it.refuse(DeskError::Deleted));
        waiting.cancelled |= waiting.running.as_deref() == Some(recording);
        self.changed(&waiting);
    }

    /// Nothing more is done; what waits is taken up at the next start.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
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
            if let Some(work) =
                waiting.next_switch().or_else(|| waiting.next_live()).or_else(|| waiting.next_urgent())
            {
                self.changed(&waiting);
                return Some(work);
            }
            if let Some(work) = waiting.finals.pop_front() {
                waiting.running = Some(work.recording().to_owned());
                waiting.cancelled = false;
                return Some(Work::Final(work));
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What should go before the running work: captions, and before a final pass what somebody waits for.
    pub(super) fn meanwhile(&self, of_final: bool) -> Option<Work> {
        let mut waiting = self.lock();
        let work = waiting.next_switch().or_else(|| waiting.next_live());
        let work = work.or_else(|| of_final.then(|| waiting.next_urgent()).flatten());
        self.changed(&waiting);
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

    fn changed(&self, waiting: &Waiting) {
        self.status.utterances_waiting.store(waiting.live.len() as u64, Ordering::Relaxed);
        self.wake.notify_one();
    }
}

impl Waiting {
    fn pop_live(&mut self) -> Option<Live> {
        let live = self.live.pop_front()?;
        self.live_samples -= live.utterance.samples.len();
        Some(live)
    }

    fn next_switch(&mut self) -> Option<Work> {
        self.switches.pop_front().map(Work::Switch)
    }

    fn next_urgent(&mut self) -> Option<Work> {
        self.urgent.pop_front().map(Work::Urgent)
    }

    fn next_live(&mut self) -> Option<Work> {
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
mod tests {
    use super::*;

    fn live(recording: &str, seconds: usize) -> Live {
        let samples = vec![0.0; seconds * SAMPLE_RATE_HZ as usize];
        Live {
            recording: recording.into(),
            lane: 0,
            label: None,
            utterance: Utterance { start_sample: 0, samples },
        }
    }

    #[test]
    fn another_model_goes_before_everything() {
        use tokio::sync::oneshot::{self, error::TryRecvError};
        let queue = Queue::new(Arc::default());
        let switch = || {
            let (reply, answer) = oneshot::channel();
            let to = crate::speech::model::Choice::of("x", std::path::Path::new("models"));
            queue.switch(Switch { to, reply });
            answer
        };
        queue.live(live("new", 1));
        let mut first = switch();
        assert!(matches!(queue.next(), Some(Work::Switch(_))));
        assert!(matches!(first.try_recv(), Err(TryRecvError::Closed)), "nobody else has it");
        assert!(matches!(queue.next(), Some(Work::Live(_))));
        // Also in the middle of work for which somebody waits.
        switch();
        assert!(matches!(queue.meanwhile(false), Some(Work::Switch(_))));
        let mut waits = switch();
        queue.close();
        let mut late = switch();
        for answer in [&mut waits, &mut late] {
            assert!(matches!(answer.try_recv(), Ok(Err(DeskError::Closed))));
        }
    }

    #[test]
    fn captions_go_first_and_old_ones_are_left_out() {
        let queue = Queue::new(Arc::default());
        queue.final_pass("old".into());
        queue.final_pass("old".into());
        for _ in 0..6 {
            queue.live(live("new", 25));
        }
        assert!(matches!(queue.next(), Some(Work::Skipped { skipped_ms: 50_000, waiting_ms: 100_000, .. })));
        for _ in 0..4 {
            assert!(matches!(queue.next(), Some(Work::Live(_))));
        }
        assert!(matches!(queue.next(), Some(Work::Final(Final::Recording(id))) if id == "old"));
        assert!(!queue.cancelled());
        queue.forget("old");
        assert!(queue.cancelled());
        queue.close();
        assert!(queue.next().is_none());
    }
}
