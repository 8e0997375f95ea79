//! The program: `muster scan`, `serve`, `replay`, `demo` and the rest.
//!
//! | to learn | read |
//! |---|---|
//! | the commands, one a file | [`cli`] |
//! | the configuration file, one section a file | [`config`] |
//! | the HTTP API of `muster serve`, one resource a file | [`http`] |
//! | the API of CloudWatch Logs, one family of operations a file | [`logs`] |
//! | what the journal holds about one case | [`case_file`] |
//! | placement failures that the journal holds | [`placement_failures`] |
//! | tables, JSON, colours, and names that cannot steer a terminal | [`render`] |
//! | the demonstration | [`demo`] |
//! | where notices go | [`senders`] |
//! | what Container Insights would cost | [`bill`] |
//! | records of Container Insights, made once a minute | [`records`] |
//! | figures for Prometheus | [`metrics`] |
//! | the object store of records, reached as AWS is | [`objects`] |
//! | muster's own log | [`logging`] |

#![forbid(unsafe_code)]

pub mod bill;
pub mod case_file;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod logging;
pub mod logs;
pub mod metrics;
pub mod objects;
pub mod placement_failures;
pub mod publish;
pub mod records;
pub mod render;
pub mod senders;

/// The version that muster says it is.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
