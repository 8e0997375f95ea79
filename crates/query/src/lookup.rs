//! Tables that were uploaded, and the values that `lookup` and `cidrlookup` take from them.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::common::Result;
use insights::{extract, function::in_network, rules::Rules};
use serde::{Deserialize, Serialize};

use crate::cells::Cells;

/// An uploaded table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The names of its columns.
    pub head: Vec<String>,
    /// Its lines.
    pub lines: Vec<Vec<String>>,
}

impl Table {
    /// A table out of CSV, of which the first line has the names of the columns. Empty lines are passed over.
    pub fn of_csv(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty()).map(extract::csv);
        Self { head: lines.next().unwrap_or_default(), lines: lines.collect() }
    }

    /// The place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.head.iter().position(|known| known == name)
    }
}

/// One column of the first line that fits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LookUp {
    table: Arc<Table>,
    /// The columns that are compared with the arguments.
    keys: Vec<usize>,
    output: usize,
    /// Whether the first key is a network that contains the argument.
    network: bool,
    #[serde(skip)]
    index: Arc<OnceLock<HashMap<Vec<String>, usize>>>,
}

impl LookUp {
    pub(crate) fn new(table: Arc<Table>, keys: Vec<usize>, output: usize, network: bool) -> Self {
        Self { table, keys, output, network, index: Arc::default() }
    }

    fn index(&self) -> &HashMap<Vec<String>, usize> {
        self.index.get_or_init(|| {
            let mut index = HashMap::new();
            for (number, line) in self.table.lines.iter().enumerate() {
                let key: Option<Vec<String>> = self.keys.iter().map(|place| line.get(*place).cloned()).collect();
                if let Some(key) = key {
                    index.entry(key).or_insert(number);
                }
            }
            index
        })
    }

    pub(crate) fn compute(&self, arguments: &[ArrayRef], rows: usize, rules: &Rules) -> Result<ArrayRef> {
        let all = arguments.iter().map(|array| Cells::of(array.as_ref())).collect::<Result<Vec<_>>>()?;
        let mut found = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            let wanted: Option<Vec<String>> = all.iter().map(|cells| cells.value(row).print(rules)).collect();
            let line =
                wanted.and_then(|wanted| if self.network { self.contains(&wanted) } else { self.equals(&wanted) });
            found.append_option(line.and_then(|line| line.get(self.output)));
        }
        Ok(Arc::new(found.finish()))
    }

    fn equals(&self, wanted: &[String]) -> Option<&Vec<String>> {
        self.index().get(wanted).and_then(|number| self.table.lines.get(*number))
    }

    fn contains(&self, wanted: &[String]) -> Option<&Vec<String>> {
        let address: IpAddr = wanted.first()?.parse().ok()?;
        let place = *self.keys.first()?;
        self.table.lines.iter().find(|line| line.get(place).is_some_and(|network| in_network(address, network)))
    }
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        (&self.keys, self.output, self.network) == (&other.keys, other.output, other.network)
            && self.table == other.table
    }
}

impl Eq for LookUp {}

impl Hash for LookUp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.keys, self.output, self.network, &self.table.head, self.table.lines.len()).hash(state);
    }
}
