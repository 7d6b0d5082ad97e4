//! Checksums of a file, read once from end to end. Owns nothing of what they are compared with.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Read at once, bytes.
const BLOCK: usize = 1 << 18;

/// What a file comes to, in hex.
#[derive(Debug)]
pub(super) struct Digests {
    pub(super) bytes: u64,
    pub(super) sha1: String,
    pub(super) sha256: String,
}

pub(super) fn of(path: &Path) -> io::Result<Digests> {
    let mut file = File::open(path)?;
    let (mut sha1, mut sha256) = (Sha1::new(), Sha256::new());
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(Digests { bytes, sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()) });
        }
        bytes += n as u64;
        sha1.update(&block[..n]);
        sha256.update(&block[..n]);
    }
}

/// SHA-256 of a text, in hex.
pub(super) fn of_text(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
