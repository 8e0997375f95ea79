//! Who is in charge, kept in a DynamoDB table: one item a group of musters, changed by conditional writes only.
//!
//! Clocks of different machines are never compared. Another's lease counts as expired when its item has not changed for
//! the lease's whole length by this process's own monotonic clock. So whoever starts beside an abandoned lease waits
//! that long once, and a clock that jumps gains nothing.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engine::ports::{Grant, Lease, LeaseError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wire::json::Version;

use crate::{accounts::ConnectError, call::Caller, cloud::AwsCloud, pace::Bucket, refusal::Refusal, signed::Signed};

pub(crate) const GET_ITEM: &str = "dynamodb:GetItem";
pub(crate) const UPDATE_ITEM: &str = "dynamodb:UpdateItem";

const SERVICE: &str = "DynamoDB_20120810";
/// A lost race means that somebody else has it.
const LOST: &str = "ConditionalCheckFailedException";

/// Where the lease is kept and for how long it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// Name of the table. Its partition key is the string `name`, and there is no sort key.
    pub table: String,
    /// Region of the table. `None`: the first watched region.
    pub region: Option<String>,
    /// Which lease: musters that watch the same clusters share one.
    pub name: String,
    /// For how long it is given; it should be renewed in a third of that.
    pub length: Duration,
}

/// A lease in a DynamoDB table. The writer is unique to this value: two of them in one process are two holders.
#[derive(Debug)]
pub struct DynamoLease {
    settings: LeaseSettings,
    dynamo: Signed,
    caller: Caller,
    holder: String,
    seen: std::sync::Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Our own epoch, while we hold it as far as we know.
    ours: Option<u64>,
    /// Another's item as it was, and since when it has not changed.
    other: Option<(Item, Instant)>,
}

/// The item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    /// Empty: given back.
    holder: String,
    epoch: u64,
    /// Counts renewals: what changes is alive.
    beat: u64,
}

impl AwsCloud {
    /// A lease kept with the credentials that act in the account of the base credentials. Nothing is asked of the table yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn lease(&self, settings: LeaseSettings) -> Result<DynamoLease, ConnectError> {
        let own = self.settings();
        let actor = self.actors().at_home(own, self.base()).await;
        let base = actor.unwrap_or(self.base());
        let region = settings.region.clone().or_else(|| base.region().map(ToString::to_string));
        let region = region.ok_or(ConnectError::NoRegion)?;
        let holder = format!("{}-{:016x}", std::process::id(), fastrand::Rng::new().u64(..));
        Ok(DynamoLease {
            dynamo: Signed::new(own, base, &region, "dynamodb", "DynamoDB")?,
            caller: Caller::new(1.0, own.timeouts.backoff),
            settings,
            holder,
            seen: std::sync::Mutex::default(),
        })
    }
}

#[async_trait]
impl Lease for DynamoLease {
    async fn hold(&self) -> Result<Option<Grant>, LeaseError> {
        let asked_at = Timestamp::now();
        let ours = self.seen().ours;
        if let Some(epoch) = ours {
            let renewed = self.write(&Condition::Held, epoch).await;
            match renewed {
                Ok(true) => return Ok(Some(self.grant(epoch, asked_at))),
                Ok(false) => self.seen().ours = None,
                Err(refusal) => return Err(self.failure(UPDATE_ITEM, &refusal)),
            }
        }
        let item = self.read().await.map_err(|refusal| self.failure(GET_ITEM, &refusal))?;
        let (condition, epoch) = match item {
            None => (Condition::Absent, 1),
            // Taken by a call of ours whose answer was lost.
            Some(item) if item.holder == self.holder => (Condition::Held, item.epoch),
            Some(item) if item.holder.is_empty() || self.is_abandoned(&item) => {
                let next = item.epoch + 1;
                (Condition::Unchanged(item), next)
            }
            Some(_) => return Ok(None),
        };
        let asked_at = Timestamp::now();
        match self.write(&condition, epoch).await {
            Ok(true) => {
                let mut seen = self.seen();
                (seen.ours, seen.other) = (Some(epoch), None);
                drop(seen);
                Ok(Some(self.grant(epoch, asked_at)))
            }
            Ok(false) => Ok(None),
            Err(refusal) => Err(self.failure(UPDATE_ITEM, &refusal)),
        }
    }

    async fn release(&self) {
        let Some(epoch) = self.seen().ours.take() else { return };
        let mut body = self.update(&Condition::Held, epoch);
        body["ExpressionAttributeValues"][":holder"] = json!({ "S": "" });
        body["ExpressionAttributeValues"][":until"] = json!({ "N": "0" });
        body["ExpressionAttributeValues"][":me"] = json!({ "S": self.holder });
        if let Err(refusal) = self.call(UPDATE_ITEM, "UpdateItem", &body).await {
            tracing::warn!(
                why = self.failure(UPDATE_ITEM, &refusal).0,
                "the lease could not be given back; it runs out by itself"
            );
        }
    }
}

/// What has to be so for a write to happen.
enum Condition {
    Absent,
    Held,
    Unchanged(Item),
}

impl DynamoLease {
    /// The name under which this muster holds the lease.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, epoch: u64, asked_at: Timestamp) -> Grant {
        let length = SignedDuration::try_from(self.settings.length).unwrap_or(SignedDuration::ZERO);
        Grant { epoch, until: asked_at.checked_add(length).unwrap_or(asked_at) }
    }

    /// Whether another's item has been the same for the whole length of the lease.
    fn is_abandoned(&self, item: &Item) -> bool {
        let mut seen = self.seen();
        match &seen.other {
            Some((before, since)) if before == item => since.elapsed() >= self.settings.length,
            _ => {
                seen.other = Some((item.clone(), Instant::now()));
                false
            }
        }
    }

    async fn read(&self) -> Result<Option<Item>, Refusal> {
        let body = json!({ "TableName": self.settings.table, "Key": self.key(), "ConsistentRead": true });
        let answer = self.call(GET_ITEM, "GetItem", &body).await?;
        let Some(item) = answer.get("Item") else {
            // DynamoDB answers an empty object for a missing item; anything else is not DynamoDB.
            let empty = answer.as_object().is_some_and(|answer| answer.keys().all(|key| key == "ConsumedCapacity"));
            let nonsense = || Refusal::Nonsense { status: 200, looks_like: "no item of a table".to_owned() };
            return if empty { Ok(None) } else { Err(nonsense()) };
        };
        let number = |name: &str| {
            let text = item.get(name).and_then(|value| value.get("N")).and_then(Value::as_str);
            text.and_then(|text| text.parse::<u64>().ok())
        };
        let holder = item.get("holder").and_then(|value| value.get("S")).and_then(Value::as_str);
        match (holder, number("epoch")) {
            (Some(holder), Some(epoch)) => {
                Ok(Some(Item { holder: holder.to_owned(), epoch, beat: number("beat").unwrap_or(0) }))
            }
            _ => Err(Refusal::Nonsense { status: 200, looks_like: "an item that is no lease".to_owned() }),
        }
    }

    /// Writes ourselves into the item if the condition holds; `false` when it does not.
    async fn write(&self, condition: &Condition, epoch: u64) -> Result<bool, Refusal> {
        let body = self.update(condition, epoch);
        match self.call(UPDATE_ITEM, "UpdateItem", &body).await {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.code() == Some(LOST) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    fn update(&self, condition: &Condition, epoch: u64) -> Value {
        let length = i64::try_from(self.settings.length.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_millisecond().saturating_add(length);
        let mut values = json!({
            ":holder": { "S": self.holder },
            ":epoch": { "N": epoch.to_string() },
            ":until": { "N": until.to_string() },
            ":one": { "N": "1" },
        });
        let condition = match condition {
            Condition::Absent => "attribute_not_exists(#name)",
            Condition::Held => {
                values[":me"] = json!({ "S": self.holder });
                "holder = :me AND epoch = :epoch"
            }
            Condition::Unchanged(item) => {
                values[":their_holder"] = json!({ "S": item.holder });
                values[":their_epoch"] = json!({ "N": item.epoch.to_string() });
                values[":their_beat"] = json!({ "N": item.beat.to_string() });
                "holder = :their_holder AND epoch = :their_epoch AND beat = :their_beat"
            }
        };
        let mut body = json!({
            "TableName": self.settings.table,
            "Key": self.key(),
            "UpdateExpression": "SET holder = :holder, epoch = :epoch, until_ms = :until ADD beat :one",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        });
        if condition.contains("#name") {
            // `name` is a reserved word of DynamoDB.
            body["ExpressionAttributeNames"] = json!({ "#name": "name" });
        }
        body
    }

    fn key(&self) -> Value {
        json!({ "name": { "S": self.settings.name } })
    }

    /// Every write is conditional, so that a repeated one does no harm: at worst it finds that the first one succeeded.
    async fn call(&self, action: &'static str, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let target = wire::json::target(SERVICE, operation);
        self.caller.call(Bucket::Lease, action, || self.dynamo.json_of(Version::V1_0, &target, body)).await
    }

    fn failure(&self, action: &'static str, refusal: &Refusal) -> LeaseError {
        let table = &self.settings.table;
        let create = format!(
            "aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST --attribute-definitions \
             AttributeName=name,AttributeType=S --key-schema AttributeName=name,KeyType=HASH"
        );
        let thing = format!("the table {table}");
        LeaseError(match refusal.code() {
            Some("ResourceNotFoundException") => {
                format!("the lease cannot be kept: there is no table {table} in this region; create it with `{create}`")
            }
            Some("ValidationException") if refusal.says("key") => format!(
                "the lease cannot be kept: the key of the table {table} must be the string `name` alone; create another \
                 one with `{create}`"
            ),
            _ => format!("the lease cannot be kept: {}", refusal.sentence(action, &thing)),
        })
    }
}
