//! Lives a story: everything goes wrong that it says, then the faults heal, and the judges look at what is left.

use engine::{
    Turn,
    ports::{id::CaseId, operator as asked},
    recover,
    turn::TurnError,
};
use serde_json::Value;

use super::story::{Request, Size, Story};
use crate::{
    clock::{HOUR, MINUTE, Moment},
    direct::{Drive, Driven, Mode, Seat, SharedJournal, SimulatedLease, drive_all},
    faults::Faults,
    judges::{self, Conditions, History, Plain, Recorder, Reference, Violation, i20_liveness, plain},
    scenario::Scenario,
    simulation::Simulation,
    timeline::Act,
};

/// The longest time that a story is given to mend everything.
const LONGEST_HEALING_MS: i64 = 12 * HOUR;

/// What became of a story.
#[derive(Debug, Default)]
pub struct Lived {
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Everything that was written down.
    pub history: History,
    /// Hosts times hours.
    pub host_hours: f64,
    /// Faults that were put in: events lost or mangled, calls that failed, misfortunes, crashes.
    pub injected: u64,
    /// Decisions that the reference model had an opinion about.
    pub compared: u64,
    /// Events handed over.
    pub events: u64,
}

/// Lives a story and judges it. A panic on the way is a violation like others, so that its seed is told.
pub fn live(story: &Story) -> Lived {
    std::panic::catch_unwind(|| live_through(story)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Lived { violations: vec![Violation { invariant: "panic", at: Moment(0), what: text }], ..Lived::default() }
    })
}

fn live_through(story: &Story) -> Lived {
    let scenario = match Scenario::parse(&format!("story {}", story.seed), &story.scenario()) {
        Ok(scenario) => scenario,
        Err(error) => return unable(format!("the story cannot be told: {error}")),
    };
    let mut simulation = scenario.begin(Some(story.seed));
    simulation.world.note_all_truth();
    let started = simulation.now();
    let ends = simulation.ends();
    for cluster in &story.full_groups {
        let name = format!("c{cluster}");
        for group in simulation.world.groups.iter_mut().filter(|group| group.name == name) {
            group.max = group.desired;
        }
    }
    let policy = match serde_json::from_value(story.policy.clone()) {
        Ok(policy) => policy,
        Err(error) => return unable(format!("the policy cannot be read: {error}")),
    };
    // What the policy leaves out, the judges read as muster does.
    let plain = Plain(serde_json::to_value(&policy).unwrap_or_default());
    let mut musters = Musters { turns: Vec::new(), journals: Vec::new(), lease: SimulatedLease::new() };
    for _ in 0..1 + usize::from(story.two_musters) {
        let journal = SharedJournal::new();
        let mut turn = match recover(Box::new(journal.clone()), Clone::clone(&policy), "swarm", started.timestamp()) {
            Ok(recovered) => recovered.turn,
            Err(error) => return unable(format!("muster cannot start: {error}")),
        };
        // A snapshot of thousands of hosts every so often is a cost of keeping, not of thinking.
        turn.snapshot_every(if story.size == Size::Huge { u32::MAX } else { 2_000 });
        musters.turns.push(turn);
        musters.journals.push(journal);
    }
    let how = how(story, started);
    let mut recorder = if story.size == Size::Huge { Recorder::new() } else { Recorder::thorough() };
    if story.events.is_empty() && !faulty(story, "events") && story.crashes.is_empty() && !story.two_musters {
        recorder = recorder.hears_all(started);
    }
    for by in 0..musters.turns.len() as u8 {
        recorder = recorder.with_reference(by, Reference::new(plain.clone()));
    }
    let mut driven = Driven::default();
    let mut trouble = None;
    let mut drive_until =
        |simulation: &mut Simulation, musters: &mut Musters, until, how: &Drive, recorder: &mut Recorder| match musters
            .drive(simulation, until, how, recorder)
        {
            Ok(more) => {
                driven.events += more.events;
                driven.crashes += more.crashes;
            }
            Err(error) => trouble = Some(error.to_string()),
        };
    drive_until(&mut simulation, &mut musters, ends, &how, &mut recorder);
    // The faults heal. What has no end in the story stays broken: that is for muster to mend.
    let mut none = Faults::default();
    none.api.unlimited = simulation.faults.api.unlimited;
    simulation.do_now(&Act::Faults(Box::new(none)));
    let healed = simulation.now().plus(90 * MINUTE);
    let mut conditions = Conditions {
        started,
        ended: ends,
        sweep_every_ms: how.sweep_every_ms,
        events_unreliable: !story.events.is_empty() || faulty(story, "events"),
        calls_unreliable: story.api.keys().any(|it| *it != "unlimited") || faulty(story, "api"),
        clock_stepped: !story.clock_steps.is_empty(),
        clock_ahead_ms: story.clock_steps.iter().map(|(_, ms)| (*ms).max(0)).sum(),
        stale_ms: story.api.get("stale-secs").map_or(0, |secs| *secs as i64 * 1000),
        receivers_unreliable: !story.sink.is_empty(),
        down_ms: down_ms(story),
        policy: plain,
        ..Conditions::default()
    };
    let calm = Drive { mode: how.mode, sweep_every_ms: how.sweep_every_ms, ..Drive::default() };
    if story.size != Size::Huge && !conditions.clock_stepped {
        drive_until(&mut simulation, &mut musters, healed, &calm, &mut recorder);
        let until = i20_liveness::ends_at(&simulation.world, &conditions, healed).min(healed.plus(LONGEST_HEALING_MS));
        drive_until(&mut simulation, &mut musters, until, &calm, &mut recorder);
        conditions.ended = until;
        conditions.healed = Some(healed);
    }
    let now = simulation.now();
    let mut converged = Vec::new();
    if !conditions.clock_stepped {
        // Tasks whose last event was lost are known by an audit alone.
        let quiet = Drive { batch_ms: 0, audit_tasks: true, ..calm };
        drive_until(&mut simulation, &mut musters, now.plus(2_000), &quiet, &mut recorder);
        let roll_call = musters.turns[0].fleet().roll_call(simulation.now().timestamp(), None);
        converged =
            judges::i14_convergence::judge(&simulation.world, &serde_json::to_value(roll_call).unwrap_or_default());
        let (world, fleet) = (&simulation.world, musters.turns[0].fleet());
        let headroom = world.clusters.iter().filter(|cluster| cluster.active).map(|cluster| {
            let view = fleet.headroom_view(&cluster.arn, true, world.now.timestamp());
            serde_json::to_value(view).unwrap_or_default()
        });
        converged.extend(judges::i15_capacity::judge_accounting(world, &headroom.collect::<Vec<Value>>()));
    }
    let (compared, disagreements) = recorder.opinions();
    let history = recorder.finish(&simulation.world);
    let mut violations = judges::judge(&simulation.world, &history, &conditions);
    violations.extend(converged);
    violations.extend(disagreements);
    violations.extend(trouble.map(|what| Violation { invariant: "I5", at: now, what }));
    violations.sort_by_key(|it| it.at);
    let host_hours = simulation.world.hosts.len() as f64 * simulation.now().since(started) as f64 / HOUR as f64;
    let injected = story.misfortunes.len() as u64 + driven.crashes + injected_by(&simulation);
    Lived { violations, history, host_hours, injected, compared, events: driven.events }
}

/// Some musters over the same account.
struct Musters {
    turns: Vec<Turn>,
    journals: Vec<SharedJournal>,
    lease: SimulatedLease,
}

impl Musters {
    fn drive(
        &mut self,
        simulation: &mut Simulation,
        until: Moment,
        how: &Drive,
        recorder: &mut Recorder,
    ) -> Result<Driven, TurnError> {
        let lease = (self.turns.len() > 1).then_some(&mut self.lease);
        let journals = self.journals.iter().cloned().map(Some);
        let seats = self.turns.iter_mut().zip(journals).map(|(turn, journal)| Seat { turn, journal }).collect();
        drive_all(simulation, seats, lease, until, how, recorder)
    }
}

fn how(story: &Story, started: Moment) -> Drive {
    let at = |minute: i64| started.plus(minute * MINUTE);
    // Whoever asks, asks all of them.
    let all = 0..=u8::from(story.two_musters);
    let asks = |(request, by): (&Request, u8)| {
        let asked = asked::Asked { who: "swarm".into(), why: String::new().into(), request: read(&request.request)? };
        Some((at(request.minute), by, asked))
    };
    let requests = story.requests.iter().flat_map(|request| all.clone().map(move |by| (request, by)));
    Drive {
        mode: if story.wire { Mode::Wire } else { Mode::Typed },
        sweep_every_ms: story.sweep_minutes * MINUTE,
        clock_steps: story.clock_steps.iter().map(|(minute, ms)| (at(*minute), *ms)).collect(),
        crashes: story.crashes.clone(),
        journal_failures: story.journal_failures.clone(),
        pauses: story.pauses.iter().map(|(minute, secs)| (at(*minute), 0, secs * 1000)).collect(),
        operator: requests.filter_map(asks).collect(),
        ..Drive::default()
    }
}

/// A request out of its JSON.
fn read(request: &Value) -> Option<asked::Request<'static>> {
    let (what, about) = request.as_object()?.iter().next()?;
    let secs = about["secs"].as_u64().map(|secs| secs as u32);
    let case = CaseId(about["case"].as_u64().unwrap_or(0) as u32);
    let text = |name: &str| about[name].as_str().map(|text| text.to_owned().into());
    Some(match what.as_str() {
        "approve" => asked::Request::Approve { case },
        "veto" => asked::Request::Veto { case },
        "hold" => asked::Request::Hold { case, secs },
        "retry" => asked::Request::Retry { case },
        "protect" => asked::Request::Protect { subject: text("subject")?, secs },
        "unprotect" => asked::Request::Unprotect { subject: text("subject")? },
        "pause" => asked::Request::Pause { cluster: text("cluster"), secs },
        "resume" => asked::Request::Resume { cluster: text("cluster") },
        "silence" => asked::Request::Silence {
            clusters: plain::texts(&about["clusters"]),
            troubles: Vec::new(),
            hosts: plain::texts(&about["hosts"]),
            secs: secs?,
        },
        _ => return None,
    })
}

/// How long muster is away at most, all in all, as far as pages that are due can tell.
fn down_ms(story: &Story) -> i64 {
    let crashes = (story.crashes.len() + story.journal_failures.len()) as i64;
    let stood_still: i64 = story.pauses.iter().map(|(_, secs)| secs * 1000).sum();
    let handed_over = if story.two_musters { 3 * MINUTE } else { 0 };
    crashes * 30_000 + stood_still + handed_over
}

/// A misfortune of the story changes the faults for a while.
fn faulty(story: &Story, kind: &str) -> bool {
    story.misfortunes.iter().any(|it| it.what == "faults" && it.rest.contains(kind))
}

fn unable(what: String) -> Lived {
    Lived { violations: vec![Violation { invariant: "story", at: Moment(0), what }], ..Lived::default() }
}

/// Faults that the account put in on its own.
fn injected_by(simulation: &Simulation) -> u64 {
    let tally = simulation.courier.tally;
    tally.lost + tally.doubled + tally.late + tally.poison
}
