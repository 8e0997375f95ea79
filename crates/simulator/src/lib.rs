//! A pretend AWS account with its own truth, on virtual time or on the wire.
//!
//! It shares no belief with whoever watches it: it links the engine's port types and drives the engine's loop, and knows
//! of no decision.
//!
//! | to learn | read |
//! |---|---|
//! | what there is: hosts, machines, agents, groups, services, tasks | [`world`] |
//! | how agents live and die | [`agent`] |
//! | what containers use | [`figures`] |
//! | a story in a file | [`scenario`] |
//! | what happens in it, to whom | [`timeline`] |
//! | a world with its story, running | [`simulation`] |
//! | the engine's loop against it, in process and in virtual time | [`direct`] |
//! | the account on the wire, for real AWS clients | [`face`] |
//! | queues, topics, rules and their patterns | [`queue`], [`topic`], [`bus`], [`pattern`] |
//! | metrics and alarms | [`metric`], [`alarm`] |
//! | changes as EventBridge events | [`events`] |
//! | what becomes of them on the way | [`courier`] |
//! | what goes wrong with events and calls | [`faults`] |
//! | commands on machines | [`command`] |
//! | the API's token buckets | [`throttle`] |
//! | whether what was recorded can stand beside the truth | [`judges`] |
//! | seeded stories by the thousand, lived and judged | [`swarm`] |
//! | small clusters and tasks by chance, and the scheduler's answers about them | [`twin`] |
//! | virtual time, and chance that can be repeated | [`clock`], [`seed`] |

#![forbid(unsafe_code)]

pub mod agent;
pub mod alarm;
pub mod bus;
pub mod clock;
pub mod command;
pub mod courier;
pub mod direct;
pub mod events;
pub mod face;
pub mod faults;
pub mod figures;
pub mod judges;
mod map;
pub mod metric;
pub mod pattern;
pub mod queue;
pub mod scenario;
pub mod seed;
pub mod simulation;
pub mod swarm;
pub mod throttle;
pub mod timeline;
pub mod topic;
pub mod twin;
pub mod world;
