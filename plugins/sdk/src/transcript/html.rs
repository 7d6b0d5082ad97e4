//! The page to print or to read. Owns its form: one file, no script, nothing from elsewhere, light or dark as
//! the reader likes, and on paper no sentence that is torn apart.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Header, Segment, Transcript, clock, escaped, label, one_line};

const STYLE: &str = include_str!("html.css");
/// Colours in `html.css`; a speaker more takes the first again, and the name stands above anyway.
const COLOURS: usize = 6;

impl Transcript {
    /// A standalone page: what is said, under the name of who says it, each sentence with its time.
    pub(super) fn html(&self, header: &Header) -> String {
        let title = match one_line(&header.title) {
            title if title.is_empty() => "Transcript".to_owned(),
            title => text(&title),
        };
        let lang = Some(&self.language)
            .filter(|it| *it != "auto" && !it.is_empty())
            .filter(|it| it.chars().all(|it| it.is_ascii_alphanumeric() || it == '-'))
            .map(|it| format!(" lang=\"{it}\""))
            .unwrap_or_default();
        let mut out = format!(
            "<!DOCTYPE html>\n<html{lang}>\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header>\n<h1 dir=\"auto\">{title}</h1>\n<dl>\n"
        );
        for (name, value) in self.facts(header) {
            _ = writeln!(out, "<div><dt>{name}</dt><dd dir=\"auto\">{value}</dd></div>");
        }
        out += "</dl>\n</header>\n";
        let mut colours = BTreeMap::new();
        let spoken: Vec<&Segment> =
            self.segments.iter().filter(|it| !one_line(&it.text).is_empty()).collect();
        for turn in spoken.chunk_by(|a, b| label(a) == label(b)) {
            let speaker = turn.first().and_then(|it| label(it));
            let next = colours.len() % COLOURS;
            let class = match &speaker {
                Some(name) => format!(" class=\"s{}\"", colours.entry(name.clone()).or_insert(next)),
                None => String::new(),
            };
            _ = writeln!(out, "<section{class}>");
            if let Some(name) = speaker {
                _ = writeln!(out, "<h2 dir=\"auto\">{}</h2>", text(&name));
            }
            for segment in turn {
                let (time, said) = (clock(segment.start_ms), text(&one_line(&segment.text)));
                _ = writeln!(
                    out,
                    "<p><time datetime=\"PT{}S\">{time}</time> <span dir=\"auto\">{said}</span></p>",
                    segment.start_ms / 1000
                );
            }
            out += "</section>\n";
        }
        if spoken.is_empty() {
            out += "<p>Nothing was said.</p>\n";
        }
        out + "</main>\n</body>\n</html>\n"
    }

    /// What stands above, name and value, escaped.
    fn facts(&self, header: &Header) -> Vec<(&'static str, String)> {
        let attendees: Vec<String> =
            header.attendees.iter().map(|it| text(&one_line(it))).filter(|it| !it.is_empty()).collect();
        let date = header.started_at.map(|it| it.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let facts = [
            ("Date", date.unwrap_or_default()),
            ("Attendees", attendees.join(", ")),
            ("Length", clock(self.duration_ms)),
            ("Language", text(&one_line(&self.language))),
            ("Written by", text(&one_line(&self.model))),
        ];
        facts.into_iter().filter(|it| !it.1.is_empty()).collect()
    }
}

/// Text between tags and in attributes.
fn text(raw: &str) -> String {
    escaped(raw).replace('"', "&quot;").replace('\'', "&#39;")
}
