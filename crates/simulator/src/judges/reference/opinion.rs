//! What the model thinks of a decision: whether a remedy was allowed, and whether holding was called for.

use engine::ports::observation::Ec2State;
use serde_json::Value;

use super::{Case, Host, Reference, ended};
use crate::{
    clock::{HOUR, Moment},
    judges::plain::{PlainBudget, PlainLimit, any_fits, cluster_name, glob},
};

impl Reference {
    /// Machine and group of a case's subject.
    pub(super) fn place(&self, case: &Case) -> (String, String) {
        let host = self.hosts.get(&case.subject);
        let machine = host.map_or(case.subject.clone(), |host| host.machine.clone());
        let group = self.machines.get(&machine).map(|it| it.group.clone()).unwrap_or_default();
        (machine, group)
    }

    /// Why a remedy must not be chosen now.
    pub(super) fn forbids(&self, case: &Case, how: &str, remedy: &str, now: i64) -> Option<String> {
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
        if matches!(remedy, "deregister" | "scale-out") { None } else { self.over_budget(case, now, false) }
    }

    pub(super) fn paused(&self, cluster: &str, now: i64) -> bool {
        let holds = |key: &str| self.pauses.get(key).is_some_and(|until| !ended(*until, now));
        ["", cluster, cluster_name(cluster)].into_iter().any(holds)
    }

    pub(super) fn protected(&self, case: &Case, remedy: &str, now: i64) -> Option<String> {
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
    pub(super) fn too_many_away(&self, host: &Host) -> Option<String> {
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

    pub(super) fn is_down(&self, host: &Host) -> bool {
        let state = self.machines.get(&host.machine).and_then(|machine| machine.state);
        !matches!(state, None | Some(Ec2State::Running | Ec2State::Pending | Ec2State::Other))
    }

    /// What a host shares with others: account and region, cluster, and so on.
    pub(super) fn values<'s>(&'s self, host: &'s Host) -> [&'s str; 9] {
        let [zone, version, ami, subnet, kind] = &host.traits;
        let place = host.cluster.rsplit_once(":cluster/").map_or("", |(place, _)| place);
        let (group, template) = self.machines.get(&host.machine).map_or(("", ""), |it| (&it.group, &it.template));
        [place, &host.cluster, zone, version, ami, subnet, kind, group, template]
    }

    pub(super) fn second_witness(&self, case: &Case, now: i64) -> bool {
        let (machine, _) = self.place(case);
        let Some(machine) = self.machines.get(&machine) else { return case.unhealed };
        let fresh_ms = 3 * self.plain.secs("fresh_secs", 30).max(1) * 1000;
        let lost = machine.online == Some(false) && now - machine.ping_at <= fresh_ms;
        let impaired = machine.impaired && now - machine.status_at <= fresh_ms;
        case.unhealed || lost || impaired
    }

    /// The budget that is used up. `generous`: what might count does.
    pub(super) fn over_budget(&self, case: &Case, now: i64, generous: bool) -> Option<String> {
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
                    let disturbs = it
                        .at_work
                        .as_ref()
                        .is_some_and(|(remedy, _)| !matches!(remedy.as_str(), "deregister" | "scale-out"));
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
            let took_over_within = |ms: i64| self.took_over_at.is_some_and(|at| now - at < ms);
            if budget.per_hour.is_some() && took_over_within(HOUR) {
                return Some("another muster may have used the hour up".to_owned());
            }
            let late_ms = self.plain.replacement_secs("arrival_secs", 900) * 1000;
            if budget.at_once.is_some() && took_over_within(late_ms.max(900_000)) {
                return Some("what another muster began may be under way".to_owned());
            }
            let full = |used: usize, limit: Option<PlainLimit>| limit.is_some_and(|it| used >= it.of(members));
            (full(at_work, budget.at_once) || full(lately, budget.per_hour)).then(|| {
                format!("the budget per {} is used up ({at_work} at work, {lately} within the hour)", budget.per)
            })
        })
    }

    pub(super) fn members(&self, budget: &PlainBudget, case: &Case, group: &str, zone: &str, generous: bool) -> usize {
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
    pub(super) fn unfounded(&self, case: &Case, reasons: &str, now: i64) -> Option<String> {
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
