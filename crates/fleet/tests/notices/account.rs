//! A pretend account around the core: it answers looks, delivers pages, and keeps what was made of both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fleet::{
    Fleet,
    admission::{Admission, admit, digest},
    effect::{Effect, Look, Severity},
    id::CaseId,
    input::{Input, Scope, Sweep},
    invariant,
    journal::Record,
    notice::{
        page::{Delivery, DeliveryResult, Page, PageId, PageKind},
        route::{Route, Routing},
    },
    observation::{
        Attributes, Ec2State, Ec2StatusFact, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation,
        ReachabilityStatus, Source, SsmFact,
    },
    operator::{Asked, Request},
    policy::Policy,
    snapshot, step,
};
use jiff::{SignedDuration, Timestamp};

/// A page and when it was made.
pub(crate) struct Made {
    pub(crate) at: Timestamp,
    pub(crate) page: Page,
}

/// An alert: from when to when, and whether it ever was on record that nobody is told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) kept_back: u32,
}

pub(crate) struct Account {
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    /// Whether the agent is connected, and the version.
    hosts: Vec<(bool, i64)>,
    clusters: usize,
    pub(crate) pages: Vec<Made>,
    pub(crate) lost: Vec<Page>,
    pub(crate) told: BTreeMap<CaseId, Told>,
    pub(crate) doubts: BTreeSet<CaseId>,
    /// Receivers that cannot be reached.
    pub(crate) unreachable: BTreeSet<String>,
    /// How long a page is on its way.
    pub(crate) delay_secs: i64,
    under_way: VecDeque<(Timestamp, PageId)>,
    looks: VecDeque<Look>,
    /// Check the books after every step, and play it twice.
    pub(crate) careful: bool,
}

pub(crate) fn receivers(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn policy(routes: Vec<Route>) -> Policy {
    let routing = Routing { routes, fallback: Some("mail".to_owned()), ..Routing::default() };
    Policy { grace_secs: 10, act_after_secs: 20, routing, ..Policy::default() }
}

impl Account {
    /// So many hosts, spread over so many clusters of one place and over three zones.
    pub(crate) fn new(hosts: usize, clusters: usize, policy: Policy) -> Self {
        let mut account = Self {
            fleet: Fleet::new(policy),
            now: "2026-10-02T00:00:00Z".parse().unwrap(),
            hosts: vec![(true, 1); hosts],
            clusters,
            pages: Vec::new(),
            lost: Vec::new(),
            told: BTreeMap::new(),
            doubts: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            delay_secs: 1,
            under_way: VecDeque::new(),
            looks: VecDeque::new(),
            careful: hosts < 100,
        };
        for cluster in 0..clusters {
            let members = (cluster..hosts).step_by(clusters);
            let found = members.map(|host| account.observed(account.instance(host), Source::Sweep)).collect();
            let scope = Scope::ClusterHosts(cluster_arn(cluster).into());
            account.answer(scope, found, true);
        }
        account
    }

    pub(crate) fn cluster_of(&self, host: usize) -> usize {
        host % self.clusters
    }

    /// The agent of a host comes or goes.
    pub(crate) fn set(&mut self, host: usize, connected: bool) {
        let (was, version) = self.hosts[host];
        if was == connected {
            return;
        }
        self.hosts[host] = (connected, version + 1);
        let event = self.observed(self.instance(host), Source::Event);
        assert_eq!(admit(&self.fleet, &event), Admission::News);
        self.take(&Input::Observed(event));
    }

    pub(crate) fn ask(&mut self, request: Request<'_>) {
        self.take(&Input::Asked(Asked { who: "ann".into(), why: "".into(), request }));
    }

    /// Time passes; whatever is due happens.
    pub(crate) fn wait(&mut self, secs: i64) {
        let until = self.now + SignedDuration::from_secs(secs);
        loop {
            while let Some(look) = self.looks.pop_front() {
                self.look(look);
            }
            let arrives = self.under_way.front().map(|(at, _)| *at);
            let due = [arrives, self.fleet.wake_at()].into_iter().flatten().min();
            let Some(at) = due.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            match self.under_way.front() {
                Some((arrives, _)) if *arrives <= self.now => self.deliver(),
                _ => self.take(&Input::Ticked),
            }
        }
        self.now = until;
    }

    /// A restart in the middle: what was on its way is sent again.
    pub(crate) fn restart(&mut self, policy: Policy) {
        self.fleet = snapshot::load(&snapshot::save(&self.fleet), policy).unwrap();
        let owed: Vec<PageId> = self.fleet.owed_pages().iter().map(|page| page.id).collect();
        let known: Vec<PageId> = self.under_way.iter().map(|(_, page)| *page).collect();
        assert_eq!(owed, known, "owed are those that nobody has spoken of");
    }

    /// Pages to a receiver, in order.
    pub(crate) fn to(&self, receiver: &str) -> Vec<&Made> {
        self.pages.iter().filter(|made| made.page.receiver == receiver).collect()
    }

    fn deliver(&mut self) {
        let Some((_, page)) = self.under_way.pop_front() else { return };
        let receiver = self.pages.iter().find(|made| made.page.id == page).map(|made| made.page.receiver.clone());
        let result = match receiver.is_some_and(|name| self.unreachable.contains(&name)) {
            true => DeliveryResult::GivenUp { why: "it answered 500\r\nfor ten minutes".into() },
            false => DeliveryResult::Delivered,
        };
        if let DeliveryResult::GivenUp { .. } = result {
            let lost = self.pages.iter().find(|made| made.page.id == page).map(|made| made.page.clone());
            self.lost.extend(lost);
        }
        self.take(&Input::Told(Delivery { page, result }));
    }

    fn take(&mut self, input: &Input<'_>) {
        let twin =
            self.careful.then(|| snapshot::load(&snapshot::save(&self.fleet), self.fleet.policy().clone()).unwrap());
        let effects = step(&mut self.fleet, self.now, input);
        if let Some(mut twin) = twin {
            assert_eq!(step(&mut twin, self.now, input), effects, "a replay of {input:?} says the same");
            assert_eq!(invariant::check(&self.fleet), Vec::new(), "after {input:?}");
        }
        for effect in effects {
            match effect {
                Effect::Look(look) => self.looks.push_back(look),
                Effect::Page(page) if page.kind != PageKind::Heartbeat => {
                    let at = self.now + SignedDuration::from_secs(self.delay_secs);
                    self.under_way.push_back((at, page.id));
                    self.pages.push(Made { at: self.now, page });
                }
                Effect::Notify(notice) if notice.severity == Severity::Critical => {
                    self.told.entry(notice.case).or_default().from.get_or_insert(self.now);
                }
                Effect::Record(record) => self.note(record),
                _ => {}
            }
        }
    }

    fn note(&mut self, record: Record) {
        match record {
            Record::CaseOpened { case, trouble: fleet::journal::Trouble::Doubt, .. } => {
                self.doubts.insert(case);
            }
            Record::CaseClosed { case, .. } => {
                self.doubts.remove(&case);
                if let Some(told) = self.told.get_mut(&case) {
                    told.until = Some(self.now);
                }
            }
            Record::NotTold { case, .. } => self.told.entry(case).or_default().kept_back += 1,
            _ => {}
        }
    }

    fn look(&mut self, look: Look) {
        let number = |id: &str| usize::from_str_radix(id.rsplit(['/', '-']).next().unwrap(), 16).unwrap();
        match look {
            Look::Hosts { cluster, arns } => {
                let found = arns.iter().map(|arn| self.observed(self.instance(number(arn)), Source::Look)).collect();
                self.answer(Scope::Hosts { cluster: cluster.into() }, found, false);
            }
            Look::Machines { place, ids } => {
                let fact = |id: &String| {
                    Fact::Ec2Status(Ec2StatusFact {
                        instance_id: id.clone().into(),
                        state: Ec2State::Running,
                        system: ReachabilityStatus::Ok,
                        instance: ReachabilityStatus::Ok,
                        ebs: ReachabilityStatus::Ok,
                        scheduled: None,
                    })
                };
                let found = ids.iter().map(|id| self.observed(fact(id), Source::Look)).collect();
                self.answer(Scope::Machines(place.into()), found, false);
            }
            Look::Pings { place, ids } => {
                let fact = |id: &String| {
                    let instance_id = id.clone().into();
                    Fact::Ssm(SsmFact { instance_id, online: Some(true), last_ping_at: None, platform: None })
                };
                let found = ids.iter().map(|id| self.observed(fact(id), Source::Look)).collect();
                self.answer(Scope::Pings(place.into()), found, false);
            }
            Look::Registrations { .. } | Look::Groups { .. } | Look::Demand { .. } => {}
            Look::Tasks { .. } => {}
        }
    }

    fn answer(&mut self, scope: Scope<'static>, found: Vec<Observation<'static>>, complete: bool) {
        let sweep = Sweep { scope, started_at: self.now, found, unchanged: 0, complete, absent: Vec::new() };
        let sweep = digest(&self.fleet, sweep);
        self.take(&Input::Swept(sweep));
    }

    fn observed(&self, fact: Fact<'static>, source: Source) -> Observation<'static> {
        Observation { at: self.now, source, fact }
    }

    fn instance(&self, host: usize) -> Fact<'static> {
        let (connected, version) = self.hosts[host];
        let cluster = self.cluster_of(host);
        Fact::Instance(InstanceFact {
            ec2_instance_id: Some(format!("i-{host:017x}").into()),
            version: Some(version),
            agent_connected: Some(connected),
            agent_version: Some("1.105.1".into()),
            running_tasks: Some(1),
            pending_tasks: Some(0),
            attributes: Attributes::Known(Box::new(HostAttributes {
                zone: Some(format!("eu-west-1{}", ['a', 'b', 'c'][host / self.clusters % 3]).into()),
                ..HostAttributes::default()
            })),
            ..InstanceFact::bare(host_arn(cluster, host), cluster_arn(cluster), InstanceStatus::Active)
        })
    }
}

pub(crate) fn cluster_arn(cluster: usize) -> String {
    format!("arn:aws:ecs:eu-west-1:1:cluster/c-{cluster}")
}

pub(crate) fn host_arn(cluster: usize, host: usize) -> String {
    format!("arn:aws:ecs:eu-west-1:1:container-instance/c-{cluster}/{host:032x}")
}
