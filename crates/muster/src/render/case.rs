//! Cases, for people.

use std::io::{self, Write};

use fleet::{remedy::Decision, view::CaseView};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;

use super::{
    Format, colour, escape, moment,
    roll_call::{word, zombies},
    table::{Cell, Table},
};

/// Writes a list of cases.
///
/// # Errors
/// Those of `out`.
pub fn list(out: &mut dyn Write, cases: &[CaseView], now: Timestamp, format: Format) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, cases)?;
            writeln!(out)
        }
        Format::Ndjson => {
            for case in cases {
                serde_json::to_writer(&mut *out, case)?;
                writeln!(out)?;
            }
            Ok(())
        }
        Format::Table if cases.is_empty() => writeln!(out, "no cases"),
        Format::Table => {
            let mut table = Table::new(
                0,
                &["CASE", "TROUBLE", "VERDICT", "SUBJECT", "CLUSTER", "STAGE", "SINCE", "NEXT", "WHAT MUSTER WOULD DO"],
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
    match &case.decision {
        Some(Decision::Would { remedy, .. }) => Cell::styled(remedy.words(), colour::remedy()),
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
            line("will", remedy.words())?;
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
    Ok(())
}
