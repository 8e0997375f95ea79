//! What is wrong with a query, and where.

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {}{}", .offset + 1, .suggestion.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
pub struct QueryError {
    /// Where, in characters from the beginning.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
    /// The text.
    pub text: String,
}

impl QueryError {
    /// At a byte of the text.
    pub(super) fn at(text: &str, byte: usize, what: impl Into<String>) -> Self {
        let offset = text.get(..byte).unwrap_or(text).chars().count();
        Self { offset, what: what.into(), suggestion: None, text: text.to_owned() }
    }

    /// With the nearest of what could stand there, if one is near.
    pub(super) fn or_rather(mut self, found: &str, known: &[&str]) -> Self {
        let found = found.to_ascii_lowercase();
        let nearest = known.iter().map(|known| (distance(&found, &known.to_ascii_lowercase()), *known)).min();
        self.suggestion = nearest
            .filter(|(distance, known)| *distance > 0 && *distance <= known.len().div_ceil(3))
            .map(|(_, known)| known.to_owned());
        self
    }

    /// The text, and under it a caret that points to the fault.
    pub fn pointed(&self) -> String {
        let line: String = self.text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        format!("{line}\n{:>1$}", "^", self.offset + 1)
    }
}

/// How many letters must be added, removed, changed or swapped with a neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for row in 0..=from.len() {
        for column in 0..=to.len() {
            rows[row][column] = match (row, column) {
                (0, added) => added,
                (removed, 0) => removed,
                _ => {
                    let changed = usize::from(from[row - 1] != to[column - 1]);
                    let mut least = (rows[row - 1][column] + 1)
                        .min(rows[row][column - 1] + 1)
                        .min(rows[row - 1][column - 1] + changed);
                    if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                        least = least.min(rows[row - 2][column - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[from.len()][to.len()]
}
