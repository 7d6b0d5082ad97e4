//! Bodies of the original's routes. Owns reading them as pydantic did and naming every mistake in its
//! words, so that clients which understand the original's 422 understand ours.

use axum::extract::Request;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Refusal, time};
use crate::http::input::{is_id, is_json, read_body};

/// The names of events a client may send.
const EVENTS: [&str; 2] = ["recording.started", "recording.ended"];
const EXPECTED_EVENT: &str = "'recording.started' or 'recording.ended'";
const ID_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";

/// Everything wrong with a body.
#[derive(Debug)]
pub(in crate::http) struct Mistakes {
    /// One entry a mistake, in pydantic's form.
    pub(super) list: Vec<Value>,
    /// The body as it arrived.
    pub(super) body: Value,
}

/// A body that is an object, and the mistakes found in it so far.
#[derive(Debug)]
pub(super) struct Document {
    fields: Map<String, Value>,
    mistakes: Vec<Value>,
}

impl Document {
    /// Reads the body of `request`.
    pub(super) async fn read(request: Request) -> Result<Self, Refusal> {
        let is_json = is_json(&request);
        let bytes = read_body(request.into_body()).await.map_err(Refusal::Failed)?;
        parse(&bytes, is_json).map_err(Refusal::from)
    }

    fn mistake(&mut self, kind: &str, field: &str, message: &str, ctx: Option<Value>) {
        let input = self.fields.get(field).unwrap_or(&Value::Null);
        let mut mistake = json!({ "type": kind, "loc": ["body", field], "msg": message, "input": input });
        if let Some(ctx) = ctx {
            mistake["ctx"] = ctx;
        }
        self.mistakes.push(mistake);
    }

    /// `recordingId`.
    pub(super) fn id(&mut self) -> String {
        match self.fields.get("recordingId") {
            None => {
                let input = Value::Object(self.fields.clone());
                self.mistakes.push(json!({
                    "type": "missing", "loc": ["body", "recordingId"], "msg": "Field required", "input": input,
                }));
            }
            Some(Value::String(id)) if is_id(id) => return id.clone(),
            Some(Value::String(_)) => {
                let message = format!("String should match pattern '{ID_PATTERN}'");
                let ctx = json!({ "pattern": ID_PATTERN });
                self.mistake("string_pattern_mismatch", "recordingId", &message, Some(ctx));
            }
            Some(_) => self.mistake("string_type", "recordingId", "Input should be a valid string", None),
        }
        String::new()
    }

    /// `event`: may be left out; `Recording Started` means `recording.started`.
    pub(super) fn event(&mut self) {
        let fine = match self.fields.get("event") {
            None => true,
            Some(Value::String(name)) => EVENTS.contains(&name.to_lowercase().replace(' ', ".").as_str()),
            Some(_) => false,
        };
        if !fine {
            let ctx = json!({ "expected": EXPECTED_EVENT });
            self.mistake("literal_error", "event", &format!("Input should be {EXPECTED_EVENT}"), Some(ctx));
        }
    }

    /// A text that may be left out or `null`.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        match self.fields.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.mistake("string_type", field, "Input should be a valid string", None);
                None
            }
        }
    }

    /// A point in time, as written and as understood.
    pub(super) fn timestamp(&mut self, field: &str) -> Option<(String, Timestamp)> {
        let text = self.text(field)?;
        let at = time::parse(&text);
        if at.is_none() {
            let error = "use ISO 8601, YYYYMMDDHHMMSS or seconds since 1970";
            let ctx = json!({ "error": error });
            self.mistake("value_error", field, &format!("Value error, {error}"), Some(ctx));
        }
        Some((text, at?))
    }

    /// An object that may be left out or `null`.
    pub(super) fn object(&mut self, field: &str) -> Map<String, Value> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(_) => {
                self.mistake("dict_type", field, "Input should be a valid dictionary", None);
                Map::new()
            }
        }
    }

    /// The body, when nothing was wrong with it.
    pub(super) fn finish(self) -> Result<Value, Mistakes> {
        let body = Value::Object(self.fields);
        if self.mistakes.is_empty() { Ok(body) } else { Err(Mistakes { list: self.mistakes, body }) }
    }
}

fn parse(bytes: &[u8], is_json: bool) -> Result<Document, Mistakes> {
    let raw = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    let body = if bytes.is_empty() {
        Value::Null
    } else if !is_json {
        raw()
    } else {
        match serde_json::from_slice(bytes) {
            Ok(body) => body,
            Err(error) => {
                let (position, message) = json_error(&String::from_utf8_lossy(bytes), &error);
                let list = vec![json!({
                    "type": "json_invalid", "loc": ["body", position], "msg": "JSON decode error", "input": {},
                    "ctx": { "error": message },
                })];
                return Err(Mistakes { list, body: raw() });
            }
        }
    };
    let mistake = match body {
        Value::Object(fields) => return Ok(Document { fields, mistakes: Vec::new() }),
        Value::Null => json!({ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null }),
        _ => json!({
            "type": "model_attributes_type", "loc": ["body"], "input": body,
            "msg": "Input should be a valid dictionary or object to extract fields from",
        }),
    };
    Err(Mistakes { list: vec![mistake], body })
}

/// Where and why `text` is not JSON: the place in characters and the words of Python's `json`, as far as
/// they can be told.
fn json_error(text: &str, error: &serde_json::Error) -> (usize, &'static str) {
    let position = if error.is_eof() {
        text.chars().count()
    } else {
        // Line and column count from 1, columns in bytes.
        let line_start: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let offset = line_start + error.column().saturating_sub(1);
        text.char_indices().take_while(|(at, _)| *at < offset).count()
    };
    let said = error.to_string();
    let message = [
        ("key must be a string", "Expecting property name enclosed in double quotes"),
        ("trailing comma", "Illegal trailing comma before end of object"),
        ("trailing characters", "Extra data"),
        ("expected `:`", "Expecting ':' delimiter"),
        ("expected `,`", "Expecting ',' delimiter"),
        ("while parsing a string", "Unterminated string"),
        ("while parsing a value", "Expecting value"),
        ("while parsing an object", "Expecting ',' delimiter"),
        ("while parsing a list", "Expecting ',' delimiter"),
        ("control character", "Invalid control character"),
        ("invalid escape", "Invalid \\escape"),
        ("recursion limit", "Nested too deeply"),
    ]
    .iter()
    .find(|(ours, _)| said.contains(ours))
    .map_or("Expecting value", |(_, theirs)| *theirs);
    (position, message)
}
