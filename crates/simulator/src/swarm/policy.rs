//! Draws a policy: acting mostly, now and then more careful, with budgets, windows, protections, ladders and routes.

use serde_json::{Value, json};

use super::story::Cluster;
use crate::seed::Random;

/// The policy of a story with so many clusters.
pub fn draw(random: &mut Random, clusters: usize) -> Value {
    let mode = match random.below(20) {
        0..=14 => "act",
        15..=16 => "approve",
        17..=18 => "dry-run",
        _ => "observe",
    };
    // Seed S5 counts failed scans, seed S2 waits a minute and looks once more; most take the defaults.
    let (grace, act_after, fail_after) = match random.below(6) {
        0 => (60, 60, 1),
        1 => (60, 300, 3),
        2 => (random.between(60, 300), random.between(300, 900), random.between(1, 4)),
        _ => (180, 600, 2),
    };
    let mut policy = json!({
        "mode": mode,
        "grace_secs": grace,
        "act_after_secs": act_after.max(grace),
        "fail_after": fail_after,
        "budgets": budgets(random),
        "replacement": replacement(random),
        "routing": routing(random),
    });
    if random.chance(0.15) {
        let opens = ["0 * * * *", "*/30 * * * *", "0 8-10 * * 1-5", "15 9 * * *"];
        let opens = *random.pick(&opens).unwrap_or(&"0 * * * *");
        let zone = *random.pick(&["UTC", "Europe/Berlin", "America/New_York"]).unwrap_or(&"UTC");
        let globs: &[&str] = if random.chance(0.5) { &[] } else { &["c0"] };
        policy["windows"] = json!([
            {"clusters": globs, "opens": opens, "lasts_secs": random.between(600, 5_400), "time_zone": zone}
        ]);
    }
    if random.chance(0.25) {
        let tasks: &[&str] = if random.chance(0.4) { &["service:log*"] } else { &[] };
        policy["protection"] = json!({
            "marks": ["muster:protect"], "tasks": tasks, "launch_secs": random.between(0, 1_200),
        });
    }
    let mut rules = Vec::new();
    if random.chance(0.5) {
        rules.push(json!({"troubles": ["agent-away"], "ladder": ladder(random)}));
    }
    if random.chance(0.2) {
        rules.push(json!({"troubles": ["runtime"], "ladder": [
            {"remedy": "restart-runtime", "deadline_secs": random.between(60, 300)},
            {"remedy": "replace", "deadline_secs": 900},
        ]}));
    }
    if clusters > 1 && random.chance(0.3) {
        let mode = *random.pick(&["observe", "dry-run", "act"]).unwrap_or(&"act");
        rules.push(json!({"clusters": ["c1"], "mode": mode}));
    }
    policy["rules"] = Value::Array(rules);
    policy
}

/// Room that is declared in a cluster, mostly to be kept.
pub fn headroom(random: &mut Random, number: usize, cluster: &Cluster) -> Value {
    let mode = *random.pick(&["act", "act", "act", "approve", "dry-run", "observe"]).unwrap_or(&"act");
    let many = if cluster.awsvpc { cluster.hosts * 2 } else { cluster.hosts * 40 };
    let mut keep = json!({
        "clusters": [format!("c{number}")],
        "of": if random.chance(0.9) { "service:api" } else { "family:api" },
        "each_zone": random.chance(0.3),
        "mode": mode,
        "declared": {
            "copies": if random.chance(0.7) { random.between(1, many) } else { random.between(1, 8) },
            "max_hosts": cluster.hosts + random.between(0, 8),
            "min_hosts": random.between(0, cluster.hosts),
            "step_hosts": random.between(1, 4),
            "cool_down_secs": random.between(60, 600),
            "scale_in": random.chance(0.6),
            "scale_in_after_secs": random.between(600, 3_600),
        },
    });
    if random.chance(0.2) {
        keep["groups"] = json!([format!("c{number}")]);
    }
    keep
}

fn ladder(random: &mut Random) -> Value {
    let secs = |random: &mut Random, from, to| random.between(from, to);
    let restart = json!({"remedy": "restart-agent", "deadline_secs": secs(random, 60, 400)});
    let reboot = json!({"remedy": "reboot", "deadline_secs": secs(random, 300, 900)});
    let replace = json!({"remedy": "replace", "deadline_secs": secs(random, 600, 1_800)});
    let drain = json!({"remedy": "drain", "deadline_secs": secs(random, 120, 900)});
    let release = json!({"remedy": "release-tasks", "deadline_secs": 300});
    let bury = json!({"remedy": "deregister", "deadline_secs": 300});
    match random.below(6) {
        0 => json!([restart, bury]),
        1 => json!([restart, reboot, replace, bury]),
        2 => json!([drain, replace, bury]),
        3 => json!([restart, release, bury]),
        4 => json!([replace, bury]),
        _ => json!([restart, replace, bury]),
    }
}

fn budgets(random: &mut Random) -> Value {
    let one = |random: &mut Random| {
        let per = *random.pick(&["fleet", "cluster", "cluster", "zone", "group"]).unwrap_or(&"cluster");
        let limit = |random: &mut Random| {
            if random.chance(0.6) {
                json!({"hosts": random.between(1, 4)})
            } else {
                json!({"percent": *random.pick(&[5.0, 10.0, 25.0, 34.5]).unwrap_or(&10.0)})
            }
        };
        let mut budget = json!({"per": per});
        if random.chance(0.8) {
            budget["at_once"] = limit(random);
        }
        if random.chance(0.4) || budget.get("at_once").is_none() {
            budget["per_hour"] = limit(random);
        }
        if random.chance(0.2) {
            budget["clusters"] = json!(["c0"]);
        }
        budget
    };
    if random.chance(0.4) {
        return json!([
            {"per": "cluster", "at_once": {"hosts": 1}},
            {"per": "cluster", "at_once": {"percent": 10.0}},
        ]);
    }
    let many = random.between(1, 3);
    Value::Array((0..many).map(|_| one(random)).collect())
}

fn replacement(random: &mut Random) -> Value {
    let drain_secs = random.between(120, 1_200);
    let (scale_up_first, by_health) = (random.chance(0.3), random.chance(0.2));
    json!({
        "drain_secs": drain_secs,
        "scale_up_first": scale_up_first,
        // Both together are refused when a configuration is read.
        "by_health": by_health && !scale_up_first,
        "outside_groups": random.chance(0.2),
        "arrival_secs": random.between(420, 1_200),
    })
}

fn routing(random: &mut Random) -> Value {
    if random.chance(0.1) {
        return json!({});
    }
    let by = *random.pick(&["cluster", "trouble", "zone", "place", "host"]).unwrap_or(&"cluster");
    let mut route = json!({"receivers": ["pager"], "group_by": ["trouble", "cluster"]});
    if random.chance(0.5) {
        route["group_by"] = json!([by]);
    }
    let mut routes = vec![route];
    if random.chance(0.3) {
        routes.insert(0, json!({"troubles": ["doubt"], "receivers": ["mail"], "go_on": random.chance(0.5)}));
    }
    json!({
        "routes": routes,
        "wait_secs": random.between(5, 60),
        "interval_secs": random.between(60, 600),
        "repeat_secs": if random.chance(0.3) { 0 } else { random.between(1_800, 14_400) },
    })
}
