//! How much of a task fits, for people and for scripts.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use fleet::capacity::{
    change::{Change, Step},
    explain::HostVerdict,
    headroom::Availability,
    limit::Limit,
    share::ShareFit,
    view::HeadroomView,
};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::{
    Format,
    capacity::{machine, short, title},
    colour, escape, json,
    table::{Cell, Table},
};

/// Of the hosts, at most so many are listed in a table; the rest are counted.
const HOSTS_SHOWN: usize = 40;

/// So many places of the next copies are told one by one.
const NEXT_SHOWN: usize = 6;

/// What is asked about. Field names of all that follow are an interface: add, never rename.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// `service`, `task-definition` or `file`.
    pub kind: &'static str,
    /// Its name, as asked or as ECS has it.
    pub name: String,
    /// ARN or file of the task definition.
    pub task_definition: String,
}

/// How much of a task fits in one cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    /// Cluster ARN.
    pub cluster: String,
    /// As of when.
    pub at: Timestamp,
    /// What was asked about.
    pub asked: Subject,
    /// Copies that ECS would place now.
    pub copies: u64,
    /// Nothing that a copy needs runs out.
    pub unlimited: bool,
    /// Of those, copies on hosts in no trouble, with interfaces that are certainly there.
    pub sure: u64,
    /// Copies if all that is not known were in favour.
    pub at_most: u64,
    /// Copies that were asked for.
    pub wanted: Option<u32>,
    /// Whether they fit.
    pub fits: Option<bool>,
    /// One sentence.
    pub summary: String,
    /// What stops the next copy on most hosts.
    pub limiting: Option<Stopper>,
    /// What ECS would say of the next copy.
    pub closest: Option<Stopper>,
    /// Each host.
    pub hosts: Vec<HostLine>,
    /// Where the next copies would go, by ARN, in their order.
    pub next: Vec<String>,
    /// Changes after which all that are wanted fit, the least disturbing first.
    pub changes: Vec<ChangeLine>,
    /// Each of several capacity providers that tasks are shared out among; else empty.
    pub providers: Vec<ShareFit>,
    /// What the answer does not take into account.
    pub caveats: Vec<String>,
}

/// What stops the next copy.
#[derive(Clone, Debug, Serialize)]
pub struct Stopper {
    /// As ECS names it: `RESOURCE:ENI`.
    pub reason: &'static str,
    /// On how many hosts.
    pub hosts: usize,
    /// For a sentence: `ENI slots are full on 3 of 3 hosts`.
    pub text: String,
    /// Its details.
    pub limit: Limit,
}

impl Stopper {
    /// A limit of some hosts.
    pub fn new(limit: &Limit, hosts: usize, all: usize) -> Self {
        Self { reason: limit.reason(), hosts, text: limit.of_hosts(hosts, all), limit: limit.clone() }
    }
}

/// What one host takes.
#[derive(Clone, Debug, Serialize)]
pub struct HostLine {
    /// Container instance ARN.
    pub arn: String,
    /// `i-…` or `mi-…`.
    pub ec2_instance_id: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Instance type.
    pub instance_type: Option<String>,
    /// Copies that fit on it.
    pub copies: u32,
    /// What stops the next, as ECS names it.
    pub reason: Option<&'static str>,
    /// Its details.
    pub limit: Option<Limit>,
    /// Whether its room can be relied on.
    pub availability: Availability,
    /// All of that in a line, with the figures.
    pub line: String,
}

impl HostLine {
    /// The verdicts of hosts, with what people know the hosts by.
    pub fn of(verdicts: Vec<HostVerdict>, view: &HeadroomView) -> Vec<Self> {
        let rooms: BTreeMap<&str, _> = view.hosts.iter().map(|host| (host.arn.as_str(), host)).collect();
        let line = |verdict: HostVerdict| {
            let room = rooms.get(verdict.arn.as_str());
            Self {
                ec2_instance_id: room.and_then(|room| room.ec2_instance_id.clone()),
                zone: room.and_then(|room| room.zone.clone()),
                instance_type: room.and_then(|room| room.instance_type.clone()),
                copies: verdict.copies,
                reason: verdict.limit.as_ref().map(Limit::reason),
                limit: verdict.limit,
                availability: verdict.availability,
                line: verdict.line,
                arn: verdict.arn,
            }
        };
        verdicts.into_iter().map(line).collect()
    }
}

/// A change after which the copies fit.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeLine {
    /// As an advice.
    pub sentence: String,
    /// Copies that fit afterwards.
    pub copies: u64,
    /// Its details.
    pub step: Step,
}

impl From<Change> for ChangeLine {
    fn from(change: Change) -> Self {
        Self { sentence: change.sentence(), copies: change.copies, step: change.step }
    }
}

/// Writes answers: as text, as one list, or as one object a line.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, answers: &[Fit], format: Format) -> io::Result<()> {
    write_each(out, answers, format, write_one)
}

/// The same for answers of any kind.
pub(super) fn write_each<T: Serialize>(
    out: &mut dyn Write,
    answers: &[T],
    format: Format,
    table: impl Fn(&mut dyn Write, &T) -> io::Result<()>,
) -> io::Result<()> {
    match format {
        Format::Table => {
            for (index, answer) in answers.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                table(out, answer)?;
            }
            Ok(())
        }
        Format::Json => {
            json::write(out, answers)?;
            writeln!(out)
        }
        Format::Ndjson => answers.iter().try_for_each(|answer| {
            json::write(out, answer)?;
            writeln!(out)
        }),
    }
}

fn write_one(out: &mut dyn Write, fit: &Fit) -> io::Result<()> {
    title(out, &fit.cluster)?;
    let name = escape::clean(&fit.asked.name).into_owned();
    let copies = if fit.unlimited { "any number".to_owned() } else { fit.copies.to_string() };
    writeln!(out, "  {} more of {} fit", copies.style(colour::heading()), name.style(colour::heading()))?;
    if fit.fits == Some(false) {
        writeln!(out, "  {}", escape::clean(&fit.summary).style(colour::alarm()))?;
    }
    let mut quiet = Vec::new();
    if fit.sure < fit.copies && !fit.unlimited {
        quiet.push(format!(
            "{} of them for certain: not on hosts in trouble, nor on interfaces that may not be there",
            fit.sure
        ));
    }
    if fit.at_most > fit.copies && !fit.unlimited {
        quiet.push(format!("up to {} if all that is not known were in favour", fit.at_most));
    }
    if let Some(limiting) = fit.limiting.as_ref().filter(|_| fit.fits != Some(false)) {
        let when = if fit.copies > 0 { "then " } else { "because " };
        quiet.push(format!("{when}{}", limiting.text));
    }
    if let Some(closest) =
        fit.closest.as_ref().filter(|it| Some(it.reason) != fit.limiting.as_ref().map(|it| it.reason))
    {
        quiet.push(format!("of the closest host ECS would say {}", closest.reason));
    }
    for line in quiet {
        writeln!(out, "  {}", escape::clean(&line).style(colour::quiet()))?;
    }
    write_hosts(out, &fit.hosts)?;
    write_next(out, fit)?;
    write_changes(out, &fit.changes)?;
    write_caveats(out, &fit.caveats)
}

/// Where the next copies go: one by one while they are few, by host where they are many.
fn write_next(out: &mut dyn Write, fit: &Fit) -> io::Result<()> {
    if fit.next.is_empty() {
        return Ok(());
    }
    let ids: BTreeMap<&str, &str> = fit
        .hosts
        .iter()
        .map(|host| (host.arn.as_str(), host.ec2_instance_id.as_deref().unwrap_or(short(&host.arn))))
        .collect();
    let name = |arn: &str| ids.get(arn).copied().unwrap_or(short(arn)).to_owned();
    let places: Vec<String> = if fit.next.len() <= NEXT_SHOWN {
        fit.next.iter().map(|arn| name(arn)).collect()
    } else {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for arn in &fit.next {
            *counts.entry(arn).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = counts.len().saturating_sub(HOSTS_SHOWN);
        let mut places: Vec<String> =
            counts.iter().take(HOSTS_SHOWN).map(|(arn, count)| format!("{} ({count})", name(arn))).collect();
        if more > 0 {
            places.push(format!("and {more} more hosts"));
        }
        places
    };
    writeln!(out, "  the next would go to {}", escape::clean(&places.join(", ")))
}

/// Hosts that take copies first.
pub(super) fn write_hosts(out: &mut dyn Write, hosts: &[HostLine]) -> io::Result<()> {
    let mut table = Table::new(2, &["HOST", "CONTAINER INSTANCE", "ZONE", "TYPE", "ROOM FOR A COPY"]);
    let mut ordered: Vec<&HostLine> = hosts.iter().collect();
    ordered.sort_by_key(|host| std::cmp::Reverse(host.copies));
    for host in ordered.iter().take(HOSTS_SHOWN) {
        let cells = vec![
            machine(host.ec2_instance_id.as_deref()),
            Cell::plain(short(&host.arn)),
            Cell::plain(host.zone.as_deref().unwrap_or("-")),
            Cell::plain(host.instance_type.as_deref().unwrap_or("-")),
            Cell::plain(&host.line),
        ];
        table.row(cells, Vec::new());
    }
    table.write(out)?;
    if ordered.len() > HOSTS_SHOWN {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for host in ordered.iter().skip(HOSTS_SHOWN) {
            *reasons.entry(host.reason.unwrap_or("nothing stops it")).or_default() += 1;
        }
        let parts: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let line = format!(
            "  … and {} more ({}); --output json lists them all",
            ordered.len() - HOSTS_SHOWN,
            parts.join(", ")
        );
        writeln!(out, "{}", escape::clean(&line).style(colour::quiet()))?;
    }
    Ok(())
}

pub(super) fn write_changes(out: &mut dyn Write, changes: &[ChangeLine]) -> io::Result<()> {
    let Some((first, others)) = changes.split_first() else { return Ok(()) };
    writeln!(out, "  to make them fit: {}", escape::clean(&first.sentence).style(colour::remedy()))?;
    for change in others {
        writeln!(out, "                or: {}", escape::clean(&change.sentence))?;
    }
    Ok(())
}

pub(super) fn write_caveats(out: &mut dyn Write, caveats: &[String]) -> io::Result<()> {
    for caveat in caveats {
        let line = format!("  note: {}", escape::clean(caveat));
        writeln!(out, "{}", line.style(colour::quiet()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize, copies: u32) -> HostLine {
        HostLine {
            arn: format!("arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/{number}"),
            ec2_instance_id: Some(format!("i-{number}")),
            zone: None,
            instance_type: None,
            copies,
            reason: Some(Limit::Cpu.reason()),
            limit: Some(Limit::Cpu),
            availability: Availability::Open,
            line: format!("takes {copies}"),
        }
    }

    fn fit(hosts: Vec<HostLine>, next: Vec<usize>) -> Fit {
        let copies = hosts.iter().map(|host| u64::from(host.copies)).sum();
        Fit {
            cluster: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
            at: Timestamp::UNIX_EPOCH,
            asked: Subject { kind: "service", name: "api\u{1b}[31m".into(), task_definition: "api:1".into() },
            copies,
            unlimited: false,
            sure: 0,
            at_most: copies + 1,
            wanted: None,
            fits: None,
            summary: String::new(),
            limiting: Some(Stopper::new(&Limit::Cpu, 1, hosts.len())),
            closest: Some(Stopper::new(&Limit::Memory, 1, hosts.len())),
            next: next.iter().map(|number| host(*number, 0).arn).collect(),
            hosts,
            changes: Vec::new(),
            providers: Vec::new(),
            caveats: vec!["one thing".into()],
        }
    }

    fn shown(fit: Fit) -> String {
        let mut out = Vec::new();
        write(&mut anstream::StripStream::new(&mut out), &[fit], Format::Table).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hosts_that_take_copies_come_first_and_what_is_not_certain_is_said() {
        let text = shown(fit(vec![host(1, 0), host(2, 3)], vec![2, 2, 2]));
        assert!(text.find("takes 3").unwrap() < text.find("takes 0").unwrap(), "{text}");
        for says in [
            "3 more of api",
            "0 of them for certain",
            "up to 4 if all that is not known",
            "then CPU is short on 1 of 2 hosts",
            "ECS would say RESOURCE:MEMORY",
            "the next would go to i-2, i-2, i-2",
            "note: one thing",
        ] {
            assert!(text.contains(says), "{says}:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "a name steered the terminal: {text}");
    }

    #[test]
    fn many_hosts_and_many_copies_are_counted_and_not_dropped_silently() {
        let hosts: Vec<HostLine> = (0..50).map(|number| host(number, 1)).collect();
        let text = shown(fit(hosts, (0..50).chain(0..50).collect()));
        assert!(text.contains("… and 10 more (10 RESOURCE:CPU)"), "{text}");
        assert!(text.contains("i-0 (2)") && text.contains("and 10 more hosts"), "{text}");
    }
}
