//! whisper.cpp's and ggml's own log lines, turned into trace events instead of going to stderr.

use std::{
    ffi::{CStr, c_char, c_void},
    sync::Once,
};

use whisper_rs::GGMLLogLevel;

/// Sends whisper.cpp's log to `tracing`. What it calls information is of use to its developers only, so
/// it becomes debug. May be called any number of times.
#[expect(unsafe_code, reason = "whisper-rs offers the callback only as an unsafe function")]
pub fn log_to_tracing() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the callback does not unwind (it calls nothing that panics), takes no user data, and
        // lives as long as the program.
        unsafe { whisper_rs::set_log_callback(Some(on_line), std::ptr::null_mut()) }
    });
}

#[expect(unsafe_code, reason = "called from C++")]
unsafe extern "C" fn on_line(level: std::ffi::c_uint, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: whisper.cpp and ggml pass a string that ends in NUL and lives until the callback returns.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    // What the caller gets as an error, the caller tells; and this one it may have wanted (`How::abandon`).
    if text.ends_with("failed to encode") || text.ends_with("failed to decode") {
        tracing::debug!(target: "panotti::whisper", "{text}");
        return;
    }
    match GGMLLogLevel::from(level) {
        GGMLLogLevel::Error => tracing::error!(target: "panotti::whisper", "{text}"),
        GGMLLogLevel::Warn => tracing::warn!(target: "panotti::whisper", "{text}"),
        GGMLLogLevel::Info => tracing::debug!(target: "panotti::whisper", "{text}"),
        _ => tracing::trace!(target: "panotti::whisper", "{text}"),
    }
}
