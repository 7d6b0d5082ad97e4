//! Files that clients send, on the disk while they are needed. Owns their folder, that they leave room for
//! recordings, and that none outlives its request; nothing else is in that folder.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use axum::http::StatusCode;
use tokio::{
    io::{AsyncWriteExt as _, BufWriter},
    runtime::Handle,
    task::spawn_blocking,
};
use uuid::Uuid;

use super::{
    super::error::{Problem, is_full},
    error::Refusal,
};
use crate::config::Storage;

/// Written at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// How often the room on the disk is looked at.
const LOOK_EVERY_BYTES: u64 = 16 << 20;

/// A file that a client has sent; removed with this value.
#[derive(Debug)]
pub(super) struct Upload {
    path: PathBuf,
}

impl Upload {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "A file that a client sent cannot be removed.");
            }
        };
        // Removing a large file takes a slow disk a while. Where the process ends before, `clear` does it.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// A file that is being sent.
pub(super) struct Incoming {
    upload: Upload,
    file: BufWriter<tokio::fs::File>,
    written: u64,
    storage: Storage,
}

impl Incoming {
    /// Begins a file in the folder that `storage` names.
    ///
    /// # Errors
    /// 507 when there is no room; 500 when the folder cannot be used.
    pub(super) async fn begin(storage: &Storage) -> Result<Self, Refusal> {
        let dir = storage.uploads_dir();
        let create = move || {
            fs::create_dir_all(&dir)?;
            let path = dir.join(Uuid::new_v4().simple().to_string());
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            // Made here: when nobody waits any more, what this gives is dropped, and the file with it.
            Ok((Upload { path }, file))
        };
        let (upload, file) = spawn_blocking(create)
            .await
            .map_err(Problem::internal)?
            .map_err(|it| not_written(it, storage))?;
        let file = BufWriter::with_capacity(CHUNK_BYTES, tokio::fs::File::from_std(file));
        let this = Self { upload, file, written: 0, storage: storage.clone() };
        this.look().await?;
        Ok(this)
    }

    /// Bytes so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// 507 when there is no room; 500 when the disk fails.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.file.write_all(bytes).await.map_err(|it| not_written(it, &self.storage))?;
        let before = self.written;
        self.written += bytes.len() as u64;
        if before / LOOK_EVERY_BYTES != self.written / LOOK_EVERY_BYTES {
            self.look().await?;
        }
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// 507 when there is no room; 500 when the disk fails.
    pub(super) async fn finish(mut self) -> Result<Upload, Refusal> {
        self.file.flush().await.map_err(|it| not_written(it, &self.storage))?;
        Ok(self.upload)
    }

    /// Whether there is room: a recording needs it more, and stops where it has less.
    async fn look(&self) -> Result<(), Refusal> {
        let path = self.upload.path.clone();
        let asked = spawn_blocking(move || rustix::fs::statvfs(&path)).await.map_err(Problem::internal)?;
        let it = asked.map_err(Problem::internal)?;
        let enough = it.f_bavail.saturating_mul(it.f_frsize) >= self.storage.min_free_mib << 20;
        if enough { Ok(()) } else { Err(no_room(&self.storage).into()) }
    }
}

fn no_room(storage: &Storage) -> Problem {
    let detail = format!(
        "there is no room for the file: {} MiB of the box's disk have to stay free (storage.min_free_mib); \
         delete recordings, or send a shorter file",
        storage.min_free_mib
    );
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)
}

fn not_written(error: io::Error, storage: &Storage) -> Refusal {
    if is_full(&error) { no_room(storage).caused_by(error) } else { Problem::internal(error) }.into()
}

/// Removes what an earlier process has left in `dir`. Called before any request is taken.
pub(in super::super) async fn clear(dir: PathBuf) {
    let clear = move || match fs::read_dir(&dir) {
        Ok(left) => left.flatten().map(|it| fs::remove_file(it.path())).filter_map(Result::err).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![error],
    };
    for error in spawn_blocking(clear).await.unwrap_or_default() {
        tracing::warn!(%error, "What clients had sent before the start cannot be removed.");
    }
}
