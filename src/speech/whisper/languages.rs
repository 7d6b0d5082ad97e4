//! The languages of whisper.cpp. Owns their codes and names.

use whisper_rs::{get_lang_id, get_lang_max_id, get_lang_str};

/// All codes, ISO 639-1 where that has one.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    (0..=get_lang_max_id()).filter_map(get_lang_str)
}

/// The code of a language given by code or English name, in any case.
pub(super) fn code(language: &str) -> Option<&'static str> {
    let language = language.trim().to_ascii_lowercase();
    // whisper-rs panics at NUL.
    let plain = !language.contains('\0');
    plain.then(|| get_lang_id(&language).and_then(get_lang_str)).flatten()
}
