//! How events look on the terminal. Owns columns, colours and shortening; leaves what is shown to the parts.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use serde_json::Value;

/// Most characters of a payload that are shown to people.
const PAYLOAD: usize = 100;

const DIM: &str = "\x1b[2m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";

/// Standard output, for people or for scripts.
#[derive(Debug)]
pub(super) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    colour: bool,
}

impl Output {
    /// Colours are for terminals, unless `NO_COLOR` asks for none (<https://no-color.org>).
    pub(super) fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let out = io::stdout();
        Self { colour: !json && !plain && out.is_terminal(), out: BufWriter::new(out), json }
    }

    /// Whether a script reads it.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// One object a line.
    pub(super) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value}")
    }

    /// One event: a line in either form.
    pub(super) fn event(&mut self, event: &Value) -> io::Result<()> {
        if self.json {
            return self.json(event);
        }
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let name = text(&event["name"]);
        let time = short_time(&event["context"]["timestamp"]);
        let colour = match event["priority"].as_str() {
            Some("critical") => RED,
            _ if name.ends_with(".error") || name.ends_with(".failed") => RED,
            Some("high") => YELLOW,
            Some("low") => DIM,
            _ => "",
        };
        let time = self.paint(DIM, &time);
        let seq = self.paint(DIM, &format!("{:>8}", event["seq"]));
        let name = self.paint(colour, &format!("{name:<30}"));
        // What was said is what a person looks for.
        let said = event["payload"]["segment"]["text"].as_str();
        let payload = said.map_or_else(|| event["payload"].to_string(), str::to_owned);
        let payload = shortened(&payload, PAYLOAD);
        writeln!(self.out, "{time}  {seq}  {name}  {payload}")
    }

    /// A line for people.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour && !colour.is_empty() { format!("{colour}{text}\x1b[0m") } else { printable(text) }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A time of the API to the millisecond, always as wide.
pub(super) fn short_time(time: &Value) -> String {
    let parsed = time.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    parsed.map_or_else(|| "-".to_owned(), |time| format!("{time:.3}"))
}

/// At most `most` characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => printable(text),
        Some((end, _)) => format!("{}…", printable(&text[..end])),
    }
}

/// Nothing that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_and_what_terminals_obey_is_not_shown() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö…");
        assert_eq!(shortened("a\u{1b}[2J\u{9b}b", 100), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(short_time(&Value::from("2026-01-31T09:00:00.5Z")), "2026-01-31T09:00:00.500Z");
    }
}
