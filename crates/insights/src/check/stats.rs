//! `stats`: aggregates, groups, and what exists after them.

use std::collections::BTreeSet;

use crate::{
    ast::{Expr, ExprKind, Path, Place, Stats},
    error::{ErrorKind, Fault, Outcome},
    function::{Class, Kind},
};

use super::{Checker, Column, expression::Standing};

impl Checker<'_> {
    pub(super) fn stats(&mut self, stats: &Stats) -> Outcome<()> {
        let mut keys: Vec<(Option<&Path>, Column)> = Vec::new();
        for item in &stats.by {
            let kind = self.expr(&item.expr, Standing::Group)?;
            self.no_structure(&item.expr, kind, "by")?;
            self.no_text(&item.expr);
            let path = match &item.expr.kind {
                ExprKind::Field(path) => Some(path),
                _ => None,
            };
            keys.push((path, Column::new(item.column_name(self.text), kind)));
        }
        let mut outputs: Vec<Column> = Vec::new();
        let mut aggregates = 0;
        for item in &stats.items {
            let mut inside = 0;
            let kind = self.aggregate(&item.expr, &keys, &outputs, &mut inside)?;
            let earlier = |path: &Path| outputs.iter().any(|column| column.name == path.flat());
            let mut derived = false;
            item.expr.walk(&mut |expr| derived |= matches!(&expr.kind, ExprKind::Field(path) if earlier(path)));
            if inside == 0 && !derived {
                let typed = item.expr.span.of(self.text);
                let message = format!("`{typed}` is no aggregate");
                return Err(Fault::new(ErrorKind::Aggregate, item.expr.span, message).or(format!("latest({typed})")));
            }
            aggregates += inside;
            outputs.push(Column::new(item.column_name(self.text), kind));
        }
        self.topk_stands_alone(stats, aggregates)?;
        let columns: Vec<Column> = keys.into_iter().map(|(_, column)| column).chain(outputs).collect();
        self.no_duplicates(stats, &columns)?;
        self.scope.close("stats", columns.iter().map(|it| (it.name.clone(), it.kind)), self.command);
        self.shown.replace(columns);
        Ok(())
    }

    /// The kind of an expression over a group, and how many aggregates are in it.
    fn aggregate(
        &mut self,
        expr: &Expr,
        keys: &[(Option<&Path>, Column)],
        earlier: &[Column],
        aggregates: &mut usize,
    ) -> Outcome<Kind> {
        match &expr.kind {
            ExprKind::Call(call) if call.function.is_aggregate() => {
                *aggregates += 1;
                self.arguments(call, expr, Standing::Aggregate)?;
                Ok(call.function.result)
            }
            ExprKind::Call(call) if call.function.class == Class::Group => self.expr(expr, Standing::Row),
            ExprKind::Field(path) => {
                let flat = path.flat();
                if let Some(column) = earlier.iter().find(|column| column.name == flat) {
                    return Ok(column.kind);
                }
                if let Some((_, key)) = keys.iter().find(|(key, column)| *key == Some(path) || column.name == flat) {
                    return Ok(key.kind);
                }
                let message = format!("`{flat}` must stand inside of an aggregate, or after `by`");
                Err(Fault::new(ErrorKind::Aggregate, expr.span, message).or(format!("latest({path})")))
            }
            ExprKind::Call(call) => {
                self.counted(call, expr)?;
                if call.function.reads_time() {
                    let message = format!("`{}` stands inside of an aggregate, or after `by`", call.function.name);
                    return Err(Fault::new(ErrorKind::Aggregate, expr.span, message));
                }
                self.each_argument(call, &mut |checker, argument| {
                    checker.aggregate(argument, keys, earlier, aggregates)
                })?;
                Ok(call.function.result)
            }
            ExprKind::Period(_) => self.expr(expr, Standing::Row),
            kind => {
                let mut parts = Vec::new();
                kind.each_part(&mut |part| parts.push(part));
                for part in parts {
                    self.aggregate(part, keys, earlier, aggregates)?;
                }
                if let ExprKind::In(within) = kind
                    && let Place::Subquery(query) = &within.place
                {
                    self.one_column(query, within)?;
                }
                Ok(match kind {
                    ExprKind::Number(_) | ExprKind::Negative(_) | ExprKind::Arithmetic(..) => Kind::Number,
                    ExprKind::Text(_) => Kind::Text,
                    _ => Kind::Boolean,
                })
            }
        }
    }

    fn topk_stands_alone(&self, stats: &Stats, aggregates: usize) -> Outcome<()> {
        for item in &stats.items {
            let mut topk = None;
            item.expr.walk(&mut |expr| {
                if matches!(&expr.kind, ExprKind::Call(call) if call.function.name == "topk") {
                    topk = Some(expr.span);
                }
            });
            if let Some(span) = topk
                && (aggregates > 1 || !stats.by.is_empty())
            {
                let message = "`topk` stands alone: without `by`, and without other aggregates";
                return Err(Fault::new(ErrorKind::Aggregate, span, message));
            }
        }
        Ok(())
    }

    fn no_duplicates(&self, stats: &Stats, columns: &[Column]) -> Outcome<()> {
        let mut seen = BTreeSet::new();
        for (column, item) in columns.iter().zip(stats.by.iter().chain(&stats.items)) {
            if !seen.insert(&column.name) {
                let span = item.name.as_ref().map_or(item.expr.span, |name| name.span);
                let message = format!("two columns are called `{}`", column.name);
                return Err(Fault::new(ErrorKind::Redefined, span, message));
            }
        }
        Ok(())
    }
}
