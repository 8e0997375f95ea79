//! `pattern` and `diff`.

use std::collections::BTreeMap;

use datafusion::{
    common::Result,
    logical_expr::{Expr, LogicalPlanBuilder, lit},
};
use insights::{
    Checked,
    ast::{self, Command, TimeShift, Verb},
};
use telemetry::snapshot::Group;

use super::{Operand, Pipeline, Planner, Window, column};
use crate::{
    aggregate::{Aggregation, templates as patterns},
    kind::Kind,
    operation::{ELEMENT, Operation, Step},
};

const DAY_MS: i64 = 86_400_000;

/// The commands before a `pattern` that a `diff` follows, the pattern, the shift, and the commands after both.
pub(super) fn of_diff(commands: &[Command]) -> Option<(&[Command], &ast::Expr, TimeShift, &[Command])> {
    let at = commands
        .windows(2)
        .position(|pair| matches!((&pair[0].verb, &pair[1].verb), (Verb::Pattern(_), Verb::Diff(_))))?;
    match (&commands[at].verb, &commands[at + 1].verb) {
        (Verb::Pattern(of), Verb::Diff(shift)) => Some((&commands[..at], of, *shift, &commands[at + 2..])),
        _ => None,
    }
}

/// The time that another one is compared with.
fn shifted(window: Window, shift: TimeShift) -> Window {
    let by = match shift {
        TimeShift::Before => window.to_ms.saturating_sub(window.from_ms).saturating_add(1),
        TimeShift::PreviousDay => DAY_MS,
        TimeShift::PreviousWeek => 7 * DAY_MS,
        TimeShift::PreviousMonth => {
            // The same day of the month before; the last one, where that has fewer days.
            let moved = jiff::Timestamp::from_millisecond(window.from_ms).ok().and_then(|from| {
                let before = from.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(jiff::Span::new().months(1)).ok()?;
                Some(window.from_ms - before.timestamp().as_millisecond())
            });
            moved.unwrap_or(30 * DAY_MS)
        }
    };
    Window { from_ms: window.from_ms.saturating_sub(by), to_ms: window.to_ms.saturating_sub(by) }
}

/// The patterns of a time and of the one that it is compared with.
pub(super) fn compared<'p>(
    planner: &'p Planner<'_>,
    groups: &[&Group],
    window: Window,
    checked: &Checked,
    before: &[Command],
    of: &ast::Expr,
    shift: TimeShift,
) -> Result<Pipeline<'p>> {
    let text = planner.name();
    let flag = planner.name();
    let mut sides = Vec::new();
    for (is_before, window) in [(false, window), (true, shifted(window, shift))] {
        let mut side = Pipeline::records(planner, groups, &checked.reads, window)?;
        for command in before {
            side.command(command)?;
        }
        let of = side.lower(of)?.value_of_condition();
        side.build(|plan| plan.project([of.alias(&text), lit(is_before).alias(&flag)]))?;
        sides.push(side);
    }
    let (Some(other), Some(mut both)) = (sides.pop(), sides.pop()) else {
        return datafusion::common::plan_err!("`diff` compares two times");
    };
    both.build(|plan| plan.union(other.plan))?;
    both.patterns(vec![column(&text), column(&flag)])?;
    let count = |name: &str| both.inside_of_pattern(name);
    let (now, then) = (count(patterns::COUNT), count(patterns::BEFORE));
    let number = |operand: &Operand| operand.number(both.setting());
    let difference = both.operation(
        Operation::Arithmetic(crate::operation::Sign::of(ast::Operator::Subtract)),
        vec![number(&now), number(&then)],
    );
    both.set("@previousSampleCount", then)?;
    both.set("@sampleCountDifference", Operand::new(difference, Kind::Number, 5))?;
    both.more = vec!["@previousSampleCount".to_owned(), "@sampleCountDifference".to_owned()];
    Ok(both)
}

impl Pipeline<'_> {
    pub(super) fn pattern(&mut self, of: &ast::Expr) -> Result<()> {
        let of = self.lower(of)?.value_of_condition();
        self.patterns(vec![of])
    }

    /// What is inside of a pattern, whose column is the only one of the plan.
    fn inside_of_pattern(&self, name: &str) -> Operand {
        let Some(each) = self.plan.schema().columns().into_iter().next_back() else {
            return Operand::null();
        };
        let element = datafusion::functions::core::expr_fn::get_field(Expr::Column(each), ELEMENT[1]);
        let inside = self.operation(Operation::Inside(vec![Step::Name(name.to_owned())]), vec![element]);
        Operand::new(inside, Kind::Any, 3)
    }

    fn patterns(&mut self, arguments: Vec<Expr>) -> Result<()> {
        let name = self.planner.name();
        let patterns = self.gathered(Aggregation::Patterns, arguments).alias(&name);
        self.build(|plan| plan.aggregate(Vec::<Expr>::new(), [patterns]))?;
        // Of no texts there is nothing, and that is no pattern.
        self.build(|plan| plan.filter(column(&name).is_not_null()))?;
        let elements = self.operation(Operation::Elements, vec![column(&name)]);
        let each = self.rows_of(elements)?;
        self.build(|plan: LogicalPlanBuilder| plan.project([column(&each)]))?;
        let pick = |name: &str| self.inside_of_pattern(name);
        let number = |operand: Operand| Operand::new(operand.number(self.setting()), Kind::Number, 4);
        let count = number(pick(patterns::COUNT));
        let order = vec![count.expr.clone().sort(false, false), pick(patterns::PATTERN).expr.sort(true, false)];
        let mut scope = BTreeMap::new();
        let text = |operand: Operand| Operand::new(operand.to(Kind::Text, self.setting()), Kind::Text, 4);
        scope.insert("@pattern".to_owned(), text(pick(patterns::PATTERN)));
        scope.insert("@ratio".to_owned(), number(pick(patterns::RATIO)));
        scope.insert("@sampleCount".to_owned(), count);
        scope.insert("@severityLabel".to_owned(), text(pick(patterns::SEVERITY)));
        self.scope = scope;
        self.order = order;
        self.sides = None;
        self.groups.clear();
        self.more.clear();
        Ok(())
    }
}
