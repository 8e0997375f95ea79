//! Cases, for people.

use std::io::{self, Write};

use fleet::{
    journal::{Stage, Trouble},
    remedy::Decision,
    view::CaseView,
};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;

use super::{
    Format, colour, escape, json, moment,
    roll_call::{word, zombies},
    table::{Cell, Table},
};
use crate::case_file::CaseFile;

/// Writes a list of cases.
///
/// # Errors
/// Those of `out`.
pub fn list(out: &mut dyn Write, cases: &[CaseView], now: Timestamp, format: Format) -> io::Result<()> {
    match format {
        Format::Json => {
            json::write(out, cases)?;
            writeln!(out)
        }
        Format::Ndjson => {
            for case in cases {
                json::write(out, case)?;
                writeln!(out)?;
            }
            Ok(())
        }
        Format::Table if cases.is_empty() => writeln!(out, "no cases"),
        Format::Table => {
            let mut table = Table::new(
                0,
                &["CASE", "TROUBLE", "VERDICT", "SUBJECT", "CLUSTER", "STAGE", "SINCE", "NEXT", "WHAT MUSTER DOES"],
            );
            for case in cases {
                table.row(cells(case, now), Vec::new());
            }
            table.write(out)
        }
    }
}

fn cells(case: &CaseView, now: Timestamp) -> Vec<Cell> {
    let next = case.until.map_or("-".to_owned(), |until| format!("in {}", moment::age(now, until)));
    vec![
        Cell::plain(case.case.to_string()),
        Cell::plain(case.trouble.word()),
        Cell::styled(case.verdict.word(), colour::of(case.verdict)),
        Cell::plain(subject(case)),
        Cell::plain(case.cluster.rsplit('/').next().unwrap_or_default()),
        Cell::plain(word(&case.stage)),
        Cell::plain(moment::age(case.since, now)),
        Cell::plain(next),
        would(case),
    ]
}

/// What people call the subject: its machine's id where there is one.
fn subject(case: &CaseView) -> &str {
    let last = || case.subject.rsplit('/').next().unwrap_or(&case.subject);
    case.ec2_instance_id.as_deref().unwrap_or_else(last)
}

fn would(case: &CaseView) -> Cell {
    if let Some(work) = &case.under_way {
        let doing = if work.step == "verifying" { "waits whether it helped to" } else { "is about to" };
        return Cell::styled(format!("{doing} {}", work.remedy.words()), colour::remedy());
    }
    match &case.decision {
        Some(Decision::Would { remedy, .. }) => Cell::styled(format!("would {}", remedy.words()), colour::remedy()),
        Some(Decision::Ask { remedy, .. }) => Cell::styled(format!("asks to {}", remedy.words()), colour::remedy()),
        Some(Decision::Will { remedy, .. }) => Cell::styled(format!("will {}", remedy.words()), colour::remedy()),
        Some(Decision::Hold { because }) => {
            Cell::plain(because.first().map_or("nothing".to_owned(), |why| format!("nothing: {why}")))
        }
        None => Cell::styled("nothing yet", colour::quiet()),
    }
}

/// Writes one case with everything known of it.
///
/// # Errors
/// Those of `out`.
pub fn show(out: &mut dyn Write, case: &CaseView, now: Timestamp) -> io::Result<()> {
    let title = format!("case {}: {} of {}", case.case, case.trouble.word(), subject(case));
    writeln!(out, "{}", escape::clean(&title).style(colour::heading()))?;
    let mut line = |name: &str, text: &str| writeln!(out, "  {name:<9} {}", escape::clean(text));
    line("subject", &case.subject)?;
    if !case.cluster.is_empty() {
        line("cluster", &case.cluster)?;
    }
    line("verdict", &format!("{} ({} confidence)", case.verdict.word(), word(&case.confidence)))?;
    line("stage", &word(&case.stage))?;
    line("since", &format!("{} ({} ago)", moment::clock(case.since, now), moment::age(case.since, now)))?;
    line("opened", &moment::clock(case.opened_at, now))?;
    if let Some(until) = case.until {
        line("next", &format!("{} (in {})", moment::clock(until, now), moment::age(now, until)))?;
    }
    if case.hosts > 1 {
        line("hosts", &case.hosts.to_string())?;
    }
    if let Some(doubt) = case.held_by {
        line("held by", &format!("case {doubt}: nothing is decided about single hosts while that doubt lasts"))?;
    }
    for reason in &case.reasons {
        line("because", reason)?;
    }
    let because = match &case.decision {
        None => {
            line("decision", "none yet")?;
            &[][..]
        }
        Some(Decision::Would { remedy, because }) => {
            line("would", &format!("{} (dry run: muster only says so)", remedy.words()))?;
            because
        }
        Some(Decision::Ask { remedy, because }) => {
            line("asks to", &format!("{} (muster case approve {})", remedy.words(), case.case))?;
            because
        }
        Some(Decision::Will { remedy, because }) => {
            line(if case.stage == Stage::Closed { "decided" } else { "will" }, remedy.words())?;
            because
        }
        Some(Decision::Hold { because }) => {
            line("would", "do nothing")?;
            because
        }
    };
    for reason in because {
        line("", &format!("because {reason}"))?;
    }
    for note in zombies(&case.zombie_tasks) {
        line("", note.text())?;
    }
    if case.stage != Stage::Closed {
        for tried in &case.tried {
            let when = moment::clock(tried.at, now);
            line("tried", &format!("{when} to {}: {}", tried.remedy.words(), tried.ended))?;
        }
    }
    if let Some(work) = case.under_way.as_ref().filter(|_| case.stage != Stage::Closed) {
        let since = moment::age(work.since, now);
        line("doing", &format!("{} (for {since}, now: {})", work.remedy.words(), step(&work.step)))?;
    }
    Ok(())
}

/// A step of a remedy, as people say it.
pub fn step(step: &str) -> &str {
    match step {
        "evidence" => "saving evidence",
        "makeroom" => "making room in the group",
        "drain" => "draining",
        "awaitdrained" => "waiting until it is drained",
        "perform" => "calling",
        "end" => "ending the machine",
        "verifying" => "waiting until the trouble is over",
        other => other,
    }
}

/// Writes the remedies of a case in their order: which was tried, which is under way, which would be next.
///
/// # Errors
/// Those of `out`.
pub fn ladder(out: &mut dyn Write, case: &CaseView, file: &CaseFile) -> io::Result<()> {
    if matches!(case.trouble, Trouble::NoRoom | Trouble::MuchRoom) {
        // What is done about room is said by its declaration, and there is one way to do it.
        return Ok(());
    }
    writeln!(out, "{}", format!("ladder (mode {})", file.mode.word()).style(colour::heading()))?;
    for (number, rung) in (1..).zip(&file.ladder) {
        let name = rung.custom.as_deref().map_or(String::new(), |name| format!(" {name}"));
        let deadline =
            rung.deadline_secs.map_or(String::new(), |secs| format!(" (has {})", moment::lasting(i64::from(secs))));
        let under_way = case.under_way.as_ref().filter(|_| case.stage != Stage::Closed);
        let state = if under_way.is_some_and(|work| work.remedy == rung.remedy) {
            " <- now".to_owned()
        } else {
            let tried = case.tried.iter().rev().find(|tried| tried.remedy == rung.remedy);
            tried.map_or(String::new(), |tried| format!(" <- tried: {}", tried.ended))
        };
        let text = format!("{number}. {}{name}{deadline}{state}", rung.remedy.word());
        writeln!(out, "  {}", escape::clean(&text))?;
    }
    writeln!(out, "  {}. a person is told", file.ladder.len() + 1)
}

/// Lines of evidence that are shown when not all are wanted.
const EVIDENCE_LINES: usize = 8;

/// Writes what the journal holds about a case; evidence whole, or its last lines.
///
/// # Errors
/// Those of `out`.
pub fn file(out: &mut dyn Write, file: &CaseFile, whole: bool) -> io::Result<()> {
    let Some(last) = file.lines.last().map(|line| line.at) else { return Ok(()) };
    writeln!(out, "{}", "on record".style(colour::heading()))?;
    for line in &file.lines {
        let text = escape::clean(&line.text);
        writeln!(out, "  {:>7}  {}  {text}", line.seq.style(colour::quiet()), moment::clock(line.at, last))?;
    }
    for evidence in &file.evidence {
        let lines: Vec<&str> = evidence.text.lines().collect();
        let skipped = if whole { 0 } else { lines.len().saturating_sub(EVIDENCE_LINES) };
        let more =
            if skipped > 0 { format!(", the last {EVIDENCE_LINES} of {} lines", lines.len()) } else { String::new() };
        let title = format!("evidence: {}, saved {}{more}", evidence.name, moment::clock(evidence.at, last));
        writeln!(out, "{}", escape::clean(&title).style(colour::heading()))?;
        for line in &lines[skipped..] {
            writeln!(out, "  | {}", escape::clean(line))?;
        }
    }
    Ok(())
}
