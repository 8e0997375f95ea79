//! One call: waits for its place, is repeated when that may help, and is counted.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    pace::{Allowance, Bucket, Pace},
    refusal::Refusal,
};

/// Tries of one call when AWS throttles, each after a longer pause.
const THROTTLED_TRIES: u32 = 6;
/// Tries of one call on failures of AWS's side or of the network. Two: more would only hide an outage for longer.
const TRANSIENT_TRIES: u32 = 2;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How often each operation was called, by its IAM action.
pub type Calls = BTreeMap<&'static str, CallCount>;

/// Counts of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Of those, throttled.
    pub throttled: u64,
    /// Of those, failed in another way.
    pub failed: u64,
}

/// The caller of one account and region.
#[derive(Debug)]
pub struct Caller {
    started: Instant,
    pace: Mutex<Pace>,
    calls: Mutex<Calls>,
    backoff: Duration,
}

impl Caller {
    /// A caller that keeps to `share` of each bucket.
    pub fn new(share: f64, backoff: Duration) -> Self {
        Self { started: Instant::now(), pace: Mutex::new(Pace::new(share)), calls: Mutex::new(Calls::new()), backoff }
    }

    /// How the buckets stand.
    pub fn allowances(&self) -> Vec<Allowance> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).allowances(self.millis())
    }

    /// What was called so far.
    pub fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls `send` when the bucket allows, again after throttles and passing failures, with full jitter in between.
    pub async fn call<T, F>(&self, bucket: Bucket, action: &'static str, send: impl FnMut() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        self.tried(bucket, action, TRANSIENT_TRIES, send).await
    }

    /// The same for a call that changes something: only a throttle, which is said before anything is done, leads to
    /// another try. After any other failure the caller has to look before it asks again.
    pub async fn change<T, F>(
        &self,
        bucket: Bucket,
        action: &'static str,
        send: impl FnMut() -> F,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        self.tried(bucket, action, 1, send).await
    }

    async fn tried<T, F>(
        &self,
        bucket: Bucket,
        action: &'static str,
        most_failures: u32,
        mut send: impl FnMut() -> F,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let (mut throttles, mut failures) = (0, 0);
        loop {
            let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).take(bucket, self.millis());
            if wait > 0 {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            self.count(action, |count| count.sent += 1);
            let refusal = match send().await {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            if refusal.is_throttle() {
                self.count(action, |count| count.throttled += 1);
                self.pace.lock().unwrap_or_else(PoisonError::into_inner).throttled(bucket, self.millis());
                throttles += 1;
                if throttles >= THROTTLED_TRIES {
                    return Err(refusal);
                }
            } else {
                self.count(action, |count| count.failed += 1);
                failures += 1;
                if !refusal.is_transient() || failures >= most_failures {
                    return Err(refusal);
                }
            }
            tracing::debug!(action, %refusal, "tried again after a pause");
            tokio::time::sleep(self.pause(throttles + failures)).await;
        }
    }

    fn pause(&self, tries: u32) -> Duration {
        let most = self.backoff.saturating_mul(1 << tries.min(8)).min(LONGEST_PAUSE);
        most.mul_f64(fastrand::f64())
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn count(&self, action: &'static str, change: impl FnOnce(&mut CallCount)) {
        change(self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(action).or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn throttle() -> Refusal {
        Refusal::Service { code: "ThrottlingException".into(), message: String::new(), status: 400 }
    }

    async fn tries(refusal: Refusal, until: u32) -> (Result<(), Refusal>, CallCount) {
        let caller = Caller::new(1.0, Duration::from_millis(1));
        let tries = Cell::new(0);
        let result = caller
            .call(Bucket::ClusterRead, "ecs:ListClusters", || {
                tries.set(tries.get() + 1);
                let answer = if tries.get() > until { Ok(()) } else { Err(refusal.clone()) };
                async move { answer }
            })
            .await;
        (result, caller.calls()["ecs:ListClusters"])
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_is_repeated_and_counted() {
        let (result, count) = tries(throttle(), 2).await;
        assert_eq!(result, Ok(()));
        assert_eq!(count, CallCount { sent: 3, throttled: 2, failed: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_bounded_and_a_denial_is_not_tried_twice() {
        let (result, count) = tries(throttle(), u32::MAX).await;
        assert_eq!((result, count.sent), (Err(throttle()), 6));
        let denied = Refusal::Service { code: "AccessDeniedException".into(), message: String::new(), status: 400 };
        let (result, count) = tries(denied.clone(), u32::MAX).await;
        assert_eq!((result, count.sent), (Err(denied), 1));
        let (_, count) = tries(Refusal::TimedOut, u32::MAX).await;
        assert_eq!(count.sent, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_repeated_after_a_throttle_and_after_nothing_else() {
        let caller = Caller::new(1.0, Duration::from_millis(1));
        let mut answers = vec![Err(Refusal::TimedOut), Err(throttle()), Err(throttle())];
        let result: Result<(), Refusal> = caller
            .change(Bucket::Ec2Change, "ec2:TerminateInstances", || {
                let answer = answers.pop().unwrap_or(Ok(()));
                async move { answer }
            })
            .await;
        assert_eq!((result, answers.len()), (Err(Refusal::TimedOut), 0));
        assert_eq!(caller.calls()["ec2:TerminateInstances"], CallCount { sent: 3, throttled: 2, failed: 1 });
    }
}
