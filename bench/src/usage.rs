//! What this process has used, as Linux tells it.

use std::{fs, io};

/// CPU seconds (user and system) this process has used, to the nanosecond.
pub fn cpu_secs() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> io::Result<u64> {
    status_kib("VmRSS:")
}

/// The most memory this process ever held, in bytes.
pub fn peak_bytes() -> io::Result<u64> {
    status_kib("VmHWM:")
}

/// The peak is counted anew from here on.
pub fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn status_kib(name: &str) -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other(format!("/proc/self/status has no {name}")))
}
