//! What a query asks for, if it is what roll-ups hold: conditions on dimensions, and then counts, sums, means, least and greatest
//! values by dimensions and bins of time.

use std::collections::{BTreeMap, BTreeSet};

use insights::{
    ast::{Call, Command, Expr, ExprKind, Place, Stats, Verb},
    period::{Period, Unit},
};

/// Bins of the calendar begin at the beginning of a day.
const DAY_MS: i64 = 86_400_000;

/// What is wanted of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) count: bool,
    pub(crate) sum: bool,
    pub(crate) extremes: bool,
    pub(crate) sketch: bool,
}

/// What is wanted at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Fields by which rows are kept and grouped.
    pub(crate) dimensions: BTreeSet<String>,
    pub(crate) metrics: BTreeMap<String, Parts>,
    /// Lengths of time, in milliseconds, of which a bucket must be a divisor.
    pub(crate) bins_ms: Vec<i64>,
}

impl Wish {
    /// What these commands want; nothing, if only the rows can say it.
    pub(crate) fn of(commands: &[Command], approximate: bool) -> Option<Self> {
        let mut wish = Self::default();
        for command in commands {
            match &command.verb {
                Verb::Filter(condition) => wish.condition(condition)?,
                Verb::Stats(stats) => return wish.stats(stats, approximate).map(|()| wish),
                _ => return None,
            }
        }
        None
    }

    /// Whether percentiles are wanted.
    pub(crate) fn sketches(&self) -> bool {
        self.metrics.values().any(|parts| parts.sketch)
    }

    /// A condition that says the same of all rows with the same dimensions.
    fn condition(&mut self, expr: &Expr) -> Option<()> {
        match &expr.kind {
            ExprKind::Field(path) => {
                let name = path.flat();
                if name.starts_with('@') {
                    return None;
                }
                self.dimensions.insert(name);
                Some(())
            }
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Boolean(_) => Some(()),
            ExprKind::Not(of) | ExprKind::Negative(of) => self.condition(of),
            ExprKind::Compare(left, _, right) => self.condition(left).and_then(|()| self.condition(right)),
            ExprKind::Logic(_, all) => all.iter().try_for_each(|one| self.condition(one)),
            ExprKind::Like(like) => self.condition(&like.of),
            ExprKind::In(within) => match &within.place {
                Place::List(list) => {
                    self.condition(&within.of).and_then(|()| list.iter().try_for_each(|one| self.condition(one)))
                }
                Place::Subquery(_) => None,
            },
            ExprKind::Call(_) | ExprKind::Arithmetic(..) | ExprKind::Period(_) => None,
        }
    }

    fn stats(&mut self, stats: &Stats, approximate: bool) -> Option<()> {
        for key in &stats.by {
            match &key.expr.kind {
                ExprKind::Field(_) => self.condition(&key.expr)?,
                ExprKind::Call(call) => self.bin(call, stats.offset)?,
                _ => return None,
            }
        }
        stats.items.iter().try_for_each(|item| self.item(&item.expr, stats, approximate))
    }

    fn bin(&mut self, call: &Call, offset: Option<Period>) -> Option<()> {
        let ("bin", [Expr { kind: ExprKind::Period(period), .. }]) = (call.function.name, call.arguments.as_slice())
        else {
            return None;
        };
        let calendar = matches!(period.unit, Unit::Month | Unit::Quarter | Unit::Year);
        let width = Period { amount: period.effective(), unit: period.unit }.millis();
        self.bins_ms.push(if calendar { DAY_MS } else { width? });
        if let Some(offset) = offset {
            self.bins_ms.push(offset.millis()?);
        }
        Some(())
    }

    /// An expression over groups, whose aggregates are those of roll-ups.
    fn item(&mut self, expr: &Expr, stats: &Stats, approximate: bool) -> Option<()> {
        if stats.by.iter().any(|key| key.expr == *expr) {
            return Some(());
        }
        match &expr.kind {
            ExprKind::Call(call) if call.function.is_aggregate() => self.aggregate(call, approximate),
            kind => {
                let mut parts = Vec::new();
                kind.each_part(&mut |part| parts.push(part));
                parts.into_iter().try_for_each(|part| self.item(part, stats, approximate))
            }
        }
    }

    fn aggregate(&mut self, call: &Call, approximate: bool) -> Option<()> {
        if call.function.name == "count" && (call.star || call.arguments.is_empty()) {
            return Some(());
        }
        let ExprKind::Field(path) = &call.arguments.first()?.kind else { return None };
        let name = path.flat();
        if name.starts_with('@') {
            return None;
        }
        let parts = self.metrics.entry(name).or_default();
        match (call.function.name, &call.arguments[1..]) {
            ("count", []) => parts.count = true,
            ("sum", []) => parts.sum = true,
            ("avg", []) => (parts.count, parts.sum) = (true, true),
            ("min" | "max", []) => parts.extremes = true,
            ("pct", [_]) if approximate => parts.sketch = true,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use insights::{compile, rules::Rules};

    use super::*;

    fn wish(text: &str) -> Option<Wish> {
        Wish::of(&compile(text, &Rules::default()).unwrap().query.commands, false)
    }

    #[test]
    fn counts_sums_means_and_extremes_by_dimensions_and_bins_are_answered() {
        let found = wish(
            "filter Type = \"Task\" and not (Family like /web/ or Service in [\"a\", \"b\"]) \
             | stats avg(Cpu) as a, max(Cpu) / min(Cpu) * 2 as r, count(*) by Cluster, bin(5m) | filter a > 3 | sort a",
        )
        .unwrap();
        assert_eq!(
            found.dimensions.iter().map(String::as_str).collect::<Vec<_>>(),
            ["Cluster", "Family", "Service", "Type"]
        );
        assert_eq!(found.metrics["Cpu"], Parts { count: true, sum: true, extremes: true, sketch: false });
        assert_eq!(found.bins_ms, [300_000]);
        assert!(!found.sketches());
    }

    #[test]
    fn everything_else_is_answered_by_rows() {
        for text in [
            "fields Cpu",
            "filter Cpu > 3",
            "filter @message like /x/ | stats count(*)",
            "filter strlen(Type) = 3 | stats count(*)",
            "filter Type in (SOURCE \"g\" | stats count(*) by Type) | stats count(*)",
            "fields Cpu * 2 as c | stats avg(c)",
            "stats avg(Cpu * 2)",
            "stats stddev(Cpu)",
            "stats pct(Cpu, 95)",
            "stats count_distinct(Type)",
            "stats latest(Cpu)",
            "stats count(*) by @logStream",
            "stats count(*) by Cpu > 3",
            "parse Type \"*a\" as x | stats count(*) by x",
        ] {
            let compiled = compile(text, &Rules::default());
            assert_eq!(compiled.ok().and_then(|it| Wish::of(&it.query.commands, false)), None, "{text}");
        }
        let percentile = compile("stats pct(Cpu, 95) by bin(1h)", &Rules::default()).unwrap();
        assert!(Wish::of(&percentile.query.commands, true).unwrap().sketches());
    }
}
