//! What all followers of `/live` see. Owns the one task that looks at the log, at partial captions and at
//! the state of the box, and writes each message once; it runs as long as somebody looks.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use panotti_sdk::{Filter, filter::Topic};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::MissedTickBehavior,
};

use super::{
    super::{
        Shared,
        error::Problem,
        events::follow::{Follower, Item},
        recordings::blocking,
    },
    message::{About, Message, Speech},
    now::{Levels, LiveState, levels},
};
use crate::{
    live::{Change, Partial},
    recordings::Recording,
    status::{CaptureState, Facts},
};

/// Messages that wait for a follower: some twenty seconds. One that is further behind reads what lasts
/// from the log, and gets what is shown by then.
const WAITING: usize = 128;

/// Levels and state are looked at this often.
const TICK: Duration = Duration::from_millis(200);

/// Events that are sent: captions, the life of recordings and what plugins make of them, and messages.
const TOPICS: [&str; 6] =
    ["caption.*", "recording.*", "*.completed", "*.error", "plugin.state_changed", "desktop_notification.*"];

/// What everybody sees; nothing while nobody looks.
#[derive(Debug, Default)]
pub(in super::super) struct Board(Mutex<Option<Shown>>);

#[derive(Debug)]
struct Shown {
    messages: broadcast::Sender<Arc<Message>>,
    state: Option<Arc<Message>>,
    level: Option<Arc<Message>>,
    /// By microphone.
    partials: BTreeMap<usize, Arc<Message>>,
}

/// What is shown now, and everything that comes after it.
pub(super) type Joined = (Vec<Arc<Message>>, broadcast::Receiver<Arc<Message>>);

/// Which events are sent.
pub(super) fn filters() -> Arc<[Filter]> {
    let topics = TOPICS.into_iter().filter_map(|it| it.parse::<Topic>().ok()).collect();
    Arc::new([Filter { topics, ..Filter::default() }])
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look. Events that come into the log from now on are among what comes.
    pub(super) fn join(shared: &Arc<Shared>) -> Joined {
        let mut board = shared.board.lock();
        let shown = board.get_or_insert_with(|| {
            // Here, so that no event lies between the first follower's place and ours.
            let follower = Follower::new(&shared.app.log, filters(), None);
            tokio::spawn(keep(shared.clone(), follower));
            Shown {
                messages: broadcast::Sender::new(WAITING),
                state: None,
                level: None,
                partials: BTreeMap::new(),
            }
        });
        let now = shown.state.iter().chain(shown.partials.values()).chain(&shown.level);
        (now.cloned().collect(), shown.messages.subscribe())
    }

    fn put(&self, message: Message) {
        let message = Arc::new(message);
        let mut board = self.lock();
        let Some(shown) = board.as_mut() else { return };
        match &message.about {
            About::Lasting(_) | About::InTheLog(_) => {}
            About::State => shown.state = Some(message.clone()),
            About::Level => shown.level = Some(message.clone()),
            About::Partial(speech) => drop(shown.partials.insert(speech.lane, message.clone())),
            About::Gone(speech) => drop(shown.partials.remove(&speech.lane)),
        }
        // Nobody may be left.
        shown.messages.send(message).ok();
    }

    /// Takes the board away when nobody looks any more.
    fn end_unwatched(&self) -> bool {
        let mut board = self.lock();
        let unwatched = board.as_ref().is_none_or(|it| it.messages.receiver_count() == 0);
        if unwatched {
            *board = None;
        }
        unwatched
    }
}

/// Keeps the board for as long as somebody looks.
async fn keep(shared: Arc<Shared>, follower: Follower) {
    let mut keeper = Keeper { shared: &shared, follower, facts: String::new(), heard: None, recording: None };
    let kept = tokio::select! {
        kept = keeper.run() => kept,
        () = shared.closing.cancelled() => Ok(()),
    };
    if let Err(problem) = kept {
        problem.into_detail();
        // Everybody's stream ends with the board; they come again.
        *shared.board.lock() = None;
    }
}

struct Keeper<'a> {
    shared: &'a Arc<Shared>,
    follower: Follower,
    /// What was sent last: the facts as JSON, the levels.
    facts: String,
    heard: Option<Levels>,
    recording: Option<Recording>,
}

impl Keeper<'_> {
    async fn run(&mut self) -> Result<(), Problem> {
        let shared = self.shared;
        let app = &shared.app;
        let (shown, mut changes) = app.live.follow();
        shown.iter().try_for_each(|it| self.partial(it))?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The recording waits for whoever starts or stops one, and nothing else may wait for that.
        let (mut ask, mut known) = (true, false);
        let mut asked = pin!(None);
        loop {
            if ask && asked.is_none() {
                let recordings = app.recordings.clone();
                asked.set(Some(blocking(move || recordings.active())));
                ask = false;
            }
            let answer = async {
                match asked.as_mut().as_pin_mut() {
                    Some(asked) => asked.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                item = self.follower.next() => ask |= self.lasting(&item?)?,
                change = changes.recv() => match change {
                    Ok(Change::Shown(partial)) => self.partial(&partial)?,
                    Ok(Change::Gone { recording_id, lane, start_ms }) => {
                        ask |= self.gone(&Speech { recording_id, lane, start_ms }).await?;
                    }
                    Err(RecvError::Lagged(_)) => {
                        let shown;
                        (shown, changes) = app.live.follow();
                        ask |= self.anew(&shown).await?;
                    }
                    // `app` holds the sender.
                    Err(RecvError::Closed) => return Ok(()),
                },
                recording = answer => {
                    asked.set(None);
                    self.recording = recording?;
                    known = true;
                    self.state(app.status.facts())?;
                }
                _ = tick.tick() => {
                    if self.shared.board.end_unwatched() {
                        return Ok(());
                    }
                    // The first state tells all, the recording too.
                    if known {
                        let facts = app.status.facts();
                        let capture = facts.capture.clone();
                        if serde_json::to_string(&facts).map_err(Problem::internal)? != self.facts {
                            self.state(facts)?;
                        }
                        self.level(&capture)?;
                    }
                }
            }
        }
    }

    /// Sends what lasts; whether the running recording may be another after it.
    fn lasting(&self, item: &Item) -> Result<bool, Problem> {
        self.shared.board.put(Message::lasting_shared(item)?);
        Ok(item.name().starts_with("recording.") || matches!(item, Item::Gap(_)))
    }

    /// As [`Self::lasting`], of all that is in the log.
    async fn everything_lasting(&mut self) -> Result<bool, Problem> {
        let (newest, mut another) = (self.follower.newest(), false);
        while let Some(item) = self.follower.next_until(newest).await? {
            another |= self.lasting(&item)?;
        }
        Ok(another)
    }

    fn partial(&self, partial: &Partial) -> Result<(), Problem> {
        self.shared.board.put(Message::partial(partial)?);
        Ok(())
    }

    /// Final captions were in the log before the speech was gone, and come first.
    async fn gone(&mut self, speech: &Speech) -> Result<bool, Problem> {
        let another = self.everything_lasting().await?;
        self.shared.board.put(Message::gone(speech)?);
        Ok(another)
    }

    /// Sends what is shown now where changes were missed.
    async fn anew(&mut self, shown: &[Arc<Partial>]) -> Result<bool, Problem> {
        let another = self.everything_lasting().await?;
        let before: Vec<_> = match self.shared.board.lock().as_ref() {
            Some(board) => board.partials.values().map(|it| it.about.clone()).collect(),
            None => Vec::new(),
        };
        for about in before {
            if let About::Partial(speech) = about
                && !shown.iter().any(|it| Speech::from(&**it) == speech)
            {
                self.shared.board.put(Message::gone(&speech)?);
            }
        }
        shown.iter().try_for_each(|it| self.partial(it))?;
        Ok(another)
    }

    fn state(&mut self, facts: Facts) -> Result<(), Problem> {
        self.facts = serde_json::to_string(&facts).map_err(Problem::internal)?;
        let state = LiveState { facts, recording: self.recording.clone() };
        self.shared.board.put(Message::state(&state)?);
        Ok(())
    }

    fn level(&mut self, capture: &CaptureState) -> Result<(), Problem> {
        let app = &self.shared.app;
        if !matches!(capture, CaptureState::Running { .. }) {
            self.heard = None;
            self.shared.board.lock().iter_mut().for_each(|it| it.level = None);
            return Ok(());
        }
        let levels = Levels { levels: levels(&app.status, capture, &app.config.audio.labels) };
        if self.heard.as_ref() != Some(&levels) {
            self.shared.board.put(Message::level(&levels)?);
            self.heard = Some(levels);
        }
        Ok(())
    }
}
