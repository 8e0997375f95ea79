//! How fast muster may ask: token buckets like those of AWS, a share of each. Pure arithmetic on milliseconds.
//!
//! ECS documents its buckets per account and region, shared by all tools (spec C.7). muster takes `share` of burst and
//! refill, halves its own rate when throttled in spite of that, and recovers over minutes.

use std::fmt;

/// A group of operations that AWS counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// ECS: ListClusters, DescribeClusters.
    ClusterRead,
    /// ECS: List and Describe of container instances and tasks.
    ClusterResourceRead,
    /// ECS: DescribeCapacityProviders.
    CapacityProviderRead,
    /// ECS: DescribeServices.
    ServiceRead,
    /// ECS: DescribeTaskDefinition.
    TaskDefinitionRead,
    /// EC2: Describe of machines, their status, types and subnets, GetConsoleOutput.
    Ec2Read,
    /// Auto Scaling: DescribeAutoScalingGroups, DescribeAutoScalingInstances.
    AutoScalingRead,
    /// SSM: DescribeInstanceInformation.
    SsmRead,
    /// ECS: UpdateContainerInstancesState, DeregisterContainerInstance.
    ClusterResourceChange,
    /// EC2: RebootInstances, TerminateInstances.
    Ec2Change,
    /// Auto Scaling: TerminateInstanceInAutoScalingGroup, SetInstanceHealth, SetDesiredCapacity.
    AutoScalingChange,
    /// SSM: SendCommand, CancelCommand.
    SsmSend,
    /// SSM: GetCommandInvocation, ListCommands. Apart from the others, so that following a command is not held up.
    SsmFollow,
    /// Lambda: Invoke.
    LambdaInvoke,
    /// DynamoDB: the lease.
    Lease,
    /// CloudWatch: PutMetricData.
    MetricsWrite,
}

impl Bucket {
    /// All buckets muster draws from.
    pub const ALL: [Self; 16] = [
        Self::ClusterRead,
        Self::ClusterResourceRead,
        Self::CapacityProviderRead,
        Self::ServiceRead,
        Self::TaskDefinitionRead,
        Self::Ec2Read,
        Self::AutoScalingRead,
        Self::SsmRead,
        Self::ClusterResourceChange,
        Self::Ec2Change,
        Self::AutoScalingChange,
        Self::SsmSend,
        Self::SsmFollow,
        Self::LambdaInvoke,
        Self::Lease,
        Self::MetricsWrite,
    ];

    /// Burst in calls and refill in calls a second of the whole bucket. ECS documents its own (spec C.7); EC2 documents
    /// 100 and 20 for filtered Describe calls, 50 and 5 for changes; the others document none, so theirs are cautious
    /// guesses.
    pub fn documented(self) -> (f64, f64) {
        match self {
            Self::ClusterRead | Self::CapacityProviderRead | Self::TaskDefinitionRead => (50.0, 20.0),
            Self::ClusterResourceRead | Self::ServiceRead | Self::Ec2Read => (100.0, 20.0),
            Self::ClusterResourceChange => (100.0, 40.0),
            Self::Ec2Change => (50.0, 5.0),
            Self::AutoScalingChange | Self::SsmSend => (20.0, 5.0),
            Self::AutoScalingRead
            | Self::SsmRead
            | Self::SsmFollow
            | Self::LambdaInvoke
            | Self::Lease
            | Self::MetricsWrite => (50.0, 10.0),
        }
    }

    /// The name under which people see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClusterRead => "ecs cluster read",
            Self::ClusterResourceRead => "ecs cluster resource read",
            Self::CapacityProviderRead => "ecs capacity provider read",
            Self::ServiceRead => "ecs service read",
            Self::TaskDefinitionRead => "ecs task definition read",
            Self::Ec2Read => "ec2 describe",
            Self::AutoScalingRead => "autoscaling describe",
            Self::SsmRead => "ssm describe",
            Self::ClusterResourceChange => "ecs cluster resource modify",
            Self::Ec2Change => "ec2 change",
            Self::AutoScalingChange => "autoscaling change",
            Self::SsmSend => "ssm send command",
            Self::SsmFollow => "ssm follow command",
            Self::LambdaInvoke => "lambda invoke",
            Self::Lease => "dynamodb lease",
            Self::MetricsWrite => "cloudwatch put",
        }
    }
}

/// muster's part of one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Which.
    pub bucket: Bucket,
    /// Calls at once; at least one, or nothing could ever be asked.
    pub burst: f64,
    /// Calls a second.
    pub refill_per_sec: f64,
    /// What part of `refill_per_sec` is used at the moment: 1, or less after a throttle.
    pub factor: f64,
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (burst, refill) = self.bucket.documented();
        let Allowance { refill_per_sec, factor, .. } = self;
        write!(f, "{}: {:.0} at once, then {:.2}/s", self.bucket.name(), self.burst, refill_per_sec * factor)?;
        write!(f, " (of {burst:.0} and {refill:.0}/s)")?;
        if *factor < 1.0 {
            write!(f, ", slowed to {:.0} % after a throttle", factor * 100.0)?;
        }
        Ok(())
    }
}

/// muster's part of every bucket at a share, as it stands before any throttle.
pub fn describe(share: f64) -> Vec<Allowance> {
    Pace::new(share).allowances(0)
}

/// The slowest muster gets, as a part of its own rate.
const SLOWEST: f64 = 1.0 / 16.0;
/// Seconds from standstill to full rate.
const RECOVERY_SECS: f64 = 600.0;
/// Throttles that come together count as one.
const ONE_THROTTLE_MILLIS: u64 = 1_000;

/// The buckets of one account and region.
#[derive(Clone, Debug)]
pub struct Pace {
    buckets: [TokenBucket; Bucket::ALL.len()],
}

impl Pace {
    /// Full buckets at time 0. A share outside (0, 1] is taken to the nearest that makes sense.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.001, 1.0) } else { 0.10 };
        Self {
            buckets: Bucket::ALL.map(|bucket| {
                let (burst, refill) = bucket.documented();
                TokenBucket::new((burst * share).max(1.0), refill * share)
            }),
        }
    }

    /// Takes the next place in the queue of a bucket: how many milliseconds to wait before the call.
    pub fn take(&mut self, bucket: Bucket, now_millis: u64) -> u64 {
        self.of(bucket).take(now_millis)
    }

    /// AWS said that it was too much: goes on at half the rate, with an empty bucket.
    pub fn throttled(&mut self, bucket: Bucket, now_millis: u64) {
        self.of(bucket).throttled(now_millis);
    }

    /// How it stands.
    pub fn allowances(&self, now_millis: u64) -> Vec<Allowance> {
        Bucket::ALL
            .iter()
            .zip(&self.buckets)
            .map(|(bucket, tokens)| {
                let mut tokens = tokens.clone();
                tokens.refill(now_millis);
                Allowance { bucket: *bucket, burst: tokens.burst, refill_per_sec: tokens.rate, factor: tokens.factor }
            })
            .collect()
    }

    fn of(&mut self, bucket: Bucket) -> &mut TokenBucket {
        // `ALL` lists the variants in the order of their declaration, so the discriminant is the place in it.
        &mut self.buckets[bucket as usize]
    }
}

#[derive(Clone, Debug)]
struct TokenBucket {
    burst: f64,
    rate: f64,
    factor: f64,
    /// Below zero: calls that wait for their turn already have these.
    tokens: f64,
    at_millis: u64,
    /// When the latest call granted may go.
    granted_until: u64,
    throttled_at: Option<u64>,
}

impl TokenBucket {
    fn new(burst: f64, rate: f64) -> Self {
        Self { burst, rate, factor: 1.0, tokens: burst, at_millis: 0, granted_until: 0, throttled_at: None }
    }

    fn refill(&mut self, now_millis: u64) {
        // A clock that went backwards adds nothing.
        let secs = now_millis.saturating_sub(self.at_millis) as f64 / 1000.0;
        self.at_millis = self.at_millis.max(now_millis);
        self.tokens = (self.tokens + secs * self.rate * self.factor).min(self.burst);
        self.factor = (self.factor + secs / RECOVERY_SECS).min(1.0);
    }

    fn take(&mut self, now_millis: u64) -> u64 {
        self.refill(now_millis);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            self.granted_until = self.granted_until.max(now_millis);
            return 0;
        }
        let wait = (-self.tokens / (self.rate * self.factor) * 1000.0).ceil() as u64;
        // A rate that recovers meanwhile must not bring a later call up to an earlier one that still waits.
        let spaced = self.granted_until.saturating_add((1000.0 / self.rate).ceil() as u64);
        self.granted_until = now_millis.saturating_add(wait).max(spaced);
        self.granted_until - now_millis.min(self.granted_until)
    }

    fn throttled(&mut self, now_millis: u64) {
        self.refill(now_millis);
        self.tokens = self.tokens.min(0.0);
        if self.throttled_at.is_none_or(|at| now_millis.saturating_sub(at) >= ONE_THROTTLE_MILLIS) {
            self.factor = (self.factor / 2.0).max(SLOWEST);
            self.throttled_at = Some(now_millis);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const B: Bucket = Bucket::ClusterResourceRead;

    #[test]
    fn every_bucket_is_found_at_its_own_place() {
        for (index, bucket) in Bucket::ALL.into_iter().enumerate() {
            assert_eq!(bucket as usize, index);
        }
    }

    #[test]
    fn a_tenth_of_the_bucket_is_ten_at_once_and_two_a_second() {
        let mut pace = Pace::new(0.10);
        let waits: Vec<u64> = (0..12).map(|_| pace.take(B, 0)).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert_eq!(waits[10..], [500, 1000]);
        assert_eq!(pace.take(B, 10_000), 0);
    }

    #[test]
    fn a_tiny_share_still_lets_one_call_through() {
        let mut pace = Pace::new(0.001);
        assert_eq!(pace.take(B, 0), 0);
        assert_eq!(pace.take(B, 0), 50_000);
    }

    #[test]
    fn a_throttle_halves_the_rate_once_and_minutes_restore_it() {
        let mut pace = Pace::new(0.5);
        for _ in 0..8 {
            pace.throttled(B, 5_000);
        }
        let factor = |pace: &Pace, at| pace.allowances(at)[B as usize].factor;
        assert!((factor(&pace, 5_000) - 0.5).abs() < 1e-9);
        assert_eq!(pace.take(B, 5_000), 200, "an empty bucket at 5/s");
        assert!(factor(&pace, 65_000) < 0.65);
        assert!((factor(&pace, 305_000) - 1.0).abs() < 1e-9);
        assert_eq!(pace.take(Bucket::ClusterRead, 5_000), 0, "other buckets go on");
    }

    #[test]
    fn throttles_without_end_never_stop_muster_altogether() {
        let mut pace = Pace::new(0.10);
        for second in 0..100 {
            pace.throttled(B, second * 1_000);
        }
        assert!(pace.take(B, 100_000) <= 10_000);
    }

    #[test]
    fn the_table_says_what_it_is_a_share_of() {
        let text = describe(0.10)[B as usize].to_string();
        assert_eq!(text, "ecs cluster resource read: 10 at once, then 2.00/s (of 100 and 20/s)");
    }

    proptest! {
        #[test]
        fn no_window_of_time_sees_more_calls_than_burst_and_refill_allow(
            share in 0.01f64..1.0,
            gaps in prop::collection::vec(0u64..3_000, 1..300),
            throttle_every in 5usize..50,
        ) {
            let mut pace = Pace::new(share);
            let (burst, refill) = B.documented();
            let (burst, refill) = ((burst * share).max(1.0), refill * share);
            let (mut now, mut granted) = (0, Vec::new());
            for (index, gap) in gaps.iter().enumerate() {
                now += gap;
                granted.push(now + pace.take(B, now));
                if index % throttle_every == 0 {
                    pace.throttled(B, now);
                }
            }
            granted.sort_unstable();
            for (first, from) in granted.iter().enumerate() {
                for (last, to) in granted.iter().enumerate().skip(first) {
                    let secs = (to - from) as f64 / 1000.0;
                    let calls = (last - first + 1) as f64;
                    prop_assert!(calls <= burst + refill * secs + 1.0 + 1e-6, "{calls} calls within {secs} s");
                }
            }
        }

        #[test]
        fn a_clock_that_jumps_back_never_panics_nor_gives_tokens(times in prop::collection::vec(0u64..100_000, 1..200)) {
            let mut pace = Pace::new(0.01);
            let latest = times.iter().max().copied().unwrap_or(0);
            let free = times.iter().filter(|at| pace.take(B, **at) == 0).count();
            prop_assert!(free as f64 <= 1.0 + latest as f64 / 1000.0 * 0.2 + 1.0);
        }
    }
}
