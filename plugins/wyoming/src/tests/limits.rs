//! What is refused, with which words, and that nothing of it is left.

use std::net::TcpListener;

use panotti_sdk::{PluginError, testing::BenchError};

use super::*;

#[test]
fn what_is_no_wyoming_is_refused_and_the_connection_closed() {
    let bench = bench(json!({}));
    let long = [b'x'; 70_000];
    let cases: [(&[u8], &str); 8] = [
        (b"GET / HTTP/1.1\r\nHost: box\r\n\r\n", "a line that is no event"),
        (b"\n", "a line that is no event"),
        (b"{\"data\":{}}\n", "missing field `type`"),
        (b"{\"type\":\"ping\",\"data\":[1]}\n", "a line that is no event"),
        (b"{\"type\":\"ping\",\"data_length\":3}\n[1]", "the data of an event is no JSON object"),
        (b"{\"type\":\"ping\",\"data_length\":65537}\n", "65537 bytes of data: at most 65536"),
        (b"{\"type\":\"ping\",\"payload_length\":9999999}\n", "9999999 bytes of payload: at most 1048576"),
        (&long, "a line of more than 65536 bytes"),
    ];
    for (bytes, expected) in cases {
        let mut client = Client::of(&bench);
        client.raw(bytes);
        let (code, text) = client.error();
        assert!(code == "protocol" && text.contains(expected), "{text}");
    }
    until("all are gone", || server(&bench)["clients"] == 0);
    assert_eq!(server(&bench)["refused"], cases.len());
}

#[test]
fn audio_that_cannot_be_used_is_refused() {
    let bench = bench(json!({ "longest_s": 1 }));
    let mono = |rate: u32| json!({ "rate": rate, "width": 2, "channels": 1 });
    // Events with so many bytes of payload; the code and words of the error.
    type Case<'a> = (&'a [(&'a str, Value, usize)], &'a str, &'a str);
    let cases: [Case<'_>; 8] = [
        (&[("audio-stop", json!({}), 0)], "protocol", "`audio-stop` came before any audio"),
        (&[("audio-chunk", json!({}), 2)], "protocol", "`audio-chunk` came before any audio"),
        (&[("audio-start", json!({}), 0)], "audio-format", "are not given as numbers"),
        (
            &[("audio-start", mono(3000), 0)],
            "audio-format",
            "audio of 3000 Hz, 2 bytes a sample and 1 channels",
        ),
        (&[("audio-start", mono(8000), 0), ("audio-chunk", mono(16_000), 2)], "audio-format", "changes"),
        (
            &[("audio-start", mono(16_000), 0), ("audio-chunk", mono(16_000), 32_001)],
            "audio-too-long",
            "`longest_s`",
        ),
        (
            &[("audio-chunk", mono(16_000), 32_000), ("audio-chunk", mono(16_000), 1)],
            "audio-too-long",
            "than 1 s",
        ),
        (
            &[("transcribe", json!({ "language": "de-AT" }), 0)],
            "language",
            "does not know the language `de-AT`",
        ),
    ];
    for (events, expected, words) in cases {
        let mut client = Client::of(&bench);
        for (kind, data, payload) in events {
            client.send_with(kind, data, &vec![0; *payload]);
        }
        let (code, text) = client.error();
        assert!(code == expected && text.contains(words), "{code}: {text}");
    }
    assert_eq!(waiting(&bench), 0);
    assert!(asked(&bench).is_empty());
    // Exactly as long as it may be.
    let mut client = Client::of(&bench);
    client.say(32_000);
    client.send("audio-stop", &json!({}));
    client.answer("transcript");
}

#[test]
fn the_audio_of_all_clients_together_is_limited() {
    let bench = bench(json!({ "most_audio_mib": 1 }));
    let (mut first, mut second) = (Client::of(&bench), Client::of(&bench));
    first.say(700_000);
    first.send("ping", &json!({}));
    first.answer("pong");
    second.say(400_000);
    let (code, text) = second.error();
    assert!(code == "busy" && text.contains("`most_audio_mib`"), "{text}");
    // It has room again, and the first has lost nothing.
    let mut third = Client::of(&bench);
    third.say(300_000);
    for client in [&mut first, &mut third] {
        client.send("audio-stop", &json!({}));
        client.answer("transcript");
    }
    assert_eq!(waiting(&bench), 0);
}

#[test]
fn so_many_clients_and_no_more() {
    let bench = bench(json!({ "connections": 2 }));
    let mut clients = [Client::of(&bench), Client::of(&bench)];
    for client in &mut clients {
        client.send("ping", &json!({}));
        client.answer("pong");
    }
    let (code, text) = Client::of(&bench).error();
    assert!(code == "busy" && text.starts_with("2 clients are served already"), "{text}");
    drop(clients);
    until("they are gone", || server(&bench)["clients"] == 0);
    let mut client = Client::of(&bench);
    client.send("ping", &json!({}));
    client.answer("pong");
}

#[test]
fn who_is_not_allowed_is_told_so() {
    let bench = bench(json!({ "allow": ["10.9.8.7", "fd00::/8"] }));
    let (code, text) = Client::of(&bench).error();
    assert!(code == "not-allowed" && text.contains("`allow`"), "{text}");
}

#[test]
fn who_says_nothing_whole_loses_the_place() {
    let bench = bench(json!({ "idle_s": 1 }));
    for part in
        [&b""[..], b"{\"type\":", b"{\"type\":\"audio-chunk\",\"data_length\":2,\"payload_length\":9}\n{"]
    {
        let mut client = Client::of(&bench);
        client.raw(part);
        let (code, text) = client.error();
        assert!(code == "timeout" && text.contains("1 s"), "{text}");
    }
}

#[test]
fn a_port_that_is_taken_is_tried_again_and_the_setting_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(json!({ "listen": listen }));
    let Err(BenchError::Plugin { source: PluginError::Retryable(error), .. }) = bench.start() else {
        panic!("it started")
    };
    let text = error.to_string();
    assert!(text.contains(&listen) && text.contains("`listen`"), "{text}");
    assert_eq!(
        error.source().unwrap().downcast_ref::<std::io::Error>().unwrap().kind(),
        std::io::ErrorKind::AddrInUse
    );
    drop(taken);
    bench.start().unwrap();
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    for (settings, key, words) in [
        (json!({ "listen": "10300" }), "listen", "0.0.0.0:10300"),
        (json!({ "listen": "panotti.local:10300" }), "listen", "0.0.0.0:10300"),
        (json!({ "allow": ["10.0.0.0/8", "home"] }), "allow", "`home`"),
    ] {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        let Err(BenchError::Plugin { source: PluginError::Config { key: named, reason }, .. }) =
            bench.configure(settings).start()
        else {
            panic!("{key} is taken")
        };
        assert!(named == key && reason.contains(words), "{reason}");
    }
}
