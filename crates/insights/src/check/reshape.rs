//! Commands that join, fill, number and sum rows.

use crate::{
    ast::{ExprKind, Spanned, Verb, Wild},
    error::{ErrorKind, Fault, Outcome},
    function::Kind,
};

use super::{Checker, Column, expression::Standing};

impl Checker<'_> {
    pub(super) fn reshape(&mut self, verb: &Verb) -> Outcome<()> {
        match verb {
            Verb::Unmask(fields) => {
                for field in fields {
                    self.read(&field.it, field.span)?;
                }
                Ok(())
            }
            Verb::Unnest { list, into } => {
                self.expr(list, Standing::Row)?;
                if matches!(&list.kind, ExprKind::Call(call) if call.function.name == "split") {
                    let message = "`unnest` does not take what `split` gives; lists come from `jsonParse`";
                    return Err(Fault::new(ErrorKind::Argument, list.span, message).or("jsonParse"));
                }
                self.make(into, Kind::Any)
            }
            Verb::Expand(field) => {
                self.read(&field.it, field.span)?;
                self.scope.set(&field.it.flat(), Kind::Any, self.command);
                Ok(())
            }
            Verb::Lookup(lookup) => {
                for pair in &lookup.keys {
                    // In `lookup` the field comes after `as`, in `cidrlookup` before; alone it is both.
                    let field = match (&pair.second, lookup.network) {
                        (Some(second), false) => second,
                        _ => &pair.first,
                    };
                    self.read(&field.it, field.span)?;
                }
                for output in &lookup.outputs {
                    let name = output.name.as_ref().map_or_else(|| output.column.it.flat(), |name| name.it.clone());
                    // What is kept where the table has nothing is the record's own field.
                    if !lookup.overwrite && self.scope.is_open() {
                        self.scope.reads.fields.insert(name.clone());
                    }
                    self.scope.set(&name, Kind::Any, self.command);
                    self.shown.make(&name, Kind::Any);
                }
                Ok(())
            }
            Verb::Join(join) => {
                self.scope.join(&join.left.it, &join.right.it);
                for (left, right) in &join.on {
                    self.read(&left.it, left.span)?;
                    self.read(&right.it, right.span)?;
                }
                self.subquery(&join.query)?;
                self.shown.more = true;
                Ok(())
            }
            Verb::AppendColumns(append) => {
                let inner = self.subquery(&append.query)?;
                for column in inner.columns {
                    self.scope.show(&column.name, column.kind, self.command);
                    self.shown.make(&column.name, column.kind);
                }
                self.shown.more |= inner.more_columns;
                Ok(())
            }
            Verb::Autoregress(it) => {
                let kind = self.read(&it.field.it, it.field.span)?;
                let stem = it.name.as_ref().map_or_else(|| it.field.it.flat(), |name| name.it.clone());
                for lag in it.lags.0..=it.lags.1 {
                    // An alias for a single lag is the whole name.
                    let name = match (&it.name, it.lags.0 == it.lags.1) {
                        (Some(name), true) => name.it.clone(),
                        _ => format!("{stem}_p{lag}"),
                    };
                    self.scope.set(&name, kind, self.command);
                    self.shown.make(&name, kind);
                }
                Ok(())
            }
            Verb::Accumulate { field, name } => {
                self.read(&field.it, field.span)?;
                match name {
                    Some(name) => self.make(name, Kind::Number),
                    None => {
                        self.scope.set(&field.it.flat(), Kind::Number, self.command);
                        Ok(())
                    }
                }
            }
            Verb::FillDown(wilds) => {
                if wilds.is_empty() || wilds.iter().any(|Wild(name)| name.contains('*')) {
                    self.scope.reads.everything |= self.scope.is_open();
                }
                for Wild(name) in wilds.iter().filter(|Wild(name)| !name.contains('*')) {
                    self.read(&crate::ast::Path::named(name), crate::span::Span::default())?;
                }
                Ok(())
            }
            Verb::FillMissing(fills) => {
                for field in fills.iter().flat_map(|fill| &fill.fields) {
                    self.read(&field.it, field.span)?;
                }
                Ok(())
            }
            Verb::Outlier(outlier) => {
                for field in &outlier.fields {
                    self.read(&field.it, field.span)?;
                }
                self.shown.more |= outlier.mark;
                Ok(())
            }
            Verb::Sessionize(it) => {
                for field in &it.fields {
                    self.read(&field.it, field.span)?;
                }
                self.read(&crate::ast::Path::named("@timestamp"), it.fields[0].span)?;
                match &it.name {
                    Some(name) => self.make(name, Kind::Number),
                    None => self.make(&Spanned { it: "session_id".to_owned(), span: it.fields[0].span }, Kind::Number),
                }
            }
            Verb::CountFrequent(fields) => {
                let mut columns = Vec::new();
                for field in fields {
                    let kind = self.read(&field.it, field.span)?;
                    columns.push(Column::new(field.it.flat(), kind));
                }
                columns.push(Column::new("_approxcount", Kind::Number));
                self.scope.close("countFrequent", columns.iter().map(|it| (it.name.clone(), it.kind)), self.command);
                self.shown.replace(columns);
                Ok(())
            }
            Verb::AddTotals(totals) => {
                for field in &totals.fields {
                    self.read(&field.it, field.span)?;
                }
                self.scope.reads.everything |= totals.fields.is_empty() && self.scope.is_open();
                if totals.row {
                    let name = totals.name.as_deref().unwrap_or("Total");
                    self.scope.set(name, Kind::Number, self.command);
                    self.shown.make(name, Kind::Number);
                }
                Ok(())
            }
            // The others are checked where this is called from.
            _ => Ok(()),
        }
    }
}
