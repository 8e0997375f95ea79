//! The documented token buckets of the ECS API (spec C.7): per account and region, shared by all actions of a category.

use crate::{clock::Moment, map::HashMap, world::PlaceId};

/// A category of actions that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation's")]
pub enum Category {
    ClusterRead,
    ClusterModify,
    ResourceRead,
    ResourceModify,
    ServiceRead,
    ServiceModify,
    DefinitionRead,
    ProviderRead,
    SettingRead,
    TagRead,
    AgentModify,
    /// Services other than ECS: EC2, Auto Scaling, SSM, SQS. Their limits are generous and are not modelled apart.
    Other,
}

impl Category {
    /// The category of `service:Operation`.
    pub fn of(action: &str) -> Self {
        let Some(operation) = action.strip_prefix("ecs:") else { return Self::Other };
        match operation {
            "DescribeClusters" | "ListClusters" => Self::ClusterRead,
            "CreateCluster"
            | "DeleteCluster"
            | "PutClusterCapacityProviders"
            | "UpdateCluster"
            | "UpdateClusterSettings" => Self::ClusterModify,
            "DescribeContainerInstances"
            | "DescribeTasks"
            | "ListAttributes"
            | "ListContainerInstances"
            | "ListTasks" => Self::ResourceRead,
            "DescribeServices" | "ListServices" => Self::ServiceRead,
            "CreateService" | "UpdateService" | "DeleteService" => Self::ServiceModify,
            "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => Self::DefinitionRead,
            "DescribeCapacityProviders" => Self::ProviderRead,
            "ListAccountSettings" => Self::SettingRead,
            "ListTagsForResource" => Self::TagRead,
            "RegisterContainerInstance" => Self::AgentModify,
            _ if operation.starts_with("Submit") => Self::AgentModify,
            _ => Self::ResourceModify,
        }
    }

    /// Burst and refill a second.
    pub fn limits(self) -> (f64, f64) {
        match self {
            Self::ClusterRead | Self::DefinitionRead | Self::ProviderRead | Self::SettingRead | Self::TagRead => {
                (50.0, 20.0)
            }
            Self::ClusterModify => (20.0, 1.0),
            Self::ResourceRead | Self::ServiceRead => (100.0, 20.0),
            Self::ResourceModify => (100.0, 40.0),
            Self::ServiceModify => (50.0, 5.0),
            Self::AgentModify => (200.0, 120.0),
            Self::Other => (1_000.0, 200.0),
        }
    }
}

/// The buckets of all places, and what was asked of them.
#[derive(Debug, Default)]
pub struct Throttle {
    buckets: HashMap<(PlaceId, Category), Bucket>,
    /// Share of every bucket that other tools use up.
    pub background_use: f64,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Moment,
    asked: u64,
    refused: u64,
}

/// How often a category was asked and refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Calls.
    pub asked: u64,
    /// Of those, throttled.
    pub refused: u64,
}

impl Throttle {
    /// Buckets of which others use up a share.
    pub fn new(background_use: f64) -> Self {
        Self { background_use: background_use.clamp(0.0, 1.0), ..Self::default() }
    }

    /// Takes a token for a call, if there is one.
    pub fn admit(&mut self, place: PlaceId, action: &str, now: Moment) -> bool {
        let category = Category::of(action);
        let (burst, refill) = category.limits();
        let left = 1.0 - self.background_use;
        let (burst, refill) = (burst * left, refill * left);
        let fresh = || Bucket { tokens: burst, filled_at: now, asked: 0, refused: 0 };
        let bucket = self.buckets.entry((place, category)).or_insert_with(fresh);
        let elapsed = now.since(bucket.filled_at).max(0);
        bucket.tokens = (bucket.tokens + elapsed as f64 / 1000.0 * refill).min(burst);
        bucket.filled_at = bucket.filled_at.max(now);
        bucket.asked += 1;
        if bucket.tokens < 1.0 {
            bucket.refused += 1;
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// What was asked of all categories of ECS together, in all places.
    pub fn used_of_ecs(&self) -> Use {
        let mut sum = Use::default();
        for ((_, category), bucket) in &self.buckets {
            if *category != Category::Other {
                sum.asked += bucket.asked;
                sum.refused += bucket.refused;
            }
        }
        sum
    }

    /// What was asked of a category in a place.
    pub fn used(&self, place: PlaceId, category: Category) -> Use {
        let bucket = self.buckets.get(&(place, category));
        bucket.map_or_else(Use::default, |bucket| Use { asked: bucket.asked, refused: bucket.refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_its_refill_for_ever() {
        let mut throttle = Throttle::new(0.0);
        let admitted = |throttle: &mut Throttle, now: i64, calls: usize| {
            (0..calls).filter(|_| throttle.admit(PlaceId(0), "ecs:DescribeTasks", Moment(now))).count()
        };
        assert_eq!(admitted(&mut throttle, 0, 200), 100);
        assert_eq!(admitted(&mut throttle, 1_000, 200), 20);
        assert!(throttle.admit(PlaceId(0), "ecs:ListClusters", Moment(1_000)), "another category has its own bucket");
        assert!(throttle.admit(PlaceId(1), "ecs:ListTasks", Moment(1_000)), "another region has its own bucket");
        assert_eq!(throttle.used(PlaceId(0), Category::ResourceRead), Use { asked: 400, refused: 280 });
    }

    #[test]
    fn others_use_up_their_share() {
        let mut throttle = Throttle::new(0.5);
        let admitted = (0..200).filter(|_| throttle.admit(PlaceId(0), "ecs:ListTasks", Moment(0))).count();
        assert_eq!(admitted, 50);
    }
}
