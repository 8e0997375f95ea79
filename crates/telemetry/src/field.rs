//! Which columns the discovered fields of a log group have.
//!
//! The kind of a value that was seen first owns the field's name; other kinds have the name with their own behind it:
//! `status` may be a column of integers and `status#text` one of texts. A `%` or `#` of the field's own name is
//! percent-encoded, as are control characters, so that no two fields share a column (decision 0014).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The column of an event's time, in milliseconds of UTC.
pub const TIMESTAMP: &str = "@timestamp";
/// The column of the time at which an event was taken in, in milliseconds of UTC.
pub const INGESTION_TIME: &str = "@ingestionTime";
/// The column of the log stream's name.
pub const LOG_STREAM: &str = "@logStream";
/// The column of the event's number in the store.
pub const EVENT: &str = "@event";
/// The column of the text, null where the shape gives it back.
pub const MESSAGE: &str = "@message";
/// The column of the number of the shape that gives the text back, null where the text is there.
pub const SHAPE: &str = "@shape";
/// The column of those fields that have no column of their own: a JSON object from path to value.
pub const REST: &str = "@rest";

/// What sort of value a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whole numbers of at most 64 bits, written without point and exponent.
    Integer,
    /// Other numbers.
    Float,
    /// Texts, and numbers that neither of the others holds exactly.
    Text,
    /// True and false.
    Boolean,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Integer => "#integer",
            Self::Float => "#float",
            Self::Text => "#text",
            Self::Boolean => "#boolean",
        }
    }
}

/// A column of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// What it holds.
    pub kind: Kind,
    /// Its name in the files.
    pub name: String,
}

/// The fields of a group and their columns; it only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldIndex {
    columns: BTreeMap<String, Vec<Column>>,
}

impl FieldIndex {
    /// The name of the column for values of this kind, made if there was none.
    pub fn column(&mut self, field: &str, kind: Kind) -> &str {
        let columns = self.columns.entry(field.to_owned()).or_default();
        let at = columns.iter().position(|column| column.kind == kind).unwrap_or_else(|| {
            let suffix = if columns.is_empty() { "" } else { kind.suffix() };
            columns.push(Column { kind, name: format!("{}{suffix}", escaped(field)) });
            columns.len() - 1
        });
        &columns[at].name
    }

    /// The columns of a field; none, if it was never seen.
    pub fn columns_of(&self, field: &str) -> &[Column] {
        self.columns.get(field).map_or(&[], Vec::as_slice)
    }

    /// Every field with its columns, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Column])> {
        self.columns.iter().map(|(field, columns)| (field.as_str(), columns.as_slice()))
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.columns.values().map(Vec::len).sum()
    }

    /// Whether no field was seen.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

fn escaped(field: &str) -> String {
    if field.is_empty() {
        // No name of a field is escaped to this, and few readers of Parquet cope with a column without name.
        return "%".to_owned();
    }
    let mut name = String::with_capacity(field.len());
    for it in field.chars() {
        match it {
            '%' | '#' | '\u{0}'..='\u{1f}' => name.push_str(&format!("%{:02x}", u32::from(it))),
            _ => name.push(it),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_kind_owns_the_name() {
        let mut index = FieldIndex::default();
        assert_eq!(index.column("status", Kind::Integer), "status");
        assert_eq!(index.column("status", Kind::Text), "status#text");
        assert_eq!(index.column("status", Kind::Integer), "status");
        assert_eq!(index.columns_of("status").len(), 2);
        assert_eq!((index.len(), index.columns_of("nothing").len()), (2, 0));
    }

    #[test]
    fn no_two_fields_share_a_column() {
        let mut index = FieldIndex::default();
        assert_eq!(index.column("", Kind::Text), "%");
        assert_eq!(index.column("%", Kind::Text), "%25");
        assert_eq!(index.column("\u{1}", Kind::Text), "%01");
        index.column("a", Kind::Integer);
        let of_a = index.column("a", Kind::Text).to_owned();
        assert_ne!(index.column("a#text", Kind::Text), of_a);
        assert_ne!(index.column("a%23text", Kind::Text), "a%23text");
    }
}
