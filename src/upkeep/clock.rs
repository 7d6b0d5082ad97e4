//! Whether the time of day can be believed. A box without a battery begins in 1970, or anywhere else,
//! until somebody tells it the time.

/// Whether the kernel says that something (NTP, PTP, a radio clock) keeps its clock right.
pub(super) fn is_synchronised() -> bool {
    #[expect(unsafe_code, reason = "neither std nor rustix can ask")]
    // SAFETY: `timex` is plain numbers, for which zeros are valid, and `modes: 0` asks the kernel to change
    // nothing; it writes into the struct alone, which outlives the call.
    let state = unsafe {
        let mut ask: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut ask)
    };
    (0..libc::TIME_ERROR).contains(&state)
}

#[cfg(test)]
mod tests {
    /// What it says is the machine's affair: here it must only be the kernel's own word.
    #[test]
    fn it_is_what_the_kernel_says() {
        let Ok(output) = std::process::Command::new("adjtimex").arg("--print").output() else {
            println!("Skipped: needs `adjtimex`.");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some(state) = text.lines().find_map(|it| it.trim().strip_prefix("return value = ")) {
            assert_eq!(super::is_synchronised(), !state.starts_with('5'), "{text}");
        }
    }
}
