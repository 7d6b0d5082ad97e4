//! Secrets by name. Owns where they are looked for: systemd's credentials first, then a file that only the
//! service may read; they are never written, shown or logged.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use panotti_sdk::{ContextError, SecretText};
use zeroize::Zeroizing;

use super::Site;

/// The longest secret, bytes.
const LONGEST: u64 = 64 << 10;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// No secret can have this name.
    #[error("`{0}` is no name of a secret: use 1 to 64 of A-Z, a-z, 0-9, _ and -")]
    Name(String),
    /// It is in none of the places.
    #[error(
        "there is no secret `{name}`: give it as a systemd credential (LoadCredential={name}:FILE), or as `{path}` with mode 600"
    )]
    Missing {
        /// Its name.
        name: String,
        /// Where the file would be.
        path: PathBuf,
    },
    /// It is a link, a directory or a device.
    #[error("`{0}` is no plain file: put the secret itself there")]
    NotAFile(PathBuf),
    /// Others may read it.
    #[error(
        "others than the service may read `{path}` (mode {mode:o}): chmod 600 it, and change the secret where it is from"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("`{path}` belongs to the user {owner}: chown it to the user of the service")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
    },
    /// It is empty, too long or no text.
    #[error("the secret in `{0}` is not usable: write 1 byte to 64 KiB of UTF-8 text")]
    Content(PathBuf),
    /// It cannot be read.
    #[error("cannot read the secret `{path}`: chown it to the user of the service")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<SecretError> for ContextError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Missing { name, .. } => Self::NoSecret(name),
            other => Self::Host { what: "read the secret", source: Box::new(other) },
        }
    }
}

/// The secret called `name`. It is read anew each time, so that a changed one counts.
///
/// # Errors
/// Every [`SecretError`].
pub(super) fn secret(site: &Site, name: &str) -> Result<SecretText, SecretError> {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(SecretError::Name(name.chars().take(64).collect()));
    }
    if let Some(dir) = &site.credentials_dir
        && let Some(file) = open(&dir.join(name))?
    {
        // systemd has seen to who may read it.
        return read(file, &dir.join(name));
    }
    let path = site.data_dir.join("secrets").join(name);
    let Some(file) = open(&path)? else {
        return Err(SecretError::Missing { name: name.to_owned(), path });
    };
    private(site, &file, &path)?;
    read(file, &path)
}

/// A link is not followed, and a pipe is not waited for.
fn open(path: &Path) -> Result<Option<File>, SecretError> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    match options.open(path) {
        Ok(file) => match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(file)),
            Ok(_) => Err(SecretError::NotAFile(path.to_owned())),
            Err(source) => Err(SecretError::Read { path: path.to_owned(), source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            Err(SecretError::NotAFile(path.to_owned()))
        }
        Err(source) => Err(SecretError::Read { path: path.to_owned(), source }),
    }
}

/// Nobody but the service and root may have written it or may read it. Looked at on the open file, so that
/// it cannot be changed for another in between.
fn private(site: &Site, file: &File, path: &Path) -> Result<(), SecretError> {
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Mode { path: path.to_owned(), mode });
    }
    // Root looks at them too (`panotti plugins`); then the service is whose data it is.
    let service = fs::metadata(&site.data_dir).map_err(failed)?.uid();
    let owner = metadata.uid();
    if [0, service, rustix::process::geteuid().as_raw()].contains(&owner) {
        Ok(())
    } else {
        Err(SecretError::Owner { path: path.to_owned(), owner })
    }
}

fn read(file: File, path: &Path) -> Result<SecretText, SecretError> {
    // As large as it can become: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 2));
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
    let text = std::str::from_utf8(&bytes).ok().filter(|it| it.len() as u64 <= LONGEST);
    let text =
        text.map(|it| it.strip_suffix('\n').unwrap_or(it)).map(|it| it.strip_suffix('\r').unwrap_or(it));
    let text = text.filter(|it| !it.is_empty());
    text.map(|it| SecretText::new(it.to_owned())).ok_or_else(|| SecretError::Content(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tempfile::TempDir;

    use super::*;

    fn site() -> (TempDir, Site) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("secrets")).unwrap();
        fs::create_dir_all(dir.path().join("credentials")).unwrap();
        let site = Site {
            settings_dir: dir.path().join("plugins.d"),
            env: Vec::new(),
            data_dir: dir.path().to_owned(),
            recordings_dir: dir.path().to_owned(),
            credentials_dir: Some(dir.path().join("credentials")),
        };
        (dir, site)
    }

    fn put(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn credentials_come_first() {
        let (dir, site) = site();
        put(&dir.path().join("secrets/KEY"), "from the file\n", 0o600);
        assert_eq!(secret(&site, "KEY").unwrap().reveal(), "from the file");
        put(&dir.path().join("credentials/KEY"), "from systemd\r\n", 0o440);
        let found = secret(&site, "KEY").unwrap();
        assert_eq!(found.reveal(), "from systemd");
        assert_eq!(format!("{found:?}"), "[secret]");
        let without = Site { credentials_dir: None, ..site };
        assert_eq!(secret(&without, "KEY").unwrap().reveal(), "from the file");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (dir, site) = site();
        let at = |name: &str| dir.path().join("secrets").join(name);
        put(&at("OPEN"), "hush", 0o640);
        put(&at("EMPTY"), "\n", 0o600);
        put(&at("LONG"), vec![b'a'; LONGEST as usize + 1], 0o600);
        put(&at("BINARY"), [0xff, 0xfe], 0o600);
        fs::create_dir(at("DIR")).unwrap();
        symlink("OPEN", at("LINK")).unwrap();
        for (name, expected) in [
            ("OPEN", "chmod 600"),
            ("EMPTY", "is not usable"),
            ("LONG", "is not usable"),
            ("BINARY", "is not usable"),
            ("DIR", "no plain file"),
            ("LINK", "no plain file"),
            ("NONE", "there is no secret `NONE`"),
            ("../OPEN", "no name of a secret"),
            ("", "no name of a secret"),
            ("secrets/OPEN", "no name of a secret"),
        ] {
            let error = secret(&site, name).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        put(&at("LONGEST"), vec![b'a'; LONGEST as usize], 0o400);
        assert_eq!(secret(&site, "LONGEST").unwrap().reveal().len() as u64, LONGEST);
    }

    #[test]
    fn somebody_elses_file_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (dir, site) = site();
        let path = dir.path().join("secrets/KEY");
        put(&path, "hush", 0o600);
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let error = secret(&site, "KEY").unwrap_err();
        assert!(matches!(error, SecretError::Owner { owner: 12_345, .. }), "{error}");
        // The same file is the service's own where the data is that user's.
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
        assert!(secret(&site, "KEY").is_ok());
    }

    #[test]
    fn plugins_are_told_in_their_words() {
        let (_dir, site) = site();
        assert!(
            matches!(ContextError::from(secret(&site, "X").unwrap_err()), ContextError::NoSecret(name) if name == "X")
        );
        assert!(matches!(ContextError::from(secret(&site, "..").unwrap_err()), ContextError::Host { .. }));
    }
}
