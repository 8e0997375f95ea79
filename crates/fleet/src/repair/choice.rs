//! Which rung of the ladder fits: the first from where the case stands whose conditions hold. Two independent witnesses
//! for anything that ends a machine (I3).

use crate::{
    case::Subject,
    host::{Host, Millis},
    journal::Trouble,
    judge::Judgement,
    machine::Machine,
    observation::{Ec2State, InstanceStatus},
    policy::Rung,
    remedy::Remedy,
    slab::{NONE, Slot},
    state::Fleet,
    verdict::Verdict,
};

/// Restarts of one agent within a day, after which restarting is no answer.
pub(crate) const RESTARTS_A_DAY: usize = 3;
/// How long what a host said after a remedy counts as a witness.
const UNHEALED_COUNTS_MS: Millis = 30 * 60_000;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This rung.
    Take {
        /// Which rung of the ladder; past its end for the last resort.
        rung: u8,
        /// Its remedy.
        remedy: Remedy,
        /// Its deadline and its custom action.
        terms: Option<Rung>,
        /// Why.
        because: Vec<String>,
    },
    /// None.
    Leave {
        /// Why.
        because: Vec<String>,
    },
}

/// Whether a remedy fits.
enum Fit {
    /// Yes, for these reasons.
    Yes(Vec<String>),
    /// It would be of use, but a condition does not hold.
    No(String),
    /// It is of no use against this trouble.
    Useless,
}

fn yes(because: &[&str]) -> Fit {
    Fit::Yes(because.iter().map(|text| (*text).to_owned()).collect())
}

fn leave(because: &[&str]) -> Choice {
    Choice::Leave { because: because.iter().map(|text| (*text).to_owned()).collect() }
}

/// What the witnesses of one host say, gathered once.
struct Heard<'a> {
    host: Option<&'a Host>,
    machine: Option<&'a Machine>,
    ping: Option<bool>,
    in_group: bool,
    trouble: Trouble,
    verdict: Verdict,
    unhealed: bool,
}

impl Heard<'_> {
    /// A witness besides ECS that speaks against the machine, in words.
    fn second_witness(&self) -> Option<&'static str> {
        let impaired = self.machine.and_then(|machine| machine.status.value).is_some_and(|checks| checks.impaired());
        if self.ping == Some(false) {
            Some("two witnesses: ECS and SSM have both lost it")
        } else if impaired {
            Some("two witnesses: ECS has lost the agent and EC2's status checks fail")
        } else if self.unhealed {
            Some("two witnesses: ECS has lost the agent, and on the host it does not answer after a restart either")
        } else {
            None
        }
    }

    fn platform_is(&self, fleet: &Fleet, name: &str) -> bool {
        self.machine
            .and_then(|machine| machine.ping.value)
            .and_then(|ping| ping.platform)
            .is_some_and(|platform| fleet.names.text(platform).contains(name))
    }
}

impl Fleet {
    /// Chooses what a case calls for.
    pub(crate) fn choose(&self, slot: Slot, judgement: &Judgement) -> Choice {
        let Some(case) = self.cases.get(slot) else { return leave(&["the case is over"]) };
        let (subject, trouble, work) = (case.subject, case.trouble, case.work());
        match (subject, trouble) {
            (Subject::Pool(key), _) => return self.choose_more(key),
            (Subject::Host(host), Trouble::MuchRoom) => return self.choose_fewer(host),
            _ => {}
        }
        let (host, machine_slot) = match subject {
            Subject::Host(host) => (self.hosts.get(host), self.hosts.get(host).map_or(NONE, |host| host.machine)),
            Subject::Machine(machine) => (None, machine),
            Subject::Cohort(_) | Subject::Pool(_) => (None, NONE),
        };
        let machine = self.machines.get(machine_slot);
        let fresh_ms = 3 * i64::from(self.policy.fresh_secs.max(1)) * 1000;
        let is_fresh = |confirmed_at: Millis| self.now - confirmed_at <= fresh_ms;
        let ping = machine.and_then(|machine| machine.ping.value).and_then(|ping| ping.online);
        match judgement.verdict {
            Verdict::AgentLost if ping.is_some() && !machine.is_some_and(|it| is_fresh(it.ping.confirmed_at)) => {
                return leave(&["what SSM said is too old to decide on, and it could not be asked again"]);
            }
            Verdict::Ghost | Verdict::HostDown | Verdict::HostImpaired
                if !machine.is_some_and(|it| is_fresh(it.state.confirmed_at)) =>
            {
                return leave(&["what EC2 said is too old to decide on, and it could not be asked again"]);
            }
            _ => {}
        }
        let heard = Heard {
            host,
            machine,
            ping,
            in_group: machine.and_then(Machine::group).is_some(),
            trouble,
            verdict: judgement.verdict,
            unhealed: work.unhealed_at != 0 && self.now - work.unhealed_at <= UNHEALED_COUNTS_MS,
        };
        let (_, cluster, _) = self.subject_texts(subject);
        let cluster = cluster.rsplit('/').next().unwrap_or_default();
        let ladder = self.policy.terms(cluster, trouble).ladder;
        let mut missed = Vec::new();
        for (index, rung) in ladder.iter().enumerate().skip(usize::from(work.rung)) {
            let ruled_out = work.ruled_out.iter().find(|(remedy, _)| *remedy == rung.remedy);
            let fit = match ruled_out {
                Some((_, why)) => Fit::No(why.clone()),
                None => self.fits(rung, &heard),
            };
            match fit {
                Fit::Yes(because) => {
                    let rung_number = u8::try_from(index).unwrap_or(u8::MAX);
                    return Choice::Take { rung: rung_number, remedy: rung.remedy, terms: Some(rung.clone()), because };
                }
                Fit::No(why) => missed.push(why),
                Fit::Useless => {}
            }
        }
        if work.tried.is_empty() && work.ruled_out.is_empty() {
            return self.last_resort(&heard);
        }
        let mut because: Vec<String> =
            work.tried.iter().map(|tried| format!("{} was tried: {}", tried.remedy.word(), tried.ended)).collect();
        because.dedup();
        because.extend(missed);
        Choice::Take { rung: u8::MAX, remedy: Remedy::TellSomeone, terms: None, because }
    }

    fn fits(&self, rung: &Rung, heard: &Heard<'_>) -> Fit {
        use {Remedy as R, Verdict as V};
        let lost = heard.verdict == V::AgentLost;
        let impaired = heard.verdict == V::HostImpaired && heard.trouble == Trouble::AgentAway;
        let runtime = heard.verdict == V::RuntimeImpaired;
        match rung.remedy {
            R::RestartAgent if lost => self.restart_fits(heard),
            R::RestartRuntime if runtime => match heard.ping {
                Some(true) if heard.platform_is(self, "Bottlerocket") => {
                    Fit::No("Bottlerocket lets nobody restart its container runtime from outside".to_owned())
                }
                Some(true) => yes(&["ECS's own check says so, and SSM reaches the machine"]),
                _ => Fit::No("SSM does not reach the machine, so the runtime cannot be restarted from here".to_owned()),
            },
            R::Reboot if lost || impaired || runtime => match heard.second_witness() {
                Some(witness) => yes(&[witness, "a reboot keeps the machine"]),
                None if runtime && heard.unhealed => yes(&["its runtime is still sick after a restart"]),
                None => Fit::No("a second witness for a reboot is missing".to_owned()),
            },
            R::Drain if lost || impaired || runtime || heard.verdict == V::HostImpaired => {
                match heard.host.map(|host| host.status) {
                    Some(InstanceStatus::Active) => yes(&["its services should start their tasks elsewhere"]),
                    Some(InstanceStatus::Draining) => Fit::No("it is draining already".to_owned()),
                    _ => Fit::Useless,
                }
            }
            R::Replace if lost || impaired || runtime => self.replacement_fits(heard, runtime),
            R::Replace if heard.verdict == V::NeverRegistered => {
                yes(&["two witnesses: the group has it in service, and the cluster has never seen it"])
            }
            R::Deregister if heard.verdict == V::Ghost => {
                yes(&["two witnesses: ECS has lost the agent, EC2 the machine"])
            }
            R::ReleaseTasks if lost || impaired || heard.verdict == V::ExternalOffline => {
                match heard.second_witness() {
                    Some(witness) => yes(&[witness, "its tasks would be counted as running for ever"]),
                    None => Fit::No("only ECS speaks against it: a second witness is missing".to_owned()),
                }
            }
            R::Custom if !matches!(heard.verdict, V::Doubt | V::Present) => {
                let name = rung.custom.as_deref().unwrap_or_default();
                Fit::Yes(vec![format!("the operator's action {name} stands on this rung")])
            }
            R::TellSomeone => yes(&["the ladder says so"]),
            _ => Fit::Useless,
        }
    }

    fn restart_fits(&self, heard: &Heard<'_>) -> Fit {
        match heard.ping {
            Some(true) if heard.platform_is(self, "Bottlerocket") => Fit::No(
                "on Bottlerocket SSM runs in a container of its own and cannot restart the ECS agent; a reboot or a \
                 replacement can"
                    .to_owned(),
            ),
            Some(true) => {
                let key = heard.host.map(|host| host.key);
                let restarts = self
                    .repairs
                    .restarts
                    .iter()
                    .filter(|(at, other)| self.now - at < 86_400_000 && Some(*other) == key)
                    .count();
                if restarts >= RESTARTS_A_DAY {
                    return Fit::No(format!("its agent was restarted {restarts} times within a day already"));
                }
                yes(&["the cheapest remedy first", "SSM reaches the machine"])
            }
            Some(false) => Fit::No("SSM has lost the machine too, so nothing can be restarted there".to_owned()),
            None => Fit::No("SSM does not know the machine, so nothing can be restarted there".to_owned()),
        }
    }

    fn replacement_fits(&self, heard: &Heard<'_>, runtime: bool) -> Fit {
        if heard.host.is_some_and(|host| host.external) {
            return Fit::Useless;
        }
        let witness = match heard.second_witness() {
            Some(_) if runtime && heard.unhealed => "two witnesses: ECS's own check, and the host after a restart",
            Some(witness) => witness,
            None if heard.ping == Some(true) => {
                return Fit::No(
                    "SSM reaches the machine, so only ECS speaks against it: a second witness for a replacement is missing"
                        .to_owned(),
                );
            }
            None => {
                return Fit::No("only ECS speaks against it: a second witness for a replacement is missing".to_owned());
            }
        };
        if heard.in_group && witness.contains("EC2") {
            return yes(&[witness]);
        }
        if heard.in_group {
            return yes(&[witness, "its Auto Scaling group can make another"]);
        }
        if self.policy.replacement.outside_groups {
            return yes(&[witness, "the policy allows to end machines that no Auto Scaling group replaces"]);
        }
        Fit::No("no Auto Scaling group owns the machine, so nobody would replace it".to_owned())
    }

    /// What is said when no rung fits and nothing was tried.
    fn last_resort(&self, heard: &Heard<'_>) -> Choice {
        let tell = |because: &str| Choice::Take {
            rung: u8::MAX,
            remedy: Remedy::TellSomeone,
            terms: None,
            because: vec![because.to_owned()],
        };
        match heard.verdict {
            Verdict::AgentLost => match heard.ping {
                Some(false) => tell("SSM does not reach it, and no Auto Scaling group owns it"),
                Some(true) => tell("no remedy of the ladder fits a host whose agent alone is lost"),
                None => {
                    leave(&["only ECS speaks against it: SSM does not know the machine, so nothing can be restarted \
                                and a second witness for a replacement is missing"])
                }
            },
            Verdict::HostImpaired if heard.trouble == Trouble::AgentAway => {
                tell("no Auto Scaling group owns the machine, so nobody would replace it")
            }
            Verdict::HostImpaired => leave(&["the agent still answers: one witness is not enough"]),
            Verdict::HostDown => match heard.machine.and_then(|machine| machine.state.value) {
                Some(Ec2State::Stopped | Ec2State::Stopping) if heard.in_group => {
                    leave(&["its Auto Scaling group replaces a stopped machine by itself"])
                }
                Some(Ec2State::Stopped | Ec2State::Stopping) => {
                    tell("somebody stopped it, and no Auto Scaling group owns it")
                }
                _ => leave(&["the machine is being terminated already"]),
            },
            Verdict::RuntimeImpaired if heard.ping != Some(true) => {
                leave(&["SSM does not reach the machine, so the runtime cannot be restarted from here"])
            }
            Verdict::ExternalOffline => tell("an ECS Anywhere machine can only be mended where it stands"),
            Verdict::RegistrationFailed => {
                tell("the reason ECS gives must be mended first: a new host would fail alike")
            }
            Verdict::DrainStuck => tell("whoever drained it knows what may be stopped"),
            Verdict::Ghost | Verdict::NeverRegistered | Verdict::RuntimeImpaired => {
                tell("the ladder has no remedy for it")
            }
            other => leave(&[&format!("the verdict is {other}: nothing to mend")]),
        }
    }
}
