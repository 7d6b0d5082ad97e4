//! Word from the kernel that something in a folder changed. Owns the watch; what is missed is found when
//! everything is compared again.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

/// A watch of a folder and all below it.
#[derive(Debug)]
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
    /// Which folder it is: device and inode. Another of the same name needs another watch.
    folder: (u64, u64),
}

impl Watch {
    /// Watches `folder`: each change wakes `wake`.
    ///
    /// # Errors
    /// When the kernel does not take more watches, or the folder cannot be read.
    pub(crate) fn of(folder: &Path, wake: Arc<Notify>) -> notify::Result<Self> {
        let woken = move |event: notify::Result<Event>| {
            // To read is no change, and we do it ourselves.
            let is_read = |kind: EventKind| match kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
                kind => kind.is_access(),
            };
            if !event.is_ok_and(|it| is_read(it.kind)) {
                wake.notify_one();
            }
        };
        let mut watcher = RecommendedWatcher::new(woken, Config::default().with_follow_symlinks(false))?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Self { _watcher: watcher, folder: identity(folder).unwrap_or_default() })
    }

    /// Whether it watches what is called `folder` now.
    pub(crate) fn is_of(&self, folder: &Path) -> bool {
        identity(folder) == Some(self.folder)
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|it| (it.dev(), it.ino()))
}
