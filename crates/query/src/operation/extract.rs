//! Fields out of texts: what `parse` does.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::array::{Array, ArrayRef, Int64Builder, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use insights::{
    ast::{Parse, ParseMode, Verb},
    extract,
    rules::Rules,
    value::Value,
};
use serde::{Deserialize, Serialize};

use crate::{
    cells::{self, Cells},
    kind::Kind,
};

/// How many different texts of a batch are remembered with what was taken out of them.
const REMEMBERED_MAX: usize = 4_096;

/// The name of the number of a match, where each is a row.
pub(crate) const NUMBER: &str = "number";

/// How a text is taken apart; which text is said by the argument.
///
/// One field is a column of texts, several are a struct of them, called `0`, `1` and so on; of `multi` it is a list of
/// structs, with the number of the match in front. `logfmt` gives a map.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Extraction {
    parse: Parse,
    /// The fields, in their order.
    pub(crate) names: Vec<String>,
}

/// What was found: a piece of the text, or a text of its own.
type Found<'t> = Vec<Option<std::borrow::Cow<'t, str>>>;

impl Extraction {
    pub(crate) fn new(parse: &Parse) -> Self {
        let names = match &parse.mode {
            ParseMode::Regex(regex, names) if names.is_empty() => regex.it.names().map(str::to_owned).collect(),
            ParseMode::Glob(_, names) | ParseMode::Regex(_, names) | ParseMode::Csv(names) => {
                names.iter().map(|name| name.it.clone()).collect()
            }
            ParseMode::Logfmt(name) | ParseMode::Xml(_, _, name) => vec![name.it.clone()],
        };
        Self { parse: Parse { of: None, ..parse.clone() }, names }
    }

    /// Whether each match makes a row.
    pub(crate) fn is_multiple(&self) -> bool {
        self.parse.multi && matches!(self.parse.mode, ParseMode::Regex(..))
    }

    /// Whether it gives a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.parse.mode, ParseMode::Logfmt(_))
    }

    fn fields(&self) -> Fields {
        let each = (0..self.names.len()).map(|it| Field::new(it.to_string(), Kind::Text.arrow(), true));
        if self.is_multiple() {
            std::iter::once(Field::new(NUMBER, DataType::Int64, false)).chain(each).collect()
        } else {
            each.collect()
        }
    }

    pub(super) fn result(&self) -> DataType {
        if self.is_map() {
            Kind::Any.arrow()
        } else if self.is_multiple() {
            DataType::List(Arc::new(Field::new_list_field(DataType::Struct(self.fields()), true)))
        } else if self.names.len() == 1 {
            Kind::Text.arrow()
        } else {
            DataType::Struct(self.fields())
        }
    }

    pub(super) fn compute(&self, cells: &Cells<'_>, rows: usize, rules: &Rules) -> Result<ArrayRef> {
        if self.is_map() {
            let one = |row| {
                let text = text_of(cells, row, rules).unwrap_or_default();
                Value::Map(extract::logfmt(&text).into_iter().map(|(name, it)| (name, Value::Text(it))).collect())
            };
            return Ok(cells::column(Kind::Any, (0..rows).map(one)));
        }
        if self.is_multiple() {
            return self.matches(cells, rows, rules);
        }
        let mut columns: Vec<StringViewBuilder> =
            self.names.iter().map(|_| StringViewBuilder::with_capacity(rows)).collect();
        let mut append = |found: &Found<'_>| {
            for (position, column) in columns.iter_mut().enumerate() {
                column.append_option(found.get(position).and_then(|it| it.as_deref()));
            }
        };
        // Texts of logs repeat; messages do not, and then nothing is remembered for long.
        let mut remembered: HashMap<&str, Found<'_>, foldhash::fast::RandomState> = HashMap::default();
        let mut missed = 0;
        for row in 0..rows {
            match cells.text(row) {
                Some(text) => {
                    if let Some(found) = remembered.get(text) {
                        append(found);
                        continue;
                    }
                    let found = self.found(text);
                    append(&found);
                    missed += 1;
                    if remembered.len() < REMEMBERED_MAX && (missed < 512 || remembered.len() * 4 < row) {
                        remembered.insert(text, found);
                    }
                }
                None => match text_of(cells, row, rules) {
                    Some(text) => append(&self.found(&text)),
                    // In what is absent nothing is found, not even an empty text.
                    None => append(&Found::default()),
                },
            }
        }
        let mut columns: Vec<ArrayRef> = columns.into_iter().map(|mut it| Arc::new(it.finish()) as ArrayRef).collect();
        if columns.len() == 1 {
            return Ok(columns.remove(0));
        }
        Ok(Arc::new(StructArray::try_new_with_length(self.fields(), columns, None, rows)?))
    }

    fn found<'t>(&self, text: &'t str) -> Found<'t> {
        let borrowed = |it: Vec<&'t str>| it.into_iter().map(|it| Some(it.into())).collect();
        match &self.parse.mode {
            ParseMode::Glob(pattern, _) => extract::glob(&pattern.it, text).map(borrowed).unwrap_or_default(),
            ParseMode::Regex(regex, names) => {
                let names: Vec<&str> = names.iter().map(|name| name.it.as_str()).collect();
                let found = extract::regex(&regex.it, &names, text);
                found.into_iter().map(|(_, it)| it.map(Into::into)).collect()
            }
            ParseMode::Csv(_) => extract::csv(text).into_iter().map(|it| Some(it.into())).collect(),
            ParseMode::Xml(_, path, _) => vec![path.find(text).map(Into::into)],
            ParseMode::Logfmt(_) => Vec::new(),
        }
    }

    /// A list of the matches of each row.
    fn matches(&self, cells: &Cells<'_>, rows: usize, rules: &Rules) -> Result<ArrayRef> {
        let ParseMode::Regex(regex, _) = &self.parse.mode else {
            return datafusion::common::exec_err!("only a regular expression gives several rows");
        };
        let mut numbers = Int64Builder::new();
        let mut columns: Vec<StringViewBuilder> = self.names.iter().map(|_| StringViewBuilder::new()).collect();
        let mut lengths = Vec::with_capacity(rows);
        for row in 0..rows {
            let text = text_of(cells, row, rules);
            let all = text.as_deref().map_or_else(Vec::new, |text| extract::regex_all(&regex.it, text));
            lengths.push(all.len());
            for (number, found) in (0..).zip(&all) {
                numbers.append_value(number);
                for (position, column) in columns.iter_mut().enumerate() {
                    column.append_option(found.get(position).and_then(|(_, it)| *it));
                }
            }
        }
        let numbers: ArrayRef = Arc::new(numbers.finish());
        let arrays: Vec<ArrayRef> = std::iter::once(numbers)
            .chain(columns.into_iter().map(|mut it| Arc::new(it.finish()) as ArrayRef))
            .collect();
        let all = StructArray::try_new(self.fields(), arrays, None)?;
        let item = Arc::new(Field::new_list_field(all.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(all), None)?))
    }
}

/// The text that is taken apart; nothing of what is none.
fn text_of<'c>(cells: &Cells<'c>, row: usize, rules: &Rules) -> Option<std::borrow::Cow<'c, str>> {
    match cells.text(row) {
        Some(text) => Some(text.into()),
        None => cells.value(row).text(rules).map(Into::into),
    }
}

impl From<Extraction> for String {
    fn from(extraction: Extraction) -> Self {
        Verb::Parse(extraction.parse).to_string()
    }
}

impl TryFrom<String> for Extraction {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let query = insights::parse(&text).map_err(|error| error.to_string())?;
        match query.commands.into_iter().next().map(|command| command.verb) {
            Some(Verb::Parse(parse)) => Ok(Self::new(&parse)),
            _ => Err(format!("`{text}` is no `parse`")),
        }
    }
}

impl PartialEq for Extraction {
    fn eq(&self, other: &Self) -> bool {
        self.parse == other.parse
    }
}

impl Eq for Extraction {}

impl Hash for Extraction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        String::from(self.clone()).hash(state);
    }
}
