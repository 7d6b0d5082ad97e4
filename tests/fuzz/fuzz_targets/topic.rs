//! Brings bytes to `panotti::fuzzing::topic`, which owns the rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    panotti::fuzzing::topic(data);
});
