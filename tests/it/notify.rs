//! What systemd hears: a child process notifies a real socket.

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use panotti::systemd;

#[test]
fn systemd_hears_every_notification() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "notify::child"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "30000000")
        .env_remove("WATCHDOG_PID")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let heard = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()
    };
    assert_eq!(heard(), "READY=1\nSTATUS=Listening.");
    assert_eq!(heard(), "STATUS=Recording.");
    assert_eq!(heard(), "WATCHDOG=1");
    assert_eq!(heard(), "STOPPING=1\nSTATUS=Closing.");
}

#[test]
#[ignore = "the child of systemd_hears_every_notification"]
fn child() {
    assert_eq!(systemd::watchdog_interval(), Some(Duration::from_secs(30)));
    systemd::notify_ready("Listening.");
    systemd::notify_status("Recording.");
    systemd::notify_watchdog();
    systemd::notify_stopping("Closing.");
}

#[test]
fn outside_systemd_nothing_happens() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "notify::child_alone"])
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
#[ignore = "the child of outside_systemd_nothing_happens"]
fn child_alone() {
    assert_eq!(systemd::watchdog_interval(), None);
    systemd::notify_ready("Listening.");
    systemd::notify_watchdog();
}
