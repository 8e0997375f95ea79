//! Expressions: functions and their arguments, aggregates and where they stand, kinds of values.

use crate::{
    ast::{Call, Comparison, Expr, ExprKind, In, LikePattern, Operator, Place, Query},
    error::{ErrorKind, Fault, Outcome},
    function::{Argument, Class, Kind},
    limits::CASE_BRANCHES_MAX,
    period::{Period, Unit},
};

use super::Checker;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Over one row.
    Row,
    /// Inside of an aggregate.
    Aggregate,
    /// After `by`.
    Group,
}

impl Checker<'_> {
    pub(super) fn expr(&mut self, expr: &Expr, standing: Standing) -> Outcome<Kind> {
        Ok(match &expr.kind {
            ExprKind::Number(_) => Kind::Number,
            ExprKind::Text(_) => Kind::Text,
            ExprKind::Boolean(_) => Kind::Boolean,
            ExprKind::Period(period) => {
                let message = format!("a period such as `{period}` stands only in functions that take one");
                return Err(Fault::new(ErrorKind::Argument, expr.span, message));
            }
            ExprKind::Field(path) => self.scope.field(path, expr.span, self.command)?,
            ExprKind::Call(call) => self.call(call, expr, standing)?,
            ExprKind::Negative(of) => {
                let kind = self.expr(of, standing)?;
                self.plain(of, kind, "a number");
                Kind::Number
            }
            ExprKind::Not(of) => {
                self.expr(of, standing)?;
                Kind::Boolean
            }
            ExprKind::Arithmetic(left, operator, right) => {
                for side in [left, right] {
                    let kind = self.expr(side, standing)?;
                    self.plain(side, kind, "a number");
                    self.no_words(side, *operator);
                }
                Kind::Number
            }
            ExprKind::Compare(left, comparison, right) => {
                for side in [left, right] {
                    let kind = self.expr(side, standing)?;
                    self.plain(side, kind, "comparable");
                    self.no_null(side, expr, *comparison);
                }
                Kind::Boolean
            }
            ExprKind::Logic(_, all) => {
                for one in all {
                    self.expr(one, standing)?;
                    self.no_constant(one);
                }
                Kind::Boolean
            }
            ExprKind::Like(like) => {
                let kind = self.expr(&like.of, standing)?;
                self.plain(&like.of, kind, "a text");
                if let LikePattern::Text(text) = &like.pattern
                    && text.len() > 1
                    && (text.starts_with(['%', '*']) || text.ends_with(['%', '*']))
                {
                    let message = "`%` and `*` are plain characters here: `like` finds the text anywhere";
                    self.hint(expr.span, message, Some(format!("\"{}\"", text.trim_matches(['%', '*']))));
                }
                Kind::Boolean
            }
            ExprKind::In(within) => {
                self.within(within, standing)?;
                Kind::Boolean
            }
        })
    }

    fn within(&mut self, within: &In, standing: Standing) -> Outcome<()> {
        let kind = self.expr(&within.of, standing)?;
        self.plain(&within.of, kind, "comparable");
        match &within.place {
            Place::List(list) => {
                for one in list {
                    self.expr(one, standing)?;
                    if let ExprKind::Field(path) = &one.kind {
                        let message = format!("`{}` is a field; a text stands in quotes", path.flat());
                        self.hint(one.span, message, Some(format!("\"{}\"", path.flat())));
                    }
                }
                Ok(())
            }
            Place::Subquery(query) => self.one_column(query, within),
        }
    }

    /// A subquery whose values are looked in.
    pub(super) fn one_column(&mut self, query: &Query, within: &In) -> Outcome<()> {
        let inner = self.subquery(query)?;
        if inner.columns.len() != 1 {
            let message = format!("the subquery gives {} columns, `in` takes one", inner.columns.len());
            return Err(Fault::new(ErrorKind::Argument, within.of.span, message).or("| fields …"));
        }
        Ok(())
    }

    fn call(&mut self, call: &Call, expr: &Expr, standing: Standing) -> Outcome<Kind> {
        let function = call.function;
        let name = function.name;
        match (function.class, standing) {
            (Class::Aggregate, Standing::Row | Standing::Group) => {
                let message = match standing {
                    Standing::Group => format!("`{name}` is an aggregate and cannot stand after `by`"),
                    _ => format!("`{name}` is an aggregate and stands in `stats` only"),
                };
                let typed = expr.span.of(self.text);
                return Err(Fault::new(ErrorKind::Aggregate, call.name_span, message).or(format!("stats {typed}")));
            }
            (Class::Aggregate, Standing::Aggregate) => {
                let message = format!("`{name}` is an aggregate inside of another one");
                return Err(Fault::new(ErrorKind::Aggregate, call.name_span, message));
            }
            (Class::Group, Standing::Row | Standing::Aggregate) => {
                let message = format!("`{name}` stands after `by` only");
                return Err(Fault::new(ErrorKind::Aggregate, call.name_span, message));
            }
            _ => {}
        }
        self.arguments(call, expr, standing)?;
        Ok(function.result)
    }

    /// The arguments of a call, which may be an aggregate.
    pub(super) fn arguments(&mut self, call: &Call, expr: &Expr, standing: Standing) -> Outcome<()> {
        let function = call.function;
        let name = function.name;
        self.counted(call, expr)?;
        if function.reads_time() && !self.scope.has("@timestamp") {
            let message = format!("`{name}` reads `@timestamp`, which does not exist after this `stats`");
            return Err(Fault::new(ErrorKind::UnknownField, call.name_span, message).or("datefloor"));
        }
        if function.reads_time() && self.scope.is_open() {
            self.scope.reads.fields.insert("@timestamp".to_owned());
        }
        self.each_argument(call, &mut |checker, argument| {
            let kind = checker.expr(argument, standing)?;
            if function.is_aggregate() {
                checker.no_structure(argument, kind, name)?;
            }
            Ok(kind)
        })
    }

    /// Whether there are as many arguments as the function takes.
    pub(super) fn counted(&self, call: &Call, expr: &Expr) -> Outcome<()> {
        let function = call.function;
        let name = function.name;
        if call.star && !matches!(name, "count" | "countOverTime") {
            let message = format!("`{name}` takes no `*`");
            return Err(Fault::new(ErrorKind::ArgumentCount, expr.span, message));
        }
        let count = call.arguments.len() + usize::from(call.star);
        if count < function.least || count > function.most {
            let wanted = match (function.least, function.most) {
                (least, most) if least == most => format!("{least}"),
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) => format!("{least} to {most}"),
            };
            let message = format!("`{name}` takes {wanted} arguments, not {count}");
            return Err(Fault::new(ErrorKind::ArgumentCount, expr.span, message));
        }
        if name == "case" && count / 2 > CASE_BRANCHES_MAX {
            let message = format!("`case` with more than {CASE_BRANCHES_MAX} branches");
            return Err(Fault::new(ErrorKind::Limit, expr.span, message));
        }
        Ok(())
    }

    /// Periods and counts, which are written as such, and the others as they are checked where the call stands.
    pub(super) fn each_argument(
        &mut self,
        call: &Call,
        check: &mut dyn FnMut(&mut Self, &Expr) -> Outcome<Kind>,
    ) -> Outcome<()> {
        let name = call.function.name;
        for (position, argument) in call.arguments.iter().enumerate() {
            match call.function.argument(position) {
                Argument::Period => self.period(argument, name)?,
                Argument::Count => self.count(argument, name)?,
                wanted => {
                    let kind = check(self, argument)?;
                    match wanted {
                        Argument::Number => self.plain(argument, kind, "a number"),
                        Argument::Text => self.plain(argument, kind, "a text"),
                        Argument::Time => self.plain(argument, kind, "a time"),
                        _ => {}
                    }
                }
            }
        }
        self.literal_arguments(call)
    }

    /// What can be said of arguments that are written as such.
    fn literal_arguments(&mut self, call: &Call) -> Outcome<()> {
        match (call.function.name, call.arguments.as_slice()) {
            ("pct", [_, rank]) => {
                let typed = match &rank.kind {
                    ExprKind::Number(number) => number.value().number(),
                    ExprKind::Negative(of) => match &of.kind {
                        ExprKind::Number(number) => number.value().number().map(|number| -number),
                        _ => None,
                    },
                    _ => None,
                };
                if typed.is_some_and(|rank| !(0.0..=100.0).contains(&rank)) {
                    return Err(Fault::new(ErrorKind::Argument, rank.span, "a percentile is from 0 to 100"));
                }
            }
            ("regexReplace", [_, pattern, _]) => {
                if let ExprKind::Text(source) = &pattern.kind {
                    crate::regex::Regex::compile(source, pattern.span)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn period(&mut self, argument: &Expr, name: &str) -> Outcome<()> {
        match &argument.kind {
            // In a rate it is what is counted for, not a bin.
            ExprKind::Period(period) if matches!(name, "rate" | "countOverTime" | "sumOverTime") => {
                period.lasting(argument.span).map(drop)
            }
            ExprKind::Period(period) => {
                if period.effective() != period.amount {
                    let acts = Period { amount: period.effective(), unit: period.unit };
                    let message = format!("`{period}` acts as `{acts}`, the most of this unit");
                    self.hint(argument.span, message, longer(*period).map(|it| it.to_string()));
                }
                Ok(())
            }
            kind => {
                let fault =
                    Fault::new(ErrorKind::Argument, argument.span, format!("`{name}` takes a period such as `5m`"));
                Err(match kind {
                    ExprKind::Number(number) => fault.or(format!("{}m", number.0)),
                    ExprKind::Text(text) => fault.or(text.clone()),
                    _ => fault,
                })
            }
        }
    }

    fn count(&mut self, argument: &Expr, name: &str) -> Outcome<()> {
        let count = match &argument.kind {
            ExprKind::Number(number) => number.count(),
            _ => None,
        };
        if count.is_some_and(|count| (1..=10_000).contains(&count)) {
            return Ok(());
        }
        let message = format!("`{name}` takes a whole number from 1 to 10000");
        Err(Fault::new(ErrorKind::Argument, argument.span, message))
    }

    /// A list or a map where none may stand.
    pub(super) fn no_structure(&self, expr: &Expr, kind: Kind, name: &str) -> Outcome<()> {
        if matches!(kind, Kind::List | Kind::Structure) {
            let message = format!("`{name}` takes no list and no map, only what is inside of them");
            return Err(Fault::new(ErrorKind::Argument, expr.span, message));
        }
        Ok(())
    }

    fn plain(&mut self, expr: &Expr, kind: Kind, wanted: &str) {
        if matches!(kind, Kind::List | Kind::Structure) {
            self.hint(expr.span, format!("a list or a map is not {wanted}"), None);
        }
    }

    fn no_words(&mut self, side: &Expr, operator: Operator) {
        if let ExprKind::Text(text) = &side.kind
            && crate::value::number_of_text(text).is_none()
        {
            let instead = (operator == Operator::Add).then(|| "concat(…)".to_owned());
            self.hint(side.span, format!("`{operator}` with a text that is no number is always null"), instead);
        }
    }

    /// `x = null` compares with a field of that name.
    fn no_null(&mut self, side: &Expr, whole: &Expr, comparison: Comparison) {
        if let ExprKind::Field(path) = &side.kind
            && path.single().is_some_and(|name| name.eq_ignore_ascii_case("null"))
        {
            let not = if comparison == Comparison::Equal { "not " } else { "" };
            let message = "`null` is a field here, and a comparison with null is not true";
            self.hint(whole.span, message, Some(format!("{not}ispresent(…)")));
        }
    }

    pub(super) fn no_constant(&mut self, expr: &Expr) {
        if matches!(expr.kind, ExprKind::Text(_) | ExprKind::Number(_)) {
            self.hint(expr.span, "a constant is the same condition for every row", None);
        }
    }

    /// A text in quotes where a field was meant.
    pub(super) fn no_text(&mut self, expr: &Expr) {
        if let ExprKind::Text(text) = &expr.kind {
            let message = "a text in quotes is the same in every row; a field stands plain or in backticks";
            self.hint(expr.span, message, Some(format!("`{text}`")));
        }
    }
}

/// A period of a longer unit that lasts as long.
fn longer(period: Period) -> Option<Period> {
    let millis = period.millis()?;
    [Unit::Second, Unit::Minute, Unit::Hour, Unit::Day].into_iter().find_map(|unit| {
        let one = Period { amount: 1, unit }.millis()?;
        let amount = u32::try_from(millis / one).ok().filter(|_| millis % one == 0)?;
        let longer = Period { amount, unit };
        (longer.effective() == amount && longer != period).then_some(longer)
    })
}
