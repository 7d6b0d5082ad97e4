//! The form of the notes: what they consist of, and their Markdown. Owns the sections and their order; leaves
//! what stands in them to whoever writes. Date, duration, attendees and speaking time come from data alone.

use crate::{
    Meeting,
    meeting::duration,
    text::{capitalised, escape},
};

/// What stands in a section for which there is nothing.
pub(crate) const NONE: &str = "None mentioned.";

/// What notes say, without what is known from data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Two or three sentences.
    pub summary: String,
    /// What was talked about.
    pub topics: Vec<Topic>,
    /// What somebody is to do.
    pub actions: Vec<Action>,
    /// What was decided.
    pub decisions: Vec<String>,
    /// What comes next.
    pub next_steps: Vec<String>,
}

/// Something that was talked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// A few words.
    pub heading: String,
    /// What was said about it.
    pub points: Vec<String>,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Who: attendees or labels, joined by commas; `None` when nobody took it.
    pub owner: Option<String>,
    /// What.
    pub text: String,
    /// Until when, in the words of the meeting.
    pub due: Option<String>,
}

/// The notes as Markdown. `notice` says who wrote them and whether text left the box.
pub fn render(meeting: &Meeting, notes: &Notes, notice: &str) -> String {
    let mut page =
        format!("# {}\n\n> {}\n\n## Meeting Information\n\n", escape(&meeting.title), escape(notice));
    let date = meeting.started_at.map(|it| it.strftime("%B %-d, %Y at %-I:%M %p UTC").to_string());
    page += &format!("- Date: {}\n", date.as_deref().unwrap_or("Unknown"));
    page += &format!("- Duration: {}\n", duration(meeting.duration_ms));
    match &meeting.attendees[..] {
        [] => page += "- Attendees: Unknown\n",
        attendees => {
            page += "- Attendees:\n";
            attendees.iter().for_each(|it| page += &format!("  - {}\n", escape(it)));
        }
    }
    if !meeting.lines.is_empty() {
        page += "- Speaking time:\n";
        for (label, ms) in meeting.speaking_time() {
            page += &format!("  - {}: {}\n", escape(label.unwrap_or("Without a label")), duration(ms));
        }
    }
    let summary = if notes.summary.is_empty() { NONE.into() } else { escape(&notes.summary) };
    page += &format!("\n## Executive Summary\n\n{summary}\n\n## Key Discussion Points\n\n");
    for topic in &notes.topics {
        page += &format!("### {}\n\n{}\n", escape(&topic.heading), list(&topic.points));
    }
    if notes.topics.is_empty() {
        page += &format!("{NONE}\n\n");
    }
    let actions: Vec<_> = notes.actions.iter().map(action).collect();
    page += &format!("## Action Items\n\n{}\n", list(&actions));
    page += &format!("## Decisions Made\n\n{}\n", list(&notes.decisions));
    page + &format!("## Next Steps\n\n{}", list(&notes.next_steps))
}

fn action(action: &Action) -> String {
    let owner = action.owner.as_deref().unwrap_or("UNASSIGNED");
    let due = action.due.as_ref().map(|it| format!(" [{it}]")).unwrap_or_default();
    format!("({owner}) {}{due}", capitalised(&action.text))
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        return format!("{NONE}\n");
    }
    items.iter().map(|it| format!("- {}\n", escape(it))).collect()
}
