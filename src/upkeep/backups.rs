//! Copies of the log in time. Owns when one is due and what is said about it; leaves making it to
//! `event_log::backup`.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use panotti_sdk::{
    EventType, Filter, NewEvent, names,
    payloads::{self, Payload},
};

use crate::{
    config::Config,
    error_chain::chain,
    event_log::{
        Batch, EventLog,
        backup::{self, Backup, Source},
    },
};

/// After one that failed.
const TRY_AGAIN: Duration = Duration::from_secs(60 * 60);

/// The chore.
pub(super) struct Backups {
    place: backup::Backups,
    log: EventLog,
    every: SignedDuration,
    keep: usize,
    /// Bytes of the disk that are for recordings.
    keep_free: u64,
    /// Not before.
    rest: Option<Instant>,
    /// What went wrong last, so that it is said once.
    told: Option<String>,
}

impl Backups {
    pub(super) fn new(config: &Config, log: &EventLog) -> Self {
        Self {
            place: backup::Backups::new(config.backup_dir()),
            log: log.clone(),
            every: SignedDuration::from_hours(config.backup.every_hours.into()),
            keep: usize::try_from(config.backup.keep).unwrap_or(usize::MAX),
            keep_free: config.storage.min_free_mib << 20,
            rest: None,
            told: None,
        }
    }

    /// Makes a backup if one is due; gives up when `stopping`.
    pub(super) fn step(&mut self, stopping: &dyn Fn() -> bool) {
        if self.every.is_zero() || self.rest.is_some_and(|it| Instant::now() < it) {
            return;
        }
        match self.make_if_due(stopping) {
            Ok(()) => (self.rest, self.told) = (None, None),
            Err(backup::Error::Stopped) => {}
            Err(error) => self.failed(&error),
        }
    }

    fn make_if_due(&self, stopping: &dyn Fn() -> bool) -> Result<(), backup::Error> {
        if !is_due(&self.place.list()?, self.every, Timestamp::now()) || !self.has_new()? {
            return Ok(());
        }
        let began = Instant::now();
        let mut go_on = |_| if stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let made = self.place.create(&Source::from(&self.log), self.keep_free, &mut go_on)?;
        let removed = self.place.prune(self.keep, &made.name)?;
        let manifest = made.manifest.as_ref().ok();
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            name = made.name,
            duration_ms,
            removed = removed.len(),
            "Backup of the event log made."
        );
        self.tell(
            names::BACKUP_COMPLETED,
            &payloads::BackupCompleted {
                name: made.name.clone(),
                bytes: manifest.map_or(0, |it| it.bytes),
                last_seq: manifest.map_or(0, |it| it.last_seq),
                duration_ms,
            },
        );
        Ok(())
    }

    /// Whether anything happened since the newest backup, other than backups.
    fn has_new(&self) -> Result<bool, backup::Error> {
        let (list, last) = (self.place.list()?, self.log.last_seq()?);
        let copied = list.iter().find_map(|it| it.manifest.as_ref().ok()).map_or(0, |it| it.last_seq);
        // Less than was copied is another log in the place of that one.
        let since = if last < copied { 0 } else { copied };
        let ours = [names::BACKUP_COMPLETED.to_string(), names::BACKUP_FAILED.to_string()];
        Ok(self
            .log
            .read(since, 100, &Filter::default())?
            .iter()
            .any(|event| !ours.contains(&event.name.to_string())))
    }

    fn failed(&mut self, error: &backup::Error) {
        self.rest = Some(Instant::now() + TRY_AGAIN);
        let error = chain(error);
        if self.told.as_ref() == Some(&error) {
            return;
        }
        tracing::error!(error, "The event log could not be backed up; tried again in an hour.");
        self.tell(names::BACKUP_FAILED, &payloads::BackupFailed { error: error.clone() });
        self.told = Some(error);
    }

    fn tell<P: Payload>(&self, name: EventType<P>, payload: &P) {
        let event = NewEvent::of(name, payload).from_source("core");
        if let Err(error) = self.log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }
}

/// Whether none of `list` was made within `every`. One of the future was made by a wrong clock and does
/// not count, else there would be none until then.
fn is_due(list: &[Backup], every: SignedDuration, now: Timestamp) -> bool {
    let recent = |it: &Backup| {
        let age = it.age(now);
        it.manifest.is_ok() && !age.is_negative() && age < every
    };
    !list.iter().any(recent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_with(dir: &std::path::Path, count: usize) -> EventLog {
        let log = EventLog::open(&dir.join("events")).unwrap();
        add(&log, count);
        log
    }

    fn add(log: &EventLog, count: usize) {
        let event = || NewEvent::new(names::RECORDING_ENDED, json!({}));
        log.append_blocking(Batch { events: (0..count).map(|_| event()).collect(), ..Batch::default() })
            .unwrap();
    }

    fn chore(dir: &std::path::Path, log: &EventLog) -> Backups {
        let mut config = Config::default();
        config.storage.data_dir = dir.to_owned();
        config.storage.min_free_mib = 1;
        config.backup.keep = 2;
        Backups::new(&config, log)
    }

    fn events(log: &EventLog, name: &EventName) -> Vec<panotti_sdk::Event> {
        let all = log.read(0, 1000, &Filter::default()).unwrap();
        all.into_iter().filter(|it| it.name == *name).collect()
    }

    #[test]
    fn one_is_made_when_due_and_something_happened() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with(dir.path(), 0);
        let mut chore = chore(dir.path(), &log);
        chore.step(&|| false);
        assert!(chore.place.list().unwrap().is_empty(), "nothing was written yet");
        add(&log, 3);
        chore.step(&|| true);
        assert!(chore.place.list().unwrap().is_empty(), "stopped on the way");
        chore.step(&|| false);
        chore.step(&|| false);
        let told = events(&log, &names::BACKUP_COMPLETED);
        let list = chore.place.list().unwrap();
        assert_eq!((list.len(), told.len()), (1, 1), "not before its time");
        assert_eq!(told[0].payload["name"], list[0].name);
        assert_eq!(told[0].payload["last_seq"], 3);
        // Now each is overdue: still none is made of nothing new, and two are kept.
        chore.every = SignedDuration::from_nanos(1);
        chore.step(&|| false);
        assert_eq!(chore.place.list().unwrap().len(), 1);
        for _ in 0..3 {
            add(&log, 1);
            chore.step(&|| false);
        }
        let names: Vec<_> = chore.place.list().unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names.len(), 2);
        assert!(!names.contains(&list[0].name) && events(&log, &names::BACKUP_COMPLETED).len() == 4);
    }

    #[test]
    fn what_goes_wrong_is_said_once_and_rests() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with(dir.path(), 1);
        let mut chore = chore(dir.path(), &log);
        chore.keep_free = u64::MAX;
        chore.step(&|| false);
        chore.step(&|| false);
        chore.rest = None;
        chore.step(&|| false);
        let told = events(&log, &names::BACKUP_FAILED);
        assert_eq!(told.len(), 1);
        assert!(told[0].payload["error"].as_str().unwrap().contains("not enough room"), "{told:?}");
        assert!(chore.rest.is_some() && chore.place.list().unwrap().is_empty());
    }

    #[test]
    fn one_of_the_future_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with(dir.path(), 1);
        let place = chore(dir.path(), &log).place;
        let made = place.create(&Source::from(&log), 0, &mut |_| ControlFlow::Continue(())).unwrap();
        let at = made.manifest.as_ref().unwrap().created_at;
        let (list, hour) = (place.list().unwrap(), SignedDuration::from_hours(1));
        assert!(!is_due(&list, hour, at + hour / 2));
        assert!(is_due(&list, hour, at + hour) && is_due(&list, hour, at - hour));
    }
}
