//! Brings bytes to `panotti::fuzzing::envelope`, which owns the rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    panotti::fuzzing::envelope(data);
});
