//! Draws a story from a seed: three in ten small and hostile, one in ten huge, one in ten an incident that happened.

use serde_json::json;

use super::{
    policy,
    story::{Cluster, Faults, Misfortune, Request, Room, Size, Story},
};
use crate::seed::Random;

/// Incidents of the last years, as far as they touch ECS.
pub const INCIDENTS: [&str; 7] = [
    "control plane away for an hour",
    "internal network congested",
    "events late for hours",
    "launches fail",
    "every agent restarted by a template",
    "bad image rolled out",
    "bad agent version hangs",
];

/// The story of a seed.
pub fn draw(seed: u64) -> Story {
    let mut random = Random::new(seed ^ 0x7377_6172_6d00);
    let size = match random.below(10) {
        0..=2 => Size::Hostile,
        3 => Size::Huge,
        4 => Size::Scripted(INCIDENTS[random.below(INCIDENTS.len() as u64) as usize]),
        _ => Size::Ordinary,
    };
    let zones = random.between(2, 4);
    let minutes = match size {
        Size::Huge => random.between(9 * 60, 12 * 60),
        Size::Hostile => random.between(90, 240),
        _ => random.between(120, 300),
    };
    let clusters = clusters(&mut random, size);
    let hostile = if size == Size::Hostile { 1.6 } else { 1.0 };
    let mut story = Story {
        seed,
        size,
        minutes,
        // A sweep of thousands of hosts costs more than all their events of an hour.
        sweep_minutes: if size == Size::Huge { random.between(40, 90) } else { random.between(5, 15) },
        zones,
        events: events(&mut random, if size == Size::Huge { 0.4 } else { hostile }),
        api: api(&mut random, if size == Size::Huge { 0.4 } else { hostile }),
        ssm: ssm(&mut random, hostile),
        sink: sink(&mut random, hostile),
        full_groups: Vec::new(),
        misfortunes: Vec::new(),
        requests: Vec::new(),
        pauses: Vec::new(),
        crashes: Vec::new(),
        journal_failures: Vec::new(),
        clock_steps: Vec::new(),
        two_musters: false,
        wire: size == Size::Huge || random.chance(0.6),
        policy: policy::draw(&mut random, clusters.len()),
        clusters,
    };
    if size == Size::Huge {
        story.api.insert("unlimited", 1.0);
    } else {
        shell(&mut random, &mut story, hostile);
    }
    if let Size::Scripted(incident) = size {
        script(&mut random, &mut story, incident);
    }
    let many = match size {
        Size::Hostile => random.between(2, 9),
        Size::Huge => random.between(4, 24),
        Size::Scripted(_) => random.between(0, 3),
        Size::Ordinary => random.between(0, 8),
    };
    for _ in 0..many {
        let misfortune = misfortune(&mut random, &story);
        story.misfortunes.push(misfortune);
    }
    if size != Size::Huge {
        // Dice of their own: the rest of the story is what it was before there was any headroom.
        rooms(&mut Random::new(seed ^ 0x726f_6f6d), &mut story);
    }
    story
}

/// Declares headroom in some clusters, and has others meddle with their groups.
fn rooms(random: &mut Random, story: &mut Story) {
    if !random.chance(0.6) {
        return;
    }
    let mut declared = Vec::new();
    for number in 0..story.clusters.len() {
        if !random.chance(0.7) {
            continue;
        }
        let cluster = &mut story.clusters[number];
        cluster.room = Some(Room { managed: random.chance(0.15), protected: random.chance(0.25) });
        declared.push(policy::headroom(random, number, cluster));
        let minutes = story.minutes;
        let later = |random: &mut Random| random.between(5, minutes - 30);
        if random.chance(0.4) {
            let to = (cluster.hosts + random.between(-2, 4)).max(0);
            story.misfortunes.push(happen(later(random), "scale", format!("group = \"c{number}\"\nto = {to}")));
        }
        if random.chance(0.5) {
            // Fewer tasks make hosts empty, more of them make room scarce.
            let each = *random.pick(&[0, 0, 1, 2, 6, 12]).unwrap_or(&0);
            let to = (cluster.hosts + cluster.lone) * each;
            let rest = format!("service = \"c{number}/api\"\nto = {to}");
            story.misfortunes.push(happen(later(random), "desired-count", rest));
        }
        if random.chance(0.3) {
            let rest = format!("group = \"c{number}\"\nfor = \"{}m\"", random.between(5, 80));
            story.misfortunes.push(happen(later(random), "launches-fail", rest));
        }
        if random.chance(0.1) {
            let process = if random.chance(0.5) { "Launch" } else { "Terminate" };
            let rest = format!("group = \"c{number}\"\nprocess = \"{process}\"\nfor = \"{}m\"", random.between(5, 60));
            story.misfortunes.push(happen(later(random), "suspend", rest));
        }
    }
    story.policy["headroom"] = serde_json::Value::Array(declared);
}

fn clusters(random: &mut Random, size: Size) -> Vec<Cluster> {
    let count = if size == Size::Huge { random.between(1, 2) } else { random.between(1, 3) };
    let one = |random: &mut Random| {
        let hosts = match size {
            Size::Hostile => random.between(2, 20 / count),
            Size::Huge => random.between(4_500, 5_500) / count,
            _ if random.chance(0.15) => random.between(40, 120),
            _ => random.between(4, 24),
        };
        Cluster {
            hosts,
            lone: if random.chance(0.2) && size != Size::Huge { random.between(1, 3) } else { 0 },
            external: if random.chance(0.2) && size != Size::Huge { random.between(1, 4) } else { 0 },
            trunking: random.chance(0.5),
            tasks: if size == Size::Huge { 1 } else { random.between(1, 4) },
            awsvpc: random.chance(0.5),
            churn_per_hour: if size == Size::Huge { 0.0 } else { random.unit() * 0.5 },
            daemon: size != Size::Huge && random.chance(0.3),
            room: None,
        }
    };
    (0..count).map(|_| one(random)).collect()
}

fn some(random: &mut Random, chance: f64, of: &[(&'static str, f64)]) -> Faults {
    let mut faults = Faults::new();
    for (name, most) in of {
        if random.chance(chance) {
            faults.insert(name, (random.unit() * most).max(0.001));
        }
    }
    faults
}

fn events(random: &mut Random, hostile: f64) -> Faults {
    if !random.chance(0.45 * hostile) {
        return Faults::new();
    }
    let all = [
        ("drop", 0.2),
        ("duplicate", 0.3),
        ("reorder", 0.3),
        ("delay", 0.02),
        ("truncate", 0.05),
        ("poison", 0.05),
        ("novelty", 0.05),
    ];
    let mut faults = some(random, 0.5, &all);
    if faults.contains_key("reorder") {
        faults.insert("reorder-secs", random.between(10, 900) as f64);
    }
    if faults.contains_key("delay") {
        faults.insert("delay-secs", random.between(60, 86_400) as f64);
    }
    faults
}

fn api(random: &mut Random, hostile: f64) -> Faults {
    if !random.chance(0.35 * hostile) {
        return Faults::new();
    }
    let all = [
        ("throttle", 0.2),
        ("server-error", 0.1),
        ("html", 0.05),
        ("hang", 0.03),
        ("timeout-after-effect", 0.1),
        ("background-use", 0.6),
    ];
    let mut faults = some(random, 0.4, &all);
    if random.chance(0.3) {
        faults.insert("stale-secs", random.between(1, 60) as f64);
    }
    faults
}

fn ssm(random: &mut Random, hostile: f64) -> Faults {
    if !random.chance(0.3 * hostile) {
        return Faults::new();
    }
    some(random, 0.7, &[("lie", 0.4), ("hang", 0.4)])
}

fn sink(random: &mut Random, hostile: f64) -> Faults {
    if !random.chance(0.3 * hostile) {
        return Faults::new();
    }
    some(random, 0.6, &[("refuse", 0.5), ("accept-then-silent", 0.3), ("give-up", 0.1)])
}

/// What goes wrong with muster itself, and what operators ask.
fn shell(random: &mut Random, story: &mut Story, hostile: f64) {
    if random.chance(0.25 * hostile) {
        for _ in 0..random.between(1, 6) {
            story.crashes.push(random.between(1, 2_000) as u32);
        }
        story.crashes.sort_unstable();
    }
    if random.chance(0.12 * hostile) {
        for _ in 0..random.between(1, 4) {
            story.journal_failures.push(random.between(1, 2_000) as u32);
        }
        story.journal_failures.sort_unstable();
    }
    if random.chance(0.12) {
        let by = *random.pick(&[3_600_000, -3_600_000, 90_000, -30_000]).unwrap_or(&0);
        story.clock_steps.push((random.between(10, story.minutes - 20), by));
    }
    story.two_musters = random.chance(0.15 * hostile);
    if random.chance(0.12) {
        story.pauses.push((random.between(10, story.minutes - 20), random.between(20, 400)));
    }
    if random.chance(0.2) {
        story.full_groups.push(random.below(story.clusters.len() as u64) as usize);
    }
    if random.chance(0.35) {
        for _ in 0..random.between(1, 5) {
            let minute = random.between(5, story.minutes - 10);
            let secs = random.between(60, 3_600);
            let request = match random.below(9) {
                0 => json!({"pause": {"cluster": null, "secs": secs}}),
                1 => json!({"pause": {"cluster": "c0", "secs": secs}}),
                2 => json!({"resume": {"cluster": null}}),
                3 => json!({"protect": {"subject": "HOST", "secs": secs}}),
                4 => json!({"veto": {"case": 0}}),
                5 => json!({"hold": {"case": 0, "secs": secs}}),
                6 => json!({"retry": {"case": 0}}),
                7 => json!({"silence": {"clusters": ["c0"], "troubles": [], "hosts": [], "secs": secs}}),
                _ => json!({"approve": {"case": 0}}),
            };
            story.requests.push(Request { minute, request });
        }
    }
    // Somebody who has to approve does so, mostly.
    if story.policy["mode"] == "approve" {
        let mut minute = 10;
        while minute < story.minutes {
            story.requests.push(Request { minute, request: json!({"approve": {"case": 0}}) });
            minute += random.between(3, 12);
        }
    }
    story.requests.sort_by_key(|it| it.minute);
}

fn happen(minute: i64, what: &str, rest: String) -> Misfortune {
    Misfortune { minute, what: what.to_owned(), rest }
}

fn script(random: &mut Random, story: &mut Story, incident: &str) {
    let minute = random.between(15, story.minutes / 3);
    let lasting = random.between(20, 60);
    let mut add = |minute, what: &str, rest: String| story.misfortunes.push(happen(minute, what, rest));
    match incident {
        "control plane away for an hour" => {
            add(minute, "control-plane-down", format!("for = \"{lasting}m\""));
            add(
                minute,
                "faults",
                format!("for = \"{lasting}m\"\nfaults = {{ api = {{ throttle = 0.5, server-error = 0.3 }} }}"),
            );
        }
        "internal network congested" => add(
            minute,
            "faults",
            format!(
                "for = \"{lasting}m\"\nfaults = {{ api = {{ throttle = 0.4, hang = 0.2, server-error = 0.2 }}, events = \
                 {{ drop = 0.3, reorder = 0.5, reorder-secs = 600 }} }}"
            ),
        ),
        "events late for hours" => add(
            minute,
            "faults",
            format!("for = \"{lasting}m\"\nfaults = {{ events = {{ delay = 0.7, delay-secs = 7200 }} }}"),
        ),
        "launches fail" => {
            for cluster in 0..story.clusters.len() {
                add(minute, "launches-fail", format!("group = \"c{cluster}\"\nfor = \"{lasting}m\""));
            }
            add(minute + 2, "agent-stop", "cluster = \"c0\"\ncount = 1".to_owned());
        }
        "every agent restarted by a template" => {
            add(minute, "agent-restart", "cluster = \"c0\"".to_owned());
            add(minute + 3, "mass-reconnect", "cluster = \"c0\"\nevery = \"20s\"".to_owned());
        }
        "bad image rolled out" => {
            let boots = *random.pick(&["agent-dies", "never-registers", "registration-fails"]).unwrap_or(&"agent-dies");
            let share = random.unit() * 0.6;
            add(minute, "bad-image", format!("group = \"c0\"\nboots = \"{boots}\"\nshare = {share:.2}"));
        }
        _ => add(minute, "agent-hang", format!("cluster = \"c0\"\nshare = {:.2}\nfor = \"{lasting}m\"", random.unit())),
    }
}

const ONE_HOST: [&str; 16] = [
    "agent-crash",
    "agent-stop",
    "agent-stop",
    "agent-stop",
    "agent-hang",
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

fn misfortune(random: &mut Random, story: &Story) -> Misfortune {
    let minute = random.between(5, story.minutes - 30);
    let lasting = random.between(1, 80);
    let cluster = random.below(story.clusters.len() as u64) as usize;
    match random.below(11) {
        0 => {
            let zone = char::from(b'a' + random.below(2) as u8);
            happen(minute, "zone-loss", format!("zone = \"eu-central-1{zone}\"\nfor = \"{lasting}m\""))
        }
        1 => happen(minute, "control-plane-down", format!("for = \"{}m\"", random.between(1, 20))),
        2 => happen(minute, "mass-reconnect", format!("cluster = \"c{cluster}\"\nevery = \"20s\"")),
        3 => {
            let boots = ["agent-dies", "never-registers", "registration-fails", "well"];
            let boots = boots[random.below(4) as usize];
            let share = random.unit() * if story.size == Size::Huge { 0.02 } else { 0.5 };
            happen(minute, "bad-image", format!("group = \"c{cluster}\"\nboots = \"{boots}\"\nshare = {share:.3}"))
        }
        4 if random.chance(0.5) => {
            happen(minute, "launches-fail", format!("group = \"c{cluster}\"\nfor = \"{lasting}m\""))
        }
        _ => {
            let what = *random.pick(&ONE_HOST).unwrap_or(&"agent-crash");
            let of = &story.clusters[cluster];
            let host = random.between(1, of.hosts + of.lone + of.external);
            let mut rest = format!("host = \"c{cluster}/{host}\"");
            if UNDONE.contains(&what) && random.chance(0.6) {
                rest.push_str(&format!("\nfor = \"{lasting}m\""));
            }
            if what == "agent-flap" {
                rest.push_str(&format!("\nevery = \"{}s\"", random.between(60, 400)));
            }
            happen(minute, what, rest)
        }
    }
}
