//! Looking a backup over, or the log itself. Owns what is compared with what; leaves walking through the
//! tables to `store`.

use std::{fs::File, io::Read as _};

use sha2::{Digest as _, Sha256};

use super::{
    super::store::{Reader, SCHEMA, Walked},
    Backup, DATA, Error, Progress, Source,
    create::hex,
};

/// What looking it over found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Events that are as they were stored.
    pub events: u64,
    /// What is wrong; nothing when it is whole.
    pub faults: Vec<String>,
}

impl From<Walked> for Report {
    fn from(walked: Walked) -> Self {
        Self { events: walked.events, faults: walked.faults }
    }
}

impl Source {
    /// Reads the whole log: every event is decoded and found through each index. What LMDB cannot notice
    /// ends the process; see the module.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Report {
        self.0.walk(&mut |done, total| progress(Progress { step: "events", done, total })).into()
    }
}

impl Backup {
    /// Compares the SHA-256, and only when that is right opens the copy and reads all of it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Newer`]. What is damaged is in the report.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, Error> {
        let broken = |fault: String| Ok(Report { events: 0, faults: vec![fault] });
        let manifest = match &self.manifest {
            Ok(manifest) => manifest,
            Err(fault) => return broken(fault.clone()),
        };
        if self.hash(manifest.bytes, progress)? != manifest.sha256 {
            return broken(format!("`{DATA}` was changed since it was written, its SHA-256 is another"));
        }
        self.not_newer()?;
        let reader = match Reader::open_copy(&self.path) {
            Ok(reader) => reader,
            Err(error) => return broken(crate::error_chain::chain(&error)),
        };
        let walk = reader.walk(&mut |done, total| progress(Progress { step: "events", done, total }));
        let mut report = Report::from(walk);
        if report.faults.is_empty() && report.events != manifest.events() {
            report.faults.push(format!("it has {} events instead of {}", report.events, manifest.events()));
        }
        Ok(report)
    }

    /// Refuses what this program would not be able to read.
    pub(super) fn not_newer(&self) -> Result<(), Error> {
        match self.manifest()?.schema {
            found if found > SCHEMA => {
                Err(Error::Newer { name: self.name.clone(), found, supported: SCHEMA })
            }
            _ => Ok(()),
        }
    }

    fn hash(&self, total: u64, progress: &mut dyn FnMut(Progress)) -> Result<String, Error> {
        let path = self.path.join(DATA);
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
        let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
        loop {
            let length = file.read(&mut buffer).map_err(Error::io("read", &path))?;
            if length == 0 {
                return Ok(hex(&hash.finalize()));
            }
            hash.update(&buffer[..length]);
            done += length as u64;
            progress(Progress { step: "checksum", done, total });
        }
    }
}
