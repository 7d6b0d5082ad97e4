//! Getting a model: from its address to a file that has been checked. Owns the order of things (room on the
//! disk, transfer, checks, and only then its name) and when a transfer that broke off is taken up again; one
//! connection is in `transfer`, what has come so far in `part`, what may go wrong in `error`, what is asked for
//! in `wanted`.

mod error;
mod part;
mod transfer;
mod wanted;

use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;
use utoipa::ToSchema;

pub use error::FetchError;
pub use wanted::{Wanted, shown};

use super::{Store, digest, store::check_structure};
use crate::error_chain::chain;
use part::Part;
use transfer::{Break, Transfer};

/// How often it is tried again without one more byte, after having come at all: about a minute.
const MOST_TRIES: u32 = 8;
/// The wait before the first of these; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How far a fetch is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// Bytes that are here.
    pub done_bytes: u64,
    /// All bytes; `null` when the server does not say.
    pub total_bytes: Option<u64>,
    /// Bytes that come in a second.
    pub bytes_per_s: u64,
    /// Seconds left at this speed.
    pub left_s: Option<u64>,
}

/// A model that is here and whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Length of its file, bytes.
    pub bytes: u64,
    /// SHA-256 of its file, which was recorded beside it.
    pub sha256: String,
    /// Bytes that were here from an earlier fetch.
    pub resumed_at: u64,
    /// How long it took with the checks, ms.
    pub ms: u64,
}

/// Fetches a model into `store`; `min_free_bytes` of its disk stay free. `on_progress` is asked a few times a
/// second; when it breaks, what has come is kept and the next fetch goes on there.
///
/// # Errors
/// Each says what to do. Of a file that is not the model nothing is kept.
pub fn fetch(
    store: &Store,
    wanted: &Wanted,
    min_free_bytes: u64,
    on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fetched, FetchError> {
    let began = Instant::now();
    let path = store.path(&wanted.name)?;
    fs::create_dir_all(store.dir()).map_err(|source| FetchError::Disk {
        what: "create",
        path: store.dir().into(),
        source,
    })?;
    let mut part = Part::open(&path, &wanted.url)?;
    let resumed_at = part.done();
    let mut transfer = Transfer::new(wanted, min_free_bytes, on_progress);
    transfer_all(&mut transfer, &mut part)?;
    part.sync()?;
    let checked = check(store, wanted, &part);
    let sha256 = match checked {
        Ok(sha256) => sha256,
        Err(error) => {
            // Going on there would come to the same.
            part.discard();
            return Err(error);
        }
    };
    store.set_recorded(&wanted.name, &sha256)?;
    let bytes = part.done();
    part.finish(&path).and_then(|()| sync_dir(store.dir()))?;
    let ms = began.elapsed().as_millis() as u64;
    Ok(Fetched { name: wanted.name.clone(), path, bytes, sha256, resumed_at, ms })
}

/// Again and again until all of it is here.
fn transfer_all(transfer: &mut Transfer, part: &mut Part) -> Result<(), FetchError> {
    let (mut tries, mut came) = (0, false);
    loop {
        let before = part.done();
        let error = match transfer.run(part) {
            Ok(()) => return Ok(()),
            // From its beginning, which can happen once: there is nothing then that could be out of step.
            Err(Break::Restart) => {
                part.restart()?;
                continue;
            }
            Err(Break::Over(error)) => return Err(ended(part, error)),
            Err(Break::Lost(error)) => error,
        };
        let progressed = part.done() > before;
        came |= progressed;
        tries = if progressed { 0 } else { tries + 1 };
        // An address that never gave anything is more likely wrong than out of reach for a moment.
        if !came || tries >= MOST_TRIES {
            return Err(ended(part, error));
        }
        part.sync()?;
        tracing::info!(
            model = transfer.name(),
            done_bytes = part.done(),
            error = chain(&error),
            "A download broke off and is taken up again."
        );
        transfer.wait(FIRST_WAIT * 2_u32.pow(tries), part.done())?;
    }
}

/// Keeps what is of use to the next fetch.
fn ended(part: &mut Part, error: FetchError) -> FetchError {
    // A full disk is needed for more than this; and of another file nothing is of use.
    let full = matches!(error, FetchError::Disk { .. }) && error.is_disk_full();
    let other = matches!(error, FetchError::NotModel { .. } | FetchError::Size { .. });
    if full || other || part.done() == 0 {
        part.discard();
    } else if let Err(error) = part.sync() {
        tracing::warn!(error = chain(&error), "What has come of a model may be lost in a power cut.");
    }
    error
}

/// Looks over what has come; its SHA-256.
fn check(store: &Store, wanted: &Wanted, part: &Part) -> Result<String, FetchError> {
    let path = part.path();
    let found =
        digest::of(path).map_err(|source| FetchError::Disk { what: "read", path: path.into(), source })?;
    let url = || shown(&wanted.url);
    if let Some(size) = wanted.size.filter(|it| !it.fits(found.bytes)) {
        return Err(FetchError::Size { url: url(), expected: size.text, found: found.bytes });
    }
    for (what, expected, found) in
        [("SHA-1", &wanted.sha1, &found.sha1), ("SHA-256", &wanted.sha256, &found.sha256)]
    {
        if let Some(expected) = expected.as_ref().filter(|it| !it.eq_ignore_ascii_case(found)) {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(FetchError::Checksum { url: url(), what, expected, found });
        }
    }
    check_structure(&wanted.name, path, store.dir())
        .map_err(|source| FetchError::Structure { url: url(), source })?;
    Ok(found.sha256)
}

/// The new name is on the disk too.
fn sync_dir(dir: &Path) -> Result<(), FetchError> {
    let synced = File::open(dir).and_then(|it| it.sync_all());
    synced.map_err(|source: io::Error| FetchError::Disk { what: "write", path: dir.into(), source })
}
