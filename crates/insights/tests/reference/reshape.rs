//! Commands that number, fill, multiply and join rows.

use std::collections::BTreeMap;

use insights::{
    ast::{Lookup, Verb},
    value::Value,
};

use super::{Fields, Reference};

impl Reference<'_> {
    pub(crate) fn reshape(&self, verb: &Verb, mut rows: Vec<Fields>) -> Result<Vec<Fields>, String> {
        match verb {
            Verb::Unnest { list, into } => Ok(rows
                .into_iter()
                .flat_map(|fields| {
                    let elements = match self.value(list, &fields) {
                        Value::List(elements) => elements,
                        one => vec![one],
                    };
                    elements.into_iter().map(move |element| {
                        let mut fields = fields.clone();
                        fields.insert(into.it.clone(), element);
                        fields
                    })
                })
                .collect()),
            Verb::Lookup(lookup) if !lookup.network => {
                for fields in &mut rows {
                    self.look_up(lookup, fields)?;
                }
                Ok(rows)
            }
            Verb::Accumulate { field, name } => {
                let mut sum = 0.0;
                for fields in &mut rows {
                    sum += self.at(&field.it, fields).number().unwrap_or(0.0);
                    fields.insert(
                        name.as_ref().map_or_else(|| field.it.flat(), |name| name.it.clone()),
                        Value::of_number(sum),
                    );
                }
                Ok(rows)
            }
            Verb::Autoregress(it) => {
                let values: Vec<Value> = rows.iter().map(|fields| self.at(&it.field.it, fields)).collect();
                for (index, fields) in rows.iter_mut().enumerate() {
                    for lag in it.lags.0..=it.lags.1 {
                        let name = match (&it.name, it.lags.0 == it.lags.1) {
                            (Some(name), true) => name.it.clone(),
                            (Some(name), false) => format!("{}_p{lag}", name.it),
                            (None, _) => format!("{}_p{lag}", it.field.it.flat()),
                        };
                        let before =
                            index.checked_sub(lag as usize).map_or(Value::Null, |before| values[before].clone());
                        fields.insert(name, before);
                    }
                }
                Ok(rows)
            }
            Verb::FillDown(wilds) if wilds.iter().all(|wild| !wild.0.contains('*')) => {
                for wild in wilds {
                    let mut last = Value::Null;
                    for fields in &mut rows {
                        match fields.get(&wild.0) {
                            Some(value) if !value.is_null() => last = value.clone(),
                            _ => drop(fields.insert(wild.0.clone(), last.clone())),
                        }
                    }
                }
                Ok(rows)
            }
            Verb::CountFrequent(keys) => {
                let mut counts: BTreeMap<Vec<Option<String>>, (Fields, f64)> = BTreeMap::new();
                for fields in &rows {
                    let key: Fields = keys.iter().map(|key| (key.it.flat(), self.at(&key.it, fields))).collect();
                    let printed = key.values().map(|value| self.key(value)).collect();
                    counts.entry(printed).or_insert((key, 0.0)).1 += 1.0;
                }
                let mut counted: Vec<(Fields, f64)> = counts.into_values().collect();
                counted.sort_by(|one, other| other.1.total_cmp(&one.1));
                Ok(counted
                    .into_iter()
                    .map(|(mut fields, count)| {
                        fields.insert("_approxcount".into(), Value::of_number(count));
                        fields
                    })
                    .collect())
            }
            Verb::AddTotals(totals) if totals.row && !totals.column && !totals.fields.is_empty() => {
                for fields in &mut rows {
                    let numbers = totals.fields.iter().filter_map(|field| self.at(&field.it, fields).number());
                    let sum = numbers.sum();
                    fields.insert(totals.name.clone().unwrap_or_else(|| "Total".into()), Value::of_number(sum));
                }
                Ok(rows)
            }
            Verb::Unmask(_) => Ok(rows),
            other => Err(format!("{other} is not in the reference")),
        }
    }

    /// Joins one row with an uploaded table, of which the first line has the columns' names.
    fn look_up(&self, lookup: &Lookup, fields: &mut Fields) -> Result<(), String> {
        let table =
            self.data.tables.get(&lookup.table.it).ok_or_else(|| format!("there is no table {}", lookup.table.it))?;
        let (head, lines) = table.split_first().ok_or("the table is empty")?;
        let column =
            |name: &str| head.iter().position(|known| known == name).ok_or_else(|| format!("no column {name}"));
        let mut found: Vec<&Vec<String>> = lines.iter().collect();
        for pair in &lookup.keys {
            let place = column(&pair.first.it.flat())?;
            let field = pair.second.as_ref().unwrap_or(&pair.first);
            let wanted = self.key(&self.at(&field.it, fields));
            found.retain(|line| line.get(place) == wanted.as_ref());
        }
        for output in &lookup.outputs {
            let place = column(&output.column.it.flat())?;
            let name = output.name.as_ref().map_or_else(|| output.column.it.flat(), |name| name.it.clone());
            let value =
                found.first().and_then(|line| line.get(place)).map_or(Value::Null, |text| Value::Text(text.clone()));
            let has_own = fields.get(&name).is_some_and(|own| !own.is_null());
            if lookup.overwrite || (!has_own && !value.is_null()) {
                fields.insert(name, value);
            }
        }
        Ok(())
    }
}
