//! What runs beside the handlers: cleaning recordings whose time has come, and making room when the disk is
//! short. Owns that order of things; leaves single removals to `removal`.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use panotti_sdk::{
    Context, ContextError, Outbox,
    jiff::{SignedDuration, Timestamp},
    serde_json::Map,
};
use tokio::sync::Notify;

use crate::{
    config::Config,
    guard::Guard,
    manifest::Manifest,
    removal::{Removal, failed, in_words},
    state::{self, Due},
};

/// Longest pause: the clock may have been set, and a time have come sooner than was known.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause after something went wrong.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// The worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) config: Config,
    pub(crate) context: Context,
    /// Held from reading a manifest until it is kept: an event that is about no recording changes many.
    pub(crate) learning: tokio::sync::Mutex<()>,
    /// Told when there is a new due row.
    wake: Notify,
    /// Why it is not healthy.
    problem: Mutex<Option<String>>,
    /// Recordings that making room passes over: told of in a dry run, or not to be removed.
    passed_over: Mutex<HashSet<String>>,
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(crate) fn new(config: Config, context: Context) -> Self {
        Self {
            config,
            context,
            learning: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            problem: Mutex::default(),
            passed_over: Mutex::default(),
        }
    }

    /// Why it is not healthy.
    pub(crate) fn problem(&self) -> Option<String> {
        locked(&self.problem).clone()
    }

    /// Keeps what is known of a recording, and when it is to be cleaned, along with `outbox`. Called while
    /// `learning` is held.
    pub(crate) async fn keep(&self, mut manifest: Manifest, mut outbox: Outbox) -> Result<(), ContextError> {
        let is_due = manifest.judge(|plugin| self.context.expects(plugin));
        if let Some(key) = manifest.due.as_ref().filter(|_| is_due) {
            let delay = i64::try_from(self.config.cleanup_delay).unwrap_or(i64::MAX);
            let at = Timestamp::now().checked_add(SignedDuration::from_secs(delay)).unwrap_or(Timestamp::MAX);
            outbox = outbox.put_json(key, &Due { recording_id: manifest.recording_id.clone(), at })?;
        }
        let outbox = outbox.put_json(&state::meeting(&manifest.recording_id), &manifest)?;
        self.context.commit(outbox).await?;
        if is_due {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Looks at all recordings again: a plugin that they waited for is gone.
    pub(crate) async fn judge_all(&self) -> Result<(), ContextError> {
        let ids: Vec<String> =
            state::manifests(&self.context)?.into_iter().map(|it| it.recording_id).collect();
        for id in ids {
            let _learning = self.learning.lock().await;
            let known: Option<Manifest> = self.context.state_json(&state::meeting(&id))?;
            let Some(manifest) = known else { continue };
            let mut judged = manifest.clone();
            judged.judge(|plugin| self.context.expects(plugin));
            if judged != manifest {
                self.keep(manifest, Outbox::new()).await?;
            }
        }
        Ok(())
    }

    /// Works until the plugin is to stop. What it is at then is not waited for longer than it takes to
    /// remove some files; the next start goes on with it.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut stopping = self.context.stopping();
        let interval = Duration::from_secs(self.config.check_interval_s.into());
        let mut looked: Option<Instant> = None;
        // What changed while this plugin was away.
        if let Err(error) = self.judge_all().await {
            *locked(&self.problem) = Some(in_words(&error));
        }
        loop {
            let disk = looked.is_none_or(|it| it.elapsed() >= interval);
            if disk {
                looked = Some(Instant::now());
            }
            let pause = match self.round(disk).await {
                Ok((problem, next)) => {
                    if disk {
                        *locked(&self.problem) = problem;
                    }
                    let until_look = interval.saturating_sub(looked.map_or(interval, |it| it.elapsed()));
                    pause(next, Timestamp::now()).min(until_look)
                }
                Err(error) => {
                    *locked(&self.problem) = Some(in_words(&error));
                    // It may be well again before the disk is looked at the next time.
                    looked = None;
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::select! {
                () = &mut stopping => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look at everything; answers what the problem with the disk is, where that was looked at, and when
    /// the next recording is due.
    async fn round(&self, disk: bool) -> Result<(Option<String>, Option<Timestamp>), ContextError> {
        let next = self.begin_due().await?;
        let problem = if disk { self.make_room().await? } else { None };
        self.carry_out().await?;
        Ok((problem, next))
    }

    /// Begins with the recordings whose time has come; answers when the next has.
    async fn begin_due(&self) -> Result<Option<Timestamp>, ContextError> {
        let (now, mut next) = (Timestamp::now(), None);
        for (key, due) in state::rows::<Due>(&self.context, state::DUE)? {
            if due.at > now {
                next = Some(next.map_or(due.at, |it: Timestamp| it.min(due.at)));
                continue;
            }
            let outbox = Outbox::new().remove(&key);
            let manifest: Option<Manifest> = self.context.state_json(&state::meeting(&due.recording_id))?;
            // A recording that was deleted meanwhile, or is being worked on again, has no such time.
            match manifest.filter(|it| it.due.as_ref() == Some(&key)) {
                None => drop(self.context.commit(outbox).await?),
                Some(manifest) => {
                    let removal = self.at_the_end(manifest).await?;
                    self.begin(removal, outbox).await?;
                }
            }
        }
        Ok(next)
    }

    /// What goes at the end of a meeting's work.
    pub(crate) async fn at_the_end(&self, manifest: Manifest) -> Result<Removal, ContextError> {
        let (guard, recordings) = (Guard::new(&self.context, &self.config)?, self.context.recordings()?);
        let config = self.config.clone();
        let look = move || Removal::of(&manifest, manifest.superfluous(&config, &recordings), &guard, None);
        self.context.blocking(look).await
    }

    async fn begin(&self, removal: Removal, outbox: Outbox) -> Result<(), ContextError> {
        if self.config.dry_run {
            return self.context.commit(outbox.publish(removal.rehearsed(&self.config))).await.map(drop);
        }
        removal.begin(&self.context, outbox).await
    }

    /// Carries out what has begun, also before a power cut.
    pub(crate) async fn carry_out(&self) -> Result<(), ContextError> {
        for (key, removal) in state::rows::<Removal>(&self.context, state::REMOVAL)? {
            let guard = Guard::new(&self.context, &self.config)?;
            let config = self.config.clone();
            let told = self.context.blocking(move || removal.carry_out(&guard, &config)).await?;
            let outbox = told.into_iter().fold(Outbox::new().remove(&key), Outbox::publish);
            self.context.commit(outbox).await?;
        }
        Ok(())
    }

    /// Begins with the audio of the oldest recordings when the disk is short; answers what the problem is
    /// when there is nothing left to remove.
    pub(crate) async fn make_room(&self) -> Result<Option<String>, ContextError> {
        let mark = self.config.min_free_mib.saturating_mul(MIB);
        let free = if mark == 0 { u64::MAX } else { self.free().await? };
        if free >= mark {
            if self.context.state(state::SHORT)?.is_some() {
                self.context.commit(Outbox::new().remove(state::SHORT)).await?;
            }
            return Ok(None);
        }
        let (free_mib, mark_mib) = (free / MIB, self.config.min_free_mib);
        let reason = format!(
            "the disk had {free_mib} MiB free, less than the {mark_mib} MiB of `min_free_mib`: the oldest audio \
             goes first"
        );
        let oldest = oldest_until(self.done_with_audio(Some(reason)).await?, mark - free);
        if oldest.is_empty() {
            let problem = format!(
                "the disk has {free_mib} MiB free, less than the {mark_mib} MiB of `min_free_mib`, and no audio \
                 of finished recordings is left to remove: delete recordings on the page, or use a larger disk"
            );
            if self.context.state(state::SHORT)?.is_none() {
                let told = Outbox::new().publish(failed("", problem.clone(), Map::new()));
                self.context.commit(told.put_json(state::SHORT, &Timestamp::now())?).await?;
            }
            return Ok(Some(problem));
        }
        for (manifest, removal) in oldest {
            self.begin(removal, Outbox::new()).await?;
            // Once is enough: of a dry run, and of files that are still there afterwards.
            locked(&self.passed_over).insert(manifest.recording_id);
        }
        Ok(None)
    }

    /// Free space on the disk with the recordings, bytes.
    pub(crate) async fn free(&self) -> Result<u64, ContextError> {
        let path = self.context.recordings()?;
        let looked = self.context.blocking(move || rustix::fs::statvfs(&path)).await?;
        let space = looked.map_err(|source| ContextError::Host {
            what: "say how much space is free",
            source: Box::new(std::io::Error::from(source)),
        })?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Recordings that nothing works on and that have audio, oldest first; those that could not be written
    /// down last, because their audio is all there is of them.
    pub(crate) async fn done_with_audio(
        &self,
        reason: Option<String>,
    ) -> Result<Vec<(Manifest, Removal)>, ContextError> {
        let mut done = state::manifests(&self.context)?;
        {
            let passed_over = locked(&self.passed_over);
            done.retain(|it| {
                !passed_over.contains(&it.recording_id) && !it.is_busy(|plugin| self.context.expects(plugin))
            });
        }
        done.sort_by(|a, b| {
            (a.failed, a.ended_at, &a.recording_id).cmp(&(b.failed, b.ended_at, &b.recording_id))
        });
        let (guard, recordings) = (Guard::new(&self.context, &self.config)?, self.context.recordings()?);
        let look = move || {
            let with_audio = done.into_iter().map(|it| {
                let removal = Removal::of(&it, it.audio(&recordings), &guard, reason.clone());
                (it, removal)
            });
            with_audio.filter(|(_, removal)| !removal.files.is_empty()).collect()
        };
        self.context.blocking(look).await
    }
}

/// How long to wait at `now` when the next time is `next`.
fn pause(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let until = next.map(|it| Duration::try_from(it.duration_since(now)).unwrap_or_default());
    until.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// The first of `oldest` that together free `missing` bytes; all when they do not.
fn oldest_until(oldest: Vec<(Manifest, Removal)>, missing: u64) -> Vec<(Manifest, Removal)> {
    let mut freed = 0_u64;
    let needed = |(_, removal): &(Manifest, Removal)| {
        let is_short = freed < missing;
        freed = freed.saturating_add(removal.bytes());
        is_short
    };
    oldest.into_iter().take_while(needed).collect()
}

#[cfg(test)]
mod tests {
    use panotti_sdk::serde_json::{from_value, json};

    use super::*;

    #[test]
    fn it_wakes_when_a_time_has_come_and_else_hardly_ever() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |seconds: i64| Some(now + SignedDuration::from_secs(seconds));
        for (next, seconds) in [(None, 60), (at(7), 7), (at(0), 0), (at(-7), 0), (at(86_400), 60)] {
            assert_eq!(pause(next, now).as_secs(), seconds, "{next:?}");
        }
    }

    #[test]
    fn no_more_goes_than_has_to() {
        let of = |bytes: u64| {
            let removal = json!({
                "recording_id": "", "files": [{ "path": "", "bytes": bytes }], "reason": null, "metadata": {},
                "correlation_id": "01947662-4e4d-7000-8000-000000000000",
                "cause": "01947662-4e4d-7000-8000-000000000000",
            });
            #[allow(clippy::unwrap_used, reason = "tests")]
            (Manifest::default(), from_value(removal).unwrap())
        };
        for (missing, count) in [(1, 1), (100, 1), (101, 2), (150, 2), (151, 3), (1000, 3)] {
            let chosen = oldest_until(vec![of(100), of(50), of(7)], missing);
            assert_eq!(chosen.len(), count, "{missing} bytes");
        }
    }
}
