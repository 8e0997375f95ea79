//! What an operator may ask of muster. Who, why and until when go into the journal with the request itself.

use serde::{Deserialize, Serialize};

use crate::{id::CaseId, journal::Trouble, observation::Text};

/// Somebody asks for something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked<'a> {
    /// Who: the name of the token or of the user.
    #[serde(borrow)]
    pub who: Text<'a>,
    /// Why; may be empty.
    #[serde(borrow)]
    pub why: Text<'a>,
    /// What.
    #[serde(borrow)]
    pub request: Request<'a>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request<'a> {
    /// Do what the case asks approval for.
    Approve {
        /// Which case.
        case: CaseId,
    },
    /// Never do what the case asks approval for, or is about to do; what has begun is undone where it can be.
    Veto {
        /// Which case.
        case: CaseId,
    },
    /// Leave the case alone for a while.
    Hold {
        /// Which case.
        case: CaseId,
        /// How long; `None`: until it is retried.
        secs: Option<u32>,
    },
    /// Decide anew, from the first rung.
    Retry {
        /// Which case.
        case: CaseId,
    },
    /// Do not touch a host or a cluster.
    Protect {
        /// Container instance ARN or id, EC2 or SSM id, cluster ARN or name.
        #[serde(borrow)]
        subject: Text<'a>,
        /// How long; `None`: until unprotected.
        secs: Option<u32>,
    },
    /// Allow it again.
    Unprotect {
        /// As protected.
        #[serde(borrow)]
        subject: Text<'a>,
    },
    /// The kill switch: begin no remedy.
    Pause {
        /// Cluster name or ARN; `None`: everywhere.
        #[serde(borrow)]
        cluster: Option<Text<'a>>,
        /// How long; `None`: until resumed.
        secs: Option<u32>,
    },
    /// Allow remedies again.
    Resume {
        /// As paused.
        #[serde(borrow)]
        cluster: Option<Text<'a>>,
    },
    /// Send no pages about these.
    Silence {
        /// Globs over cluster names; empty: all.
        clusters: Vec<String>,
        /// Troubles; empty: all.
        troubles: Vec<Trouble>,
        /// Globs over container instance ids and machine ids; empty: all.
        hosts: Vec<String>,
        /// How long, at least a minute.
        secs: u32,
    },
    /// End a silence before its time.
    Unsilence {
        /// Its number.
        silence: u32,
    },
}

/// What muster answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// It is so now.
    Granted {
        /// In one sentence.
        note: String,
    },
    /// It cannot be.
    Refused {
        /// Why, and what to do instead.
        why: String,
    },
}
