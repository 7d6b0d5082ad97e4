//! The models that can be fetched by name. Owns what is published of each (size, checksum, memory); the
//! lines are in `catalogue.tsv`, and what is on this box is in `store`.

use std::sync::LazyLock;

use serde::Serialize;
use utoipa::ToSchema;

/// One model as it is published.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name: its file is `ggml-NAME.bin`.
    pub name: &'static str,
    /// Whose collection it is of, `ggerganov/whisper.cpp`.
    pub repository: &'static str,
    /// Length of its file; `None` where none is published.
    pub size: Option<Size>,
    /// SHA-1 of its file, 40 hex digits; `None` where none is published.
    pub sha1: Option<&'static str>,
    /// The most memory that it takes, MB; `None` where that is not published.
    pub memory_mb: Option<u64>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Writes speech down.
    Whisper,
    /// Finds speech.
    Vad,
}

/// A length as it is published, with the accuracy that its digits have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// As written, `1.5 GiB`.
    pub text: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// One in its last digit, bytes.
    step: u64,
}

impl Size {
    fn parse(text: &'static str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let unit: u64 = match unit {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        let (whole, tenths) = number.split_once('.').map_or((number, None), |it| (it.0, Some(it.1)));
        let (whole, step) =
            (whole.parse::<u64>().ok()? * unit, if tenths.is_some() { unit / 10 } else { unit });
        let tenths: u64 = tenths.map_or(Some(0), |it| it.parse().ok())?;
        Some(Self { text, bytes: whole + tenths * step, step })
    }

    /// Whether a file of `bytes` may be it: published sizes are rounded, some up and some down.
    pub fn fits(&self, bytes: u64) -> bool {
        self.bytes.abs_diff(bytes) <= self.step
    }
}

impl Entry {
    /// Reads a line of the catalogue.
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t').map(|it| Some(it).filter(|it| *it != "-"));
        let mut next = || fields.next();
        let (name, repository, size) = (next()??, next()??, next()?);
        Some(Self {
            name,
            repository,
            size: size.and_then(Size::parse),
            sha1: next()?,
            memory_mb: next()?.and_then(|it| it.parse().ok()),
        })
    }

    /// Where it is, below what `models.url` says.
    pub fn url(&self, base: &str) -> String {
        let base = base.trim_end_matches('/').replace("{repository}", self.repository);
        format!("{base}/{}", super::file_name(self.name))
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        kind_of(self.name)
    }

    /// Whether it knows more languages than English; always false of one that only finds speech.
    pub fn is_multilingual(&self) -> bool {
        self.kind() == Kind::Whisper && !self.name.contains(".en")
    }
}

/// What a model is for, by its name.
pub(super) fn kind_of(name: &str) -> Kind {
    if name.trim_start_matches("ggml-").starts_with("silero") { Kind::Vad } else { Kind::Whisper }
}

/// All of them, small ones first.
pub fn catalogue() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| lines().filter_map(Entry::parse).collect());
    &ENTRIES
}

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("catalogue.tsv").lines().filter(|it| !it.starts_with('#'))
}

/// The model of this name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    catalogue().iter().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_model() {
        assert_eq!(catalogue().len(), lines().count());
        let mut names = HashSet::new();
        for it in catalogue() {
            assert!(names.insert(it.name), "{} is there twice", it.name);
            assert_eq!(it.sha1.is_some(), it.size.is_some() && it.kind() == Kind::Whisper, "{}", it.name);
            assert!(
                it.sha1.is_none_or(|sha1| sha1.len() == 40 && sha1.bytes().all(|b| b.is_ascii_hexdigit()))
            );
            let published = it.kind() == Kind::Whisper && !it.name.contains("turbo");
            assert_eq!(it.memory_mb.is_some(), published, "{}", it.name);
        }
    }

    #[test]
    fn sizes_are_as_exact_as_they_are_written() {
        let size = |text| Size::parse(text).unwrap();
        // Files as they are: ggml-tiny.bin, ggml-small.bin, ggml-large-v3-turbo.bin.
        for (text, bytes) in [("75 MiB", 77_691_713), ("466 MiB", 487_601_967), ("1.5 GiB", 1_624_555_275)] {
            assert!(size(text).fits(bytes), "{text} {bytes}");
        }
        for (text, bytes) in [("75 MiB", 10_204_423), ("1.5 GiB", 1 << 30), ("864 KiB", 0)] {
            assert!(!size(text).fits(bytes), "{text} {bytes}");
        }
        assert_eq!(Size::parse("75 MB"), None);
    }

    #[test]
    fn addresses() {
        let tiny = entry("tiny.en-q5_1").unwrap();
        let default = crate::config::Models::default().url;
        let whole = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-tiny.en-q5_1.bin";
        assert_eq!(tiny.url(&default), whole);
        assert_eq!(tiny.url("http://nas/models/"), "http://nas/models/ggml-tiny.en-q5_1.bin");
        assert!(entry("silero-v6.2.0").unwrap().url(&default).contains("/ggml-org/whisper-vad/"));
        assert!(!tiny.is_multilingual() && entry("tiny").unwrap().is_multilingual());
    }
}
