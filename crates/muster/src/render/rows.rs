//! Rows of queries: a table for people, JSON and CSV for scripts.

use std::io::{self, IsTerminal as _, Write};

use owo_colors::OwoColorize as _;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use unicode_width::UnicodeWidthStr as _;

use super::{bar, colour, escape, json};

/// A row as it prints: the names of its columns and their texts; what is null is left out.
pub type Row = Vec<(String, String)>;

/// On a terminal a cell is cut at so many columns, so that a row stays a line.
const CELL_WIDTH_MAX: usize = 100;
/// From so many rows on a course over time has a shape that can be seen.
const COURSE_ROWS: usize = 3;
/// The most cells of a sparkline.
const SPARK_CELLS: usize = 60;

/// The names of all columns: those that the query says, then those that only some rows have.
fn all_columns<'a>(columns: &'a [String], rows: &'a [Row]) -> Vec<&'a str> {
    let mut names: Vec<&str> = columns.iter().map(String::as_str).filter(|name| *name != "@ptr").collect();
    for (name, _) in rows.iter().flatten().filter(|(name, _)| name != "@ptr") {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    // A column that stands for several others, as those of logfmt, has no values of its own.
    let has_values = |name: &&str| rows.is_empty() || rows.iter().flatten().any(|(of, _)| of == name);
    let parent = |name: &&str| !has_values(name) && names.iter().any(|it| it.starts_with(&format!("{name}.")));
    names.iter().copied().filter(|name| !parent(name)).collect()
}

fn cell<'a>(row: &'a Row, name: &str) -> &'a str {
    row.iter().find(|(of, _)| of == name).map_or("", |(_, text)| text)
}

/// Writes a table. Over time buckets alone, a bar stands behind each row and the course of each number below.
///
/// # Errors
/// Those of `out`.
pub fn table(out: &mut dyn Write, columns: &[String], rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = all_columns(columns, rows);
    let width_max = if io::stdout().is_terminal() { CELL_WIDTH_MAX } else { usize::MAX };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| names.iter().map(|name| cut(&escape::clean(cell(row, name)), width_max)).collect())
        .collect();
    let course = io::stdout().is_terminal().then(|| course(&names, rows)).flatten();
    let heads: Vec<String> = names.iter().map(|name| escape::clean(name).into_owned()).collect();
    let numeric: Vec<bool> =
        (0..names.len()).map(|at| cells.iter().all(|row| row[at].parse::<f64>().is_ok())).collect();
    let widths: Vec<usize> = (0..names.len())
        .map(|at| cells.iter().map(|row| row[at].width()).chain([heads[at].width()]).max().unwrap_or(0))
        .collect();
    let line = |texts: &[String]| -> String {
        let padded = texts.iter().zip(&widths).zip(&numeric).map(|((text, width), numeric)| {
            let gap = " ".repeat(width.saturating_sub(text.width()));
            if *numeric { format!("{gap}{text}") } else { format!("{text}{gap}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let quiet = colour::quiet();
    writeln!(out, "{}", line(&heads).style(quiet))?;
    let full: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    for (at, texts) in cells.iter().enumerate() {
        let text = line(texts);
        match &course {
            Some(numbers) => {
                let most = numbers[0].1.iter().copied().fold(0.0, f64::max);
                let bar = bar::share(numbers[0].1[at], most);
                let gap = " ".repeat(full.saturating_sub(text.width()) + 2);
                writeln!(out, "{text}{gap}{}", bar.style(quiet))?;
            }
            None => writeln!(out, "{text}")?,
        }
    }
    for (name, numbers) in course.iter().flatten() {
        writeln!(out, "{} {}", escape::clean(name).style(quiet), spark(numbers))?;
    }
    Ok(())
}

/// The numbers of each column over time, if the first column is one of times and all others are numbers.
fn course<'a>(names: &[&'a str], rows: &[Row]) -> Option<Vec<(&'a str, Vec<f64>)>> {
    let (time, others) = names.split_first()?;
    let is_time = |text: &str| text.len() == 23 && text.as_bytes()[10] == b' ' && text.as_bytes()[13] == b':';
    if rows.len() < COURSE_ROWS || others.is_empty() || !rows.iter().all(|row| is_time(cell(row, time))) {
        return None;
    }
    let numbers = |name: &'a str| -> Option<(&'a str, Vec<f64>)> {
        let numbers: Option<Vec<f64>> = rows.iter().map(|row| cell(row, name).parse().ok()).collect();
        Some((name, numbers?))
    };
    others.iter().copied().map(numbers).collect()
}

/// A line of eight heights, from the least to the most.
fn spark(numbers: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (least, most) = numbers.iter().fold((f64::MAX, f64::MIN), |(least, most), it| (least.min(*it), most.max(*it)));
    let step = numbers.len().div_ceil(SPARK_CELLS).max(1);
    let height = |chunk: &[f64]| {
        let mean = chunk.iter().sum::<f64>() / chunk.len() as f64;
        let share = if most > least { (mean - least) / (most - least) } else { 0.5 };
        HEIGHTS[((share * 7.0).round() as usize).min(7)]
    };
    numbers.chunks(step).map(height).collect()
}

/// A text that is no wider than this.
fn cut(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let mut width = 0;
    let kept = text.chars().take_while(|it| {
        width += unicode_width::UnicodeWidthChar::width(*it).unwrap_or(0);
        width < width_max
    });
    kept.chain(['…']).collect()
}

/// Writes comma-separated values (RFC 4180), names first.
///
/// # Errors
/// Those of `out`.
pub fn csv(out: &mut dyn Write, columns: &[String], rows: &[Row]) -> io::Result<()> {
    let names = all_columns(columns, rows);
    let line = |texts: &mut dyn Iterator<Item = &str>| texts.map(quoted).collect::<Vec<_>>().join(",");
    writeln!(out, "{}", line(&mut names.iter().copied()))?;
    for row in rows {
        writeln!(out, "{}", line(&mut names.iter().map(|name| cell(row, name))))?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let text = escape::clean(text);
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into_owned() }
}

/// Writes rows of values as one array of objects, or as one object a line.
///
/// # Errors
/// Those of `out`.
pub fn json(out: &mut dyn Write, rows: &[Vec<(String, serde_json::Value)>], by_line: bool) -> io::Result<()> {
    if by_line {
        for row in rows {
            json::write(out, &Object(row))?;
            writeln!(out)?;
        }
        return Ok(());
    }
    json::write(out, &Array(rows))?;
    writeln!(out)
}

struct Object<'a>(&'a [(String, serde_json::Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Array<'a>(&'a [Vec<(String, serde_json::Value)>]);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            rows.serialize_element(&Object(row))?;
        }
        rows.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&[(&str, &str)]]) -> Vec<Row> {
        let row = |row: &&[(&str, &str)]| row.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        texts.iter().map(row).collect()
    }

    fn plain(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut anstream::StripStream::new(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_stand_to_the_right_and_absent_values_leave_a_gap() {
        let rows = rows(&[&[("svc", "pay"), ("n", "3"), ("@ptr", "x")], &[("n", "12")]]);
        let columns = ["svc".to_owned(), "n".to_owned(), "@ptr".to_owned()];
        assert_eq!(plain(|out| table(out, &columns, &rows)), "svc   n\npay   3\n     12\n");
    }

    #[test]
    fn csv_quotes_what_must_be_quoted() {
        let rows = rows(&[&[("a", "x,\"y\""), ("lf.b", "1")]]);
        let columns = ["a".to_owned(), "lf".to_owned()];
        assert_eq!(plain(|out| csv(out, &columns, &rows)), "a,lf.b\n\"x,\"\"y\"\"\",1\n");
    }

    #[test]
    fn json_keeps_the_order_of_columns_and_the_kind_of_values() {
        let rows = vec![vec![("b".to_owned(), 1.into()), ("a".to_owned(), "\u{1b}x".into())]];
        assert_eq!(plain(|out| json(out, &rows, false)), "[{\"b\":1,\"a\":\"\\u001bx\"}]\n");
        assert_eq!(plain(|out| json(out, &rows, true)), "{\"b\":1,\"a\":\"\\u001bx\"}\n");
    }

    #[test]
    fn a_course_is_seen_over_times_alone() {
        let at = |minute: u32| format!("2026-10-05 12:0{minute}:00.000");
        let rows: Vec<Row> = (0..4).map(|it| vec![("t".into(), at(it)), ("n".into(), it.to_string())]).collect();
        assert_eq!(course(&["t", "n"], &rows), Some(vec![("n", vec![0.0, 1.0, 2.0, 3.0])]));
        assert_eq!(course(&["n", "t"], &rows), None);
        assert_eq!(spark(&[0.0, 1.0, 2.0, 7.0]), "▁▂▃█");
        assert_eq!(cut("grün und blau", 5), "grün…");
    }
}
