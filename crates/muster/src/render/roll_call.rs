//! A roll call, for people and for scripts.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use fleet::{
    id::Arn,
    verdict::{Confidence, Verdict},
    view::{ClusterView, HostView, RollCall},
};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::{
    Format, colour, escape, json, moment,
    table::{Cell, Table},
};

/// Of the hosts that answer, at most so many are listed in a table; the rest are counted.
const ANSWERING_SHOWN: usize = 40;

/// Of the zombie tasks of a host, at most so many are listed in a table; the rest are counted.
const ZOMBIES_SHOWN: usize = 5;

/// Writes a roll call.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, roll_call: &RollCall, format: Format) -> io::Result<()> {
    match format {
        Format::Table => table(out, roll_call),
        Format::Json => {
            json::write(out, roll_call)?;
            writeln!(out)
        }
        Format::Ndjson => ndjson(out, roll_call),
    }
}

/// One host of an NDJSON roll call; or a cluster, when there is no host to tell of it.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Host {
        at: Timestamp,
        #[serde(flatten)]
        host: &'a HostView,
    },
    Cluster {
        at: Timestamp,
        cluster: &'a str,
        looked_at: Option<Timestamp>,
        trouble: Option<&'a str>,
    },
}

fn ndjson(out: &mut dyn Write, roll_call: &RollCall) -> io::Result<()> {
    let at = roll_call.at;
    for cluster in &roll_call.clusters {
        if cluster.hosts.is_empty() || cluster.trouble.is_some() {
            let trouble = cluster.trouble.as_deref();
            let line = Line::Cluster { at, cluster: &cluster.arn, looked_at: cluster.looked_at, trouble };
            json::write(out, &line)?;
            writeln!(out)?;
        }
        for host in &cluster.hosts {
            json::write(out, &Line::Host { at, host })?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn table(out: &mut dyn Write, roll_call: &RollCall) -> io::Result<()> {
    for (index, cluster) in roll_call.clusters.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write_cluster(out, cluster, roll_call.at)?;
    }
    Ok(())
}

fn write_cluster(out: &mut dyn Write, cluster: &ClusterView, now: Timestamp) -> io::Result<()> {
    let arn = Arn::parse(&cluster.arn);
    let name = arn.map_or(cluster.arn.as_str(), |arn| arn.last());
    let place = arn.map_or(String::new(), |arn| format!("  {} {}", arn.region, arn.account));
    let looked = match cluster.looked_at {
        Some(at) => format!("looked at {}", moment::clock(at, now)),
        None => "not looked at yet".to_owned(),
    };
    write!(out, "{}{}", escape::clean(name).style(colour::heading()), escape::clean(&place).style(colour::quiet()))?;
    writeln!(out, "  {}  {}", headline(cluster), looked.style(colour::quiet()))?;
    if let Some(trouble) = &cluster.trouble {
        let trouble = format!("  could not look: {}", escape::clean(trouble));
        writeln!(out, "{}", trouble.style(colour::alarm()))?;
    }
    let (answering, missing): (Vec<_>, Vec<_>) = cluster.hosts.iter().partition(|host| host.verdict.answers());
    let mut table =
        Table::new(2, &["VERDICT", "HOST", "CONTAINER INSTANCE", "ZONE", "TYPE", "AGENT", "TASKS", "SINCE"]);
    for host in missing.iter().chain(answering.iter().take(ANSWERING_SHOWN)) {
        table.row(cells(host, now), notes(host, now));
    }
    table.write(out)?;
    if answering.len() > ANSWERING_SHOWN {
        let more = answering.len() - ANSWERING_SHOWN;
        let line = format!("  … and {more} more that answer; --output json lists them all");
        writeln!(out, "{}", line.style(colour::quiet()))?;
    }
    Ok(())
}

/// `12 hosts: 10 present, 1 suspected, 1 agent-lost`.
fn headline(cluster: &ClusterView) -> String {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for host in &cluster.hosts {
        *counts.entry(host.verdict).or_default() += 1;
    }
    let total = cluster.hosts.len();
    let hosts = if total == 1 { "host" } else { "hosts" };
    if total == 0 {
        return "no hosts".to_owned();
    }
    let parts: Vec<String> =
        counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.style(colour::of(*verdict)))).collect();
    format!("{total} {hosts}: {}", parts.join(", "))
}

/// The id by which people know the host, and the last part of its ARN.
pub fn names(host: &HostView) -> (&str, &str) {
    let instance = host.arn.as_deref().map_or("-", |arn| arn.rsplit('/').next().unwrap_or(arn));
    (host.ec2_instance_id.as_deref().unwrap_or("-"), instance)
}

fn cells(host: &HostView, now: Timestamp) -> Vec<Cell> {
    let (machine, instance) = names(host);
    vec![
        Cell::styled(host.verdict.word(), colour::of(host.verdict)),
        Cell::plain(machine),
        Cell::plain(instance),
        Cell::plain(host.zone.as_deref().unwrap_or("-")),
        Cell::plain(host.instance_type.as_deref().unwrap_or("-")),
        Cell::plain(host.agent_version.as_deref().unwrap_or("-")),
        Cell::plain(host.running_tasks.to_string()),
        Cell::plain(moment::age(host.since, now)),
    ]
}

/// Why, by whose word, and what hangs on it: for hosts that do not simply answer.
fn notes(host: &HostView, now: Timestamp) -> Vec<Cell> {
    if host.verdict == Verdict::Present {
        return Vec::new();
    }
    let mut notes: Vec<Cell> = host.reasons.iter().map(|reason| Cell::plain(format!("because {reason}"))).collect();
    if !host.verdict.answers() {
        let sure = match host.confidence {
            Confidence::Low => "not sure: one look, or witnesses that contradict each other",
            Confidence::Medium => "fairly sure: one witness, looked at again",
            Confidence::High => "sure: independent witnesses agree",
        };
        notes.push(Cell::styled(sure, colour::quiet()));
    }
    notes.extend(host.witnesses.iter().map(|testimony| {
        let text = format!(
            "{} says: {} (for {}, confirmed {} ago)",
            word(&testimony.witness),
            testimony.says,
            moment::age(testimony.since, now),
            moment::age(testimony.confirmed_at, now)
        );
        Cell::styled(text, colour::quiet())
    }));
    notes.extend(zombies(&host.zombie_tasks));
    if let Some(case) = host.case {
        notes.push(Cell::plain(format!("case {case} is open")));
    }
    notes
}

/// Tasks that nobody can vouch for.
pub fn zombies(tasks: &[String]) -> Vec<Cell> {
    let mut notes: Vec<Cell> = Vec::new();
    if !tasks.is_empty() {
        let what = if tasks.len() == 1 { "1 task" } else { "tasks" };
        let many = if tasks.len() == 1 { String::new() } else { format!("{} ", tasks.len()) };
        notes.push(Cell::styled(
            format!("{many}{what} that ECS counts as running, with nobody to vouch for them:"),
            colour::alarm(),
        ));
    }
    notes.extend(tasks.iter().take(ZOMBIES_SHOWN).map(|task| Cell::plain(format!("  {task}"))));
    if tasks.len() > ZOMBIES_SHOWN {
        notes.push(Cell::styled(format!("  … and {} more", tasks.len() - ZOMBIES_SHOWN), colour::quiet()));
    }
    notes
}

/// The kebab-case word of an enum that serialises as one.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(verdict: Verdict) -> HostView {
        let at: Timestamp = "2026-10-02T08:00:00Z".parse().unwrap();
        HostView {
            arn: Some("arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/0f3a".into()),
            cluster: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
            ec2_instance_id: Some("i-0a1b2c3d4e5f60718".into()),
            verdict,
            confidence: Confidence::High,
            reasons: vec!["the agent has been away for 12 min".into()],
            witnesses: vec![],
            since: at,
            zone: Some("eu-central-1a\u{1b}[31m".into()),
            instance_type: None,
            ami: None,
            agent_version: None,
            group: None,
            running_tasks: 3,
            zombie_tasks: (0..7).map(|n| format!("arn:task/{n}")).collect(),
            case: Some(fleet::id::CaseId(4)),
        }
    }

    fn roll_call(hosts: Vec<HostView>) -> RollCall {
        let at: Timestamp = "2026-10-02T08:12:00Z".parse().unwrap();
        RollCall {
            at,
            clusters: vec![ClusterView {
                arn: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
                looked_at: Some(at),
                trouble: None,
                hosts,
            }],
        }
    }

    fn shown(roll_call: &RollCall, format: Format) -> String {
        let mut out = Vec::new();
        write(&mut anstream::StripStream::new(&mut out), roll_call, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn missing_hosts_come_first_with_their_reasons_and_their_tasks() {
        let text = shown(&roll_call(vec![host(Verdict::Present), host(Verdict::AgentLost)]), Format::Table);
        assert!(
            text.starts_with("prod  eu-central-1 210987654321  2 hosts: 1 present, 1 agent-lost  looked at"),
            "{text}"
        );
        let (lost, present) = (text.find("\n  agent-lost").unwrap(), text.find("\n  present").unwrap());
        assert!(lost < present, "{text}");
        assert!(text.contains("because the agent has been away for 12 min"), "{text}");
        assert!(text.contains("7 tasks that ECS counts as running") && text.contains("… and 2 more"), "{text}");
        assert!(!text.contains('\u{1b}'), "a name steered the terminal: {text}");
    }

    #[test]
    fn hosts_that_answer_beyond_a_screenful_are_counted_and_not_dropped_silently() {
        let text = shown(&roll_call(vec![host(Verdict::Present); 50]), Format::Table);
        assert_eq!(text.matches("\n  present ").count(), 40);
        assert!(text.contains("… and 10 more that answer"), "{text}");
    }

    #[test]
    fn ndjson_has_one_line_a_host_and_a_line_for_a_cluster_without_any() {
        let mut roll_call = roll_call(vec![host(Verdict::Present), host(Verdict::Ghost)]);
        roll_call.clusters.push(ClusterView {
            arn: "arn:c2".into(),
            looked_at: None,
            trouble: Some("denied".into()),
            hosts: vec![],
        });
        let text = shown(&roll_call, Format::Ndjson);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1]["verdict"], "ghost");
        assert_eq!(lines[2]["trouble"], "denied");
    }

    #[test]
    fn json_is_one_object_with_the_fields_that_scripts_rely_on() {
        let text = shown(&roll_call(vec![host(Verdict::AgentLost)]), Format::Json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let host = &value["clusters"][0]["hosts"][0];
        for field in ["arn", "ec2_instance_id", "verdict", "reasons", "witnesses", "since"] {
            assert!(host.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(host["verdict"], "agent-lost");
    }
}
