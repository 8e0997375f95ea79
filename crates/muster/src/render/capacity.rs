//! What room is left, for people and for scripts.

use std::io::{self, Write};

use fleet::{
    capacity::{
        foresight::Foreseen,
        headroom::{Availability, Gauge, Slots, Sums},
        view::{Apart, HeadroomView, HostRoom, PartView},
    },
    id::Arn,
};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::{Deserialize, Serialize};

use super::{
    Format, bar, colour, escape, json, moment,
    table::{Cell, Table},
};

/// Of the hosts of a cluster, at most so many are listed in a table; the rest are counted.
const HOSTS_SHOWN: usize = 60;
/// Of the subnets, at most so many.
const SUBNETS_SHOWN: usize = 12;

/// What room is left, in the form in which it is written. Field names are an interface: add, never rename.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capacity {
    /// As of when.
    pub at: Timestamp,
    /// All tasks are looked at. If not, `slots` knows only of the tasks that muster has heard of: more may be held.
    #[serde(default)]
    pub tasks_known: bool,
    /// Each cluster.
    pub clusters: Vec<HeadroomView>,
    /// What runs out, as far as the samples say: of the rest nothing is foretold.
    #[serde(default)]
    pub runs_out: Vec<Foreseen>,
}

/// Writes it: as a table, as one object, or as one object for each cluster.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, capacity: &Capacity, format: Format) -> io::Result<()> {
    match format {
        Format::Table => {
            for (index, cluster) in capacity.clusters.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                write_cluster(out, cluster)?;
                write_doubt(out, capacity, cluster)?;
                write_foreseen(out, capacity, &cluster.cluster)?;
            }
            Ok(())
        }
        Format::Json => {
            json::write(out, capacity)?;
            writeln!(out)
        }
        Format::Ndjson => capacity.clusters.iter().try_for_each(|cluster| {
            json::write(out, cluster)?;
            writeln!(out)
        }),
    }
}

/// That more slots may be held than are counted, where nobody looks at the tasks.
fn write_doubt(out: &mut dyn Write, capacity: &Capacity, view: &HeadroomView) -> io::Result<()> {
    if capacity.tasks_known || view.whole.open.slots.scheduler.total == 0 {
        return Ok(());
    }
    let line = "  ENI slots are not sure: tasks are not all looked at (audit_tasks of [sweep]), more slots may be held";
    writeln!(out, "{}", line.style(colour::alarm()))
}

/// `ENI slots of prod-a run out in about 3 h (2 h to 5 h)`.
fn write_foreseen(out: &mut dyn Write, capacity: &Capacity, cluster: &str) -> io::Result<()> {
    for foreseen in capacity.runs_out.iter().filter(|out| out.cluster == cluster) {
        let line = format!("  {}", foretold(foreseen, capacity.at));
        writeln!(out, "{}", escape::clean(&line).style(colour::alarm()))?;
    }
    Ok(())
}

/// When something runs out, in a sentence, as of now.
pub fn foretold(out: &Foreseen, now: Timestamp) -> String {
    let until = |at: Timestamp| moment::lasting(at.as_second() - now.as_second());
    let (what, run) = out.of.words();
    let zone = if out.zone.is_empty() { String::new() } else { format!(" in {}", out.zone) };
    let span = match out.latest {
        Some(latest) if until(latest) == until(out.earliest) => String::new(),
        Some(latest) => format!(" ({} to {})", until(out.earliest), until(latest)),
        None => format!(" ({} at the earliest)", until(out.earliest)),
    };
    let name = Arn::parse(&out.cluster).map_or(out.cluster.as_str(), |arn| arn.last());
    format!("{what} of {name}{zone} {run} out in about {}{span}", until(out.at))
}

/// The first line on a cluster: its name and where it is.
pub(super) fn title(out: &mut dyn Write, arn: &str) -> io::Result<()> {
    let parsed = Arn::parse(arn);
    let name = parsed.map_or(arn, |arn| arn.last());
    let place = parsed.map_or(String::new(), |arn| format!("  {} {}", arn.region, arn.account));
    write!(out, "{}{}", escape::clean(name).style(colour::heading()), escape::clean(&place).style(colour::quiet()))
}

fn write_cluster(out: &mut dyn Write, view: &HeadroomView) -> io::Result<()> {
    title(out, &view.cluster)?;
    let open = &view.whole.open;
    let takes = if open.hosts == 1 { "takes" } else { "take" };
    let looked = format!("looked at {}", moment::clock(view.at, view.at));
    writeln!(out, "  {} {takes} tasks  {}", hosts(open.hosts), looked.style(colour::quiet()))?;
    let mut table = Table::new(2, &["FREE IN", "HOSTS", "CPU UNITS", "MEMORY MIB", "ENI SLOTS", "GPUS"]);
    table.row(cells("all", &view.whole), notes(&view.whole));
    for zone in &view.zones {
        let name = if zone.name.is_empty() { "no zone" } else { &zone.name };
        table.row(cells(name, zone), Vec::new());
    }
    for provider in &view.providers {
        table.row(cells(&format!("provider {}", provider.name), provider), Vec::new());
    }
    table.write(out)?;
    for apart in &view.whole.apart {
        let line = format!("  not counted: {}", apart_words(apart));
        writeln!(out, "{}", escape::clean(&line).style(colour::quiet()))?;
    }
    write_hosts(out, &view.hosts)?;
    write_subnets(out, view)
}

fn hosts(count: u64) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

fn cells(name: &str, part: &PartView) -> Vec<Cell> {
    let open = &part.open;
    let told = open.hosts > open.silent_hosts;
    let of = |gauge: Gauge| if told { measured(gauge) } else { Cell::plain("-") };
    vec![
        Cell::plain(name),
        Cell::plain(open.hosts.to_string()),
        of(open.cpu_units),
        of(open.memory_mib),
        slots(&open.slots, open.hosts),
        if open.gpus.total > 0 { measured(open.gpus) } else { Cell::plain("-") },
    ]
}

/// `█████░░░░░ 3072/6144 50%`.
fn measured(gauge: Gauge) -> Cell {
    let Gauge { free, total } = gauge;
    let percent = gauge.percent_free().map_or(String::new(), |percent| format!(" {}%", percent.floor()));
    Cell::styled(format!("{} {free}/{total}{percent}", bar::free(free, total)), bar::style(free, total))
}

/// The scheduler's count; a range where cards other than 0 are uncertain.
fn slots(slots: &Slots, hosts: u64) -> Cell {
    let Gauge { free, total } = slots.scheduler;
    if total == 0 && slots.unknown_hosts > 0 && slots.unknown_hosts == hosts {
        return Cell::styled("not known", colour::quiet());
    }
    let range = if slots.free_low < free { format!("{}–{free}", slots.free_low) } else { free.to_string() };
    Cell::styled(format!("{} {range}/{total}", bar::free(free, total)), bar::style(free, total))
}

/// What the figures of a part do not say by themselves.
fn notes(part: &PartView) -> Vec<Cell> {
    let Sums { slots, silent_hosts, .. } = &part.open;
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(Cell::styled(text, colour::quiet()));
    if slots.free_low < slots.scheduler.free {
        note(format!(
            "{} of the free ENI slots are certain: whether ECS uses network cards other than the first is not documented",
            slots.free_low
        ));
    }
    if slots.physical_hosts > 0 && slots.physical_free < slots.scheduler.free {
        note(format!(
            "EC2 has {} interfaces left on these hosts, ECS counts {} free ENI slots",
            slots.physical_free, slots.scheduler.free
        ));
    }
    if slots.unknown_hosts > 0 {
        note(format!("the ENI slots of {} are not known and not counted", hosts(slots.unknown_hosts)));
    }
    if *silent_hosts > 0 {
        note(format!("{} have not told their CPU and memory", hosts(*silent_hosts)));
    }
    notes
}

/// `2 hosts draining, with 1024 CPU units, 2048 MiB and 3 ENI slots free`.
fn apart_words(apart: &Apart) -> String {
    let Sums { hosts: count, cpu_units, memory_mib, slots, .. } = &apart.holds;
    format!(
        "{} {}, with {} CPU units, {} MiB and {} ENI slots free",
        hosts(*count),
        apart.because.word(),
        cpu_units.free,
        memory_mib.free,
        slots.scheduler.free
    )
}

/// The id by which people know a host.
pub(super) fn machine(id: Option<&str>) -> Cell {
    Cell::plain(id.unwrap_or("-"))
}

/// The last part of an ARN.
pub(super) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn write_hosts(out: &mut dyn Write, hosts: &[HostRoom]) -> io::Result<()> {
    if hosts.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(
        2,
        &[
            "HOST",
            "CONTAINER INSTANCE",
            "ZONE",
            "TYPE",
            "ROOM",
            "CPU UNITS",
            "MEMORY MIB",
            "ENI SLOTS",
            "GPUS",
            "PORTS TAKEN",
        ],
    );
    for host in hosts.iter().take(HOSTS_SHOWN) {
        let warning = host.warning.as_ref().map(|warning| Cell::styled(warning, colour::alarm()));
        table.row(host_cells(host), warning.into_iter().collect());
    }
    table.write(out)?;
    if hosts.len() > HOSTS_SHOWN {
        let line = format!("  … and {} more; --output json lists them all", hosts.len() - HOSTS_SHOWN);
        writeln!(out, "{}", line.style(colour::quiet()))?;
    }
    Ok(())
}

fn host_cells(host: &HostRoom) -> Vec<Cell> {
    let of = |gauge: Option<Gauge>| gauge.map_or_else(|| "-".to_owned(), |it| format!("{}/{}", it.free, it.total));
    let state = match host.availability {
        Availability::Open => Cell::plain("counts"),
        because => Cell::styled(because.word(), colour::quiet()),
    };
    let trunk = if host.trunk { " trunk" } else { "" };
    let slots = host.slots.map_or_else(
        || "not known".to_owned(),
        |slots| {
            let Gauge { free, total } = slots.scheduler;
            let low = if slots.free_low < free { format!("{}–", slots.free_low) } else { String::new() };
            format!("{low}{free}/{total}{trunk}")
        },
    );
    let ports =
        |ports: &Option<Vec<u16>>| ports.as_ref().map_or_else(|| "-".to_owned(), |ports| ports.len().to_string());
    vec![
        machine(host.ec2_instance_id.as_deref()),
        Cell::plain(short(&host.arn)),
        Cell::plain(host.zone.as_deref().unwrap_or("-")),
        Cell::plain(host.instance_type.as_deref().unwrap_or("-")),
        state,
        Cell::plain(of(host.cpu_units)),
        Cell::plain(of(host.memory_mib)),
        Cell::plain(slots),
        Cell::plain(if host.gpus.total > 0 { of(Some(host.gpus)) } else { "-".to_owned() }),
        Cell::plain(format!("{} tcp, {} udp", ports(&host.tcp_ports_taken), ports(&host.udp_ports_taken))),
    ]
}

fn write_subnets(out: &mut dyn Write, view: &HeadroomView) -> io::Result<()> {
    if view.subnets.is_empty() {
        return Ok(());
    }
    let mut subnets: Vec<_> = view.subnets.iter().collect();
    subnets.sort_by_key(|subnet| subnet.free_addresses);
    let shown: Vec<String> = subnets
        .iter()
        .take(SUBNETS_SHOWN)
        .map(|subnet| format!("{} in {} {}", subnet.id, subnet.zone, subnet.free_addresses))
        .collect();
    let more = match subnets.len().saturating_sub(SUBNETS_SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more with more"),
    };
    let line = format!("  free addresses: {}{more}", shown.join(", "));
    writeln!(out, "{}", escape::clean(&line).style(colour::quiet()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(hosts: u64, free: u64) -> Sums {
        Sums {
            hosts,
            cpu_units: Gauge { free: free * 100, total: 2_048 },
            memory_mib: Gauge { free: 0, total: 7_680 },
            slots: Slots {
                scheduler: Gauge { free, total: 8 },
                free_low: free,
                physical_free: free,
                ..Slots::default()
            },
            ..Sums::default()
        }
    }

    fn part(name: &str, open: Sums, apart: Vec<Apart>) -> PartView {
        PartView {
            name: name.into(),
            open,
            cpu_percent_free: open.cpu_units.percent_free(),
            memory_percent_free: open.memory_mib.percent_free(),
            slots_percent_free: open.slots.scheduler.percent_free(),
            apart,
        }
    }

    fn view(open: Sums) -> HeadroomView {
        let apart = vec![Apart { because: Availability::Draining, holds: sums(2, 3) }];
        HeadroomView {
            cluster: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
            at: "2026-10-02T08:12:00Z".parse().unwrap(),
            whole: part("", open, apart),
            zones: vec![part("eu-central-1a", open, Vec::new()), part("", Sums::default(), Vec::new())],
            providers: vec![part("web\u{1b}[31m", open, Vec::new())],
            hosts: Vec::new(),
            subnets: Vec::new(),
        }
    }

    fn shown(view: HeadroomView, format: Format) -> String {
        let mut out = Vec::new();
        let capacity = Capacity { at: view.at, tasks_known: true, clusters: vec![view], runs_out: Vec::new() };
        write(&mut anstream::StripStream::new(&mut out), &capacity, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_part_has_its_bars_and_hosts_that_take_no_tasks_are_told_apart() {
        let text = shown(view(sums(3, 4)), Format::Table);
        assert!(
            text.starts_with("prod  eu-central-1 210987654321  3 hosts take tasks  looked at 08:12:00Z\n"),
            "{text}"
        );
        assert!(text.contains("█░░░░░░░░░ 400/2048 19%") && text.contains("░░░░░░░░░░ 0/7680 0%"), "{text}");
        assert!(text.contains("█████░░░░░ 4/8"), "{text}");
        assert!(text.contains("\n  no zone ") && text.contains("provider web"), "{text}");
        let apart = "not counted: 2 hosts draining, with 300 CPU units, 0 MiB and 3 ENI slots free";
        assert!(text.contains(apart), "{text}");
        assert!(!text.contains('\u{1b}'), "a name steered the terminal: {text}");
    }

    #[test]
    fn what_is_not_certain_is_said() {
        let mut open = sums(3, 6);
        open.slots.free_low = 2;
        (open.slots.physical_hosts, open.slots.physical_free, open.slots.unknown_hosts) = (3, 5, 1);
        let text = shown(view(open), Format::Table);
        assert!(text.contains("2–6/8") && text.contains("EC2 has 5 interfaces left"), "{text}");
        assert!(text.contains("the ENI slots of 1 host are not known"), "{text}");
        let unknown = Slots { unknown_hosts: 3, ..Slots::default() };
        let text = shown(view(Sums { slots: unknown, ..sums(3, 0) }), Format::Table);
        assert!(text.contains("  not known"), "nothing known is no zero: {text}");
    }

    #[test]
    fn what_runs_out_is_said_in_a_sentence_and_that_tasks_are_not_known_too() {
        let view = view(sums(3, 4));
        let (now, cluster) = (view.at, view.cluster.clone());
        let hours = |hours: i64| now + jiff::SignedDuration::from_hours(hours);
        let out = |zone: &str, latest| Foreseen {
            cluster: cluster.clone(),
            zone: zone.into(),
            of: fleet::capacity::foresight::Dimension::EniSlots,
            at: hours(3),
            earliest: hours(2),
            latest,
            lost_per_hour: 2.0,
        };
        let runs_out = vec![out("", Some(hours(5))), out("eu-central-1a", None)];
        let capacity = Capacity { at: now, tasks_known: false, clusters: vec![view], runs_out };
        let mut text = Vec::new();
        write(&mut anstream::StripStream::new(&mut text), &capacity, Format::Table).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("  ENI slots of prod run out in about 3 h (2 h to 5 h)\n"), "{text}");
        assert!(
            text.contains("  ENI slots of prod in eu-central-1a run out in about 3 h (2 h at the earliest)\n"),
            "{text}"
        );
        assert!(text.contains("ENI slots are not sure"), "{text}");
        let json = serde_json::to_string(&capacity).unwrap();
        let back: Capacity = serde_json::from_str(&json).unwrap();
        assert_eq!(back.runs_out, capacity.runs_out);
    }

    #[test]
    fn an_empty_cluster_divides_by_nothing() {
        let text = shown(view(Sums::default()), Format::Table);
        assert!(text.contains("0 hosts take tasks") && !text.contains("NaN"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&shown(view(Sums::default()), Format::Json)).unwrap();
        assert!(value["clusters"][0]["whole"]["cpu_percent_free"].is_null());
    }

    #[test]
    fn json_has_the_fields_that_scripts_rely_on() {
        let value: serde_json::Value = serde_json::from_str(&shown(view(sums(3, 4)), Format::Json)).unwrap();
        let cluster = &value["clusters"][0];
        for field in ["cluster", "at", "whole", "zones", "providers", "hosts", "subnets"] {
            assert!(cluster.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(cluster["whole"]["open"]["slots"]["scheduler"]["free"], 4);
        assert_eq!(cluster["whole"]["apart"][0]["because"], "draining");
    }
}
