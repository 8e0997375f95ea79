//! The loop of `muster serve`: the only place that performs effects.
//!
//! Whatever has arrived becomes one turn (group commit); messages are acknowledged and effects performed only when the
//! turn is in the journal. Port calls run in tasks of their own, so a slow cloud never holds up the core.
//!
//! | to learn | read |
//! |---|---|
//! | the loop itself; what it does with an arrival | [`engine`], `wheel.rs` |
//! | asking the fleet something from outside | [`handle`] |
//! | receiving from the queue, and its troubles | [`queue`] |
//! | deleting messages | [`acknowledge`] |
//! | sweeps and looks | [`looking`] |
//! | acts: read again, then call | [`performing`] |
//! | what muster itself has against an act | `gate.rs` |
//! | pages | [`telling`] |
//! | notices in the log | [`notices`] |
//! | who is in charge of acting | [`leading`] |
//! | how the loop is doing | [`status`], `health.rs` |

pub mod acknowledge;
pub mod engine;
mod gate;
pub mod handle;
mod health;
pub mod leading;
pub mod looking;
pub mod notices;
pub mod performing;
pub mod queue;
pub mod status;
pub mod telling;
mod wheel;

use std::sync::Arc;

pub use engine::{Engine, RunError};
pub use handle::{Handle, Stopped};
pub use status::Status;

use crate::ports::{Clock, Cloud, Lease, Notifier, Samples};

/// The world, as the loop needs it. The fifth port, the journal, belongs to the [`Turn`](crate::turn::Turn).
#[derive(Clone)]
pub struct Ports {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// Who tells people.
    pub notifier: Arc<dyn Notifier>,
    /// Where figures go.
    pub samples: Arc<dyn Samples>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who is in charge of acting, where several musters watch the same clusters. Without it this one is.
    pub lease: Option<Arc<dyn Lease>>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// How the loop runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Long polls of the queue at the same time.
    pub receivers: usize,
    /// Messages that may go into one turn, and so share one flush.
    pub batch_messages: usize,
    /// From the start of one sweep to the start of the next. The default audits everything three times within the time
    /// after which the policy calls an unseen host unknown.
    pub sweep_every_secs: u32,
    /// Shifts all sweeps but the first by this much. Several musters that start together draw it at random, so that
    /// they do not sweep together for ever.
    pub sweep_offset_secs: u32,
    /// A sweep that takes longer is given up; what it has answered stands.
    pub sweep_limit_secs: u32,
    /// Looks performed at the same time.
    pub looks_at_once: usize,
    /// Every act is withheld: this muster may look and tell, and not touch.
    pub read_only: bool,
    /// The longest that the one API call of an act takes to have its effect, tries included. With a lease, no act begins
    /// when less than twice this is left of it.
    pub act_api_limit_secs: u32,
    /// How much longer than its own limit an act is waited for.
    pub act_margin_secs: u32,
    /// How long reading a target again may take before its act.
    pub reread_limit_secs: u32,
    /// Acts performed at the same time.
    pub acts_at_once: usize,
    /// Receivers that are sent something at the same time.
    pub sends_at_once: usize,
    /// How long one page may take, retries included, before it is given up.
    pub page_limit_secs: u32,
    /// Pages held ready for sending, which bounds the memory they take; the others wait with the core.
    pub pages_waiting: usize,
}

impl Options {
    fn performing(&self) -> performing::Limits {
        performing::Limits {
            read_only: self.read_only,
            act_api_limit_secs: self.act_api_limit_secs,
            act_margin_secs: self.act_margin_secs,
            reread_limit_secs: self.reread_limit_secs,
            acts_at_once: self.acts_at_once,
        }
    }

    fn telling(&self) -> telling::Limits {
        telling::Limits {
            sends_at_once: self.sends_at_once,
            page_limit_secs: self.page_limit_secs,
            pages_waiting: self.pages_waiting,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receivers: 2,
            batch_messages: 256,
            sweep_every_secs: 900,
            sweep_offset_secs: 0,
            sweep_limit_secs: 900,
            looks_at_once: 4,
            read_only: false,
            act_api_limit_secs: 15,
            act_margin_secs: 30,
            reread_limit_secs: 15,
            acts_at_once: 64,
            sends_at_once: 64,
            page_limit_secs: 600,
            pages_waiting: 1_024,
        }
    }
}
