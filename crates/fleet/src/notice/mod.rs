//! Who is told what, when, and how often.
//!
//! An open case that people should hear of is an alert. Alerts find their receivers through the route tree, are gathered
//! in groups, and become pages: one when a group begins, updates while it changes or lasts, one when it is over. An alert
//! that a wider case covers, or that is silenced, waits; nothing is forgotten.
//!
//! | to learn | read |
//! |---|---|
//! | a message as a receiver gets it, and whether it arrived | [`page`] |
//! | who is told: the route tree | [`route`], [`routing`] |
//! | an open case as people should hear of it | [`alert`] |
//! | alerts gathered, and when they become a page | [`group`] |
//! | what a page says | [`wording`] |
//! | when nobody is told for a while | [`silence`] |
//! | pages that are owed, lost, and that muster is alive | [`delivery`] |

pub mod alert;
pub mod delivery;
pub mod group;
pub mod page;
pub mod route;
pub mod routing;
pub mod silence;
pub mod wording;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{host::Millis, id::CaseId};
use alert::Alert;
use delivery::Owed;
use group::Group;
use page::PageId;
use route::Route;
use silence::Silence;

/// Everything that is kept about telling people.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Notices {
    /// The number of the latest page.
    pub(crate) last_page: u64,
    /// The number of the latest group.
    pub(crate) last_group: u32,
    /// The number of the latest silence.
    pub(crate) last_silence: u32,
    /// Open cases that people should hear of.
    pub(crate) alerts: BTreeMap<CaseId, Alert>,
    /// Alerts, gathered.
    pub(crate) groups: BTreeMap<u32, Group>,
    /// The group of each receiver, route and value, while it lasts.
    pub(crate) by_label: BTreeMap<String, u32>,
    /// Pages that were handed out and of which nobody has said yet what became.
    pub(crate) owed: BTreeMap<PageId, Owed>,
    /// What nobody is told of.
    pub(crate) silences: BTreeMap<u32, Silence>,
    /// When the next heartbeat is due, or 0.
    pub(crate) heartbeat_at: Millis,
    /// The routes by which the alerts were routed: others may have come into force with a restart.
    pub(crate) routed_by: Vec<Route>,
}
