//! Memory that a model takes and this machine has, in bytes. Linux tells it in `/proc/meminfo`; where that
//! cannot be read, nothing is known and nothing is refused.

use std::fs;

/// All memory of this machine.
pub fn total() -> Option<u64> {
    read("MemTotal:")
}

/// What can be taken without making the machine swap or end programs.
pub fn available() -> Option<u64> {
    read("MemAvailable:")
}

/// About what a model file of `bytes` takes when it is loaded: the weights, a quarter more and 200 MB. The
/// line through whisper.cpp's own table (75 MiB → 273 MB, 466 MiB → 852 MB, 2.9 GiB → 3.9 GB), within a
/// tenth of it.
pub fn needed(bytes: u64) -> u64 {
    bytes + bytes / 4 + 200_000_000
}

fn read(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|it| it.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_less_than_all() {
        let (total, available) = (total().unwrap(), available().unwrap());
        assert!(0 < available && available < total, "{available} of {total}");
    }
}
