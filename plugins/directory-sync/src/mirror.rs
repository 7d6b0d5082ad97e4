//! One look at a source and its destination, and copying what differs. Owns what is copied and what is
//! removed; leaves when to look, and keeping and telling what came of it, to `worker`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

use crate::{
    config::Route,
    copy::{Copied, copy, remove, same_content},
    target,
    tree::{Settling, Stamp, files},
    watch::Watch,
};

/// Most files that are copied before it is kept and told.
const MOST_COPIED: usize = 500;
/// More problems than this are not collected: the destination is full, or went away.
const MOST_PROBLEMS: usize = 10;

/// A source and its destination.
#[derive(Debug)]
pub(crate) struct Mirror {
    route: Route,
    /// What was copied, as its files looked then.
    copies: BTreeMap<PathBuf, Stamp>,
    settling: Settling,
    watch: Option<Watch>,
    wake: Arc<Notify>,
}

/// What came of a look.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Files that were copied.
    pub(crate) copied: Vec<(PathBuf, Stamp)>,
    /// Files whose copies were there already.
    pub(crate) found: Vec<(PathBuf, Stamp)>,
    /// Copies that were removed.
    pub(crate) removed: Vec<PathBuf>,
    /// Bytes that were copied.
    pub(crate) bytes: u64,
    /// Whether some files are still being written.
    pub(crate) unsettled: bool,
    /// Whether there is more to do at once.
    pub(crate) more: bool,
    /// What went wrong, for people.
    pub(crate) problems: Vec<String>,
    /// Why the kernel does not tell of changes.
    pub(crate) unwatched: Option<String>,
    /// Which of the unwanted files are gone for good.
    pub(crate) gone: BTreeSet<PathBuf>,
}

/// Whether a copy is as it should be.
enum Copy {
    Good,
    /// It was there before we copied anything.
    Found,
    Missing,
}

impl Mirror {
    /// A mirror that has made `copies` so far. `rest` is how long a file must not have changed, and `wake`
    /// is woken by changes.
    pub(crate) fn new(
        route: Route,
        copies: BTreeMap<PathBuf, Stamp>,
        rest: Duration,
        wake: Arc<Notify>,
    ) -> Self {
        Self { route, copies, settling: Settling::new(rest), watch: None, wake }
    }

    /// Compares everything and copies what differs. `unwanted` are files and folders of deleted recordings:
    /// not copied, and their copies removed.
    pub(crate) fn look(&mut self, unwanted: &BTreeSet<PathBuf>, stop: &AtomicBool) -> Round {
        let mut round = Round::default();
        if let Err(away) = target::ready(&self.route, !self.copies.is_empty()) {
            round.problems.push(in_words(&away));
            return round;
        }
        self.forget(unwanted, &mut round);
        let source = self.route.source.clone();
        // Watched before it is looked at, so that no change falls in between.
        self.watch_source(&mut round);
        let files = match files(&source) {
            Ok(files) => files,
            // Nothing has been written yet, or its disk is away: no reason to remove copies.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return round,
            Err(error) => {
                round.problems.push(format!("{} cannot be read: {error}", source.display()));
                return round;
            }
        };
        self.settling.retain(&files);
        let (wall, now) = (SystemTime::now(), Instant::now());
        for (below, stamp) in &files {
            if stop.load(Ordering::Relaxed) || round.problems.len() >= MOST_PROBLEMS {
                return round;
            }
            if round.copied.len() >= MOST_COPIED {
                round.more = true;
                return round;
            }
            let name = below.file_name().and_then(|it| it.to_str()).unwrap_or_default();
            let is_unwanted = below.ancestors().any(|it| unwanted.contains(it));
            if !is_unwanted && self.route.wants(name) {
                let settled = self.settling.is_settled(below, *stamp, wall, now);
                self.bring_up_to_date(below, *stamp, settled, stop, &mut round);
            }
        }
        if self.route.delete {
            self.remove_orphans(&files, &mut round);
        }
        round
    }

    fn watch_source(&mut self, round: &mut Round) {
        let source = &self.route.source;
        if !source.is_dir() || self.watch.as_ref().is_some_and(|it| it.is_of(source)) {
            return;
        }
        match Watch::of(source, self.wake.clone()) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => round.unwatched = Some(format!("{} is not watched: {error}", source.display())),
        }
    }

    fn bring_up_to_date(
        &mut self,
        below: &Path,
        stamp: Stamp,
        settled: bool,
        stop: &AtomicBool,
        round: &mut Round,
    ) {
        let from = self.route.source.join(below);
        match self.compare(&from, below, stamp) {
            Copy::Good => {}
            Copy::Found => {
                self.copies.insert(below.to_owned(), stamp);
                round.found.push((below.to_owned(), stamp));
            }
            Copy::Missing if !settled => round.unsettled = true,
            Copy::Missing => match copy(&from, stamp, &self.route.destination, below, stop) {
                Ok(Copied::Yes) => {
                    self.copies.insert(below.to_owned(), stamp);
                    round.copied.push((below.to_owned(), stamp));
                    round.bytes += stamp.bytes;
                }
                Ok(Copied::NotNow) => round.unsettled = true,
                // It went while we looked.
                Err(_) if !from.exists() => {}
                Err(error) => round.problems.push(in_words(&error)),
            },
        }
    }

    /// A copy is good when it has the size of what was copied last and that has not changed: its own time is
    /// not asked, because not every share keeps it.
    fn compare(&self, from: &Path, below: &Path, stamp: Stamp) -> Copy {
        let to = self.route.destination.join(below);
        let there = fs::symlink_metadata(&to).ok().filter(fs::Metadata::is_file);
        let Some(there) = there.filter(|it| it.len() == stamp.bytes) else { return Copy::Missing };
        if self.copies.get(below) == Some(&stamp) {
            return Copy::Good;
        }
        let is_same = || same_content(from, &to).unwrap_or(false);
        match Stamp::of(&there).is_ok_and(|it| it == stamp) || is_same() {
            true => Copy::Found,
            false => Copy::Missing,
        }
    }

    /// Removes copies of files of deleted recordings; of a folder, all below it.
    fn forget(&mut self, unwanted: &BTreeSet<PathBuf>, round: &mut Round) {
        for below in unwanted {
            let is_gone = !self.route.source.join(below).exists();
            let copies: Vec<PathBuf> =
                self.copies.keys().filter(|it| it.starts_with(below)).cloned().collect();
            let mut all_removed = true;
            for copy in &copies {
                all_removed &= self.remove(copy, round);
            }
            if is_gone && all_removed {
                round.gone.insert(below.clone());
            }
        }
    }

    /// Removes copies whose files are gone. What was changed at the destination is somebody's work by now,
    /// and stays.
    fn remove_orphans(&mut self, files: &BTreeMap<PathBuf, Stamp>, round: &mut Round) {
        let orphans: Vec<(PathBuf, Stamp)> = self
            .copies
            .iter()
            .filter(|(below, _)| !files.contains_key(*below))
            .map(|(below, stamp)| (below.clone(), *stamp))
            .collect();
        for (below, stamp) in orphans {
            if round.problems.len() >= MOST_PROBLEMS {
                return;
            }
            let there = fs::symlink_metadata(self.route.destination.join(&below)).ok();
            if there.as_ref().is_some_and(|it| it.is_file() && it.len() == stamp.bytes) {
                self.remove(&below, round);
            }
        }
    }

    fn remove(&mut self, below: &Path, round: &mut Round) -> bool {
        match remove(&self.route.destination, below) {
            Ok(()) => {
                self.copies.remove(below);
                round.removed.push(below.to_owned());
                true
            }
            Err(error) => {
                round.problems.push(in_words(&error));
                false
            }
        }
    }
}

/// An error with its causes in one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
