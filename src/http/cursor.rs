//! Where a list goes on. Owns the opaque text of a cursor; leaves what it points at to the lists.

use super::error::Problem;

/// The cursor for `place` in the list `list`. Hexadecimal, so that nobody is led to build one by hand.
pub(super) fn encode(list: &str, place: &str) -> String {
    format!("{list}:{place}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The place a cursor of the list `list` points at.
pub(super) fn decode(list: &str, cursor: &str) -> Result<String, Problem> {
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).ok().filter(|it| it.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> =
        (cursor.len() <= 1024).then(|| cursor.as_bytes().chunks(2).map(byte).collect()).flatten();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(list)?.strip_prefix(':').map(str::to_owned))
        .ok_or_else(|| Problem::unprocessable("`cursor` is not one that this list gave out: begin without"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(list in "[a-z]{1,8}", place in ".{0,64}") {
            prop_assert_eq!(decode(&list, &encode(&list, &place)).ok(), Some(place));
        }

        #[test]
        fn anything_else_is_refused(text in ".{0,64}") {
            prop_assert!(decode("events", &text).is_err());
        }

        #[test]
        fn cursors_of_other_lists_are_refused(place in ".{0,64}") {
            prop_assert!(decode("events", &encode("recordings", &place)).is_err());
        }
    }
}
