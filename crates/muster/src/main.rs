//! `muster`. Everything is in the library, where tests can reach it; only what the C library must be told is here.

#![deny(unsafe_code)]

fn main() -> std::process::ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    give_memory_back();
    muster::cli::main()
}

/// Lets glibc give large pieces of memory back to the system at once. Left alone it raises its own threshold to 32 MiB with the
/// first large piece that is freed, keeps eight arenas a core, and so holds several times what queries use (mallopt(3);
/// bench/RESULTS.md, hostile queries).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no other way to say it to the C library from within the process")]
fn give_memory_back() {
    const LARGE_BYTES: libc::c_int = 256 << 10;
    const ARENAS: libc::c_int = 4;
    for (option, value) in
        [(libc::M_MMAP_THRESHOLD, LARGE_BYTES), (libc::M_TRIM_THRESHOLD, LARGE_BYTES), (libc::M_ARENA_MAX, ARENAS)]
    {
        // SAFETY: two numbers go in, and no other thread runs yet. An option that is not known is ignored.
        unsafe { libc::mallopt(option, value) };
    }
}
