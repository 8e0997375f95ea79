//! AWS protocol framing in both directions: `aws` asks with it, `simulator` and `muster` answer with it.
//!
//! | to learn | read |
//! |---|---|
//! | awsJson 1.0 and 1.1: target header, content types, times | [`json`] |
//! | parameters of Query and EC2 Query | [`query`] |
//! | XML answers, read into a tree and written | [`xml`] |
//! | how services say no | [`error`] |
//! | recognising a request's protocol, service and operation | [`server`] |
//! | checking a request's signature | [`sigv4`] |

#![forbid(unsafe_code)]

pub mod error;
pub mod json;
pub mod query;
pub mod server;
pub mod sigv4;
pub mod xml;
