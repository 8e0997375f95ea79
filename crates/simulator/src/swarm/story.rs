//! A story of the swarm as data: the world, what goes wrong in it and with whom it is watched. Plain lists, so that a
//! story that fails can be made smaller piece by piece, and printed.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

/// How large and how hostile a story is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// At most twenty hosts, and much goes wrong.
    Hostile,
    /// Some dozens of hosts, some of it goes wrong.
    Ordinary,
    /// Thousands of hosts.
    Huge,
    /// An incident that has happened to somebody, on some dozens of hosts.
    Scripted(&'static str),
}

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Hosts in a group of its name.
    pub hosts: i64,
    /// Hosts in no group.
    pub lone: i64,
    /// ECS Anywhere hosts.
    pub external: i64,
    /// Hosts with a trunk interface.
    pub trunking: bool,
    /// Tasks a host.
    pub tasks: i64,
    /// Tasks have their own network interface.
    pub awsvpc: bool,
    /// Share of the tasks that end by themselves within an hour.
    pub churn_per_hour: f64,
    /// A daemon runs on every host.
    pub daemon: bool,
    /// How its group is told of where room is declared; `None`: nothing is declared, and the group is as always.
    pub room: Option<Room>,
}

/// A group in whose cluster room is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// ECS manages its size.
    pub managed: bool,
    /// Its members are protected from scale-in.
    pub protected: bool,
}

/// Something that happens to the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfortune {
    /// When, in minutes from the beginning.
    pub minute: i64,
    /// The deed, as scenario files call it: the class of the fault.
    pub what: String,
    /// The other lines of its table.
    pub rest: String,
}

/// Something that an operator asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// When, in minutes from the beginning.
    pub minute: i64,
    /// The request as JSON; case 0 and the subject `HOST` stand for what there is at that moment.
    pub request: Value,
}

/// Faults by their names in scenario files.
pub type Faults = BTreeMap<&'static str, f64>;

/// A whole story.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its seed.
    pub seed: u64,
    /// Its size.
    pub size: Size,
    /// How long it lasts, in minutes.
    pub minutes: i64,
    /// Minutes between two sweeps.
    pub sweep_minutes: i64,
    /// Zones.
    pub zones: i64,
    /// Clusters `c0`, `c1`, ….
    pub clusters: Vec<Cluster>,
    /// Faults of the delivery of events, by the names of scenario files.
    pub events: Faults,
    /// Faults of the API, by the names of scenario files.
    pub api: Faults,
    /// Faults of commands on machines, by the names of scenario files.
    pub ssm: Faults,
    /// Faults of receivers of pages, by the names of scenario files.
    pub sink: Faults,
    /// Groups, as positions of their clusters, that are at their maximum: there is no room to make.
    pub full_groups: Vec<usize>,
    /// What happens.
    pub misfortunes: Vec<Misfortune>,
    /// What operators ask.
    pub requests: Vec<Request>,
    /// When the first muster stands still, in minutes from the beginning, and for how many seconds.
    pub pauses: Vec<(i64, i64)>,
    /// When muster crashes, counted in the places where it may: each await, each append.
    pub crashes: Vec<u32>,
    /// Appends to the journal that fail, counted.
    pub journal_failures: Vec<u32>,
    /// When the clock is set, in minutes from the beginning, and by how many milliseconds.
    pub clock_steps: Vec<(i64, i64)>,
    /// Two musters share a lease.
    pub two_musters: bool,
    /// Events come as JSON, through the decoder of production.
    pub wire: bool,
    /// The policy.
    pub policy: Value,
}

impl Story {
    /// The scenario file of the world and its timeline.
    pub fn scenario(&self) -> String {
        let mut text =
            format!("# Story {} of the swarm.\nlasts = \"{}m\"\nzones = {}\n", self.seed, self.minutes, self.zones);
        for (name, faults) in [("events", &self.events), ("api", &self.api), ("ssm", &self.ssm), ("sink", &self.sink)] {
            if !faults.is_empty() {
                let _ = writeln!(text, "[faults.{name}]");
            }
            for (fault, value) in faults {
                let _ = match *value {
                    whole if fault.ends_with("-secs") => writeln!(text, "{fault} = {}", whole as i64),
                    switch if SWITCHES.contains(fault) => writeln!(text, "{fault} = {}", switch > 0.0),
                    share => writeln!(text, "{fault} = {share:.4}"),
                };
            }
        }
        for (number, cluster) in self.clusters.iter().enumerate() {
            let Cluster { hosts, lone, external, trunking, tasks, awsvpc, churn_per_hour, daemon, room } = cluster;
            let network = if *awsvpc { "awsvpc" } else { "bridge" };
            let kind = if *tasks > 4 { "\"m6i.4xlarge\"" } else { "\"m6i.large\", \"m6i.xlarge\"" };
            let own = if room.is_some() { 0 } else { *hosts };
            let _ = writeln!(
                text,
                "[[cluster]]\nname = \"c{number}\"\nhosts = {own}\nlone-hosts = {lone}\nexternal = {external}\n\
                 trunking = {trunking}\ntypes = [{kind}]\n[[cluster.service]]\nname = \"api\"\ntasks = {}\ncpu = 64\n\
                 memory = 128\nnetwork = \"{network}\"\nchurn-per-hour = {churn_per_hour:.3}",
                (hosts + lone) * tasks,
            );
            if let Some(Room { managed, protected }) = room {
                let _ = writeln!(
                    text,
                    "[[cluster.group]]\nname = \"c{number}\"\nhosts = {hosts}\ntypes = [{kind}]\nmanaged-scaling = {managed}\n\
                     protected = {protected}",
                );
            }
            if *daemon {
                text.push_str("[[cluster.service]]\nname = \"logs\"\ndaemon = true\ncpu = 64\nmemory = 128\n");
            }
        }
        for Misfortune { minute, what, rest } in &self.misfortunes {
            let _ = writeln!(text, "[[at]]\ntime = \"{minute}m\"\ndo = \"{what}\"\n{rest}");
        }
        text
    }

    pub(super) fn events_mut(&mut self) -> &mut Faults {
        &mut self.events
    }

    pub(super) fn api_mut(&mut self) -> &mut Faults {
        &mut self.api
    }

    pub(super) fn ssm_mut(&mut self) -> &mut Faults {
        &mut self.ssm
    }

    pub(super) fn sink_mut(&mut self) -> &mut Faults {
        &mut self.sink
    }

    /// Hosts at the beginning.
    pub fn hosts(&self) -> i64 {
        self.clusters.iter().map(|it| it.hosts + it.lone + it.external).sum()
    }

    /// The classes of faults in it, for the coverage.
    pub fn classes(&self) -> Vec<String> {
        let mut classes: Vec<String> = self.misfortunes.iter().map(|it| it.what.clone()).collect();
        let named = [("event", &self.events), ("api", &self.api), ("ssm", &self.ssm), ("sink", &self.sink)];
        for (kind, faults) in named {
            classes.extend(faults.keys().filter(|it| !it.ends_with("-secs")).map(|it| format!("{kind} {it}")));
        }
        for (there, class) in [
            (!self.crashes.is_empty(), "crash"),
            (!self.journal_failures.is_empty(), "journal fails"),
            (!self.clock_steps.is_empty(), "clock step"),
            (self.two_musters, "two musters"),
            (!self.pauses.is_empty(), "muster stands still"),
            (!self.full_groups.is_empty(), "group at its maximum"),
            (!self.requests.is_empty(), "operator"),
            (self.clusters.iter().any(|it| it.room.is_some()), "headroom"),
        ] {
            classes.extend(there.then(|| class.to_owned()));
        }
        classes.sort();
        classes.dedup();
        classes
    }

    /// The story for a person who wants to know what failed.
    pub fn tell(&self) -> String {
        let mut text = self.scenario();
        let _ = writeln!(text, "# policy {}", self.policy);
        for request in &self.requests {
            let _ = writeln!(text, "# at {} m an operator asks {}", request.minute, request.request);
        }
        for (minute, step_ms) in &self.clock_steps {
            let _ = writeln!(text, "# at {minute} m the clock is set by {step_ms} ms");
        }
        let _ = writeln!(
            text,
            "# sweeps every {} min, crashes {:?}, journal failures {:?}, pauses {:?}, full groups {:?}, two musters {}, wire {}",
            self.sweep_minutes,
            self.crashes,
            self.journal_failures,
            self.pauses,
            self.full_groups,
            self.two_musters,
            self.wire
        );
        text
    }
}

/// Faults that are there or not.
const SWITCHES: &[&str] = &["unlimited", "expired-credentials"];
