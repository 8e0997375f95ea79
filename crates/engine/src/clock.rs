//! The wall clock.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ports::Clock;

/// The machine's own clock. Sleeps in stretches of at most half a minute and looks at the clock again after each, so
/// that a clock that was set, or a machine that was suspended, is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

const STRETCH: Duration = Duration::from_secs(30);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(STRETCH)).await;
        }
    }
}
