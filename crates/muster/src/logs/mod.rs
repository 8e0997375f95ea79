//! The API of CloudWatch Logs (JSON 1.1, `Logs_20140328`) at the root of what `muster serve` answers, so that the AWS CLI, SDKs and
//! log shippers need nothing but another endpoint.
//!
//! | to learn | read |
//! |---|---|
//! | what keeps the logs and what runs queries, as this module sees them | [`port`] |
//! | how a request comes in and an answer goes out | [`answer`] |
//! | muster's own store and engine behind it | [`store`], [`engine`] |
//! | whether there are logs now | [`standing`] |
//! | what muster's own commands query | [`scope`] |
//! | who may ask: signatures, or whoever is on this machine | [`access`] |
//! | how the service says no | [`error`] |
//! | bodies that are packed | `unpack` |
//! | members of a request, and the words for those that break a rule | `request`, `names` |
//! | how long lists are cut into pages | `token` |
//! | log groups, their retention and tags; log streams | `groups`, `tags`, `streams` |
//! | events in; events out, and how many are read at once | `put`, `get`, `filter`, `chunk` |
//! | single records and the fields there are | `record` |
//! | queries that run, queries that are kept | [`queries`], `definitions` |
//! | how the rows of queries are kept | [`rows`] |
//! | asking such an API | [`client`] |
//! | trying a filter pattern | `metric_filter` |
//! | what is kept beside the store | [`kept`] |

pub mod access;
pub mod answer;
mod chunk;
pub mod client;
mod definitions;
pub mod engine;
pub mod error;
mod filter;
mod get;
mod groups;
pub mod kept;
mod metric_filter;
mod names;
pub mod port;
mod put;
pub mod queries;
mod record;
mod request;
pub mod rows;
pub mod scope;
pub mod standing;
pub mod store;
mod streams;
mod tags;
mod token;
mod unpack;

use std::sync::Arc;

use self::{access::Keys, kept::Kept, port::Logs, queries::Registry};

/// What the API answers from.
#[derive(Clone)]
pub struct Api {
    /// Groups, streams and events.
    pub logs: Arc<dyn Logs>,
    /// Queries under way, and what runs them.
    pub queries: Arc<Registry>,
    /// Saved queries and tags.
    pub kept: Arc<Kept>,
    /// Keys that requests are signed with.
    pub keys: Arc<Keys>,
    /// The account that groups belong to, of 12 digits.
    pub account: Arc<str>,
    /// The region, where a request does not say one.
    pub region: Arc<str>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("account", &self.account).field("region", &self.region).finish_non_exhaustive()
    }
}

/// One request, as the operations see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// What is answered from.
    pub api: &'a Api,
    /// The request's members.
    pub body: &'a serde_json::Value,
    /// The region it was signed for, else the usual one.
    pub region: &'a str,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Asking<'_> {
    /// ARN of a group, without `:*` behind it.
    pub(crate) fn group_arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.region, self.api.account)
    }
}
