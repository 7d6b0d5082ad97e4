//! Models of a running service, asked over its API. Owns following a fetch that the service does.

use std::{thread, time::Duration};

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::{super::client::Client, show::Shown};
use crate::speech::model::{Progress, Wanted};

/// How often it is asked how far a fetch is.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// `here`: this command line knows the address; otherwise the service's own configuration does.
pub(super) fn fetch(
    client: &Client,
    wanted: &Wanted,
    here: bool,
    shown: &mut Shown,
) -> anyhow::Result<Value> {
    let name = &wanted.name;
    let url = here.then_some(&wanted.url);
    let body = json!({ "url": url, "sha256": wanted.sha256 });
    let answer = client.post_patiently(&format!("/models/{}/fetch", word(name)?), &body)?;
    let fetching = answer["fetching"] == true;
    loop {
        let list = client.get("/models", &[])?;
        let row = list["items"].as_array().and_then(|it| it.iter().find(|it| it["name"] == **name)).cloned();
        let row = row.unwrap_or_default();
        match row["fetch"]["state"].as_str() {
            Some("running") => {
                let number = |key: &str| row["fetch"][key].as_u64();
                let progress = Progress {
                    done_bytes: number("done_bytes").unwrap_or_default(),
                    total_bytes: number("total_bytes"),
                    bytes_per_s: number("bytes_per_s").unwrap_or_default(),
                    left_s: number("left_s"),
                };
                shown.progress(name, &progress);
            }
            Some("failed") => {
                let reason = row["fetch"]["reason"].as_str().unwrap_or("the service does not say why");
                return Err(anyhow!("{reason}"));
            }
            // It is being read from end to end.
            Some(_) => {}
            None if row["installed_bytes"].is_u64() => {
                return Ok(json!({
                    "name": name, "bytes": row["installed_bytes"], "sha256": row["recorded_sha256"],
                    "fetched": fetching,
                }));
            }
            None => bail!("the fetch of `{name}` was stopped; fetch it again to go on there"),
        }
        thread::sleep(ASK_EVERY);
    }
}

pub(super) fn verify(client: &Client, name: Option<&str>) -> anyhow::Result<Value> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let list = client.get("/models", &[])?;
            let items = list["items"].as_array().cloned().unwrap_or_default().into_iter();
            let here = items.filter(|it| it["installed_bytes"].is_u64());
            here.filter_map(|it| Some(it["name"].as_str()?.to_owned())).collect()
        }
    };
    let mut items = Vec::new();
    for name in names {
        let mut verdict = client.post_patiently(&format!("/models/{}/verify", word(&name)?), &json!({}))?;
        verdict["name"] = name.into();
        items.push(verdict);
    }
    Ok(json!({ "items": items }))
}

pub(super) fn choose(client: &Client, name: Option<&str>) -> anyhow::Result<Value> {
    let mut answer = client.put_patiently("/models/in-use", &json!({ "name": name }))?;
    answer["now"] = true.into();
    Ok(answer)
}

pub(super) fn remove(client: &Client, name: &str, force: bool) -> anyhow::Result<Value> {
    let force = if force { "?force=true" } else { "" };
    client.delete(&format!("/models/{}{force}", word(name)?))?;
    Ok(json!({ "name": name }))
}

/// A name that is none never gets into a path.
fn word(name: &str) -> anyhow::Result<&str> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
        bail!(
            "`{name}` is no model's name: use letters, digits, `.`, `_` and `-`; `panotti model list` shows names"
        );
    }
    Ok(name)
}
