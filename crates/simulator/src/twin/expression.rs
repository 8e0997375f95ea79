//! Expressions of the cluster query language by chance, in all the ways in which they may be written.

use crate::seed::Random;

/// Values that the drawn hosts have, so that expressions are true now and then.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Zones.
    pub zones: Vec<String>,
    /// EC2 instance ids.
    pub machines: Vec<String>,
    /// Groups of tasks.
    pub groups: Vec<String>,
    /// Times of registration.
    pub times: Vec<String>,
}

fn one<'a>(random: &mut Random, of: &[&'a str]) -> &'a str {
    random.pick(of).copied().unwrap_or_default()
}

fn some(random: &mut Random, of: &[String], otherwise: &str) -> String {
    random.pick(of).cloned().unwrap_or_else(|| otherwise.to_owned())
}

/// An expression of at most this depth.
pub fn draw(random: &mut Random, pool: &Pool, depth: u32) -> String {
    match if depth == 0 { 0 } else { random.below(8) } {
        1 => {
            let and = one(random, &[" and ", " && "]);
            [draw(random, pool, depth - 1), draw(random, pool, depth - 1)].join(and)
        }
        2 => {
            let or = one(random, &[" or ", " || "]);
            format!("({})", [draw(random, pool, depth - 1), draw(random, pool, depth - 1)].join(or))
        }
        3 => {
            let not = one(random, &["not (", "!(", "! ("]);
            format!("{not}{})", draw(random, pool, depth - 1))
        }
        _ => test(random, pool),
    }
}

fn test(random: &mut Random, pool: &Pool) -> String {
    match random.below(12) {
        0 => format!("attribute:ecs.instance-type {}", types(random)),
        1 => {
            let zone = some(random, &pool.zones, "nowhere");
            format!("attribute:ecs.availability-zone {}", among(random, &zone))
        }
        2 => format!("attribute:stack {}", texts(random, &["blue", "red", "green"])),
        3 => {
            let name = one(random, &["stack", "fast", "ecs.awsvpc-trunk-id", "ecs.capability.external", "nobody.has"]);
            let operator = one(random, &["exists", "!exists", "not_exists"]);
            format!("attribute:{name} {operator}")
        }
        4 => format!("attribute:level {} {}", comparison(random), random.below(14)),
        5 => format!("attribute:ecs.os-type {}", texts(random, &["linux", "windows"])),
        6 => {
            let operator = one(random, &["==", "!=", "equals", "not_equals"]);
            format!("agentConnected {operator} {}", one(random, &["true", "false"]))
        }
        7 => format!("runningTasksCount {} {}", comparison(random), random.below(5)),
        8 => format!("agentVersion {} {}", comparison(random), one(random, &["1.105.1", "1.99.0", "1.104.2", "2.0.0"])),
        9 => {
            let machine = some(random, &pool.machines, "i-0123456789abcdef0");
            format!("ec2InstanceId {}", among(random, &machine))
        }
        10 => {
            format!("registeredAt {} {}", one(random, &["<", "<=", ">", ">="]), some(random, &pool.times, "2026-09-01"))
        }
        _ => {
            let group = some(random, &pool.groups, "service:none");
            format!("task:group {}", among(random, &group))
        }
    }
}

fn comparison(random: &mut Random) -> &'static str {
    one(
        random,
        &["==", "!=", "<", "<=", ">", ">=", "greater_than", "greater_than_equal", "less_than", "less_than_equal"],
    )
}

fn types(random: &mut Random) -> String {
    match random.below(4) {
        0 => {
            let operator = one(random, &["=~", "!~", "matches", "not_matches"]);
            let pattern =
                one(random, &["m6i.*", "(m5|c5)\\.large", ".*large", "[a-z]7g\\..+", "m6i", "t3\\.(medium|large)"]);
            format!("{operator} {pattern}")
        }
        1 => format!("{} [m6i.large, c5.large , 't3.medium']", one(random, &["in", "!in", "not_in"])),
        _ => format!("{} {}", one(random, &["==", "!="]), one(random, &["m6i.large", "c5.large", "m7g.large"])),
    }
}

fn texts(random: &mut Random, of: &[&str]) -> String {
    let value = one(random, of).to_owned();
    match random.below(3) {
        0 => format!("{} {value}", one(random, &["==", "!=", "equals", "not_equals"])),
        1 => format!("{} [{value}, \"{}\"]", one(random, &["in", "not_in"]), one(random, of)),
        _ => format!("{} {}.*", one(random, &["=~", "!~"]), value.get(..2).unwrap_or_default()),
    }
}

/// A test for one value, in one of several forms.
fn among(random: &mut Random, value: &str) -> String {
    match random.below(4) {
        0 => format!("== {value}"),
        1 => format!("!= '{value}'"),
        2 => format!("{} [{value}, other]", one(random, &["in", "!in"])),
        _ => format!("{} {}.*", one(random, &["=~", "!~"]), value.get(..value.len() / 2).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::query::Query;

    #[test]
    fn whatever_is_drawn_is_an_expression() {
        let mut random = Random::new(5);
        let pool = Pool { zones: vec!["eu-central-1a".to_owned()], ..Pool::default() };
        for _ in 0..5_000 {
            let text = draw(&mut random, &pool, 3);
            assert!(Query::parse(&text).is_ok(), "{text}: {:?}", Query::parse(&text));
        }
    }
}
