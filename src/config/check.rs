//! Whether one value fits its key. Owns the wording of what is expected; pure, it looks at no file.

use std::net::SocketAddr;

use serde_json::Value as Json;

use super::{
    cores,
    keys::{Key, Kind},
    languages::language_name,
    yaml::{Node, Value},
};

/// What is wrong with a value, and what to write instead.
pub(super) struct Misfit {
    pub(super) what: String,
    pub(super) instead: String,
    /// The item of a list that is meant.
    pub(super) at: Option<(u64, u64)>,
}

/// The value as `Config` takes it.
pub(super) fn check(key: &Key, node: &Node) -> Result<Json, Misfit> {
    if node.value == Value::Null && key.optional {
        return Ok(Json::Null);
    }
    let fits = match (key.kind, &node.value) {
        (Kind::Text(_), Value::Text(it)) if !it.trim().is_empty() => Some(it.as_str().into()),
        (Kind::Bool, Value::Bool(it)) => Some((*it).into()),
        (Kind::Int(min, max, _), Value::Int(it)) if (min..=max).contains(it) => {
            i64::try_from(*it).ok().map(Into::into)
        }
        (Kind::Float(min, max, _), _) => {
            number(&node.value).filter(|it| (min..=max).contains(it)).map(Into::into)
        }
        (Kind::Word(words), Value::Text(it)) if words.contains(&it.as_str()) => Some(it.as_str().into()),
        (Kind::Address, Value::Text(it)) => it.parse::<SocketAddr>().ok().map(|it| it.to_string().into()),
        (Kind::Sha256, Value::Text(it)) if it.len() == 64 && it.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Some(it.to_ascii_lowercase().into())
        }
        (Kind::Language, Value::Text(it)) if it == "auto" || language_name(it).is_some() => {
            Some(it.as_str().into())
        }
        (Kind::Cores, Value::Text(it)) if cores(it).is_some() => Some(it.as_str().into()),
        // One core, written as a number.
        (Kind::Cores, Value::Int(it)) if cores(&it.to_string()).is_some() => Some(it.to_string().into()),
        (Kind::LogFilter, Value::Text(it)) if is_filter(it) => Some(it.as_str().into()),
        (Kind::Texts(most), Value::List(items)) => return texts(key, items, most),
        _ => None,
    };
    fits.ok_or_else(|| misfit(key, &node.value))
}

fn texts(key: &Key, items: &[Node], most: usize) -> Result<Json, Misfit> {
    if items.len() > most {
        let what = format!("{} items are too many", items.len());
        return Err(Misfit { what, instead: format!("write at most {most}"), at: None });
    }
    let text = |node: &Node| match &node.value {
        Value::Text(it) => Ok(it.as_str().into()),
        other => Err(Misfit { at: Some((node.line, node.column)), ..misfit(key, other) }),
    };
    items.iter().map(text).collect::<Result<Vec<_>, _>>().map(Json::Array)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        // Beyond 2^53 the nearest number is out of every range here.
        #[expect(clippy::cast_precision_loss, reason = "only compared with a small range")]
        Value::Int(it) => Some(*it as f64),
        Value::Float(it) => Some(*it),
        _ => None,
    }
}

/// A level, or directives as `EnvFilter` takes them. A bare word that is no level would be taken for the
/// name of a module, and a slip such as `debgu` would silence the log.
fn is_filter(text: &str) -> bool {
    let is_level = |it: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&it);
    let mut directives = text.split(',').map(str::trim);
    directives.all(|it| is_level(it) || it.rsplit_once('=').is_some_and(|(_, level)| is_level(level)))
        && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

fn misfit(key: &Key, value: &Value) -> Misfit {
    let mut instead = format!("write {}", expected(key.kind));
    let is_number = matches!(value, Value::Int(_) | Value::Float(_));
    let what = match (key.kind, value) {
        (Kind::Int(..), Value::Int(_)) | (Kind::Float(..), Value::Int(_) | Value::Float(_)) => {
            format!("{} is out of range", show(value))
        }
        (Kind::Text(_) | Kind::Texts(_) | Kind::Sha256, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            instead = format!("put it in quotes: \"{}\"", show(value));
            format!("{} is {}, not text", show(value), if is_number { "a number" } else { "true or false" })
        }
        (Kind::Text(_), Value::Text(_)) => "the text is empty".into(),
        (_, Value::Null) => "there is no value".into(),
        (_, Value::List(_)) => "a list does not fit here".into(),
        (_, Value::Map(_)) => "a section does not fit here".into(),
        (Kind::Texts(_), _) => format!("{} is not a list", show(value)),
        (Kind::Int(..), _) => format!("{} is not a whole number", show(value)),
        (Kind::Float(..), _) => format!("{} is not a number", show(value)),
        (Kind::Bool, _) => format!("{} is neither true nor false", show(value)),
        (Kind::Address, _) => format!("{} is not an address with a port", show(value)),
        (Kind::Sha256, _) => format!("{} is not a SHA-256 sum", show(value)),
        (Kind::Language, _) => format!("{} is not a language Whisper knows", show(value)),
        (Kind::Cores, _) => format!("{} names no processor cores", show(value)),
        (Kind::LogFilter, _) => format!("{} is not a log level or filter", show(value)),
        (Kind::Word(_), _) => format!("{} is not known here", show(value)),
    };
    if key.optional && matches!(value, Value::Text(_)) && !matches!(key.kind, Kind::Text(_)) {
        instead.push_str(", or leave the key out");
    }
    if let (Kind::Word(words), Value::Text(it)) = (key.kind, value)
        && let Some(near) = nearest(it, words.iter().copied())
    {
        instead.push_str(&format!("; did you mean {near}?"));
    }
    Misfit { what, instead, at: None }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text(what) => what.into(),
        Kind::Bool => "true or false".into(),
        Kind::Int(min, max, unit) => format!("a whole number from {min} to {max} {unit}"),
        Kind::Float(min, max, unit) => format!("a number from {min} to {max} {unit}"),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
        Kind::Address => "an IP address and a port, such as 0.0.0.0:54789 or \"[::]:54789\"".into(),
        Kind::Sha256 => "64 hex digits, as `sha256sum` prints them".into(),
        Kind::Language => "an ISO 639-1 code such as en or de, or auto".into(),
        Kind::Cores => "numbers and ranges of cores, such as 2-3 or \"0,2\"".into(),
        Kind::LogFilter => "error, warn, info, debug, trace or off, or a filter such as \
                            info,panotti::audio=debug"
            .into(),
        Kind::Texts(_) => "a list such as [Anna, Remote]".into(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Float(it) => it.to_string(),
        Value::Text(it) => format!("{it:?}"),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a section".into(),
    }
}

/// The known name that `name` was probably meant to be. 0.75 lets one or two slips in a word pass and
/// keeps unrelated words apart.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .map(|it| (strsim::jaro_winkler(&name, &it.to_lowercase()), it))
        .filter(|it| it.0 > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|it| it.1)
}
