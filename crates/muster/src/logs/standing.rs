//! How things stand with the logs. A store that cannot be had when muster starts may come back, and must not keep muster from
//! watching meanwhile.

use std::sync::{Arc, PoisonError, RwLock};

use query::Engine;
use telemetry::Store;

use super::{Api, error::ApiError};

/// Logs that can be asked.
#[derive(Clone, Debug)]
pub struct Ready {
    /// By the API of CloudWatch Logs.
    pub api: Api,
    /// What keeps them.
    pub store: Store,
    /// What runs queries over it.
    pub engine: Engine,
}

/// The logs, or why there are none now. Copies stand alike.
#[derive(Clone, Debug)]
pub struct Standing(Arc<RwLock<Result<Ready, ApiError>>>);

impl Standing {
    /// As they were found.
    pub fn new(found: Result<Ready, ApiError>) -> Self {
        Self(Arc::new(RwLock::new(found)))
    }

    /// The logs as they stand now.
    ///
    /// # Errors
    /// Why there are none.
    pub fn now(&self) -> Result<Ready, ApiError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// They can be had after all.
    pub fn come_back(&self, ready: Ready) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Ok(ready);
    }
}
