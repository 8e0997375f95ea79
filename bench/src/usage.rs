//! What this process has used, as Linux tells it under `/proc`.

use std::{fs, io};

/// Ticks a second in `/proc/self/stat`: fixed by the kernel's interface.
const TICKS_PER_SEC: f64 = 100.0;

/// CPU seconds (user and system) this process has used. Taken from `schedstat`, which counts nanoseconds, or from
/// `stat`, which counts hundredths of a second, where the kernel does not keep the former.
pub fn cpu_secs() -> io::Result<f64> {
    if let Ok(text) = fs::read_to_string("/proc/self/schedstat")
        && let Some(nanos) = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok())
        && nanos > 0.0
    {
        return Ok(nanos / 1e9);
    }
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold spaces; fields 14 and 15 are user and system time.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS_PER_SEC)
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> io::Result<u64> {
    status_kib("VmRSS:")
}

/// The most memory this process ever held, in bytes.
pub fn peak_bytes() -> io::Result<u64> {
    status_kib("VmHWM:")
}

fn status_kib(name: &str) -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other(format!("/proc/self/status has no {name}")))
}
