//! The `Range` header (RFC 9110, section 14). Owns its reading; leaves the bytes to `audio`.

use std::ops::Range;

/// What part of `len` bytes is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything: no range, one we do not understand, or several (which may be answered whole).
    Whole,
    /// One part.
    Part(Range<u64>),
    /// A part that is not there.
    Unsatisfiable,
}

/// Reads `header` for something `len` bytes long.
pub(super) fn parse(header: &str, len: u64) -> Asked {
    let Some((unit, spec)) = header.split_once('=') else { return Asked::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // More digits than fit: certainly beyond the end.
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    match (first.trim(), last.trim()) {
        ("", "") => Asked::Whole,
        (first, last) if !digits(first) || !digits(last) => Asked::Whole,
        ("", suffix) => match number(suffix) {
            0 => Asked::Unsatisfiable,
            _ if len == 0 => Asked::Unsatisfiable,
            suffix => Asked::Part(len.saturating_sub(suffix)..len),
        },
        (first, last) => {
            let first = number(first);
            let last = if last.is_empty() { u64::MAX } else { number(last) };
            if last < first {
                Asked::Whole
            } else if first >= len {
                Asked::Unsatisfiable
            } else {
                Asked::Part(first..last.saturating_add(1).min(len))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked::*, *};

    #[test]
    fn cases() {
        for (header, len, expected) in [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-", 10, Part(0..10)),
            ("bytes=2-5", 10, Part(2..6)),
            ("bytes=2-500", 10, Part(2..10)),
            ("Bytes = 9-9", 10, Part(9..10)),
            ("bytes=-3", 10, Part(7..10)),
            ("bytes=-30", 10, Part(0..10)),
            ("bytes=2-99999999999999999999999", 10, Part(2..10)),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-1", 0, Unsatisfiable),
            ("bytes=5-2", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("seconds=0-1", 10, Whole),
            ("", 10, Whole),
        ] {
            assert_eq!(parse(header, len), expected, "{header} of {len}");
        }
    }
}
