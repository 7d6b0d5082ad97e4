//! A notification in a desktop session. Owns the call over D-Bus
//! (<https://specifications.freedesktop.org/notification-spec/latest/protocol.html>) and opening a file.

use std::{
    collections::HashMap,
    env,
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use panotti_sdk::payloads::Urgency;
use zbus::{Connection, Variant, connection};

use super::{PATIENCE, SendError};
use crate::message::Message;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The address of the session's bus; `None` where there is no session, as on a headless box.
pub(crate) fn session_bus(setting: &str) -> Option<String> {
    if !setting.is_empty() {
        return Some(setting.to_owned());
    }
    let named = env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|it| !it.is_empty());
    // Where systemd puts it: sd_bus_open_user(3).
    let usual = || {
        let path = Path::new(&env::var_os("XDG_RUNTIME_DIR")?).join("bus");
        path.exists().then(|| format!("unix:path={}", path.display()))
    };
    named.or_else(usual)
}

/// Shows `message` in the session, and opens its file where that is wanted.
pub(super) async fn show(bus: &str, message: &Message, open_file: bool) -> Result<(), SendError> {
    let shown = tokio::time::timeout(PATIENCE, notify(bus, message)).await;
    shown.map_err(|_| SendError::Late)?.map_err(SendError::Desktop)?;
    let has_display = ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|it| env::var_os(it).is_some());
    if let Some(path) = message.opens.as_deref().filter(|_| open_file && has_display) {
        open(OsStr::new("xdg-open"), path);
    }
    Ok(())
}

async fn notify(bus: &str, message: &Message) -> zbus::Result<()> {
    let session = connection::Builder::address(bus).build().await?;
    let text = if takes_markup(&session).await? { escaped(&message.text) } else { message.text.clone() };
    let urgency: u8 = match message.urgency {
        Urgency::Info => 0,
        Urgency::Warning => 1,
        Urgency::Error => 2,
    };
    let hints = HashMap::from([("urgency", Variant::from(urgency))]);
    // Application, replaces, icon, summary, body, actions, hints, expires: as the server thinks best.
    let call =
        ("Panotti", 0_u32, "", message.title.as_str(), text.as_str(), Vec::<&str>::new(), hints, -1_i32);
    session.call_method(Some(NAME), PATH, Some(NAME), "Notify", &call).await.map(drop)
}

async fn takes_markup(session: &Connection) -> zbus::Result<bool> {
    let answer = session.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await?;
    let capabilities: Vec<String> = answer.body().deserialize()?;
    Ok(capabilities.iter().any(|it| it == "body-markup"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Lets the desktop open `path`. The notification was shown already: a desktop that cannot is only noted.
fn open(program: &OsStr, path: &str) {
    let started = Command::new(program)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let waited = started.and_then(|mut child| {
        // Somebody has to take notice of its end; it may be that of the reader.
        thread::Builder::new().name("xdg-open".into()).spawn(move || child.wait())
    });
    if let Err(error) = waited {
        tracing::warn!(error = %error, "The notes could not be opened.");
    }
}

#[cfg(test)]
pub(super) fn open_with(program: &Path, path: &str) {
    open(program.as_os_str(), path);
}
