//! `[operators]`: who may ask muster for something over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{custom::is_plain_name, mistake::Wrong, secret::SecretRef};

/// Who may ask for what over HTTP. Without tokens, whoever can reach muster from this machine may look and act, and nobody
/// else may do anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorsSection {
    /// Bearer tokens: a name that goes into the journal, a role (view: look; silence: end pages too; act: approve, veto, pause,
    /// protect too), and where the token lies: env:NAME, file:PATH, ssm:PARAMETER or secretsmanager:ID. 16 characters at
    /// least; `openssl rand -hex 32` makes a good one.
    #[schemars(example = tokens_example())]
    pub tokens: Vec<TokenEntry>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Who holds it; goes into the journal with everything asked for.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Where it lies.
    pub secret: SecretRef,
}

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Role {
    /// Look.
    View,
    /// Silence pages.
    Silence,
    /// Approve, veto, hold, retry, protect, pause.
    Act,
}

impl Role {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Silence => "silence",
            Self::Act => "act",
        }
    }
}

fn tokens_example() -> Vec<TokenEntry> {
    vec![TokenEntry {
        name: "on-call".to_owned(),
        role: Role::Act,
        secret: SecretRef::Env("MUSTER_TOKEN_ON_CALL".to_owned()),
    }]
}

impl OperatorsSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        for (index, token) in self.tokens.iter().enumerate() {
            let place = format!("operators.tokens.{index}");
            if !is_plain_name(&token.name) {
                wrong.push(Wrong::of(&place, "name", "a name has 1 to 64 letters, digits, `-`, `_` and `.`"));
            }
            if self.tokens[..index].iter().any(|other| other.name == token.name) {
                wrong.push(Wrong::of(&place, "name", format!("there are two tokens called `{}`", token.name)));
            }
            if self.tokens[..index].iter().any(|other| other.secret == token.secret) {
                wrong.push(Wrong::of(
                    &place,
                    "secret",
                    format!("{} is the token of two names: the journal could not tell who asked", token.secret),
                ));
            }
        }
    }
}
