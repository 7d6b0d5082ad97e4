//! Keys as text. Owns how they are made, that they are never printed by accident, and comparing them in
//! constant time; leaves who holds them to the parent.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How every key begins, so that scanners for leaked secrets know one.
const PREFIX: &str = "pk_";
/// Bytes of an id.
const ID: usize = 6;
/// Random bytes of a key besides its id.
const KEY: usize = 32;

/// Text that must not be seen: it prints as `[redacted]` and leaves no copy in memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` out of sight.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// SHA-256 of a key. Keys are 256 random bits, so that no slower hash would protect them better.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A new id, and the key that has it inside: `pk_<12 hex digits>_<64 hex digits>`.
pub(super) fn generate() -> Result<(String, Secret), getrandom::Error> {
    let mut random = Zeroizing::new([0; ID + KEY]);
    getrandom::fill(&mut random[..])?;
    // As long as it gets, so that growing leaves no copy behind.
    let mut key = String::with_capacity(PREFIX.len() + 2 * (ID + KEY) + 1);
    key.push_str(PREFIX);
    push_hex(&mut key, &random[..ID]);
    let id = key[PREFIX.len()..].to_owned();
    key.push('_');
    push_hex(&mut key, &random[ID..]);
    Ok((id, Secret::new(key)))
}

/// The id inside `key`, when it has the form of one.
pub(super) fn id_of(key: &str) -> Option<&str> {
    let (id, rest) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (id.len() == 2 * ID && rest.len() == 2 * KEY && hex(id) && hex(rest)).then_some(id)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
    }
}
