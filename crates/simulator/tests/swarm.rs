//! A seeded swarm in virtual time: every seed furnishes another world, picks its misfortunes and faults, and lives some
//! hours of it through the engine's own turn, while judges who know the truth watch. How many seeds: MUSTER_SWARM_SEEDS;
//! which one alone: MUSTER_SWARM_SEED.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use std::fmt::Write as _;

use engine::{journal::memory::MemoryJournal, recover};
use simulator::{
    clock::{HOUR, MINUTE},
    direct::{Drive, Mode, drive},
    faults::Faults,
    judges::{self, Conditions, History, Recorder, Violation},
    scenario::Scenario,
    seed::Random,
    simulation::Simulation,
    timeline::Act,
};

/// Seeds run by default: about half a minute of a debug build.
const DEFAULT_SEEDS: u64 = 60;

#[test]
fn no_seed_of_the_swarm_breaks_an_invariant() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MUSTER_SWARM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("MUSTER_SWARM_SEEDS").unwrap_or(DEFAULT_SEEDS) + 1,
    };
    let alone = number("MUSTER_SWARM_SEED").is_some();
    let (mut failed, mut host_hours, mut records) = (String::new(), 0.0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let run = live(seed);
        host_hours += run.host_hours;
        records += run.history.records.len();
        let mut violations = run.violations;
        // One seed in ten lives twice.
        if seed % 10 == 0 {
            violations.extend(judges::i21_determinism::judge(&run.history, &live(seed).history));
        }
        if !violations.is_empty() {
            let _ = writeln!(
                failed,
                "\nseed {seed}: {} violations; the first ones:\n{}\nrerun with: MUSTER_SWARM_SEED={seed} cargo test -p \
                 simulator --test swarm\n{}",
                violations.len(),
                violations.iter().take(4).map(|it| format!("  {it}\n")).collect::<String>(),
                run.story,
            );
            // A seed run alone tells everything.
            if alone {
                for it in &violations {
                    let _ = writeln!(failed, "{it}");
                }
                for noted in &run.history.records {
                    let _ = writeln!(failed, "{} {}", noted.at.iso_millis(), noted.record);
                }
                for asked in &run.history.looks {
                    let _ = writeln!(failed, "{} {} {:?}", asked.at.iso_millis(), asked.kind, asked.ids);
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(records > 0, "{count} seeds over {host_hours:.0} host-hours left no record at all: nothing was judged");
}

struct Run {
    violations: Vec<Violation>,
    history: History,
    host_hours: f64,
    story: String,
}

fn live(seed: u64) -> Run {
    let mut random = Random::new(seed ^ 0x7377_6172_6d00);
    let mut story = tell(&mut random);
    let scenario =
        Scenario::parse(&format!("swarm seed {seed}"), &story).unwrap_or_else(|error| panic!("{error}\n{story}"));
    let mut simulation = scenario.begin(Some(seed));
    simulation.world.note_all_truth();
    let faults = simulation.faults.clone();
    let started = simulation.now();
    let clock_stepped = random.chance(0.15);
    let clock_steps = if clock_stepped {
        let at = started.plus(random.between(10 * MINUTE, 90 * MINUTE));
        vec![(at, if random.chance(0.5) { HOUR } else { -HOUR })]
    } else {
        Vec::new()
    };
    for (at, step) in &clock_steps {
        let _ = writeln!(story, "# At {} the observer's clock is set by {step} ms.", at.iso_secs());
    }
    let mode = if random.chance(0.3) { Mode::Wire } else { Mode::Typed };
    let how = Drive { mode, clock_steps, ..Drive::default() };
    let journal = Box::new(MemoryJournal::new());
    let mut turn = recover(journal, Default::default(), "swarm", started.timestamp()).unwrap().turn;
    let mut recorder = Recorder::new();
    let ends = simulation.ends();
    drive(&mut simulation, &mut turn, ends, &how, &mut recorder).unwrap();
    let conditions = Conditions {
        started,
        ended: ends,
        sweep_every_ms: how.sweep_every_ms,
        events_unreliable: !faults.events.none(),
        calls_unreliable: faults.api != Faults::default().api,
        clock_stepped,
        ..Conditions::default()
    };
    let mut violations = judges::judge(&simulation.world, &recorder.history, &conditions);
    if !clock_stepped {
        violations.extend(converges(&mut simulation, &mut turn, &how, &mut recorder));
    }
    let host_hours = simulation.world.hosts.len() as f64 * ends.since(started) as f64 / HOUR as f64;
    Run { violations, history: recorder.history, host_hours, story }
}

/// Faults off, one sweep, a moment of quiet: now beliefs must be the truth.
fn converges(
    simulation: &mut Simulation,
    turn: &mut engine::Turn,
    how: &Drive,
    recorder: &mut Recorder,
) -> Vec<Violation> {
    simulation.do_now(&Act::Faults(Box::default()));
    let calm = Drive { clock_steps: Vec::new(), batch_ms: 0, ..how.clone() };
    let until = simulation.now().plus(2_000);
    drive(simulation, turn, until, &calm, recorder).unwrap();
    let view = serde_json::to_value(turn.fleet().roll_call(until.timestamp(), None)).unwrap();
    judges::i14_convergence::judge(&simulation.world, &view)
}

/// Makes up a story: small and hostile most of the time.
fn tell(random: &mut Random) -> String {
    let mut story = String::from("# A story of the swarm.\n");
    let hours = random.between(2, 5);
    let _ = writeln!(story, "lasts = \"{hours}h\"\nzones = {}", random.between(2, 4));
    if random.chance(0.4) {
        let _ = writeln!(
            story,
            "[faults.events]\ndrop = {:.2}\nduplicate = {:.2}\nreorder = {:.2}\nreorder-secs = {}\ndelay = {:.3}\n\
             delay-secs = {}\ntruncate = {:.2}\npoison = {:.2}\nnovelty = {:.2}",
            random.unit() * 0.2,
            random.unit() * 0.3,
            random.unit() * 0.3,
            random.between(10, 900),
            random.unit() * 0.02,
            random.between(60, 86_400),
            random.unit() * 0.05,
            random.unit() * 0.05,
            random.unit() * 0.05,
        );
    }
    if random.chance(0.3) {
        let _ = writeln!(
            story,
            "[faults.api]\nthrottle = {:.2}\nserver-error = {:.2}\nhtml = {:.2}\nstale-secs = {}\nbackground-use = {:.2}",
            random.unit() * 0.2,
            random.unit() * 0.1,
            random.unit() * 0.05,
            random.between(0, 60),
            random.unit() * 0.6,
        );
    }
    let clusters = random.between(1, 3);
    let mut sizes = Vec::new();
    for cluster in 0..clusters {
        let hosts = if random.chance(0.15) { random.between(40, 120) } else { random.between(3, 20) };
        let external = if random.chance(0.2) { random.between(1, 5) } else { 0 };
        sizes.push(hosts + external);
        let _ = writeln!(
            story,
            "[[cluster]]\nname = \"c{cluster}\"\nhosts = {hosts}\nexternal = {external}\ntrunking = {}\n\
             types = [\"m6i.large\", \"m6i.xlarge\"]",
            random.chance(0.5),
        );
        let network = if random.chance(0.5) { "awsvpc" } else { "bridge" };
        let _ = writeln!(
            story,
            "[[cluster.service]]\nname = \"api\"\ntasks = {}\nnetwork = \"{network}\"\nchurn-per-hour = {:.2}",
            hosts * 2,
            random.unit() * 0.5,
        );
        if random.chance(0.3) {
            story.push_str("[[cluster.service]]\nname = \"logs\"\ndaemon = true\ncpu = 64\nmemory = 128\n");
        }
    }
    for _ in 0..random.between(0, 7) {
        misfortune(random, &mut story, hours * 60, &sizes);
    }
    story
}

fn misfortune(random: &mut Random, story: &mut String, minutes: i64, sizes: &[i64]) {
    const ONE_HOST: [&str; 14] = [
        "agent-crash",
        "agent-stop",
        "agent-stop",
        "agent-hang",
        "agent-flap",
        "network-cut",
        "docker-sick",
        "machine-stop",
        "machine-terminate",
        "machine-break",
        "spot-notice",
        "drain",
        "deregister",
        "agent-restart",
    ];
    const UNDONE: [&str; 7] =
        ["agent-stop", "agent-hang", "agent-flap", "network-cut", "docker-sick", "machine-break", "drain"];
    let at = random.between(5, minutes - 30);
    let lasting = random.between(1, 80);
    let cluster = random.below(sizes.len() as u64) as usize;
    let _ = writeln!(story, "[[at]]\ntime = \"{at}m\"");
    match random.below(10) {
        0 => {
            let zone = char::from(b'a' + random.below(2) as u8);
            let _ = writeln!(story, "do = \"zone-loss\"\nzone = \"eu-central-1{zone}\"\nfor = \"{lasting}m\"");
        }
        1 => {
            let _ = writeln!(story, "do = \"control-plane-down\"\nfor = \"{}m\"", random.between(1, 20));
        }
        2 => {
            let _ = writeln!(story, "do = \"mass-reconnect\"\ncluster = \"c{cluster}\"\nevery = \"20s\"");
        }
        3 => {
            let boots = ["agent-dies", "never-registers", "registration-fails", "well"];
            let boots = boots[random.below(4) as usize];
            let share = random.unit() * 0.5;
            let _ =
                writeln!(story, "do = \"bad-image\"\ngroup = \"c{cluster}\"\nboots = \"{boots}\"\nshare = {share:.2}");
        }
        _ => {
            let what = *random.pick(&ONE_HOST).unwrap_or(&"agent-crash");
            let host = random.between(1, sizes[cluster]);
            let _ = writeln!(story, "do = \"{what}\"\nhost = \"c{cluster}/{host}\"");
            if UNDONE.contains(&what) && random.chance(0.8) {
                let _ = writeln!(story, "for = \"{lasting}m\"");
            }
            if what == "agent-flap" {
                let _ = writeln!(story, "every = \"{}s\"", random.between(60, 400));
            }
        }
    }
}

#[test]
fn a_swarm_seed_tells_the_same_story_every_time() {
    let story = |seed: u64| tell(&mut Random::new(seed));
    assert_eq!(story(9), story(9));
    assert_ne!(story(9), story(10));
}
