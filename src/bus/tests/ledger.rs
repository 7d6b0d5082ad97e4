//! The row of a subscription: what it says after a crash at any moment.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::ledger::{Ledger, Tried};

#[derive(Debug, Clone)]
enum Step {
    /// So many events are looked at; the bits say which are wanted.
    Scan(u8, u16),
    Settle(usize),
    Fail(usize),
    /// The row is written and read again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..16_u8, any::<u16>()).prop_map(|(count, wanted)| Step::Scan(count, wanted)),
        6 => any::<usize>().prop_map(Step::Settle),
        2 => any::<usize>().prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn a_row_forgets_nothing_and_repeats_nothing(steps in prop::collection::vec(step(), 1..80)) {
        let mut ledger = Ledger::after(10);
        let (mut wanted, mut done) = (BTreeSet::new(), BTreeSet::new());
        let (mut end, mut cursor) = (10_u64, 10);
        let mut failed = std::collections::BTreeMap::new();
        for step in steps {
            let nth = |n: usize| {
                let open: Vec<u64> = ledger.open.keys().copied().collect();
                (!open.is_empty()).then(|| open[n % open.len()])
            };
            match step {
                Step::Scan(count, bits) => {
                    for bit in 0..count {
                        end += 1;
                        if bits >> bit & 1 == 1 {
                            wanted.insert(end);
                            ledger.open.insert(end, Tried::default());
                        }
                    }
                    ledger.scanned = end;
                }
                Step::Settle(n) => if let Some(seq) = nth(n) {
                    done.insert(seq);
                    failed.remove(&seq);
                    ledger.settle(seq);
                },
                Step::Fail(n) => if let Some(seq) = nth(n) {
                    let tried = Tried { failed: failed.get(&seq).copied().unwrap_or(0) + 1, due_ms: 7 };
                    failed.insert(seq, tried.failed);
                    ledger.open.insert(seq, tried);
                },
                Step::Restart => {
                    let row = ledger.encode("{}").unwrap();
                    let (read, filter) = Ledger::decode("x", &row).unwrap();
                    prop_assert_eq!(filter, "{}");
                    prop_assert_eq!(read.cursor(), ledger.cursor());
                    ledger = read;
                    for seq in ledger.scanned + 1..=end {
                        if wanted.contains(&seq) {
                            ledger.open.insert(seq, Tried::default());
                        }
                    }
                    ledger.scanned = end;
                }
            }
            let open: BTreeSet<_> = ledger.open.keys().copied().collect();
            prop_assert_eq!(&open, &wanted.difference(&done).copied().collect());
            for (seq, tried) in &ledger.open {
                prop_assert_eq!(tried.failed, failed.get(seq).copied().unwrap_or(0));
            }
            prop_assert!(ledger.cursor() >= cursor, "the cursor went back");
            cursor = ledger.cursor();
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(version) = bytes.first_mut() {
            *version = 1;
        }
        drop(Ledger::decode("x", &bytes));
    }
}
