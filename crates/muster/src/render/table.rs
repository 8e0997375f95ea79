//! Columns that line up. Cells are escaped here, once, so that no caller can forget it.

use std::io::{self, Write};

use owo_colors::{OwoColorize as _, Style};

use super::{colour, escape};

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in the terminal's own colour.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::styled(text, Style::new())
    }

    /// A cell that stands out.
    pub fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: escape::clean(text.as_ref()).into_owned(), style }
    }

    /// What it says, escaped.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Rows of cells under headings, each row followed by lines that belong to it.
#[derive(Debug)]
pub struct Table {
    indent: usize,
    headings: Vec<&'static str>,
    rows: Vec<(Vec<Cell>, Vec<Cell>)>,
}

impl Table {
    /// A table whose lines begin with `indent` spaces.
    pub fn new(indent: usize, headings: &[&'static str]) -> Self {
        Self { indent, headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, and the lines that explain it.
    pub fn row(&mut self, cells: Vec<Cell>, notes: Vec<Cell>) {
        self.rows.push((cells, notes));
    }

    /// Writes it. A table without rows writes nothing.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.len()).collect();
        for (cells, _) in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let headings: Vec<Cell> = self.headings.iter().map(|h| Cell::styled(h, colour::quiet())).collect();
        self.line(out, &headings, &widths)?;
        for (cells, notes) in &self.rows {
            self.line(out, cells, &widths)?;
            for note in notes {
                writeln!(out, "{:1$}    {2}", "", self.indent, note.text.style(note.style))?;
            }
        }
        Ok(())
    }

    fn line(&self, out: &mut dyn Write, cells: &[Cell], widths: &[usize]) -> io::Result<()> {
        write!(out, "{:1$}", "", self.indent)?;
        let last = cells.len().saturating_sub(1);
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            write!(out, "{}", cell.text.style(cell.style))?;
            if index < last {
                let gap = width.saturating_sub(cell.text.chars().count()) + 2;
                write!(out, "{:gap$}", "")?;
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_notes_stand_below_their_row() {
        let mut table = Table::new(2, &["A", "LONG"]);
        table.row(vec![Cell::plain("wide cell"), Cell::plain("x")], vec![Cell::plain("because")]);
        table.row(vec![Cell::plain("s"), Cell::plain("y")], vec![]);
        let mut out = Vec::new();
        table.write(&mut anstream::StripStream::new(&mut out)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "  A          LONG\n  wide cell  x\n      because\n  s          y\n"
        );
    }
}
