//! What runs beside the handlers: cleaning recordings whose time has come, and making room when the disk is
//! short. Owns that order of things; leaves single removals to `removal`.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use panotti_sdk::{Context, ContextError, Outbox, jiff::Timestamp, serde_json::Map};

use crate::{
    config::Config,
    guard::Guard,
    manifest::Manifest,
    removal::{Removal, failed, in_words},
    state::{self, Due},
};

/// How often it looks whether a time has come: a query of rows that mostly are none.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// The worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) config: Config,
    pub(crate) context: Context,
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
        Self { config, context, problem: Mutex::default(), passed_over: Mutex::default() }
    }

    /// Why it is not healthy.
    pub(crate) fn problem(&self) -> Option<String> {
        locked(&self.problem).clone()
    }

    /// Works until the plugin is to stop. What it is at then is not waited for longer than it takes to
    /// remove some files; the next start goes on with it.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut stopping = self.context.stopping();
        let mut looked: Option<Instant> = None;
        loop {
            let is_time =
                looked.is_none_or(|it| it.elapsed().as_secs() >= self.config.check_interval_s.into());
            if is_time {
                looked = Some(Instant::now());
            }
            let problem = match self.round(is_time).await {
                Ok(problem) => problem,
                Err(error) => Some(Some(in_words(&error))),
            };
            if let Some(problem) = problem {
                *locked(&self.problem) = problem;
            }
            if tokio::time::timeout(TICK, &mut stopping).await.is_ok() {
                return;
            }
        }
    }

    /// One look at everything; answers what the problem is now, where that was looked at.
    async fn round(&self, disk: bool) -> Result<Option<Option<String>>, ContextError> {
        self.begin_due().await?;
        let problem = if disk { Some(self.make_room().await?) } else { None };
        self.carry_out().await?;
        Ok(problem)
    }

    /// Begins with the recordings whose time has come.
    async fn begin_due(&self) -> Result<(), ContextError> {
        let now = Timestamp::now();
        for (key, due) in state::rows::<Due>(&self.context, state::DUE)? {
            if due.at > now {
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
        Ok(())
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
    async fn make_room(&self) -> Result<Option<String>, ContextError> {
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
            // Once is enough: of a dry run, and of files that are still there afterwards.
            locked(&self.passed_over).insert(manifest.recording_id);
            self.begin(removal, Outbox::new()).await?;
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

    /// Recordings that nothing works on and that have audio, oldest first.
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
        done.sort_by(|a, b| (a.ended_at, &a.recording_id).cmp(&(b.ended_at, &b.recording_id)));
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
