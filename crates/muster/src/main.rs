//! `muster`. Everything is in the library, where tests can reach it.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    muster::cli::main()
}
