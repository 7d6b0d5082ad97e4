//! How far a text is from what was said. Owns normalising and counting word errors.

/// Word error rate: substitutions, deletions and insertions (Levenshtein distance over words) divided by
/// the number of words in `reference`. Case and punctuation do not count. An empty reference gives 0 for
/// an empty hypothesis and 1 for any other.
pub fn word_error_rate(reference: &str, hypothesis: &str) -> f64 {
    let (reference, hypothesis) = (words(reference), words(hypothesis));
    if reference.is_empty() {
        return if hypothesis.is_empty() { 0.0 } else { 1.0 };
    }
    distances(&reference, &hypothesis)[hypothesis.len()] as f64 / reference.len() as f64
}

/// Levenshtein distances of all of `reference` to the first 0, 1, 2, … words of `hypothesis`.
pub(super) fn distances(reference: &[String], hypothesis: &[String]) -> Vec<usize> {
    // One row of the distance table: `row[j]` is the distance to the first j words of the hypothesis.
    let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
    for (i, said) in reference.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, heard) in hypothesis.iter().enumerate() {
            let substituted = diagonal + usize::from(said != heard);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row
}

/// Words in lower case, of letters and digits only; an apostrophe inside a word joins its halves.
fn words(text: &str) -> Vec<String> {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, '\'' | '’'))
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    kept.to_lowercase().split_whitespace().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_once_each() {
        let cases = [
            ("", "", 0.0),
            ("", "so", 1.0),
            ("a b c d", "", 1.0),
            ("Let's go, Tom!", "lets GO tom", 0.0),
            ("a b c d", "a x c d", 0.25),
            ("a b c d", "a c d", 0.25),
            ("a b c d", "a b b c d", 0.25),
            ("a b", "x y z w", 2.0),
        ];
        for (reference, hypothesis, want) in cases {
            assert!(
                (word_error_rate(reference, hypothesis) - want).abs() < 1e-9,
                "{reference} / {hypothesis}"
            );
        }
    }
}
