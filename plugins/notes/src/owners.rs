//! Who can own an action item: attendees, labels of speakers, and people to whom a sentence of the transcript
//! gives one. Owns matching a written name to them; nobody else becomes an owner.

use crate::Meeting;

/// Words that name nobody.
const NOBODY: &[&str] =
    &["unassigned", "unknown", "none", "nobody", "n/a", "na", "owner", "tbd", "not specified", "unspecified"];

/// The people that can own an action item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners(Vec<String>);

impl Owners {
    /// Attendees and labels.
    pub(crate) fn of(meeting: &Meeting) -> Self {
        let mut owners = Self::default();
        meeting.attendees.iter().for_each(|it| owners.add(it));
        meeting.labels().into_iter().for_each(|it| owners.add(it));
        owners
    }

    /// Adds one, unless it is there under this name.
    pub(crate) fn add(&mut self, name: &str) {
        if self.find(name).is_none() {
            self.0.push(name.to_owned());
        }
    }

    /// The known person that is meant by `name`: by the whole name, or by words of it that only one has.
    /// Where several have it, the name stays as it is written.
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        let wanted = words(name);
        if wanted.is_empty() || NOBODY.contains(&name.trim().to_lowercase().as_str()) {
            return None;
        }
        let whole = self.0.iter().find(|it| it.eq_ignore_ascii_case(name.trim()));
        let fits = |it: &&String| {
            let has = words(it);
            wanted.iter().all(|it| has.contains(it))
                || !has.is_empty() && has.iter().all(|it| wanted.contains(it))
        };
        let mut fitting = self.0.iter().filter(fits);
        match (whole, fitting.next(), fitting.next()) {
            (Some(it), ..) | (None, Some(it), None) => Some(it.clone()),
            (None, Some(_), Some(_)) => Some(name.trim().to_owned()),
            (None, None, _) => None,
        }
    }

    /// The known ones of a list such as `Anna and Bob`, joined by commas; `None` when there is none.
    pub(crate) fn resolve(&self, names: &str) -> Option<String> {
        let whole = self.find(names);
        let parts = names.split([',', '&', '/', ';']).flat_map(|it| it.split(" and "));
        let mut found: Vec<String> = Vec::new();
        for name in parts.filter_map(|it| self.find(it)) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        whole.or_else(|| (!found.is_empty()).then(|| found.join(", ")))
    }

    /// Whether `word`, in small letters, is a word of somebody's name.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.0.iter().any(|it| words(it).iter().any(|it| it == word))
    }
}

/// The words of a name, in small letters; of an e-mail address those before the `@`.
fn words(name: &str) -> Vec<String> {
    let local = name.split_once('@').map_or(name, |it| it.0);
    let words = local.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    words.map(str::to_lowercase).collect()
}
