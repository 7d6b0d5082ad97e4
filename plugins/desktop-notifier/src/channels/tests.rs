//! Each way to people, against a real server of its kind.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use panotti_sdk::{
    NewEvent,
    serde_json::{self, Value, json},
    testing::Bench,
};
use zbus::{OwnedVariant, connection, interface};

use crate::{
    DESCRIPTOR,
    tests::servers::{MailServer, Web},
};

fn bench(config: Value) -> Bench {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.secret("HOOK", "Jefe").secret("TOKEN", "t0ken").secret("MAIL", "pass word");
    let mut config = config;
    if config["channels"]["desktop"].is_null() {
        config["channels"]["desktop"] = json!({ "enabled": false });
    }
    bench.configure(config).start().unwrap();
    bench
}

fn lost(reason: &str) -> NewEvent {
    NewEvent::new("capture.lost".parse().unwrap(), json!({ "reason": reason }))
}

#[test]
fn a_webhook_gets_json_that_is_signed() {
    let web = Web::new(&[]);
    let bench = bench(json!({
        "base_url": "http://box.test:54789",
        "channels": { "webhook": {
            "url": web.url("/hook?room=1"), "secret": { "secret": "HOOK" }, "token": { "secret": "TOKEN" },
            "headers": { "X-Room": "one" },
        } },
    }));
    let event = bench.publish(lost("it was unplugged"));
    bench.redeliver(&event).unwrap();
    let posted = &web.requests()[0];
    let body: Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!(
        body,
        json!({
            "key": event.id.to_string(), "title": "The microphone is gone", "message": "it was unplugged",
            "urgency": "error", "recording_id": null, "timestamp": event.context.timestamp,
            "link": "http://box.test:54789",
        })
    );
    assert_eq!((posted.path.as_str(), posted.headers["x-room"].as_str()), ("/hook?room=1", "one"));
    assert_eq!(posted.headers["idempotency-key"], event.id.to_string());
    assert_eq!(posted.headers["authorization"], "Bearer t0ken");
    // Recomputed by another program, where it is there.
    let openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "Jefe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    if let Ok(mut openssl) = openssl {
        std::io::Write::write_all(&mut openssl.stdin.take().unwrap(), &posted.body).unwrap();
        let said = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
        let expected = said.trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(posted.headers["x-panotti-signature"], format!("sha256={expected}"));
    }
}

#[test]
fn a_redirect_and_a_missing_server_and_a_missing_secret_are_failures() {
    let web = Web::new(&[302]);
    let redirected = bench(json!({ "channels": { "webhook": { "url": web.url("/") } } }));
    let error = redirected.deliver(lost("x")).unwrap_err().to_string();
    assert!(error.contains("webhook: the server answered 302"), "{error}");
    let nobody = bench(json!({ "channels": { "webhook": { "url": "http://127.0.0.1:1/" } } }));
    let error = nobody.deliver(lost("x")).unwrap_err().to_string();
    assert!(error.contains("webhook: the server was not reached: "), "{error}");
    let secret = json!({ "url": web.url("/"), "secret": { "secret": "NONE" } });
    let unknown = bench(json!({ "channels": { "webhook": secret } }));
    let error = unknown.deliver(lost("x")).unwrap_err().to_string();
    assert!(error.contains("there is no secret `NONE`"), "{error}");
}

#[test]
fn an_ntfy_server_gets_a_message_in_any_language() {
    let web = Web::new(&[]);
    let ntfy = json!({ "url": web.url("/sub/room-1"), "token": { "secret": "TOKEN" } });
    let bench = bench(json!({ "base_url": "http://box.test", "channels": { "ntfy": ntfy } }));
    bench.deliver(lost("ausgesteckt – ääh")).unwrap();
    let posted = &web.requests()[0];
    assert_eq!(posted.path, "/sub");
    assert_eq!(posted.headers["authorization"], "Bearer t0ken");
    let body: Value = serde_json::from_slice(&posted.body).unwrap();
    let expected = json!({
        "topic": "room-1", "title": "The microphone is gone", "message": "ausgesteckt – ääh", "priority": 5,
        "tags": ["rotating_light"], "click": "http://box.test",
    });
    assert_eq!(body, expected);
}

fn email(port: u16, to: &[&str]) -> Value {
    let email = json!({
        "host": "127.0.0.1", "port": port, "tls": "none", "username": "room", "password": { "secret": "MAIL" },
        "from": "Meeting room <room@example.com>", "to": to,
    });
    json!({ "base_url": "http://box.test", "channels": { "email": email } })
}

#[test]
fn a_mail_server_gets_a_mail() {
    let server = MailServer::new();
    let bench = bench(email(server.port, &["anna@example.com", "Bo <bo@example.com>"]));
    let event = bench.publish(lost("it was unplugged"));
    bench.redeliver(&event).unwrap();
    let heard = server.heard();
    let said = |line: &str| heard.iter().any(|it| it == line);
    // RFC 4616: NUL, user, NUL, password.
    assert!(said("AUTH PLAIN AHJvb20AcGFzcyB3b3Jk"), "{heard:#?}");
    assert!(said("RCPT TO:<anna@example.com>") && said("RCPT TO:<bo@example.com>"), "{heard:#?}");
    assert!(said("Subject: The microphone is gone") && said("it was unplugged"), "{heard:#?}");
    assert!(said(&format!("Message-ID: <{}@panotti>", event.id)), "{heard:#?}");
    assert!(said("http://box.test"), "{heard:#?}");
}

#[test]
fn a_mail_that_is_refused_is_a_failure() {
    let server = MailServer::new();
    let bench = bench(email(server.port, &["nobody@example.com"]));
    let error = bench.deliver(lost("x")).unwrap_err().to_string();
    assert!(
        error.contains("email: the mail server did not take it: ") && error.contains("nobody of that name"),
        "{error}"
    );
    assert!(!error.contains("pass word"));
}

#[test]
fn a_password_never_goes_in_the_clear_where_tls_is_wanted() {
    for tls in ["starttls", "implicit"] {
        let server = MailServer::new();
        let mut config = email(server.port, &["anna@example.com"]);
        config["channels"]["email"]["tls"] = tls.into();
        // A server without TLS, or somebody in between who says so.
        let error = bench(config).deliver(lost("x")).unwrap_err().to_string();
        assert!(error.contains("the mail server did not take it"), "{error}");
        let heard = server.heard().join("\n");
        assert!(!heard.contains("AUTH") && !heard.contains("unplugged"), "{heard}");
    }
}

#[test]
fn who_never_answers_is_given_up() {
    // It takes connections, by the kernel, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let hook = json!({ "channels": { "webhook": { "url": format!("http://127.0.0.1:{port}/") } } });
    for config in [hook, email(port, &["anna@example.com"])] {
        let bench = bench(config);
        let event = bench.publish(lost("x"));
        let error = bench.handle(&event).unwrap_err().to_string();
        assert!(error.contains("nobody could be told: "), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let mail = |changes: Value| {
        let mut all = email(25, &["a@b.example"])["channels"]["email"].clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({ "email": all })
    };
    for (channels, key) in [
        (json!({ "webhook": { "url": "ftp://x" } }), "channels.webhook.url"),
        (json!({ "webhook": { "url": "http://x", "headers": { "a b": "c" } } }), "channels.webhook.headers"),
        (json!({ "ntfy": { "url": "https://ntfy.sh" } }), "channels.ntfy.url"),
        (mail(json!({ "host": "mail.example.com" })), "channels.email.tls"),
        (mail(json!({ "from": "room" })), "channels.email.from"),
        (mail(json!({ "to": [] })), "channels.email.to"),
        (mail(json!({ "to": ["a@b.example", "bo"] })), "channels.email.to"),
        (mail(json!({ "password": null })), "channels.email.password"),
    ] {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        let error = bench.configure(json!({ "channels": channels })).start().map(drop).unwrap_err();
        assert!(format!("{error:?}").contains(&format!("{key:?}")), "{key}: {error:?}");
    }
}

/// The notifications that a desktop was asked to show: title, text, urgency.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<(String, String, u8)>>>);

#[interface(name = "org.freedesktop.Notifications")]
impl Shown {
    async fn get_capabilities(&self) -> Vec<String> {
        vec!["body".into(), "body-markup".into()]
    }

    #[allow(clippy::too_many_arguments, reason = "the specification's")]
    async fn notify(
        &self,
        _app_name: String,
        _replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        hints: std::collections::HashMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let urgency = u8::try_from(&hints["urgency"]).unwrap();
        self.0.lock().unwrap().push((summary, body, urgency));
        1
    }
}

/// A bus of the tests' own, ended with them.
struct Bus(Child, String);

impl Bus {
    fn start(folder: &Path) -> Option<Self> {
        let address = format!("--address=unix:path={}", folder.join("bus").display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1", &address])
            .stdout(Stdio::piped())
            .spawn();
        let mut daemon = daemon.ok()?;
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self(daemon, line.trim().to_owned()))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_desktop_shows_it_and_without_one_that_answers_nothing_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = Bus::start(folder.path()) else {
        return std::io::Write::write_all(&mut std::io::stderr(), b"skipped: there is no dbus-daemon\n")
            .unwrap();
    };
    let desktop = json!({ "enabled": true, "address": bus.1 });
    let bench = bench(json!({ "channels": { "desktop": desktop } }));
    let error = bench.deliver(lost("first")).unwrap_err().to_string();
    assert!(error.contains("desktop: the desktop did not show it: "), "{error}");
    let shown = Shown::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = runtime.block_on(async {
        connection::Builder::address(bus.1.as_str())
            .name("org.freedesktop.Notifications")
            .serve_at("/org/freedesktop/Notifications", shown.clone())
            .build()
            .await
            .unwrap()
    });
    bench.deliver(lost("a < b & c")).unwrap();
    let title = "The microphone is gone".to_owned();
    assert_eq!(*shown.0.lock().unwrap(), [(title, "a &lt; b &amp; c".to_owned(), 2)]);
    drop(service);
}

#[test]
fn a_file_is_opened_by_a_program_of_the_desktop() {
    let folder = tempfile::tempdir().unwrap();
    let (script, opened) = (folder.path().join("open"), folder.path().join("opened"));
    std::fs::write(
        &script,
        format!("#!/bin/sh\nprintf %s \"$1\" > {0}.new && mv {0}.new {0}\n", opened.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    super::desktop::open_with(&script, "/notes/a b.md");
    while !opened.exists() {
        std::thread::yield_now();
    }
    assert_eq!(std::fs::read_to_string(opened).unwrap(), "/notes/a b.md");
    super::desktop::open_with(Path::new("/there/is/no/program"), "/notes/a b.md");
}

#[test]
fn posts_go_straight_to_their_address_whatever_proxy_the_environment_names() {
    // Nothing listens there. The environment is that of a process, so that this test runs itself in one.
    const PROXY: &str = "http://127.0.0.1:9";
    if std::env::var("HTTP_PROXY").is_ok_and(|it| it == PROXY) {
        let web = Web::new(&[]);
        let bench = bench(json!({ "channels": { "webhook": { "url": web.url("/") } } }));
        bench.deliver(lost("it was unplugged")).unwrap();
        assert_eq!(web.requests().len(), 1);
        return;
    }
    let name = "channels::tests::posts_go_straight_to_their_address_whatever_proxy_the_environment_names";
    let mut again = Command::new(std::env::current_exe().unwrap());
    for unset in ["ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        again.env_remove(unset);
    }
    let ran = again.args(["--exact", name]).env("HTTP_PROXY", PROXY).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}
