//! A second opinion: what was observed is believed anew, the plainest way, and for every decision it is worked out from
//! those beliefs and the policy as data whether acting was allowed. Where muster and this model disagree, one of them is
//! wrong. It keeps no counts and no indexes, and shares no code with the core. What it believes is in [`beliefs`], what it
//! thinks of decisions in [`opinion`].

mod beliefs;
mod opinion;

use std::collections::{BTreeMap, VecDeque};

use engine::ports::{Body, Charge, Entry, Input, Record, Sweep, observation::Ec2State};
use serde_json::Value;

use super::{
    Violation,
    history::{act_word, chosen, result_word, text},
    plain::Plain,
};
use crate::{
    clock::{HOUR, Moment},
    map::{HashMap, HashSet},
};

#[derive(Clone, Debug, Default)]
struct Host {
    cluster: String,
    machine: String,
    version: i64,
    /// Neither REGISTERING nor DEREGISTERING nor failed: its agent ought to answer.
    serves: bool,
    away: bool,
    registered_at: i64,
    /// Zone, agent version, image, subnet, instance type.
    traits: [String; 5],
    protected_by: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Machine {
    at: i64,
    state: Option<Ec2State>,
    impaired: bool,
    status_at: i64,
    online: Option<bool>,
    ping_at: i64,
    zone: String,
    group: String,
    template: String,
}

#[derive(Clone, Debug, Default)]
struct Case {
    trouble: String,
    subject: String,
    cluster: String,
    waits_from: i64,
    looks: i64,
    /// The remedy that was begun and is neither over nor given up, and since when.
    at_work: Option<(String, i64)>,
    approved_until: i64,
    vetoed: bool,
    held_until: i64,
    unhealed: bool,
}

/// The model of one muster.
#[derive(Debug, Default)]
pub struct Reference {
    plain: Plain,
    hosts: HashMap<String, Host>,
    machines: HashMap<String, Machine>,
    tasks: HashMap<String, (String, String)>,
    cases: BTreeMap<u64, Case>,
    doubts: Vec<u64>,
    /// When it was begun, when the host was touched last, case, cluster, group.
    begun: Vec<(i64, i64, u64, String, String)>,
    /// Until when, group, cluster, and the host that came.
    arrivals: Vec<(i64, String, String, Option<String>)>,
    intents: BTreeMap<u64, Value>,
    pauses: BTreeMap<String, i64>,
    protections: BTreeMap<String, i64>,
    following: bool,
    /// Of the latest lease of its own, and when it had one after another muster.
    epoch: u64,
    took_over_at: Option<i64>,
    now: i64,
    raw: VecDeque<Sweep<'static>>,
    /// Whom the latest look named.
    named: HashSet<String>,
    request: Option<Value>,
    /// Where the model and muster disagreed; times are the engine's.
    pub disagreements: Vec<Violation>,
    /// Decisions that were compared.
    pub compared: u64,
}

fn ended(until: i64, now: i64) -> bool {
    until <= now
}

fn until(request: &Value, now: i64) -> i64 {
    request["secs"].as_i64().map_or(i64::MAX, |secs| now + secs * 1000)
}

impl Reference {
    /// A model that has seen nothing, of a muster under this policy.
    pub fn new(plain: Plain) -> Self {
        Self { plain, ..Self::default() }
    }

    /// An answer of a look is about to be given to muster, whole: the journal only keeps what was new in it.
    pub fn looked(&mut self, sweep: &Sweep<'static>) {
        self.raw.push_back(sweep.clone());
    }

    /// What was answered and never came to the journal is not believed: muster has crashed.
    pub fn forget_unheard(&mut self) {
        self.raw.clear();
    }

    /// The next entry of the journal, in order.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        // A clock that is set back does not turn back what has been waited for.
        self.now = self.now.max(entry.at.as_millisecond());
        let now = self.now;
        match &entry.body {
            Body::Input(Input::Observed(observation)) => {
                self.named.clear();
                self.observe(observation, now);
            }
            Body::Input(Input::Swept(_)) => {
                self.named.clear();
                if let Some(sweep) = self.raw.pop_front() {
                    self.sweep(&sweep, now);
                }
            }
            Body::Input(Input::Asked(asked)) => self.request = serde_json::to_value(&asked.request).ok(),
            Body::Input(Input::Leading(charge)) => {
                self.following = !charge.is_ours();
                if let Charge::Ours { epoch } = charge {
                    if ![self.epoch, self.epoch + 1].contains(epoch) {
                        self.took_over_at = Some(now);
                    }
                    self.epoch = *epoch;
                }
            }
            Body::Input(Input::Acted(outcome)) => {
                let result = serde_json::to_value(&outcome.result).unwrap_or(Value::Null);
                self.acted(outcome.intent.0, &result, now);
            }
            // Most cases are reconnects: nothing need be spelled out for those.
            Body::Record(Record::CaseOpened { case, trouble, subject, cluster, .. }) => {
                let (number, trouble) = (u64::from(case.0), trouble.word().to_owned());
                if trouble == "doubt" {
                    self.doubts.push(number);
                }
                // The look that a case was opened by counts.
                let looks = i64::from(self.named.contains(subject));
                let (subject, cluster) = (subject.clone(), cluster.clone());
                self.cases
                    .insert(number, Case { trouble, subject, cluster, waits_from: now, looks, ..Case::default() });
            }
            Body::Record(Record::CaseClosed { case, .. }) => {
                self.doubts.retain(|doubt| *doubt != u64::from(case.0));
                self.cases.remove(&case.0.into());
            }
            Body::Record(record) => self.record(&serde_json::to_value(record).unwrap_or(Value::Null), now),
            _ => {}
        }
    }

    fn acted(&mut self, intent: u64, result: &Value, now: i64) {
        let Some(intent) = self.intents.get(&intent) else { return };
        let case = self.cases.entry(intent["case"].as_u64().unwrap_or(0)).or_default();
        let word = result_word(result);
        case.unhealed |= word == "unhealed";
        let ends = matches!(act_word(intent), "terminate-in-group" | "mark-unhealthy" | "terminate" | "set-desired");
        let keeps_room = matches!(text(intent, "remedy"), "scale-out" | "scale-in");
        if ends && !keeps_room && matches!(word, "done" | "gone" | "failed") {
            let late = now + self.plain.replacement_secs("arrival_secs", 900) * 1000;
            let group = text(&intent["target"], "group").to_owned();
            self.arrivals.push((late, group, text(&intent["target"], "cluster").to_owned(), None));
        }
    }

    fn record(&mut self, record: &Value, now: i64) {
        let number = record["case"].as_u64().unwrap_or(0);
        match text(record, "kind") {
            "case-moved" => {
                let Some(case) = self.cases.get_mut(&number) else { return };
                let to = text(record, "to");
                if !matches!(to, "acting" | "verifying") {
                    case.at_work = None;
                }
                if text(record, "from") == "held" {
                    (case.waits_from, case.looks) = (now, 0);
                }
            }
            "abandoned" => {
                if let Some(case) = self.cases.get_mut(&number) {
                    case.at_work = None;
                }
            }
            "intended" => {
                let intent = record["intent"].clone();
                // A host counts for the hour in which it was touched last.
                if let Some(begun) = self.begun.iter_mut().rfind(|begun| Some(begun.2) == intent["case"].as_u64()) {
                    begun.1 = now;
                }
                self.intents.insert(intent["id"].as_u64().unwrap_or(0), intent);
            }
            "operator-asked" if record["answer"].get("granted").is_some() => self.granted(now),
            "decided" => self.decided(number, record, now),
            _ => {}
        }
    }

    fn granted(&mut self, now: i64) {
        let Some(request) = self.request.take() else { return };
        let key = |it: &Value| it["cluster"].as_str().unwrap_or("").to_owned();
        let Some((what, about)) = request.as_object().and_then(|it| it.iter().next()) else { return };
        let case = about["case"].as_u64().and_then(|number| self.cases.get_mut(&number));
        match (what.as_str(), case) {
            ("pause", _) => drop(self.pauses.insert(key(about), until(about, now))),
            ("resume", _) => drop(self.pauses.remove(&key(about))),
            ("protect", _) => drop(self.protections.insert(text(about, "subject").to_owned(), until(about, now))),
            ("unprotect", _) => drop(self.protections.remove(text(about, "subject"))),
            ("approve", Some(case)) => case.approved_until = now + HOUR / 4,
            ("veto", Some(case)) => case.vetoed = true,
            ("hold", Some(case)) => case.held_until = until(about, now),
            ("retry", Some(case)) => (case.vetoed, case.held_until) = (false, 0),
            _ => {}
        }
    }

    fn decided(&mut self, number: u64, record: &Value, now: i64) {
        let Some(case) = self.cases.get(&number).cloned() else { return };
        self.compared += 1;
        let found = match chosen(record) {
            None => {
                let reasons = record["decision"]["hold"]["because"].to_string();
                self.unfounded(&case, &reasons, now).map(|why| format!("{why}, and muster holds because {reasons}"))
            }
            Some((how, remedy)) => {
                self.forbids(&case, how, remedy, now).map(|why| format!("{how} {remedy}, but {why}"))
            }
        };
        if let Some(what) = found {
            let what = format!("the reference model disagrees about case {number} ({}): {what}", case.subject);
            self.disagreements.push(Violation { invariant: "I21", at: Moment(now), what });
        }
        let Some((how, remedy)) = chosen(record) else { return };
        if how == "will" && !matches!(remedy, "tell-someone" | "deregister" | "scale-out") {
            let (cluster, group) = (case.cluster.clone(), self.place(&case).1);
            self.begun.push((now, now, number, cluster, group));
        }
        if let Some(case) = self.cases.get_mut(&number)
            && how == "will"
        {
            case.at_work = (remedy != "tell-someone").then(|| (remedy.to_owned(), now));
        }
    }
}
