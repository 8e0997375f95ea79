//! Where a secret lies. The file holds references only, so it can be shown, journaled and put under version control.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A reference of a secret, written `env:NAME`, `file:PATH`, `ssm:PARAMETER` or `secretsmanager:ID` (with `#KEY` for one field
/// of a JSON secret).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; surrounding white space does not count.
    File(String),
    /// An SSM parameter, SecureString or String: its name or ARN.
    Ssm(String),
    /// A secret of Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        id: String,
        /// The field of a JSON secret.
        key: Option<String>,
    },
}

/// Text that is no reference. It may be the secret itself, written where it must not be, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "secrets are not written into the configuration: name where it lies, env:NAME, file:/PATH, ssm:PARAMETER or \
     secretsmanager:ID"
)]
pub struct NoReference;

impl FromStr for SecretRef {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let (kind, place) = text.split_once(':').ok_or(NoReference)?;
        if place.trim().is_empty() || place.contains(char::is_control) {
            return Err(NoReference);
        }
        let place = place.to_owned();
        match kind {
            "env" if !place.contains(['=', ' ']) => Ok(Self::Env(place)),
            "file" => Ok(Self::File(place)),
            "ssm" => Ok(Self::Ssm(place)),
            "secretsmanager" => Ok(match place.split_once('#') {
                Some((id, key)) if !id.is_empty() && !key.is_empty() => {
                    Self::SecretsManager { id: id.to_owned(), key: Some(key.to_owned()) }
                }
                Some(_) => return Err(NoReference),
                None => Self::SecretsManager { id: place, key: None },
            }),
            _ => Err(NoReference),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Ssm(name) => write!(f, "ssm:{name}"),
            Self::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager { id, key: Some(key) } => write!(f, "secretsmanager:{id}#{key}"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret. It is shown by nothing: no Debug that tells, no Display, no Serialize.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A secret that was read; surrounding white space does not count.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text, for whoever sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The file could not be read.
    #[error("{path}: {why}")]
    NoFile {
        /// Its path.
        path: String,
        /// Why.
        why: String,
    },
    /// It was read, and there is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// It lies in AWS, and could not be read there.
    #[error("{place}: {why}")]
    InAws {
        /// The reference.
        place: String,
        /// Why.
        why: String,
    },
}

impl SecretRef {
    /// It lies on this machine, and not in AWS.
    pub fn lies_here(&self) -> bool {
        matches!(self, Self::Env(_) | Self::File(_))
    }

    /// Reads a secret of this machine; `None` for one that lies in AWS.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is empty.
    pub fn read_here(&self) -> Option<Result<Secret, SecretError>> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone())),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| SecretError::NoFile { path: path.clone(), why: error.to_string() }),
            Self::Ssm(_) | Self::SecretsManager { .. } => return None,
        };
        Some(text.map(|text| Secret::new(&text)).and_then(|secret| {
            if secret.expose().is_empty() { Err(SecretError::Empty(self.to_string())) } else { Ok(secret) }
        }))
    }
}

impl Serialize for SecretRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(env|file|ssm|secretsmanager):.+" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written_alike() {
        for text in [
            "env:MUSTER_TOKEN",
            "file:/run/secrets/token",
            "ssm:/muster/token",
            "secretsmanager:muster",
            "secretsmanager:a#b",
        ] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_secret_is_read_from_a_file_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token").display().to_string();
        std::fs::write(&path, "canary-canary\n").unwrap();
        let secret = SecretRef::File(path).read_here().unwrap().unwrap();
        assert_eq!(secret.expose(), "canary-canary");
        assert!(!format!("{secret:?}").contains("canary"));
        let missing = SecretRef::File("/nowhere/token".to_owned()).read_here().unwrap().unwrap_err().to_string();
        assert!(missing.contains("/nowhere/token"), "{missing}");
        let unset = SecretRef::Env("MUSTER_NOBODY_SETS_THIS".to_owned()).read_here().unwrap().unwrap_err();
        assert!(unset.to_string().contains("MUSTER_NOBODY_SETS_THIS"));
        assert!(SecretRef::Ssm("/muster/token".to_owned()).read_here().is_none());
    }

    #[test]
    fn a_secret_itself_is_refused_and_not_repeated() {
        for text in ["hunter2", "", "env:", "https://hooks.slack.com/x", "env:A=B", "secretsmanager:#k", "file:\n"] {
            let error = text.parse::<SecretRef>().unwrap_err().to_string();
            assert!(text.len() < 6 || !error.contains(text), "{error}");
        }
    }
}
