//! Aggregates that look at one value after another.

use std::{collections::HashMap, fmt, mem};

use arrow::array::ArrayRef;
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::Accumulator,
};
use insights::{
    rules::Rules,
    value::{Value, sort_order},
};

use crate::{
    cells::{self, Cells},
    kind::Kind,
    operation::natural_key,
};

/// An aggregate over single values.
pub(super) trait Gather: fmt::Debug + Send + Sync + 'static {
    /// Takes one row.
    fn add(&mut self, values: &[Value]);
    /// What it knows, to be merged with what others know.
    fn state(&mut self) -> Value;
    /// Takes what another one knows.
    fn merge(&mut self, state: Value);
    /// The result.
    fn result(&mut self) -> Value;
    /// How much memory it takes, in bytes.
    fn bytes(&self) -> usize;
}

/// As DataFusion wants it.
#[derive(Debug)]
pub(super) struct Gathering<G>(pub(super) G);

impl<G: Gather> Accumulator for Gathering<G> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let all = columns.iter().map(|array| Cells::of(array.as_ref())).collect::<Result<Vec<_>>>()?;
        let mut values = Vec::with_capacity(all.len());
        for row in 0..columns.first().map_or(0, |array| array.len()) {
            values.clear();
            values.extend(all.iter().map(|cells| cells.value(row)));
            if !values[0].is_null() {
                self.0.add(&values);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.0.result();
        Ok(Kind::Any.constant(&result))
    }

    fn size(&self) -> usize {
        mem::size_of::<Self>() + self.0.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.0.state();
        Ok(vec![Kind::Any.constant(&state)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for array in states {
            let cells = Cells::of(array.as_ref())?;
            for row in 0..array.len() {
                match cells.value(row) {
                    Value::Null => {}
                    state => self.0.merge(state),
                }
            }
        }
        Ok(())
    }
}

/// The least or the greatest value in natural order, and whether all of them look like numbers.
#[derive(Debug)]
pub(super) struct Extreme {
    greatest: bool,
    as_number: bool,
    found: Option<(Vec<u8>, Value)>,
    words: bool,
    key: Vec<u8>,
}

impl Extreme {
    pub(super) fn new(greatest: bool, as_number: bool) -> Self {
        Self { greatest, as_number, found: None, words: false, key: Vec::new() }
    }

    fn take(&mut self, value: &Value) {
        self.key.clear();
        if !natural_key(value, &mut self.key) {
            return;
        }
        self.words |= value.number().is_none();
        let better = match &self.found {
            None => true,
            Some((known, _)) if self.greatest => self.key > *known,
            Some((known, _)) => self.key < *known,
        };
        if better {
            self.found = Some((mem::take(&mut self.key), value.clone()));
        }
    }
}

impl Gather for Extreme {
    fn add(&mut self, values: &[Value]) {
        self.take(&values[0]);
    }

    fn state(&mut self) -> Value {
        match &self.found {
            Some((_, value)) => Value::List(vec![Value::Boolean(self.words), value.clone()]),
            None => Value::Null,
        }
    }

    fn merge(&mut self, state: Value) {
        if let Value::List(list) = state
            && let [Value::Boolean(words), value] = list.as_slice()
        {
            self.words |= words;
            self.take(value);
        }
    }

    fn result(&mut self) -> Value {
        match &self.found {
            Some((_, value)) if self.words || !self.as_number => value.clone(),
            Some((_, value)) => Value::of_maybe(value.number()),
            None => Value::Null,
        }
    }

    fn bytes(&self) -> usize {
        self.found.as_ref().map_or(0, |(key, value)| key.len() + cells::encoded(value).len())
    }
}

/// The different values: those that print alike are one.
#[derive(Debug)]
pub(super) struct Distinct {
    rules: Rules,
    values: HashMap<String, Value, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Distinct {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, values: HashMap::default(), bytes: 0 }
    }

    fn take(&mut self, value: &Value) {
        if let Some(printed) = value.print(&self.rules)
            && !self.values.contains_key(&printed)
        {
            self.bytes += printed.len() * 2 + 64;
            self.values.insert(printed, value.clone());
        }
    }

    fn sorted(&self) -> Vec<Value> {
        let mut values: Vec<Value> = self.values.values().cloned().collect();
        values.sort_by(|one, other| sort_order(one, other, false, &self.rules));
        values
    }
}

impl Gather for Distinct {
    fn add(&mut self, values: &[Value]) {
        self.take(&values[0]);
    }

    fn state(&mut self) -> Value {
        Value::List(self.values.values().cloned().collect())
    }

    fn merge(&mut self, state: Value) {
        if let Value::List(list) = state {
            list.iter().for_each(|value| self.take(value));
        }
    }

    fn result(&mut self) -> Value {
        Value::List(self.sorted())
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How often each value was seen.
#[derive(Debug)]
pub(super) struct Frequent {
    wanted: u32,
    rules: Rules,
    counts: HashMap<String, (Value, u64), foldhash::fast::RandomState>,
    bytes: usize,
}

impl Frequent {
    pub(super) fn new(wanted: u32, rules: Rules) -> Self {
        Self { wanted, rules, counts: HashMap::default(), bytes: 0 }
    }

    fn take(&mut self, value: &Value, times: u64) {
        let Some(printed) = value.print(&self.rules) else {
            return;
        };
        match self.counts.get_mut(&printed) {
            Some((_, count)) => *count += times,
            None => {
                self.bytes += printed.len() * 2 + 72;
                self.counts.insert(printed, (value.clone(), times));
            }
        }
    }
}

impl Gather for Frequent {
    fn add(&mut self, values: &[Value]) {
        self.take(&values[0], 1);
    }

    fn state(&mut self) -> Value {
        let pair = |(value, count): &(Value, u64)| Value::List(vec![value.clone(), Value::Number(*count as f64)]);
        Value::List(self.counts.values().map(pair).collect())
    }

    fn merge(&mut self, state: Value) {
        let Value::List(list) = state else {
            return;
        };
        for pair in list {
            if let Value::List(pair) = pair
                && let [value, Value::Number(count)] = pair.as_slice()
            {
                self.take(value, *count as u64);
            }
        }
    }

    /// The one value if one is wanted, else a list of them, the most frequent first.
    fn result(&mut self) -> Value {
        let mut counted: Vec<&(Value, u64)> = self.counts.values().collect();
        counted
            .sort_by(|one, other| other.1.cmp(&one.1).then_with(|| sort_order(&one.0, &other.0, false, &self.rules)));
        let mut values = counted.into_iter().take(self.wanted as usize).map(|(value, _)| value.clone());
        if self.wanted == 1 { values.next().unwrap_or(Value::Null) } else { Value::List(values.collect()) }
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
