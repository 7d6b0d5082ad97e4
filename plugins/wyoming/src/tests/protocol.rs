//! Bytes to events, in whatever pieces they come.

use panotti_sdk::serde_json::Map;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::protocol::{Decoder, Event, Fault, Item, LARGEST_PAYLOAD, LONGEST_JSON, encode};

/// An event, its payload, and whether it is complete.
type Decoded = (Event, Vec<u8>, bool);

/// Everything that is in `bytes`, with payloads put together, and why it ends.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Decoded>, Option<Fault>) {
    let (mut decoder, mut found) = (Decoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(Item::Begins(event))) => found.push((event, Vec::new(), false)),
                Ok(Some(Item::Payload(bytes))) => found.last_mut().unwrap().1.extend_from_slice(bytes),
                Ok(Some(Item::Ends)) => found.last_mut().unwrap().2 = true,
                Ok(None) => break,
                Err(fault) => return (found, Some(fault)),
            }
        }
    }
    (found, None)
}

fn event(kind: &str, data: &Value) -> Event {
    Event { kind: kind.into(), data: data.as_object().cloned().unwrap() }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 8, 4, |inner| vec(inner, 0..4).prop_map(Value::from))
}

/// An event in one of the ways in which it may be written: data in the line, after it, or in both.
fn written() -> impl Strategy<Value = (Event, Vec<u8>, Vec<u8>)> {
    let data = || vec(("[a-z]{1,3}", values()), 0..4).prop_map(|it| it.into_iter().collect::<Map<_, _>>());
    (".{0,8}", data(), data(), vec(any::<u8>(), 0..300), any::<bool>(), any::<bool>()).prop_map(
        |(kind, inline, after, payload, is_crlf, is_terse)| {
            let mut header = json!({ "type": kind, "data": inline, "version": "1.10.2" });
            let text = if after.is_empty() { String::new() } else { json!(after).to_string() };
            if !is_terse || !text.is_empty() {
                header["data_length"] = text.len().into();
            }
            if !is_terse || !payload.is_empty() {
                header["payload_length"] = payload.len().into();
            }
            let end = if is_crlf { "\r\n" } else { "\n" };
            let bytes = [header.to_string().as_bytes(), end.as_bytes(), text.as_bytes(), &payload].concat();
            let mut data = inline;
            data.extend(after);
            (Event { kind, data }, payload, bytes)
        },
    )
}

proptest! {
    #[test]
    fn events_are_the_same_however_they_arrive(events in vec(written(), 1..5), sizes in vec(1..40_usize, 1..9)) {
        let bytes: Vec<u8> = events.iter().flat_map(|it| it.2.clone()).collect();
        let expected: Vec<_> = events.into_iter().map(|(event, payload, _)| (event, payload, true)).collect();
        let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
        for size in sizes.into_iter().cycle() {
            let (piece, left) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        for pieces in [pieces, bytes.chunks(1).collect(), vec![&bytes[..]]] {
            let (found, fault) = decode(pieces);
            prop_assert!(fault.is_none(), "{:?}", fault);
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn any_bytes_are_events_or_a_fault_and_nothing_is_kept(bytes in vec(any::<u8>(), 0..2000)) {
        let whole = decode([&bytes[..]]);
        let split = decode(bytes.chunks(1));
        prop_assert_eq!(whole.0, split.0);
        prop_assert_eq!(whole.1.map(|it| it.to_string()), split.1.map(|it| it.to_string()));
    }

    #[test]
    fn what_is_sent_can_be_read(kind in "[a-z-]{1,20}", data in vec(("[a-z]{1,3}", values()), 0..4)) {
        let data: Map<_, _> = data.into_iter().collect();
        let (found, fault) = decode([&encode(&kind, &Value::Object(data.clone()))[..]]);
        prop_assert!(fault.is_none());
        prop_assert_eq!(found, [(Event { kind, data }, vec![], true)]);
    }
}

#[test]
fn as_the_official_client_writes_it() {
    let bytes =
        b"{\"type\": \"audio-chunk\", \"version\": \"1.10.2\", \"data_length\": 61, \"payload_length\": 4}\n\
        {\"rate\": 16000, \"width\": 2, \"channels\": 1, \"timestamp\": null}abcd\
        {\"type\": \"describe\", \"version\": \"1.10.2\"}\n";
    let format = json!({ "rate": 16_000, "width": 2, "channels": 1, "timestamp": null });
    let expected = [
        (event("audio-chunk", &format), b"abcd".to_vec(), true),
        (event("describe", &json!({})), Vec::new(), true),
    ];
    let (found, fault) = decode([&bytes[..]]);
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(found, expected);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_kept() {
    let line = |text: Value| format!("{text}\n").into_bytes();
    let is_line = |it: &Fault| matches!(it, Fault::Line);
    let long = |bytes: usize| [vec![b' '; bytes], b"{\"type\":\"a\"}".to_vec()].concat();
    let (fits, long) = (long(LONGEST_JSON - 12), long(LONGEST_JSON));
    assert!(decode([&fits[..], b"\n"]).1.is_none());
    assert!(is_line(&decode([&long[..]]).1.unwrap()) && is_line(&decode(long.chunks(999)).1.unwrap()));
    assert!(is_line(&decode([&long[..], b"\n"]).1.unwrap()));

    let most = LONGEST_JSON as u64;
    assert!(decode([&line(json!({ "type": "a", "data_length": most }))[..]]).1.is_none());
    for bytes in [most + 1, u64::MAX] {
        let fault = decode([&line(json!({ "type": "a", "data_length": bytes }))[..]]).1.unwrap();
        assert!(matches!(fault, Fault::Data(it) if it == bytes));
    }
    assert!(decode([&line(json!({ "type": "a", "payload_length": LARGEST_PAYLOAD }))[..]]).1.is_none());
    for bytes in [LARGEST_PAYLOAD + 1, u64::MAX] {
        let fault = decode([&line(json!({ "type": "a", "payload_length": bytes }))[..]]).1.unwrap();
        assert!(matches!(fault, Fault::Payload(it) if it == bytes));
    }
}
