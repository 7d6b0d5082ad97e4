//! One follower of `/live`. Owns its place: what lasts is sent without a gap and once, whatever happened
//! meanwhile; what is of the moment may be left out for one who is slow.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::RecvError},
};

use super::{
    super::{Shared, error::Problem, events::follow::Follower},
    board::{self, Board},
    message::{About, Message, Speech},
};

pub(super) struct Viewer {
    shared: Arc<Shared>,
    follower: Follower,
    /// Everything up to here is read from the log; what comes after it is among the messages.
    until: u64,
    /// What was shown when it joined.
    shown: VecDeque<Arc<Message>>,
    messages: Receiver<Arc<Message>>,
    /// What it has been sent and was not taken away; by microphone.
    partials: BTreeMap<usize, Speech>,
    levels: bool,
    _permit: OwnedSemaphorePermit,
}

/// Whether the stream goes on.
type Step = Option<Arc<Message>>;

impl Viewer {
    /// Goes on after `last_seen`, or begins with what happens from now on.
    pub(super) fn new(
        shared: &Arc<Shared>,
        last_seen: Option<u64>,
        levels: bool,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (shown, messages) = Board::join(shared);
        let follower = Follower::new(&shared.app.log, board::filters(), last_seen);
        Self {
            shared: shared.clone(),
            until: follower.newest(),
            follower,
            shown: shown.into(),
            messages,
            partials: BTreeMap::new(),
            levels,
            _permit: permit,
        }
    }

    /// What comes next, when there is something; `None` when the box stops or the log fails. May be
    /// dropped while it waits.
    pub(super) async fn next(&mut self) -> Step {
        let closing = self.shared.closing.clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => None,
            step = self.step() => step.map_err(Problem::into_detail).ok()?,
        }
    }

    async fn step(&mut self) -> Result<Step, Problem> {
        loop {
            if let Some(item) = self.follower.next_until(self.until).await? {
                return Ok(Some(Arc::new(Message::lasting(&item)?)));
            }
            let message = match self.shown.pop_front() {
                Some(message) => message,
                None => match self.messages.recv().await {
                    Ok(message) => message,
                    Err(RecvError::Lagged(_)) => {
                        self.join_again()?;
                        continue;
                    }
                    Err(RecvError::Closed) => return Ok(None),
                },
            };
            if let About::InTheLog(seq) = message.about {
                self.until = self.until.max(seq);
            } else if self.wants(&message.about) {
                return Ok(Some(message));
            }
        }
    }

    /// It was too slow: what lasts is read from the log, and of the rest only what is shown now is sent.
    fn join_again(&mut self) -> Result<(), Problem> {
        let (shown, messages) = Board::join(&self.shared);
        self.until = self.follower.newest();
        self.messages = messages;
        let is_shown = |it: &Speech| shown.iter().any(|shown| shown.about == About::Partial(it.clone()));
        let gone = self.partials.values().filter(|it| !is_shown(it)).map(Message::gone);
        self.shown = gone.map(|it| it.map(Arc::new)).collect::<Result<_, _>>()?;
        self.shown.extend(shown);
        Ok(())
    }

    fn wants(&mut self, about: &About) -> bool {
        match about {
            About::Lasting(seq) | About::InTheLog(seq) => return self.follower.advance(*seq),
            About::State => {}
            About::Level => return self.levels,
            About::Partial(speech) => drop(self.partials.insert(speech.lane, speech.clone())),
            // Nobody is told twice.
            About::Gone(speech) => return self.partials.remove(&speech.lane).is_some(),
        }
        true
    }
}
