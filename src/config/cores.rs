//! Lists of processor cores as people and the kernel write them. Owns reading them; pure.

/// Most cores a list can name: those of the C library's `cpu_set_t`.
const MOST: usize = 1024;

/// The cores in a list such as `2-3` or `0,2` (the kernel's "list format"), ascending; `None` when it is no
/// such list.
pub fn cores(text: &str) -> Option<Vec<usize>> {
    let mut found = std::collections::BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        if from > to || to >= MOST {
            return None;
        }
        found.extend(from..=to);
    }
    Some(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores() {
        let cases: [(&str, Option<&[usize]>); 9] = [
            ("2-3", Some(&[2, 3])),
            ("2, 0", Some(&[0, 2])),
            ("0,2-4,3", Some(&[0, 2, 3, 4])),
            ("1", Some(&[1])),
            ("", None),
            ("3-2", None),
            ("a", None),
            ("1,", None),
            ("0-1024", None),
        ];
        for (text, want) in cases {
            assert_eq!(cores(text).as_deref(), want, "{text:?}");
        }
    }
}
