//! SSM: whether its agent on a machine answers.

use std::collections::{BTreeMap, BTreeSet};

use engine::ports::{
    Observation,
    observation::{Fact, Source, SsmFact},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{accounts::Place, pace::Bucket, pages::Pages, refusal::Refusal};

pub(crate) const DESCRIBE_INFORMATION: &str = "ssm:DescribeInstanceInformation";

/// Ids that one call asks for, and entries that one page holds.
pub(crate) const PER_CALL: usize = 50;

impl Place {
    /// SSM's view of these machines. One that SSM does not list is unknown to it.
    pub(crate) async fn ping_facts(
        &self,
        ids: &BTreeSet<String>,
        source: Source,
    ) -> Result<Vec<Observation<'static>>, Refusal> {
        let all: Vec<&String> = ids.iter().collect();
        let mut found: BTreeMap<String, SsmFact<'static>> = BTreeMap::new();
        for chunk in all.chunks(PER_CALL) {
            let mut pages = Pages::default();
            loop {
                let mut body =
                    json!({ "MaxResults": PER_CALL, "Filters": [{ "Key": "InstanceIds", "Values": chunk }] });
                if let Some(token) = &pages.token() {
                    body["NextToken"] = json!(token);
                }
                let target = wire::json::target("AmazonSSM", "DescribeInstanceInformation");
                let answer =
                    self.caller.call(Bucket::SsmRead, DESCRIBE_INFORMATION, || self.ssm.json(&target, &body)).await?;
                if !answer.get("InstanceInformationList").is_some_and(Value::is_array) {
                    let looks_like = "no list of machines".to_owned();
                    return Err(Refusal::Nonsense { status: 200, looks_like });
                }
                found.extend(read(&answer).filter(|(id, _)| ids.contains(id)));
                let next = answer.get("NextToken").and_then(Value::as_str).filter(|next| !next.is_empty());
                if !pages.go_on(next.map(str::to_owned))? {
                    break;
                }
            }
        }
        let at = Timestamp::now();
        let facts = ids.iter().map(|id| {
            found.remove(id).unwrap_or_else(|| SsmFact {
                instance_id: id.clone().into(),
                online: None,
                last_ping_at: None,
                platform: None,
            })
        });
        Ok(facts.map(|fact| Observation { at, source, fact: Fact::Ssm(fact) }).collect())
    }
}

fn read(answer: &Value) -> impl Iterator<Item = (String, SsmFact<'static>)> + use<'_> {
    let list = answer.get("InstanceInformationList").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let id = text("InstanceId")?.to_owned();
        let fact = SsmFact {
            instance_id: id.clone().into(),
            online: text("PingStatus").map(|status| status == "Online"),
            last_ping_at: entry.get("LastPingDateTime").and_then(wire::json::time),
            platform: text("PlatformName").map(|name| name.to_owned().into()),
        };
        Some((id, fact))
    })
}
