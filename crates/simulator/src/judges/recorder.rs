//! Writes the history down during a drive, and checks at every turn that the journal came first, and after every crash
//! that it kept what it had.

use std::collections::BTreeMap;

use engine::{
    ports::{
        ActResult, Body, Entry, Intent, Look, Page, Record, Scope, Sweep,
        id::CaseId,
        observation,
        operator::{Asked, Request},
    },
    turn::{Taken, Turn},
};
use serde_json::Value;

use super::{
    Arrived, Call, Happened, History, Noted, Reference, Seen, Then, Violation,
    history::{self, Asked as Looked, OperatorAct},
    i01_budget::where_is,
    i17_store::Rows,
};
use crate::{
    clock::Moment,
    direct::Watcher,
    simulation::Simulation,
    world::{HostStatus, MachineId, MachineState, Strategy, TaskStatus, World},
};

/// Writes the history down.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The history so far.
    pub history: History,
    /// What the journal of each muster held when it was last read.
    journals: BTreeMap<u8, Kept>,
    /// Cases of absence that have not moved: most are routine reconnects, which are counted and forgotten.
    unmoved: BTreeMap<(u8, u64), (Moment, Record)>,
    /// Routine reconnects.
    pub routine: u64,
    /// When it began to watch; `None` where events get lost, so that nobody can say which tasks muster has heard of.
    watching_since: Option<Moment>,
    /// Rows are compared by their whole text, not by their number and time alone.
    thorough: bool,
    references: BTreeMap<u8, Reference>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: i64,
    rows: Rows,
}

impl Recorder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that compares every row of a journal as a whole: for small worlds.
    pub fn thorough() -> Self {
        Self { thorough: true, ..Self::default() }
    }

    /// Events are reliable from `since` on: muster must know of every task that began later.
    #[must_use]
    pub fn hears_all(mut self, since: Moment) -> Self {
        self.watching_since = Some(since);
        self
    }

    /// With a second opinion on every decision of muster `by`.
    #[must_use]
    pub fn with_reference(mut self, by: u8, reference: Reference) -> Self {
        self.references.insert(by, reference);
        self
    }

    /// How many decisions the reference model had an opinion about, and where it disagreed.
    pub fn opinions(&self) -> (u64, Vec<Violation>) {
        let compared = self.references.values().map(|it| it.compared).sum();
        (compared, self.references.values().flat_map(|it| it.disagreements.clone()).collect())
    }

    /// What a run leaves behind, with what truly happened in its world; call it when the run is over.
    pub fn finish(mut self, world: &World) -> History {
        self.history.happened = world
            .happened
            .iter()
            .map(|it| Happened {
                at: it.at,
                by: it.by,
                token: it.token.clone(),
                act: it.act.clone(),
                machine: it.machine,
                epoch: it.epoch,
            })
            .collect();
        let left = std::mem::take(&mut self.unmoved);
        self.history.records.extend(left.into_iter().map(|((by, _), (at, record))| noted(at, by, &record)));
        self.history.records.sort_by_key(|noted| noted.at);
        self.history
    }

    fn wrong(&mut self, invariant: &'static str, at: Moment, what: String) {
        self.history.disorder.push(Violation { invariant, at, what });
    }

    fn note(&mut self, at: Moment, by: u8, record: &Record) {
        match record {
            Record::CaseOpened { case, trouble, .. } if trouble.word() == "agent-away" => {
                self.unmoved.insert((by, case.0.into()), (at, record.clone()));
                return;
            }
            Record::CaseClosed { case, .. } if self.unmoved.remove(&(by, case.0.into())).is_some() => {
                self.routine += 1;
                return;
            }
            _ => {}
        }
        let noted = noted(at, by, record);
        if let Some(case) = noted.case()
            && let Some((opened, record)) = self.unmoved.remove(&case)
        {
            self.history.records.push(self::noted(opened, by, &record));
        }
        self.history.records.push(noted);
    }

    /// Reads what the journal of muster `by` has gained, and compares it with what was handed out.
    fn took(&mut self, now: Moment, by: u8, turn: &Turn, taken: &Taken) {
        let hands_out = !taken.records.is_empty()
            || !taken.notices.is_empty()
            || !taken.looks.is_empty()
            || !taken.acts.is_empty()
            || !taken.pages.is_empty();
        let thorough = self.thorough;
        let reference = &mut self.references.get_mut(&by);
        let kept = self.journals.entry(by).or_default();
        let mut journaled = Vec::new();
        let mut inputs = 0;
        let mut trouble = None;
        if hands_out {
            let read = turn.journal().read(kept.seen, &mut |entry| {
                kept.rows.add(entry.seq, &row(&entry, thorough));
                if let Some(reference) = reference {
                    reference.entry(&entry);
                }
                match &entry.body {
                    Body::Input(_) => inputs += 1,
                    Body::Record(record) => journaled.push(record.clone()),
                    _ => {}
                }
                true
            });
            kept.seen = taken.last_seq;
            trouble = if let Err(error) = read {
                Some(format!("the journal cannot be read back: {error}"))
            } else if !journaled.ends_with(&taken.records) {
                let missing = taken.records.iter().find(|record| !journaled.contains(record));
                Some(format!("handed out before it was in the journal: {missing:?}"))
            } else if inputs == 0 {
                Some("effects without an input in the journal".to_owned())
            } else {
                let intended = |intent: &Intent| {
                    let same = |it: &Record| matches!(it, Record::Intended { intent: other } if **other == *intent);
                    journaled.iter().any(same)
                };
                let unjournaled = taken.acts.iter().find(|intent| !intended(intent));
                unjournaled.map(|intent| format!("intent {} was handed out before it was in the journal", intent.id))
            };
        }
        if let Some(what) = trouble {
            self.wrong("I5", now, what);
        }
        for record in &taken.records {
            self.note(now, by, record);
        }
        self.history.looks.extend(taken.looks.iter().map(|look| asked(now, by, look)));
        self.history.notices.extend(taken.notices.iter().map(|notice| (now, by, u64::from(notice.case.0))));
        for page in &taken.pages {
            self.history.pages.push(arrived(now, by, page));
        }
    }

    /// Reads what the journal got before a crash and nobody has read, and forgets what never came to it.
    fn catch_up(&mut self, by: u8, turn: &Turn) {
        let Some(reference) = self.references.get_mut(&by) else { return };
        let seen = self.journals.get(&by).map_or(0, |kept| kept.seen);
        let _ = turn.journal().read(seen, &mut |entry| {
            reference.entry(&entry);
            true
        });
        reference.forget_unheard();
    }

    /// A look was answered, a re-read before an act included.
    fn saw(&mut self, now: Moment, by: u8, sweep: &Sweep<'static>) {
        if let Some(reference) = self.references.get_mut(&by) {
            reference.looked(sweep);
        }
        if matches!(
            sweep.scope,
            Scope::Clusters(_) | Scope::ClusterTasks(_) | Scope::Tasks { .. } | Scope::Groups(_) | Scope::Demand { .. }
        ) {
            return;
        }
        // That all is well with somebody is only worth noting where somebody wanted to know it.
        let told =
            sweep.found.iter().filter_map(|fact| Some((told(&fact.fact)?, fact.source == observation::Source::Look)));
        let worth = told.filter(|((_, _, against), wanted)| *against || *wanted);
        self.history.seen.extend(worth.map(|((kind, id, against), _)| Seen { at: now, by, id, kind, against }));
    }

    /// The call of an act begins.
    fn begins(&mut self, now: Moment, by: u8, world: &World, intent: &Intent, again: bool) {
        let then = then(world, intent, self.watching_since.unwrap_or(now));
        let intent = serde_json::to_value(intent).unwrap_or(Value::Null);
        self.history.calls.push(Call { at: now, by, intent, again, then, ended: None });
    }

    /// Its end was seen.
    fn ends(&mut self, now: Moment, by: u8, token: &str, result: &Value) {
        let call = self.history.calls.iter_mut().rev().find(|call| call.by == by && call.token() == token);
        if let Some(call) = call.filter(|call| call.ended.is_none()) {
            call.ended = Some((now, result.clone()));
        }
    }

    /// An operator who means no case in particular means one that is open: the latest that asks for something.
    fn means(&self, by: u8, request: &mut Request<'static>) {
        let cases = self.history.cases();
        let open = |key: &(u8, u64)| key.0 == by && cases.get(key).is_some_and(|life| life.closed.is_none());
        let decided = self.history.records.iter().rev().filter(|it| it.kind() == "decided");
        let decided: Vec<&Noted> = decided.filter(|it| it.case().as_ref().is_some_and(open)).take(20).collect();
        let asks = decided.iter().find(|it| history::chosen(&it.record).is_some_and(|(how, _)| how == "ask"));
        let latest = asks.or(decided.first()).and_then(|it| it.case());
        match request {
            Request::Approve { case }
            | Request::Veto { case }
            | Request::Hold { case, .. }
            | Request::Retry { case }
                if case.0 == 0 =>
            {
                *case = CaseId(latest.map_or(0, |(_, case)| case as u32));
            }
            Request::Protect { subject, .. } if subject == "HOST" => {
                let subjects = latest.and_then(|key| cases.get(&key)).map(|life| life.subject.clone());
                *subject = subjects.unwrap_or_else(|| "nobody".to_owned()).into();
            }
            _ => {}
        }
    }

    /// Muster `by` has crashed, and `turn` is what came back from its journal: everything it had acted upon must be there.
    fn came_back(&mut self, now: Moment, by: u8, turn: &Turn) {
        self.history.crashes.push((now, by));
        self.catch_up(by, turn);
        let kept = self.journals.entry(by).or_default();
        let (before, seen) = (kept.rows, kept.seen);
        let thorough = self.thorough;
        let mut after = Rows::default();
        let read = turn.journal().read(0, &mut |entry| {
            let within = entry.seq <= seen;
            if within {
                after.add(entry.seq, &row(&entry, thorough));
            }
            within
        });
        if let Err(error) = read {
            self.wrong("I17", now, format!("after a crash the journal cannot be read: {error}"));
        } else if after != before {
            let what = format!("of {} rows that were handed out {} are there after a crash", before.count, after.count);
            self.wrong("I17", now, what);
        }
    }
}

fn noted(at: Moment, by: u8, record: &Record) -> Noted {
    Noted { at, by, record: serde_json::to_value(record).unwrap_or(Value::Null) }
}

fn row(entry: &Entry<'_>, thorough: bool) -> Vec<u8> {
    let mut text = entry.at.as_millisecond().to_le_bytes().to_vec();
    if thorough {
        text.extend(serde_json::to_vec(&entry.body).unwrap_or_default());
    }
    text
}

fn arrived(at: Moment, by: u8, page: &Page) -> Arrived {
    Arrived { at, by, page: serde_json::to_value(page).unwrap_or(Value::Null) }
}

fn asked(at: Moment, by: u8, look: &Look) -> Looked {
    let (kind, of, ids) = match look {
        Look::Hosts { cluster, arns } => ("hosts", cluster, arns),
        Look::Registrations { cluster, machines } => ("registrations", cluster, machines),
        Look::Tasks { cluster, arns } => ("tasks", cluster, arns),
        Look::Machines { place, ids } => ("machines", place, ids),
        Look::Pings { place, ids } => ("pings", place, ids),
        Look::Groups { place, names } => ("groups", place, names),
        Look::Demand { cluster, of } => {
            return Looked { at, by, kind: "demand", of: cluster.clone(), ids: vec![format!("{cluster} {of}")] };
        }
    };
    Looked { at, by, kind, of: of.clone(), ids: ids.clone() }
}

/// Whom a fact is about and whether it speaks against it.
fn told(fact: &observation::Fact<'_>) -> Option<(&'static str, String, bool)> {
    use observation::{Ec2State, Fact, ReachabilityStatus};
    Some(match fact {
        Fact::Instance(host) => ("hosts", host.arn.to_string(), host.agent_connected == Some(false)),
        Fact::InstanceMissing { arn } => ("hosts", arn.to_string(), true),
        Fact::Unregistered { instance_id, .. } => ("registrations", instance_id.to_string(), true),
        Fact::Ec2State { instance_id, state } => {
            ("machines", instance_id.to_string(), !matches!(state, Ec2State::Running | Ec2State::Pending))
        }
        Fact::Ec2Status(status) => {
            let impaired = [status.system, status.instance].contains(&ReachabilityStatus::Impaired);
            let down = !matches!(status.state, Ec2State::Running | Ec2State::Pending);
            ("machines", status.instance_id.to_string(), impaired || down)
        }
        Fact::Ssm(ssm) => ("pings", ssm.instance_id.to_string(), ssm.online == Some(false)),
        _ => return None,
    })
}

/// The truth about the target of an intent, now.
fn then(world: &World, intent: &Intent, since: Moment) -> Then {
    let target = &intent.target;
    let host = target.host.as_deref().and_then(|arn| super::TruthLog::host_of(world, arn));
    let by_id = target.machine.as_deref().and_then(|id| world.namer.read_machine(id)).map(|(machine, _)| machine);
    let machine: Option<MachineId> = host.and_then(|host| world.host(host)).map(|host| host.machine).or(by_id);
    let mut then = Then { host, machine, ..Then::default() };
    if let Some(found) = host.and_then(|host| world.host(host)) {
        then.status = found.said.status.word().to_owned();
        then.connected = found.said.connected;
        then.registered_at = Some(found.registered_at);
    }
    let place = target.place.split_once('/').and_then(|(account, region)| world.find_place(account, region));
    let group =
        target.group.as_deref().zip(place).and_then(|(name, place)| world.group(world.find_group(place, name)?));
    if let Some(group) = group {
        then.group_size = (group.desired, group.min, group.max);
        then.managed = group.ecs_managed;
    }
    let Some((id, found)) = machine.and_then(|id| Some((id, world.machine(id)?))) else { return then };
    then.scale_in_protected = found.protected;
    let own = found.host.and_then(|host| world.host(host));
    let own = own.filter(|host| host.said.status != HostStatus::Inactive);
    then.machine_registered_at = own.map(|host| host.registered_at);
    then.runs = found.state == MachineState::Running;
    then.gone = found.state == MachineState::Terminated;
    let lost = found.ping(world.now).is_some_and(|ping| !ping.online);
    then.witnessed = !then.runs || !found.system_ok || !found.instance_ok || lost;
    (then.zone, then.group) = where_is(world, id);
    for (_, task) in host.into_iter().flat_map(|host| world.host_tasks(host)) {
        if task.said.last == TaskStatus::Stopped {
            continue;
        }
        let service = task.service.and_then(|service| world.service(service));
        then.busy += usize::from(service.is_none_or(|service| service.strategy != Strategy::Daemon));
        let group = service.map(|service| format!("service:{}", service.name));
        if task.created_at > since {
            then.known_tasks.extend(group.clone());
        }
        then.tasks.extend(group);
    }
    then
}

impl Watcher for Recorder {
    fn turned(&mut self, now: Moment, _: &Simulation, turn: &Turn, taken: &Taken) {
        self.took(now, 0, turn, taken);
    }

    fn turned_by(&mut self, now: Moment, by: u8, _: &Simulation, turn: &Turn, taken: &Taken) {
        self.took(now, by, turn, taken);
    }

    fn looked_by(&mut self, now: Moment, by: u8, sweep: &Sweep<'static>) {
        self.saw(now, by, sweep);
    }

    fn calling(&mut self, now: Moment, by: u8, simulation: &Simulation, intent: &Intent, again: bool) {
        self.begins(now, by, &simulation.world, intent, again);
    }

    fn called(&mut self, now: Moment, by: u8, intent: &Intent, result: &ActResult<'static>) {
        self.ends(now, by, &intent.token, &serde_json::to_value(result).unwrap_or(Value::Null));
    }

    fn delivered(&mut self, now: Moment, by: u8, page: &Page) {
        self.history.arrived.push(arrived(now, by, page));
    }

    fn asking(&mut self, _: Moment, by: u8, mut asked: Asked<'static>) -> Asked<'static> {
        self.means(by, &mut asked.request);
        asked
    }

    fn operated(&mut self, now: Moment, by: u8, asked: &Asked<'static>, granted: bool) {
        let request = serde_json::to_value(&asked.request).unwrap_or(Value::Null);
        self.history.operator.push(OperatorAct { at: now, by, request, granted });
    }

    fn crashed(&mut self, now: Moment, by: u8, turn: &Turn) {
        self.came_back(now, by, turn);
    }
}
