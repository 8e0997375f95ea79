//! `muster`. Everything is in the library, where tests can reach it.

fn main() -> std::process::ExitCode {
    muster::cli::main()
}
