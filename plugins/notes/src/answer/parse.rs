//! Reads the Markdown of a model's answer. Owns what is taken for a section, a subject, an item; leaves
//! whether it is any good to the parent.

use crate::{
    Action, Notes, Topic,
    prompt::SECTIONS,
    text::{one_line, words},
};

/// Written from data, whatever a model says there.
const FROM_DATA: &str = "meeting information";

/// The answer without what models put around it: thoughts, code fences.
pub(super) fn unwrapped(answer: &str) -> String {
    let mut text = answer.replace("\r\n", "\n");
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        while let Some(start) = text.find(open) {
            let end = text[start..].find(close).map_or(text.len(), |it| start + it + close.len());
            text.replace_range(start..end, "");
        }
        // Some templates keep the opening word for themselves.
        if let Some(end) = text.rfind(close) {
            text.replace_range(..end + close.len(), "");
        }
    }
    let lines = text.lines().filter(|it| !it.trim_start().starts_with("```"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The sections of the form in an answer, or what is wrong with its form.
pub(super) fn parse(answer: &str) -> Result<Notes, String> {
    let mut found: [Option<Vec<&str>>; 5] = Default::default();
    // What stands before the first heading, or below a heading of data, is nobody's.
    let mut current: Option<usize> = None;
    for line in answer.lines() {
        match heading(line) {
            Some((1, name)) if !is_section(&name) => current = None,
            Some((2, name)) if name == FROM_DATA => current = None,
            Some((1 | 2, name)) => {
                let Some(index) = SECTIONS.iter().position(|it| it.to_lowercase() == name) else {
                    return Err("there is a section that is none of the five".into());
                };
                if found[index].replace(Vec::new()).is_some() {
                    return Err(format!("the section `{}` is there twice", SECTIONS[index]));
                }
                current = Some(index);
            }
            _ => {
                if let Some(lines) = current.and_then(|it| found[it].as_mut()) {
                    lines.push(line);
                }
            }
        }
    }
    let missing: Vec<_> = SECTIONS.iter().zip(&found).filter(|it| it.1.is_none()).map(|it| *it.0).collect();
    if !missing.is_empty() {
        return Err(format!("the section `{}` is missing", missing.join("`, `")));
    }
    let [summary, points, actions, decisions, steps] = found.map(Option::unwrap_or_default);
    let summary: Vec<String> =
        summary.into_iter().map(|it| item(it).unwrap_or_else(|| one_line(it))).collect();
    let actions = items(&actions).iter().map(|it| action(it)).collect::<Result<_, _>>()?;
    let summary = one_line(&summary.join(" "));
    Ok(Notes {
        summary: if is_none(&summary) { String::new() } else { summary },
        topics: topics(&points),
        actions,
        decisions: items(&decisions),
        next_steps: items(&steps),
    })
}

fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|it| it.to_lowercase() == name)
}

/// Level and words of a heading, in small letters.
fn heading(line: &str) -> Option<(usize, String)> {
    let line = line.trim();
    let level = line.bytes().take_while(|it| *it == b'#').count();
    let name = line[level..].trim_matches(|it: char| it.is_whitespace() || "#*:_".contains(it));
    (level > 0 && line[level..].starts_with([' ', '*'])).then(|| (level, name.to_lowercase()))
}

/// The text behind a bullet or a number.
fn item(line: &str) -> Option<String> {
    let line = line.trim();
    let number = line.bytes().take_while(u8::is_ascii_digit).count();
    let bullet = ["- ", "* ", "+ ", "\u{2022} ", "\u{2022}"].iter().find_map(|it| line.strip_prefix(it));
    let numbered = || line[number..].strip_prefix(". ").or_else(|| line[number..].strip_prefix(") "));
    let text = bullet.or_else(|| (number > 0).then(numbered)?)?;
    Some(one_line(text)).filter(|it| !it.is_empty())
}

/// Whether an item says that there is none.
fn is_none(text: &str) -> bool {
    let bare = text.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase();
    let begins =
        ["none ", "no decision", "no action", "no next step", "no specific", "not mentioned", "nothing "];
    let whole = ["", "none", "n/a", "na", "nothing"];
    // A sentence that goes on says more than that there is none.
    whole.contains(&bare.as_str()) || begins.iter().any(|it| bare.starts_with(it)) && bare.len() < 60
}

/// The items of a list: its bullets with the lines below them, or each line where there are no bullets.
fn items(lines: &[&str]) -> Vec<String> {
    let bullets = lines.iter().any(|it| item(it).is_some());
    let mut found: Vec<String> = Vec::new();
    for line in lines.iter().filter(|it| !it.trim().is_empty()) {
        match (item(line), found.last_mut()) {
            (Some(text), _) => found.push(text),
            (None, _) if !bullets => found.push(one_line(line)),
            (None, Some(last)) if line.starts_with([' ', '\t']) => *last += &format!(" {}", line.trim()),
            // A sentence around the list.
            (None, _) => {}
        }
    }
    found.retain(|it| !is_none(it));
    found
}

fn topics(lines: &[&str]) -> Vec<Topic> {
    let mut found: Vec<Topic> = Vec::new();
    for line in lines {
        let named = heading(line).map(|_| line.trim().trim_matches(['#', ' ', '*', ':']).to_owned());
        let text = item(line);
        let bold = text.as_deref().unwrap_or(line).trim().trim_end_matches(':');
        let bold =
            bold.strip_prefix("**").and_then(|it| it.strip_suffix("**")).filter(|it| !it.contains("**"));
        if let Some(heading) = named.or_else(|| bold.map(|it| it.trim_end_matches(':').to_owned())) {
            found.push(Topic { heading: one_line(&heading), points: Vec::new() });
        } else if let Some(point) = text.or_else(|| Some(one_line(line))).filter(|it| !is_none(it)) {
            if found.is_empty() {
                found.push(Topic { heading: "Discussion".into(), points: Vec::new() });
            }
            if let Some(topic) = found.last_mut() {
                topic.points.push(point);
            }
        }
    }
    found.retain(|it| !it.points.is_empty());
    found
}

/// `(OWNER) what [until when]`.
fn action(item: &str) -> Result<Action, String> {
    let bare = item.replace("**", "");
    let bare = bare.trim().trim_start_matches("[ ] ").trim_start_matches("[x] ");
    let parts = bare.strip_prefix('(').and_then(|it| it.split_once(')'));
    let Some((owner, rest)) = parts.filter(|it| !words(it.1).is_empty()) else {
        return Err("an action item does not begin with its owner in parentheses, or (UNASSIGNED)".into());
    };
    let rest = rest.trim_start_matches([')', ':', '-', '\u{2013}', ' ']).trim_end_matches(['.', ' ']);
    let due = rest.strip_suffix(']').and_then(|it| it.rsplit_once('['));
    let (text, due) = due.map_or((rest, None), |(text, due)| (text.trim(), until(due)));
    Ok(Action { owner: Some(owner.trim().to_owned()), text: text.to_owned(), due })
}

/// What stands in the brackets of a deadline, when there is one.
fn until(due: &str) -> Option<String> {
    let lower = due.trim().to_lowercase();
    let label = ["deadline:", "due date:", "due:", "deadline"].iter().find(|it| lower.starts_with(**it));
    let due = due.trim().get(label.map_or(0, |it| it.len())..)?.trim();
    let none = ["no ", "not ", "none", "n/a", "unspecified", "unknown"];
    let lower = due.to_lowercase();
    (!due.is_empty() && !none.iter().any(|it| lower.starts_with(it))).then(|| due.to_owned())
}
