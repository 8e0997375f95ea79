//! A second opinion: what was observed is believed anew, the plainest way, and for every decision it is worked out from
//! those beliefs and the policy as data whether acting was allowed. Where muster and this model disagree, one of them is
//! wrong. It keeps no counts and no indexes, and shares no code with the core.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use engine::ports::{
    Body, Entry, Input, Record, Sweep,
    observation::{Attributes, Ec2State, Fact, InstanceStatus, LifecycleStage, Observation, ReachabilityStatus},
};
use serde_json::Value;

use super::{
    Violation,
    history::{act_word, chosen, result_word, text},
    plain::{Plain, PlainBudget, any_fits, cluster_name, glob},
};
use crate::clock::{HOUR, Moment};

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

/// What a fact is about.
fn name<'f>(fact: &'f Fact<'_>) -> Option<&'f str> {
    match fact {
        Fact::Instance(fact) => Some(&fact.arn),
        Fact::AutoScaling(fact) => Some(&fact.instance_id),
        Fact::Ec2Status(fact) => Some(&fact.instance_id),
        _ => None,
    }
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
            Body::Input(Input::Leading(leading)) => self.following = !leading,
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

    fn sweep(&mut self, sweep: &Sweep<'_>, now: i64) {
        use engine::ports::Scope;
        for observation in &sweep.found {
            self.observe(observation, now);
        }
        let named: HashSet<&str> = sweep.found.iter().filter_map(|it| name(&it.fact)).collect();
        match &sweep.scope {
            Scope::ClusterHosts(cluster) if sweep.complete => {
                self.hosts.retain(|arn, host| host.cluster != *cluster || named.contains(arn.as_str()));
            }
            Scope::Groups(_) if sweep.complete => {
                for (_, machine) in self.machines.iter_mut().filter(|(id, _)| !named.contains(id.as_str())) {
                    machine.group.clear();
                }
            }
            _ => {}
        }
        self.named = named.iter().map(|name| (*name).to_owned()).collect();
        let of_hosts = matches!(sweep.scope, Scope::ClusterHosts(_) | Scope::Hosts { .. });
        for case in self.cases.values_mut().filter(|case| of_hosts || case.trouble != "agent-away") {
            case.looks += i64::from(case.trouble == "host-impaired" || named.contains(case.subject.as_str()));
        }
    }

    fn observe(&mut self, observation: &Observation<'_>, now: i64) {
        let at = observation.at.as_millisecond();
        match &observation.fact {
            Fact::Instance(fact) => {
                if fact.status == InstanceStatus::Inactive {
                    self.hosts.remove(fact.arn.as_ref());
                    return;
                }
                let fresh = !self.hosts.contains_key(fact.arn.as_ref());
                let host = self.hosts.entry(fact.arn.to_string()).or_default();
                if fact.version.is_some_and(|version| version < host.version) {
                    return;
                }
                host.version = fact.version.unwrap_or(host.version);
                host.cluster = fact.cluster.to_string();
                if let Some(id) = &fact.ec2_instance_id {
                    host.machine = id.to_string();
                }
                host.serves = matches!(fact.status, InstanceStatus::Active | InstanceStatus::Draining);
                if let Some(connected) = fact.agent_connected {
                    host.away = !connected;
                }
                host.registered_at = fact.registered_at.map_or(host.registered_at, |at| at.as_millisecond());
                if !matches!(fact.attributes, Attributes::Absent) {
                    let read = fact.attributes.read();
                    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
                    let version = fact.agent_version.as_deref().unwrap_or("").to_owned();
                    host.traits =
                        [own(&read.zone), version, own(&read.ami), own(&read.subnet), own(&read.instance_type)];
                    let (marks, ..) = self.plain.protection();
                    let found = |mark: &String| match mark.split_once('=') {
                        Some((name, value)) => read.marks.iter().any(|(n, v)| n == name && v == value),
                        None => read.marks.iter().any(|(name, value)| name == mark && value != "false"),
                    };
                    host.protected_by = marks.into_iter().find(found);
                }
                let (machine, connected) = (host.machine.clone(), !host.away);
                if fresh && connected {
                    let group = self.machines.get(&machine).map(|it| it.group.clone()).unwrap_or_default();
                    let arn = fact.arn.to_string();
                    let expected = self.arrivals.iter_mut().find(|it| it.1 == group && it.3.is_none());
                    if let Some(expected) = expected {
                        expected.3 = Some(arn);
                    }
                }
            }
            Fact::InstanceMissing { arn } => drop(self.hosts.remove(arn.as_ref())),
            Fact::Task(fact) => {
                let over = fact.last_status.is_over();
                match (&fact.instance, &fact.group) {
                    (Some(host), Some(group)) if !over => {
                        self.tasks.insert(fact.arn.to_string(), (host.to_string(), group.to_string()));
                    }
                    _ => drop(self.tasks.remove(fact.arn.as_ref())),
                }
            }
            Fact::Ec2State { instance_id, state } => self.machine_state(instance_id, *state, at, now),
            Fact::Ec2Status(fact) => {
                self.machine_state(&fact.instance_id, fact.state, at, now);
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.impaired = [fact.system, fact.instance].contains(&ReachabilityStatus::Impaired);
            }
            Fact::AutoScaling(fact) => {
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.zone = fact.zone.as_deref().unwrap_or("").to_owned();
                machine.group = fact.group.to_string();
                machine.template = fact.launch_template.as_deref().unwrap_or("").to_owned();
            }
            Fact::Lifecycle(fact) => {
                let group = if fact.stage == LifecycleStage::Terminated { "" } else { &*fact.group };
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.group = group.to_owned();
            }
            Fact::Ssm(fact) => {
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                (machine.online, machine.ping_at) = (fact.online, now);
            }
            _ => {}
        }
    }

    fn machine_state(&mut self, id: &str, state: Ec2State, at: i64, now: i64) {
        let machine = self.machines.entry(id.to_owned()).or_default();
        if at >= machine.at {
            (machine.at, machine.state, machine.status_at) = (at, Some(state), now);
        }
    }

    fn acted(&mut self, intent: u64, result: &Value, now: i64) {
        let Some(intent) = self.intents.get(&intent) else { return };
        let case = self.cases.entry(intent["case"].as_u64().unwrap_or(0)).or_default();
        let word = result_word(result);
        case.unhealed |= word == "unhealed";
        let ends = matches!(act_word(intent), "terminate-in-group" | "mark-unhealthy" | "terminate" | "set-desired");
        if ends && matches!(word, "done" | "gone" | "failed") {
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
        if how == "will" && !matches!(remedy, "tell-someone" | "deregister") {
            let (cluster, group) = (case.cluster.clone(), self.place(&case).1);
            self.begun.push((now, now, number, cluster, group));
        }
        if let Some(case) = self.cases.get_mut(&number)
            && how == "will"
        {
            case.at_work = (remedy != "tell-someone").then(|| (remedy.to_owned(), now));
        }
    }

    /// Machine and group of a case's subject.
    fn place(&self, case: &Case) -> (String, String) {
        let host = self.hosts.get(&case.subject);
        let machine = host.map_or(case.subject.clone(), |host| host.machine.clone());
        let group = self.machines.get(&machine).map(|it| it.group.clone()).unwrap_or_default();
        (machine, group)
    }

    /// Why a remedy must not be chosen now.
    fn forbids(&self, case: &Case, how: &str, remedy: &str, now: i64) -> Option<String> {
        let mode = self.plain.mode(&case.cluster, &case.trouble);
        let fits = match how {
            "would" => mode == "dry-run",
            "ask" => mode == "approve",
            _ => mode == "act" || mode == "approve" && (remedy == "tell-someone" || now <= case.approved_until),
        };
        if !fits {
            return Some(format!("the mode is {mode}"));
        }
        if case.vetoed || now < case.held_until {
            return Some("an operator has forbidden it".to_owned());
        }
        if remedy == "tell-someone" {
            return None;
        }
        let host = self.hosts.get(&case.subject);
        if case.trouble == "agent-away" {
            let Some(host) = host else { return Some("the host is not known".to_owned()) };
            if !host.away {
                return Some("its agent is connected".to_owned());
            }
            let waited = now - case.waits_from;
            if waited < self.plain.wait_ms("act_after_secs", 600, &case.cluster, &case.trouble) {
                return Some(format!("it has been waited {waited} ms"));
            }
            if case.looks < self.plain.fail_after(&case.cluster, &case.trouble) {
                return Some(format!("{} looks have agreed", case.looks));
            }
        }
        if let Some(what) = self.protected(case, remedy, now) {
            return Some(what);
        }
        if remedy != "deregister"
            && let Some(cohort) = host.and_then(|host| self.too_many_away(host))
        {
            return Some(format!("too many hosts of {cohort} are away"));
        }
        if matches!(remedy, "replace" | "reboot" | "release-tasks")
            && case.trouble == "agent-away"
            && !self.second_witness(case, now)
        {
            return Some("only ECS speaks against it".to_owned());
        }
        if how != "will" {
            return None;
        }
        if self.following {
            return Some("another muster is in charge".to_owned());
        }
        if self.paused(&case.cluster, now) {
            return Some("it is paused".to_owned());
        }
        if !self.plain.window_open(&case.cluster, Moment(now)) {
            return Some("no window is open".to_owned());
        }
        if remedy == "deregister" { None } else { self.over_budget(case, now, false) }
    }

    fn paused(&self, cluster: &str, now: i64) -> bool {
        let holds = |key: &str| self.pauses.get(key).is_some_and(|until| !ended(*until, now));
        ["", cluster, cluster_name(cluster)].into_iter().any(holds)
    }

    fn protected(&self, case: &Case, remedy: &str, now: i64) -> Option<String> {
        let (machine, _) = self.place(case);
        let names = [&*case.subject, cluster_name(&case.subject), &machine, &case.cluster, cluster_name(&case.cluster)];
        if names.iter().any(|name| self.protections.get(*name).is_some_and(|until| !ended(*until, now))) {
            return Some("an operator protects it".to_owned());
        }
        let host = self.hosts.get(&case.subject)?;
        if let Some(mark) = &host.protected_by {
            return Some(format!("its mark {mark} protects it"));
        }
        let (_, tasks, launch_secs) = self.plain.protection();
        if remedy != "deregister" && host.registered_at != 0 && now - host.registered_at < launch_secs * 1000 {
            return Some("it registered a short while ago".to_owned());
        }
        let spared = matches!(remedy, "restart-agent" | "deregister");
        let runs = |(on, group): &&(String, String)| *on == case.subject && tasks.iter().any(|it| glob(it, group));
        let task = self.tasks.values().find(runs).filter(|_| !spared);
        task.map(|(_, group)| format!("it runs a task of {group}"))
    }

    /// A cohort of the host of which a fifth, and three at least, are away, or a cluster that is away as a whole: counted
    /// host by host.
    fn too_many_away(&self, host: &Host) -> Option<String> {
        let own = self.values(host);
        let share = self.plain.0.get("doubt_share").and_then(Value::as_f64).unwrap_or(0.2);
        let least = self.plain.secs("doubt_min_hosts", 3);
        let mut counts = [(0usize, 0i64); 9];
        for other in self.hosts.values().filter(|it| it.serves && !self.is_down(it)) {
            let values = self.values(other);
            for (at, (members, away)) in counts.iter_mut().enumerate() {
                let same = values[at] == own[at];
                *members += usize::from(same);
                *away += i64::from(same && other.away);
            }
        }
        (0..own.len()).filter(|at| !own[*at].is_empty()).find_map(|at| {
            let (members, away) = counts[at];
            let enough = least.max((members as f64 * share).ceil() as i64).max(1);
            let whole_cluster = at == 1 && members >= 2 && away == members as i64;
            (away >= enough || whole_cluster).then(|| format!("{} ({away} of {members})", own[at]))
        })
    }

    fn is_down(&self, host: &Host) -> bool {
        let state = self.machines.get(&host.machine).and_then(|machine| machine.state);
        !matches!(state, None | Some(Ec2State::Running | Ec2State::Pending | Ec2State::Other))
    }

    /// What a host shares with others: account and region, cluster, and so on.
    fn values<'s>(&'s self, host: &'s Host) -> [&'s str; 9] {
        let [zone, version, ami, subnet, kind] = &host.traits;
        let place = host.cluster.rsplit_once(":cluster/").map_or("", |(place, _)| place);
        let (group, template) = self.machines.get(&host.machine).map_or(("", ""), |it| (&it.group, &it.template));
        [place, &host.cluster, zone, version, ami, subnet, kind, group, template]
    }

    fn second_witness(&self, case: &Case, now: i64) -> bool {
        let (machine, _) = self.place(case);
        let Some(machine) = self.machines.get(&machine) else { return case.unhealed };
        let fresh_ms = 3 * self.plain.secs("fresh_secs", 30).max(1) * 1000;
        let lost = machine.online == Some(false) && now - machine.ping_at <= fresh_ms;
        let impaired = machine.impaired && now - machine.status_at <= fresh_ms;
        case.unhealed || lost || impaired
    }

    /// The budget that is used up. `generous`: what might count does.
    fn over_budget(&self, case: &Case, now: i64, generous: bool) -> Option<String> {
        let (_, group) = self.place(case);
        self.plain.budgets().iter().find_map(|budget| {
            if !any_fits(&budget.clusters, cluster_name(&case.cluster)) {
                return None;
            }
            let zone = |it: &Case| match self.hosts.get(&it.subject) {
                Some(host) => host.traits[0].clone(),
                None => self.machines.get(&it.subject).map(|it| it.zone.clone()).unwrap_or_default(),
            };
            let within = |cluster: &str, other_group: &str, other_zone: &str| match budget.per.as_str() {
                "fleet" => any_fits(&budget.clusters, cluster_name(cluster)),
                "group" => other_group == group && (!group.is_empty() || cluster == case.cluster),
                "zone" => cluster == case.cluster && (other_zone == zone(case) || generous),
                _ => cluster == case.cluster,
            };
            let members = self.members(budget, case, &group, &zone(case), generous);
            let mut at_work = self
                .cases
                .values()
                .filter(|it| {
                    let disturbs = it.at_work.as_ref().is_some_and(|(remedy, _)| remedy != "deregister");
                    disturbs && it.subject != case.subject && within(&it.cluster, &self.place(it).1, &zone(it))
                })
                .count();
            if generous {
                at_work += self
                    .arrivals
                    .iter()
                    .filter(|(late, group, cluster, came)| {
                        // Who has come and gone silent at once may not have been seen to answer.
                        let well = came.as_ref().and_then(|arn| self.hosts.get(arn)).is_some_and(|host| !host.away);
                        !well && *late + 60_000 > now && within(cluster, group, "")
                    })
                    .count();
            }
            let lately = self
                .begun
                .iter()
                .filter(|(at, touched, _, cluster, group)| {
                    now - if generous { touched } else { at } < HOUR
                        && (budget.per != "zone" || generous)
                        && within(cluster, group, &zone(case))
                })
                .count();
            let full =
                |used: usize, limit: Option<super::plain::PlainLimit>| limit.is_some_and(|it| used >= it.of(members));
            (full(at_work, budget.at_once) || full(lately, budget.per_hour)).then(|| {
                format!("the budget per {} is used up ({at_work} at work, {lately} within the hour)", budget.per)
            })
        })
    }

    fn members(&self, budget: &PlainBudget, case: &Case, group: &str, zone: &str, generous: bool) -> usize {
        let within = |host: &&Host| match budget.per.as_str() {
            "fleet" => any_fits(&budget.clusters, cluster_name(&host.cluster)),
            "group" if group.is_empty() => {
                host.cluster == case.cluster && self.machines.get(&host.machine).is_none_or(|it| it.group.is_empty())
            }
            "group" => self.machines.get(&host.machine).is_some_and(|it| it.group == group),
            "zone" => host.cluster == case.cluster && host.traits[0] == zone,
            _ => host.cluster == case.cluster,
        };
        let counts = |host: &&Host| {
            let state = self.machines.get(&host.machine).and_then(|it| it.state);
            !generous || host.serves && matches!(state, None | Some(Ec2State::Running | Ec2State::Pending))
        };
        self.hosts.values().filter(within).filter(counts).count()
    }

    /// What muster says it holds for, and is not so.
    fn unfounded(&self, case: &Case, reasons: &str, now: i64) -> Option<String> {
        let mode = self.plain.mode(&case.cluster, &case.trouble);
        let says = |words: &str| reasons.contains(words);
        if says("mode observe") && mode != "observe" {
            return Some(format!("the mode is {mode}"));
        }
        if says("no window is open") && self.plain.window_open(&case.cluster, Moment(now)) {
            return Some("a window is open".to_owned());
        }
        if says("paused by") && !self.paused(&case.cluster, now) {
            return Some("nothing is paused".to_owned());
        }
        if says("the budget is used up") && self.over_budget(case, now, true).is_none() {
            return Some("the budgets allow it".to_owned());
        }
        if says("are away at once")
            && self.doubts.is_empty()
            && self.hosts.get(&case.subject).is_some_and(|host| self.too_many_away(host).is_none())
        {
            return Some("no cohort of its has lost too many".to_owned());
        }
        let age = self.hosts.get(&case.subject).map(|host| now - host.registered_at);
        let grown = age.is_some_and(|age| age >= self.plain.protection().2 * 1000);
        (says("registered only a short while ago") && grown).then(|| format!("it registered {age:?} ms ago"))
    }
}
