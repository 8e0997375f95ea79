//! `muster protect` and `muster unprotect`

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    output::{Exit, Failure, Output},
    server::Server,
};
use crate::{config::words::Lasting, http::protections::Wanted, render::escape};

/// `muster protect`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster protect i-0a1b2c3d4e5f60718 --for 4h --why \"we debug this host\"\n  \
    muster protect prod-a --why \"end of quarter\"")]
pub struct ProtectArgs {
    #[command(flatten)]
    server: Server,
    /// Container instance id or ARN, EC2 or SSM id, cluster name or ARN.
    #[arg(value_name = "HOST|CLUSTER")]
    subject: String,
    /// How long: 90s, 15m, 2h, 3d [default: until it is unprotected].
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
    /// Why; goes into the journal.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
}

impl ProtectArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let secs = self.lasting.map(|Lasting(secs)| secs);
        let wanted = Wanted { subject: self.subject, secs, why: self.why, who: self.server.who()? };
        let granted = self.server.post("/v1/protections", &wanted)?;
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}

/// `muster unprotect`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  muster unprotect i-0a1b2c3d4e5f60718")]
pub struct UnprotectArgs {
    #[command(flatten)]
    server: Server,
    /// As it was protected.
    #[arg(value_name = "HOST|CLUSTER")]
    subject: String,
    /// Why; goes into the journal.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
}

impl UnprotectArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let query = query(&[
            ("subject", Some(self.subject.as_str())),
            ("why", self.why.as_deref()),
            ("who", self.server.who()?.as_deref()),
        ]);
        let granted = self.server.delete(&format!("/v1/protections{query}"))?;
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}

/// `?subject=…&why=…` of those that are given.
pub(super) fn query(parts: &[(&str, Option<&str>)]) -> String {
    let mut query = String::new();
    for (name, value) in parts {
        let Some(value) = value else { continue };
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_what_is_given_and_no_character_that_could_end_it() {
        assert_eq!(query(&[("a", Some("x/y&z=1 ü")), ("b", None), ("c", Some("q"))]), "?a=x%2Fy%26z%3D1%20%C3%BC&c=q");
        assert_eq!(query(&[("a", None)]), "");
    }
}
