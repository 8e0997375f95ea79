//! Where answers go, what the exit code says, and how a failure is told.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

use crate::render::{colour, escape};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Never.
    Never,
}

impl From<Colour> for ColorChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

/// What the exit code says. Scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all present; or: done.
    AllPresent,
    /// 1: someone is missing.
    SomeoneMissing,
    /// 2: could not look, or could not do what was asked.
    CouldNotLook,
}

impl Exit {
    /// Done.
    pub const DONE: Self = Self::AllPresent;

    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Self::AllPresent => 0,
            Self::SomeoneMissing => 1,
            Self::CouldNotLook => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What was tried and why it failed, causes attached.
#[derive(Debug)]
pub struct Failure {
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// Something that failed because of `cause`.
    pub fn new(what: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), cause: Some(cause.into()) }
    }

    /// Something that failed, in one sentence.
    pub fn because(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }

    /// Whoever read the output has gone away, as `head` does: nothing to complain of.
    pub fn is_broken_pipe(&self) -> bool {
        let mut cause = self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
        let mut said = self.what.clone();
        while let Some(error) = cause {
            // Many errors repeat their cause; once is enough.
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, "\n  because {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("could not write the answer", error)
    }
}

macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let what = error.to_string();
                Self::new(what, error)
            }
        })*
    };
}

failures!(
    crate::config::ConfigError,
    engine::ports::JournalError,
    engine::recover::RecoverError,
    engine::TurnError,
    crate::config::http::Exposed,
    crate::config::http::NotLoopback,
    crate::http::listener::TlsError,
);

/// Standard output for answers, standard error for complaints; colours where they are wanted.
pub struct Output {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    choice: ColorChoice,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("choice", &self.choice).finish_non_exhaustive()
    }
}

impl Output {
    /// Both streams, coloured as wished.
    pub fn new(colour: Colour) -> Self {
        let choice = ColorChoice::from(colour);
        Self { out: AutoStream::new(io::stdout(), choice), err: AutoStream::new(io::stderr(), choice), choice }
    }

    /// Where answers go.
    pub fn answer(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Whether standard output is shown in colours.
    pub fn answers_take_colour(&self) -> bool {
        self.out.current_choice() != ColorChoice::Never
    }

    /// Whether standard error is shown in colours.
    pub fn errors_take_colour(&self) -> bool {
        match self.choice {
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => crate::logging::stderr_takes_colour(),
        }
    }

    /// Says on standard error what went wrong. A closed standard error is nobody to tell.
    pub fn complain(&mut self, what: &str) {
        use owo_colors::OwoColorize as _;
        let lines: Vec<_> = what.lines().map(escape::clean).collect();
        let _ = writeln!(self.err, "{} {}", "muster:".style(colour::alarm()), lines.join("\n"));
    }

    /// Says something on standard error that is no complaint.
    pub fn remark(&mut self, what: &str) {
        let _ = writeln!(self.err, "{}", escape::clean(what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_below_and_not_repeated() {
        let failure = Failure::new("could not read x: gone", io::Error::other("gone"));
        assert_eq!(failure.to_string(), "could not read x: gone");
        let failure = Failure::new("could not read x", io::Error::other("gone"));
        assert_eq!(failure.to_string(), "could not read x\n  because gone");
    }

    #[test]
    fn a_reader_that_went_away_is_recognised_below_other_causes() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Failure::from(gone).is_broken_pipe());
        assert!(!Failure::because("x").is_broken_pipe());
    }
}
