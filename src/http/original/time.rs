//! Points in time as clients of the original write them.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// Longest text that is looked at, bytes.
const MAX_LENGTH: usize = 64;

/// Understands `YYYYMMDDHHMMSS`, seconds since 1970, and ISO 8601 with or without a zone; without one it
/// is UTC.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    if text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit()) {
        return utc(DateTime::strptime("%Y%m%d%H%M%S", text).ok()?);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?).ok();
    }
    text.parse().ok().or_else(|| utc(text.parse().ok()?))
}

fn utc(time: DateTime) -> Option<Timestamp> {
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        for (text, expected) in [
            ("20250117225532", Some("2025-01-17T22:55:32Z")),
            ("2025-01-17T22:55:32", Some("2025-01-17T22:55:32Z")),
            ("2025-01-17T22:55:32.125", Some("2025-01-17T22:55:32.125Z")),
            ("2025-01-17T22:55:32Z", Some("2025-01-17T22:55:32Z")),
            ("2025-01-17T22:55:32.125000Z", Some("2025-01-17T22:55:32.125Z")),
            ("2025-01-17T22:55:32+02:00", Some("2025-01-17T20:55:32Z")),
            ("1737154532", Some("2025-01-17T22:55:32Z")),
            ("1737154532.5", Some("2025-01-17T22:55:32.5Z")),
            ("20251317225532", None),
            ("garbage", None),
            ("", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("2025-01-17T25:00:00Z", None),
        ] {
            assert_eq!(parse(text).map(|it| it.to_string()).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
