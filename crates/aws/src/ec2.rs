//! EC2: states and status checks of machines, and when they were launched.

use std::collections::{BTreeMap, BTreeSet};

use engine::ports::{
    Observation,
    observation::{Ec2State, Ec2StatusFact, Fact, ReachabilityStatus, Source},
};
use jiff::Timestamp;
use wire::{query::Params, xml::Element};

use crate::{accounts::Place, pace::Bucket, pages::Pages, refusal::Refusal};

pub(crate) const DESCRIBE_STATUS: &str = "ec2:DescribeInstanceStatus";
pub(crate) const DESCRIBE_INSTANCES: &str = "ec2:DescribeInstances";
pub(crate) const CONSOLE_OUTPUT: &str = "ec2:GetConsoleOutput";

pub(crate) const VERSION: &str = "2016-11-15";
/// Ids that one call takes.
const PER_CALL: usize = 100;
/// From so many machines on, it is cheaper to read everything in pages of 1,000.
const READ_ALL_FROM: usize = 1_000;
/// How often unknown ids are taken out of a request before it is given up.
const MOST_REMOVALS: usize = 8;

impl Place {
    /// State and status checks of these machines. One is said to be gone only when EC2 says that it does not know it,
    /// or when it is missing from all there are.
    pub(crate) async fn machine_facts(
        &self,
        ids: &BTreeSet<String>,
        source: Source,
    ) -> Result<Vec<Observation<'static>>, Refusal> {
        let mut statuses: BTreeMap<String, Ec2StatusFact<'static>> = BTreeMap::new();
        let mut gone: BTreeSet<String> = BTreeSet::new();
        if ids.len() > READ_ALL_FROM {
            let mut pages = Pages::default();
            loop {
                let mut params = status_params();
                params.push("MaxResults", "1000");
                if let Some(token) = &pages.token() {
                    params.push("NextToken", token);
                }
                let answer = self.ec2_call(DESCRIBE_STATUS, &params).await?;
                // Without the set, nothing is said of any machine; an empty one is still there.
                if answer.child("instanceStatusSet").is_none() {
                    return Err(Refusal::Nonsense { status: 200, looks_like: "no list of machines".to_owned() });
                }
                statuses.extend(read_statuses(&answer).filter(|(id, _)| ids.contains(id)));
                if !pages.go_on(answer.text_at("nextToken").map(str::to_owned))? {
                    break;
                }
            }
            gone.extend(ids.iter().filter(|id| !statuses.contains_key(*id)).cloned());
        } else {
            let ids: Vec<&String> = ids.iter().collect();
            for chunk in ids.chunks(PER_CALL) {
                statuses.extend(self.status_of(chunk, &mut gone).await?);
            }
        }
        let at = Timestamp::now();
        let known = statuses.into_values().map(Fact::Ec2Status);
        let gone = gone.into_iter().map(|id| Fact::Ec2State { instance_id: id.into(), state: Ec2State::Gone });
        let facts = known.chain(gone);
        Ok(facts.map(|fact| Observation { at, source, fact }).collect())
    }

    /// One bad id spoils a whole request, and the error names it: taken out, the rest is asked again.
    async fn status_of(
        &self,
        ids: &[&String],
        gone: &mut BTreeSet<String>,
    ) -> Result<Vec<(String, Ec2StatusFact<'static>)>, Refusal> {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        for _ in 0..MOST_REMOVALS {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let mut params = status_params();
            params.push_ec2_list("InstanceId", &ids);
            match self.ec2_call(DESCRIBE_STATUS, &params).await {
                Ok(answer) => return Ok(read_statuses(&answer).collect()),
                Err(refusal) => match unknown_ids(&refusal) {
                    unknown if unknown.is_empty() => return Err(refusal),
                    unknown => {
                        let before = ids.len();
                        note_gone(&refusal, unknown.iter().filter(|id| ids.contains(id)), gone);
                        ids.retain(|id| !unknown.contains(id));
                        if ids.len() == before {
                            return Err(refusal);
                        }
                    }
                },
            }
        }
        let mut found = Vec::new();
        for id in ids {
            let mut params = status_params();
            params.push_ec2_list("InstanceId", [&id]);
            match self.ec2_call(DESCRIBE_STATUS, &params).await {
                Ok(answer) => found.extend(read_statuses(&answer)),
                Err(refusal) if unknown_ids(&refusal).contains(&id) => note_gone(&refusal, [&id], gone),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(found)
    }

    /// When these machines were launched; those that EC2 does not tell of are left out.
    pub(crate) async fn launch_times(&self, ids: &[String]) -> Result<BTreeMap<String, Timestamp>, Refusal> {
        let mut times = BTreeMap::new();
        for chunk in ids.chunks(PER_CALL) {
            let mut params = Params::new("DescribeInstances", VERSION);
            // A filter, unlike a list of ids, says nothing of ids that do not exist.
            params.push("Filter.1.Name", "instance-id");
            params.push_ec2_list("Filter.1.Value", chunk);
            let answer = self.ec2_call(DESCRIBE_INSTANCES, &params).await?;
            for instance in answer.items("reservationSet").flat_map(|reservation| reservation.items("instancesSet")) {
                let launched = instance.text_at("launchTime").and_then(|text| text.parse().ok());
                if let (Some(id), Some(at)) = (instance.text_at("instanceId"), launched) {
                    times.insert(id.to_owned(), at);
                }
            }
        }
        Ok(times)
    }

    /// The state of one machine in EC2's word; `None` when EC2 does not know it. One call, unpaced: the caller's part.
    pub(crate) async fn machine_state(&self, id: &str) -> Result<Option<String>, Refusal> {
        let mut params = status_params();
        params.push_ec2_list("InstanceId", [id]);
        let answer = match self.ec2.query(&params).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.code() == Some("InvalidInstanceID.NotFound") => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let item = answer.items("instanceStatusSet").find(|item| item.text_at("instanceId") == Some(id));
        let state = item.and_then(|item| item.text_at("instanceState/name")).map(str::to_owned);
        // An empty set may be somebody else's answer: it says nothing of the machine.
        let nothing = || Refusal::Nonsense { status: 200, looks_like: format!("no state of {id}") };
        state.map(Some).ok_or_else(nothing)
    }

    /// The newest console output of one machine, decoded; `None` where there is none.
    pub(crate) async fn console_output(&self, id: &str) -> Result<Option<String>, Refusal> {
        let ask = |latest: bool| {
            let mut params = Params::new("GetConsoleOutput", VERSION);
            params.push("InstanceId", id);
            if latest {
                params.push("Latest", "true");
            }
            params
        };
        let latest = ask(true);
        let answer = match self.ec2_call(CONSOLE_OUTPUT, &latest).await {
            // Only Nitro machines give what is there now; others what was there when they last started or stopped.
            Err(refusal) if refusal.code() == Some("UnsupportedOperation") => {
                self.ec2_call(CONSOLE_OUTPUT, &ask(false)).await?
            }
            other => other?,
        };
        let Some(output) = answer.text_at("output").filter(|output| !output.trim().is_empty()) else { return Ok(None) };
        let packed: String = output.split_whitespace().collect();
        let bytes = aws_smithy_types::base64::decode(packed).map_err(|_| Refusal::Nonsense {
            status: 200,
            looks_like: "console output that is not base64".to_owned(),
        })?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(crate) async fn ec2_call(&self, action: &'static str, params: &Params) -> Result<Element, Refusal> {
        self.caller.call(Bucket::Ec2Read, action, || self.ec2.query(params)).await
    }
}

fn status_params() -> Params {
    let mut params = Params::new("DescribeInstanceStatus", VERSION);
    params.push("IncludeAllInstances", "true");
    params
}

fn read_statuses(answer: &Element) -> impl Iterator<Item = (String, Ec2StatusFact<'static>)> + use<'_> {
    answer.items("instanceStatusSet").filter_map(|item| {
        let id = item.text_at("instanceId")?.to_owned();
        let status = |path| ReachabilityStatus::parse(item.text_at(path).unwrap_or_default());
        let scheduled = item
            .items("eventsSet")
            .find(|event| !event.text_at("description").unwrap_or_default().starts_with("[Completed]"))
            .and_then(|event| event.text_at("code"));
        let fact = Ec2StatusFact {
            instance_id: id.clone().into(),
            state: Ec2State::parse(item.text_at("instanceState/name").unwrap_or_default()),
            system: status("systemStatus/status"),
            instance: status("instanceStatus/status"),
            ebs: status("attachedEbsStatus/status"),
            scheduled: scheduled.map(|code| code.to_owned().into()),
        };
        Some((id, fact))
    })
}

/// Not found is gone; malformed says nothing of any machine.
fn note_gone<'a>(refusal: &Refusal, ids: impl IntoIterator<Item = &'a String>, gone: &mut BTreeSet<String>) {
    if refusal.code() == Some("InvalidInstanceID.NotFound") {
        gone.extend(ids.into_iter().cloned());
    }
}

/// The ids that an InvalidInstanceID error complains of.
fn unknown_ids(refusal: &Refusal) -> Vec<String> {
    match refusal {
        Refusal::Service { code, message, .. } if code.starts_with("InvalidInstanceID") => message
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|word| word.starts_with("i-"))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_ec2_does_not_know_are_read_from_its_words() {
        let refusal = Refusal::Service {
            code: "InvalidInstanceID.NotFound".into(),
            message: "The instance IDs 'i-0aa11bb22cc33dd44, i-0aa11bb22cc33dd55' do not exist".into(),
            status: 400,
        };
        assert_eq!(unknown_ids(&refusal), ["i-0aa11bb22cc33dd44", "i-0aa11bb22cc33dd55"]);
        assert!(unknown_ids(&Refusal::TimedOut).is_empty());
    }
}
