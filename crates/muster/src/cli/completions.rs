//! `muster completions`

use clap::Args;
use clap_complete::Shell;

use super::output::{Exit, Failure, Output};

/// `muster completions`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster completions bash > ~/.local/share/bash-completion/completions/muster\n  \
    muster completions zsh > \"${fpath[1]}/_muster\"")]
pub struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, command: &mut clap::Command, out: &mut Output) -> Result<Exit, Failure> {
        // Into memory first: the generator panics when it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "muster", &mut script);
        out.answer().write_all(&script)?;
        Ok(Exit::DONE)
    }
}
