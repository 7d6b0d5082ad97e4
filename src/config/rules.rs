//! Rules between keys. Owns what single keys cannot tell; pure.

use super::Config;

/// A broken rule: the key to change, what is wrong, what to write instead.
pub(super) struct Broken {
    pub(super) key: &'static str,
    /// The other key the rule looks at.
    pub(super) with: &'static str,
    pub(super) what: String,
    pub(super) instead: String,
}

/// All rules that `config` breaks.
pub(super) fn broken(config: &Config) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut rule = |holds: bool, key, with, what: String, instead: String| {
        if !holds {
            broken.push(Broken { key, with, what, instead });
        }
    };
    let events = &config.events;
    rule(
        events.hard_limit_mib > events.retention_mib,
        "events.hard_limit_mib",
        "events.retention_mib",
        format!(
            "{} MiB is not more than events.retention_mib ({})",
            events.hard_limit_mib, events.retention_mib
        ),
        format!("write at least {}, or lower events.retention_mib", events.retention_mib + 1),
    );
    let audio = &config.audio;
    let labels = audio.labels.len();
    if let Some(channels) = audio.channels {
        rule(
            labels <= usize::from(channels),
            "audio.labels",
            "audio.channels",
            format!("{labels} labels are more than audio.channels ({channels})"),
            format!("write at most {channels}, or raise audio.channels"),
        );
    }
    rule(
        audio.buffer_ms >= 2 * audio.period_ms,
        "audio.period_ms",
        "audio.buffer_ms",
        format!("two periods of {} ms do not fit audio.buffer_ms ({})", audio.period_ms, audio.buffer_ms),
        format!("write at most {}, or raise audio.buffer_ms", audio.buffer_ms / 2),
    );
    rule(
        ["http://", "https://"].iter().any(|it| config.models.url.starts_with(it)),
        "models.url",
        "models.url",
        format!("`{}` is no address that a model can be fetched from", config.models.url),
        "write one that begins with https:// or http://".into(),
    );
    let vad = &config.vad;
    let longest_ms = f64::from(vad.max_speech_duration_s) * 1000.0;
    rule(
        f64::from(vad.min_speech_duration_ms) < longest_ms,
        "vad.min_speech_duration_ms",
        "vad.max_speech_duration_s",
        format!(
            "{} ms is not shorter than vad.max_speech_duration_s ({})",
            vad.min_speech_duration_ms, vad.max_speech_duration_s
        ),
        format!("write less than {longest_ms}"),
    );
    broken
}
