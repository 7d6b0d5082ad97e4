//! What has come of a model so far. Owns the file `ggml-NAME.bin.part`, the lock on it, and the note beside it
//! that says where it came from: only what that note vouches for is kept, so that two versions of a file are
//! never put together, and nothing is trusted that a power cut may have left unwritten.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        digest,
        store::{note, own_file, part},
    },
    FetchError,
};

/// What has come is written to the disk this often, bytes.
const SYNC_EVERY: u64 = 4 << 20;

/// Where it came from.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// SHA-256 of its address, which may hold a secret.
    address: String,
    /// The server's strong entity tag or date of this version, for `If-Range`.
    version: Option<String>,
    total_bytes: Option<u64>,
    /// What is on the disk for sure.
    synced_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    note_path: PathBuf,
    file: File,
    note: Note,
    done: u64,
}

impl Part {
    /// What there is of `model`, if it is from `url`.
    pub(super) fn open(model: &Path, url: &str) -> Result<Self, FetchError> {
        let (path, note_path) = (part(model), note(model));
        let failed = |what| {
            let path = path.clone();
            move |source| FetchError::Disk { what, path, source }
        };
        let file = own_file().read(true).open(&path).map_err(failed("write"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(FetchError::Busy { path }),
            Err(error) => return Err(failed("lock")(error.into())),
        }
        let known = fs::read(&note_path).ok().and_then(|it| serde_json::from_slice::<Note>(&it).ok());
        let length = file.metadata().map_err(failed("read"))?.len();
        let address = digest::of_text(url);
        let known =
            known.filter(|it| it.address == address && it.version.is_some() && it.synced_bytes <= length);
        let note = known.unwrap_or_else(|| Note { address, ..Note::default() });
        let mut part = Self { done: note.synced_bytes, path, note_path, file, note };
        part.cut()?;
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are here.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// All bytes, as the server said.
    pub(super) fn total(&self) -> Option<u64> {
        self.note.total_bytes
    }

    /// Whether all of it is here.
    pub(super) fn is_complete(&self) -> bool {
        self.done > 0 && self.note.total_bytes == Some(self.done)
    }

    /// Which version the rest has to be of, when there is something that it could be the rest of.
    pub(super) fn version(&self) -> Option<&str> {
        self.note.version.as_deref().filter(|_| self.done > 0)
    }

    /// The server sends this version from its beginning.
    pub(super) fn begin(
        &mut self,
        version: Option<String>,
        total_bytes: Option<u64>,
    ) -> Result<(), FetchError> {
        self.note =
            Note { version, total_bytes, synced_bytes: 0, address: std::mem::take(&mut self.note.address) };
        self.done = 0;
        self.cut()?;
        self.write_note()
    }

    /// Forgets what has come.
    pub(super) fn restart(&mut self) -> Result<(), FetchError> {
        self.begin(None, None)
    }

    /// Writes what comes next; whether it was written to the disk.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<bool, FetchError> {
        self.file.write_all(bytes).map_err(|it| self.failed("write", it))?;
        self.done += bytes.len() as u64;
        let due = self.done - self.note.synced_bytes >= SYNC_EVERY;
        if due {
            self.sync()?;
        }
        Ok(due)
    }

    /// What has come is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), FetchError> {
        self.file.sync_data().map_err(|it| self.failed("write", it))?;
        self.note.synced_bytes = self.done;
        self.write_note()
    }

    /// It is whole: gives it its name.
    pub(super) fn finish(self, model: &Path) -> Result<(), FetchError> {
        fs::rename(&self.path, model).map_err(|it| self.failed("rename", it))?;
        // Without the file it says nothing.
        fs::remove_file(&self.note_path).ok();
        Ok(())
    }

    /// It is of no use.
    pub(super) fn discard(&mut self) {
        for path in [&self.path, &self.note_path] {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "Cannot remove what has come of a model.");
            }
        }
    }

    /// The file ends where the next byte belongs.
    fn cut(&mut self) -> Result<(), FetchError> {
        let cut = self.file.set_len(self.done).and_then(|()| self.file.seek(SeekFrom::Start(self.done)));
        cut.map(drop).map_err(|it| self.failed("write", it))
    }

    fn write_note(&self) -> Result<(), FetchError> {
        let text = serde_json::to_vec(&self.note).map_err(io::Error::other);
        let written = text.and_then(|text| own_file().truncate(true).open(&self.note_path)?.write_all(&text));
        written.map_err(|source| FetchError::Disk { what: "write", path: self.note_path.clone(), source })
    }

    fn failed(&self, what: &'static str, source: io::Error) -> FetchError {
        FetchError::Disk { what, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "http://mirror/ggml-x.bin";

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_taken_up_is_what_came(
            pushes in prop::collection::vec((1_usize..3_000_000, any::<bool>()), 1..6), moved: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let model = dir.path().join("ggml-x.bin");
            let mut part = Part::open(&model, URL).unwrap();
            part.begin(Some("\"1\"".into()), None).unwrap();
            let mut all = Vec::new();
            for (n, (length, synced)) in pushes.into_iter().enumerate() {
                let bytes = vec![n as u8 + 1; length];
                part.push(&bytes).unwrap();
                all.extend(bytes);
                if synced {
                    part.sync().unwrap();
                }
            }
            let synced = part.note.synced_bytes;
            prop_assert!(all.len() as u64 - synced < SYNC_EVERY);
            // The process ends here, and the next one looks.
            drop(part);
            let part = Part::open(&model, if moved { "http://other/ggml-x.bin" } else { URL }).unwrap();
            prop_assert_eq!(part.done(), if moved { 0 } else { synced });
            let found = fs::read(part.path()).unwrap();
            prop_assert!(found == all[..part.done() as usize]);
        }
    }

    #[test]
    fn no_link_is_followed_and_no_secret_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (model, other) = (dir.path().join("ggml-x.bin"), dir.path().join("other"));
        fs::write(&other, "another's").unwrap();
        std::os::unix::fs::symlink(&other, part(&model)).unwrap();
        assert!(matches!(Part::open(&model, URL), Err(FetchError::Disk { .. })));
        fs::remove_file(part(&model)).unwrap();
        let mut opened = Part::open(&model, "http://ada:hunter2@mirror/ggml-x.bin?token=hunter2").unwrap();
        opened.begin(Some("\"1\"".into()), None).unwrap();
        assert!(!fs::read_to_string(note(&model)).unwrap().contains("hunter2"));
        fs::remove_file(note(&model)).unwrap();
        std::os::unix::fs::symlink(&other, note(&model)).unwrap();
        assert!(opened.sync().is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "another's");
    }
}
