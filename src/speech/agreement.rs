//! Which words of speech that goes on are shown for good. Owns that rule; leaves hearing to a `Transcriber`.
//!
//! The rule is local agreement of two hearings (LocalAgreement-2: Liu, Spanakis, Niehues, "Low-Latency
//! Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection", 2020): words that
//! two hearings in a row have in common, as far as they have them in common from the first word on, are
//! stable. What is stable never changes; the next hearing is laid along it, and goes on where it ends.

use super::wer::distances;

/// The caption of one utterance while it is spoken.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    stable: Vec<String>,
    tentative: Vec<String>,
    revision: u32,
}

impl Agreement {
    /// Takes a hearing of all that was said so far, by words.
    pub fn hear(&mut self, mut words: Vec<String>) {
        let mut next = words.split_off(self.after_stable(&words));
        let agreed = next.iter().zip(&self.tentative).take_while(|(a, b)| same(a) == same(b)).count();
        self.stable.extend(next.drain(..agreed));
        self.tentative = next;
        self.revision += u32::from(!self.is_empty());
    }

    /// Words that do not change any more.
    pub fn stable(&self) -> String {
        self.stable.join(" ")
    }

    /// Words after them, which may.
    pub fn tentative(&self) -> String {
        self.tentative.join(" ")
    }

    /// Counts hearings since the first words, from 1.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Whether there is no word yet.
    pub fn is_empty(&self) -> bool {
        self.stable.is_empty() && self.tentative.is_empty()
    }

    /// Where the words after the stable ones begin in a hearing, which may have some of the stable ones
    /// otherwise: where the words before have the least distance to the stable ones, and the nearest number.
    fn after_stable(&self, words: &[String]) -> usize {
        let normalised = |it: &[String]| it.iter().map(|it| same(it)).collect::<Vec<_>>();
        let distances = distances(&normalised(&self.stable), &normalised(words));
        let places = distances.iter().enumerate();
        places.min_by_key(|(at, distance)| (**distance, at.abs_diff(self.stable.len()))).map_or(0, |it| it.0)
    }
}

/// What makes a word the same word: not its case, and not the marks around it.
fn same(word: &str) -> String {
    word.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_become_stable_when_two_hearings_agree() {
        /// Hearing, stable, tentative.
        type Hearing = (&'static str, &'static str, &'static str);
        let cases: [(&str, &[Hearing]); 5] = [
            (
                "as speech grows",
                &[
                    ("", "", ""),
                    ("We will", "", "We will"),
                    ("We will meet on", "We will", "meet on"),
                    ("we will meet, on Monday", "We will meet, on", "Monday"),
                ],
            ),
            (
                "case and outer marks do not count",
                &[("\"we will.", "", "\"we will."), ("We will", "We will", "")],
            ),
            (
                "a stable word that is heard otherwise stays",
                &[
                    ("The ship leaves", "", "The ship leaves"),
                    ("The ship leaves at", "The ship leaves", "at"),
                    ("The sheep leaves at nine", "The ship leaves at", "nine"),
                ],
            ),
            (
                "a stable word that is left out does not bring words twice",
                &[
                    ("So we go home", "", "So we go home"),
                    ("So we go home", "So we go home", ""),
                    ("We go home now", "So we go home", "now"),
                ],
            ),
            (
                "nothing heard takes only what was tentative",
                &[
                    ("Yes and", "", "Yes and"),
                    ("Yes but", "Yes", "but"),
                    ("", "Yes", ""),
                    ("Yes but", "Yes", "but"),
                ],
            ),
        ];
        for (name, hearings) in cases {
            let mut it = Agreement::default();
            let first = hearings.iter().take_while(|it| it.0.is_empty()).count();
            for (n, (heard, stable, tentative)) in hearings.iter().enumerate() {
                it.hear(words(heard));
                assert_eq!(
                    (it.stable().to_lowercase(), it.tentative()),
                    (stable.to_lowercase(), (*tentative).to_owned()),
                    "{name}: {heard}"
                );
                assert_eq!(it.revision() as usize, n + 1 - first);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_stable_stays_and_was_heard_twice(
            hearings in prop::collection::vec(prop::collection::vec("[ab][ab]?[.,]?", 0..8), 1..8),
        ) {
            let mut it = Agreement::default();
            let mut heard_before: Vec<String> = Vec::new();
            for hearing in hearings {
                let before = it.stable.clone();
                it.hear(hearing.clone());
                prop_assert_eq!(&it.stable[..before.len()], &before[..]);
                // What is new in it was said by this hearing and by the one before, in this order.
                let new = &it.stable[before.len()..];
                prop_assert!(hearing.windows(new.len().max(1)).any(|it| it == new) || new.is_empty());
                let new: Vec<_> = new.iter().map(|it| same(it)).collect();
                let past: Vec<_> = heard_before.iter().map(|it| same(it)).collect();
                prop_assert!(past.windows(new.len().max(1)).any(|it| it == new) || new.is_empty());
                // What is tentative is the end of what was heard.
                prop_assert!(hearing.ends_with(&it.tentative));
                heard_before = hearing;
            }
        }

        #[test]
        fn a_hearing_that_goes_on_from_the_last_is_shown_whole(
            text in prop::collection::vec("[a-z]{1,5}", 1..30),
            cuts in prop::collection::vec(0_usize..30, 1..8),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut it = Agreement::default();
            let mut last = 0;
            for cut in cuts.into_iter().map(|it| it.min(text.len())) {
                it.hear(text[..cut].to_vec());
                prop_assert_eq!(it.stable.len(), last);
                prop_assert_eq!([&it.stable[..], &it.tentative[..]].concat(), &text[..cut]);
                last = cut;
            }
        }
    }
}
