//! The real cloud behind the engine's ports.
//!
//! | to learn | read |
//! |---|---|
//! | what to watch and with what means | [`settings`] |
//! | how fast muster may ask | [`pace`] |
//! | credentials, roles, regions, endpoints | [`accounts`] |
//! | the roles that acts are done under, and where muster only observes | [`actors`] |
//! | credentials that are used for a while | `held` |
//! | one call: paced, repeated, counted | [`call`] |
//! | how AWS says no, sorted and put into a sentence | [`refusal`] |
//! | one file a service | `ecs`, `ec2`, `autoscaling`, `ssm`, `queue` |
//! | lists that come in pages | `pages` |
//! | HTTP for the services without an SDK crate | `signed` |
//! | everything once, and single looks | `sweep`, `cloud` |
//! | whether machines are hosts | `registration` |
//! | the calls of remedies, and what operators have written themselves | [`act`] |
//! | what ECS says of services, task definitions and tasks, when somebody asks | [`told`] |
//! | what records of Container Insights need beside that | [`census`] |
//! | whether Container Insights is on, and switching it | [`insights`] |
//! | what EC2 says of instance types, subnets and interfaces, when somebody asks | [`supply`] |
//! | groups as wholes and what copies need, where room is declared | `rooms` |
//! | what is read before something is lost | `evidence` |
//! | who is in charge, where several watch | [`lease`] |
//! | figures for CloudWatch | [`metrics`] |
//! | how an object store is reached | [`objects`] |
//! | telling people: SNS, SES, and secrets that lie in AWS | [`notify`] |

#![forbid(unsafe_code)]

pub mod accounts;
pub mod act;
pub mod actors;
pub mod call;
pub mod census;
pub mod insights;
pub mod lease;
pub mod metrics;
pub mod notify;
pub mod objects;
pub mod pace;
pub mod refusal;
pub mod settings;
pub mod supply;
pub mod told;

mod autoscaling;
mod cloud;
mod ec2;
mod ecs;
mod evidence;
mod held;
mod pages;
mod queue;
mod registration;
mod rooms;
mod signed;
mod ssm;
mod sweep;

pub use accounts::ConnectError;
pub use act::custom::{CustomWebhook, WebhookFailure};
pub use actors::ObservedOnly;
pub use cloud::{AwsCloud, connect};
pub use lease::{DynamoLease, LeaseSettings};
pub use metrics::Datum;
pub use notify::{Mail, NotTold};
pub use settings::Settings;
pub use told::NotRead;
