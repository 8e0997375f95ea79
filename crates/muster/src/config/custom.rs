//! `[[custom]]`: actions of your own, for `remedy = "custom"` on a ladder.

use std::collections::BTreeMap;

use ::aws::settings::{Custom, CustomRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, secret::SecretRef};
use crate::senders::target::{self, Allowed};

/// An action of your own: exactly one of command, webhook, lambda and ssm_document. It gets a JSON object that says what is
/// asked of it and for which host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomEntry {
    /// Its name, for `custom = "NAME"` on a rung.
    #[schemars(example = &"page-the-vendor")]
    pub name: String,
    /// A program of this machine and its arguments; no shell. It gets the object on standard input, and exit code 0 means
    /// done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["/usr/local/bin/fix-host", "--now"])]
    pub command: Option<Vec<String>>,
    /// An address that the object is posted to, by reference: env:NAME, file:PATH, ssm:PARAMETER or secretsmanager:ID. 2xx
    /// means done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"env:MUSTER_FIX_URL", extend("not-alone" = true))]
    pub webhook: Option<SecretRef>,
    /// The secrets that the webhook is signed with, by reference; two while one replaces the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["file:/etc/muster/fix-secret"], extend("not-alone" = true))]
    pub secrets: Vec<SecretRef>,
    /// The webhook's address may be a plain http one.
    #[serde(default)]
    pub allow_http: bool,
    /// The webhook's address may lie in your own network, or on this machine.
    #[serde(default)]
    pub allow_private: bool,
    /// Name or ARN of a Lambda function that is invoked with the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"fix-host", extend("not-alone" = true))]
    pub lambda: Option<String>,
    /// Name of an SSM document that is run on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Company-FixHost", extend("not-alone" = true))]
    pub ssm_document: Option<String>,
    /// Its parameters, the same every time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("not-alone" = true))]
    pub parameters: BTreeMap<String, Vec<String>>,
    /// How long it may run.
    #[serde(default = "a_minute")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_secs: u32,
}

fn a_minute() -> u32 {
    60
}

impl CustomEntry {
    /// As the AWS side wants it. One without any kind does not pass the check.
    pub fn action(&self) -> Option<Custom> {
        let run = if let Some(argv) = &self.command {
            CustomRun::Command { argv: argv.clone() }
        } else if let Some(function) = &self.lambda {
            CustomRun::Lambda { function: function.clone() }
        } else if let Some(document) = &self.ssm_document {
            CustomRun::SsmDocument { document: document.clone(), parameters: self.parameters.clone() }
        } else {
            self.webhook.as_ref().map(|_| CustomRun::Webhook)?
        };
        Some(Custom { name: self.name.clone(), timeout_secs: self.timeout_secs, run })
    }

    /// Where the webhook's address may lie.
    pub fn allowed(&self) -> Allowed {
        Allowed { http: self.allow_http, private: self.allow_private, link_local: false }
    }

    /// One that does nothing yet.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            command: None,
            webhook: None,
            secrets: Vec::new(),
            allow_http: false,
            allow_private: false,
            lambda: None,
            ssm_document: None,
            parameters: BTreeMap::new(),
            timeout_secs: a_minute(),
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        [
            ("command", self.command.is_some()),
            ("webhook", self.webhook.is_some()),
            ("lambda", self.lambda.is_some()),
            ("ssm_document", self.ssm_document.is_some()),
        ]
        .into_iter()
        .filter_map(|(kind, given)| given.then_some(kind))
        .collect()
    }
}

/// Letters, digits and `-_.`: a name goes into logs, comments of SSM commands and headers.
pub(super) fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

pub(super) fn check(customs: &[CustomEntry], wrong: &mut Vec<Wrong>) {
    for (index, entry) in customs.iter().enumerate() {
        let place = format!("custom.{index}");
        if !is_plain_name(&entry.name) {
            wrong.push(Wrong::of(&place, "name", "a name has 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        if customs[..index].iter().any(|other| other.name == entry.name) {
            wrong.push(Wrong::of(&place, "name", format!("there are two actions called `{}`", entry.name)));
        }
        match entry.kinds()[..] {
            [_] => {}
            [] => wrong.push(Wrong::at(
                &place,
                format!("what `{}` does is missing: give it command, webhook, lambda or ssm_document", entry.name),
            )),
            [first, second, ..] => wrong.push(Wrong::of(
                &place,
                second,
                format!("`{}` has {first} and {second}: one action does one thing", entry.name),
            )),
        }
        if entry.command.as_ref().is_some_and(|command| command.first().is_none_or(String::is_empty)) {
            wrong.push(Wrong::of(&place, "command", "a command begins with the program's path"));
        } else if let Some(program) = entry.command.as_ref().and_then(|command| command.first())
            && !program.starts_with('/')
        {
            wrong.push(Wrong::of(
                &place,
                "command",
                format!("`{program}` is no absolute path: what PATH holds must not decide what muster runs"),
            ));
        }
        if !entry.parameters.is_empty() && entry.ssm_document.is_none() {
            wrong.push(Wrong::of(&place, "parameters", "parameters belong to an ssm_document"));
        }
        if !(1..=3600).contains(&entry.timeout_secs) {
            wrong.push(Wrong::of(
                &place,
                "timeout_secs",
                format!("{} is out of range: 1 second to an hour (3600)", entry.timeout_secs),
            ));
        }
        // An address that can be read already is looked at already; where it leads to is looked at before each call.
        if let Some(Ok(url)) = entry.webhook.as_ref().and_then(SecretRef::read_here)
            && let Err(error) = target::parse(url.expose(), entry.allowed())
        {
            wrong.push(Wrong::of(&place, "webhook", error.to_string()));
        }
        if entry.webhook.is_none() {
            for (option, given) in [
                ("secrets", !entry.secrets.is_empty()),
                ("allow_http", entry.allow_http),
                ("allow_private", entry.allow_private),
            ] {
                if given {
                    wrong.push(Wrong::of(&place, option, format!("`{option}` belongs to a webhook")));
                }
            }
        }
        for (option, value) in [("lambda", &entry.lambda), ("ssm_document", &entry.ssm_document)] {
            let strange = |value: &String| {
                value.is_empty()
                    || value.len() > 200
                    || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/$".contains(&b))
            };
            if value.as_ref().is_some_and(strange) {
                wrong.push(Wrong::of(&place, option, "this is neither a name nor an ARN"));
            }
        }
    }
}
