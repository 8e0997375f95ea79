//! Expressions of the language as expressions of a plan: what DataFusion has itself becomes that, so that files and rows are
//! skipped early; all the rest is evaluated by the language's own evaluator, row by row.

use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{Expr, lit},
};
use insights::{
    ast::{self, ExprKind, In, Like, LikePattern, Logic, Operator, Path, Place},
    value::Value,
};

use super::{
    Operand, Pipeline,
    operand::{definite, joined},
};
use crate::{
    kind::Kind,
    operation::{Evaluation, Operation, Sign, Step},
};

/// What a constant is, if an expression is one as it was typed.
pub(super) fn constant_of(expr: &ast::Expr) -> Option<Value> {
    match &expr.kind {
        ExprKind::Number(number) => Some(number.value()),
        ExprKind::Text(text) => Some(Value::Text(text.clone())),
        ExprKind::Boolean(truth) => Some(Value::Boolean(*truth)),
        ExprKind::Negative(of) => match constant_of(of)? {
            // For the engine minus zero is another number.
            Value::Number(number) => Some(Value::Number(0.0 - number)),
            _ => None,
        },
        _ => None,
    }
}

impl Pipeline<'_> {
    /// An expression over the rows of this pipeline.
    pub(crate) fn lower(&self, expr: &ast::Expr) -> Result<Operand> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(match number.value() {
                value @ Value::Number(_) => Operand::constant(Kind::Number, &value),
                value => Operand::constant(Kind::Text, &value),
            }),
            ExprKind::Text(text) => Ok(Operand::constant(Kind::Text, &Value::Text(text.clone()))),
            ExprKind::Boolean(truth) => Ok(Operand::constant(Kind::Truth, &Value::Boolean(*truth))),
            ExprKind::Period(period) => Ok(Operand::constant(Kind::Text, &Value::Text(period.to_string()))),
            ExprKind::Field(path) => Ok(self.field(path)),
            ExprKind::Call(call) => self.call(call, expr),
            ExprKind::Negative(of) => {
                let of = self.lower(of)?;
                let zero = lit(0.0);
                let size = of.size + 2;
                let expr = self.operation(
                    Operation::Arithmetic(Sign::of(Operator::Subtract)),
                    vec![zero, of.number(self.setting())],
                );
                Ok(Operand::new(expr, Kind::Number, size))
            }
            ExprKind::Arithmetic(left, operator, right) => {
                let (left, right) = (self.lower(left)?, self.lower(right)?);
                let size = left.size + right.size + 1;
                let arguments = vec![left.number(self.setting()), right.number(self.setting())];
                Ok(Operand::new(
                    self.operation(Operation::Arithmetic(Sign::of(*operator)), arguments),
                    Kind::Number,
                    size,
                ))
            }
            ExprKind::Not(of) if self.rules().not_keeps_null => {
                let _ = of;
                self.evaluated(expr)
            }
            ExprKind::Not(of) => {
                let of = self.lower(of)?;
                let size = of.size + 1;
                Ok(Operand::new(Expr::Not(Box::new(definite(of.condition(self.setting())))), Kind::Truth, size))
            }
            ExprKind::Compare(left, comparison, right) => self.compare(expr, left, *comparison, right),
            ExprKind::Logic(logic, all) => {
                let mut conditions = Vec::with_capacity(all.len());
                let mut size = all.len();
                for one in all {
                    let operand = self.lower(one)?;
                    size += operand.size;
                    conditions.push(operand.condition(self.setting()));
                }
                Ok(Operand::new(joined(conditions, *logic == Logic::Any), Kind::Truth, size))
            }
            ExprKind::Like(like) => self.like(expr, like),
            ExprKind::In(within) => self.within(expr, within),
        }
    }

    /// A condition that is null or false where it does not hold.
    pub(crate) fn condition(&self, expr: &ast::Expr) -> Result<Expr> {
        Ok(self.lower(expr)?.condition(self.setting()))
    }

    /// The value at the end of a path.
    pub(crate) fn field(&self, path: &Path) -> Operand {
        let flat = path.flat();
        if let Some(operand) = self.scope.get(&flat) {
            return operand.clone();
        }
        if path.parts.len() > 1 {
            if let Some(root) = self.scope.get(path.root()) {
                return self.inside(&root.clone(), path);
            }
            if let Some((left, right)) = &self.sides {
                let own = Path { parts: path.parts[1..].to_vec() };
                if path.root() == left && matches!(own.parts.first(), Some(ast::Part::Name(_))) {
                    return self.field(&own);
                }
                if path.root() == right {
                    return Operand::null();
                }
            }
        }
        Operand::null()
    }

    fn inside(&self, root: &Operand, path: &Path) -> Operand {
        if root.kind != Kind::Any {
            return Operand::null();
        }
        let rest = &path.parts[1..];
        let operation = if root.is_flat {
            Operation::Pick(Path { parts: rest.to_vec() }.flat())
        } else {
            Operation::Inside(rest.iter().map(Step::from).collect())
        };
        Operand::new(self.operation(operation, vec![root.expr.clone()]), Kind::Any, root.size + 1)
    }

    /// The whole expression, computed by the evaluator of the language.
    pub(crate) fn evaluated(&self, expr: &ast::Expr) -> Result<Operand> {
        let kind = match &expr.kind {
            ExprKind::Call(call) => Kind::of_function(call.function.result),
            ExprKind::Number(_) | ExprKind::Negative(_) | ExprKind::Arithmetic(..) => Kind::Number,
            ExprKind::Field(_) => Kind::Any,
            ExprKind::Text(_) | ExprKind::Period(_) => Kind::Text,
            _ => Kind::Truth,
        };
        let mut arguments: Vec<Expr> = Vec::new();
        let mut known: Vec<Path> = Vec::new();
        let mut size = 1;
        let rewritten = expr.rewritten(&mut |part| {
            let path = match &part.kind {
                ExprKind::Field(path) => path.clone(),
                ExprKind::Call(call) if call.function.name == "bin" => {
                    // The evaluator would look for `@timestamp` in the row; here it is an argument like others.
                    let period = call.arguments.first()?.clone();
                    let time = Path::named("@timestamp");
                    let position = self.argument(&time, &mut known, &mut arguments, &mut size);
                    let field = ast::Expr::new(ExprKind::Field(Evaluation::argument(position)), part.span);
                    let floor = ast::Call {
                        function: insights::function::named("datefloor")?,
                        arguments: vec![field, period],
                        ..call.clone()
                    };
                    return Some(ExprKind::Call(floor));
                }
                _ => {
                    size += 1;
                    return None;
                }
            };
            let position = self.argument(&path, &mut known, &mut arguments, &mut size);
            Some(ExprKind::Field(Evaluation::argument(position)))
        });
        let evaluation = Evaluation::new(rewritten, kind, self.planner.subqueries_in(expr));
        if arguments.is_empty() {
            let value = evaluation.constant(&self.setting().context());
            return Ok(Operand::new(Expr::Literal(kind.constant(&value), None), kind, 1));
        }
        Ok(Operand::new(self.operation(Operation::Evaluate(evaluation), arguments), kind, size))
    }

    fn argument(&self, path: &Path, known: &mut Vec<Path>, arguments: &mut Vec<Expr>, size: &mut usize) -> usize {
        if let Some(position) = known.iter().position(|it| it == path) {
            return position;
        }
        let operand = self.field(path);
        *size += operand.size;
        known.push(path.clone());
        arguments.push(operand.value_of_condition());
        arguments.len() - 1
    }

    fn like(&self, expr: &ast::Expr, like: &Like) -> Result<Operand> {
        let of = self.lower(&like.of)?;
        if of.kind != Kind::Text || !self.has_plain_conditions() {
            return self.evaluated(expr);
        }
        let size = of.size + 2;
        let found = match &like.pattern {
            LikePattern::Text(text) => super::function::contains(of.expr, text),
            LikePattern::Regex(regex) => datafusion::logical_expr::binary_expr(
                of.expr,
                datafusion::logical_expr::Operator::RegexMatch,
                lit(ScalarValue::Utf8View(Some(regex.program().as_str().to_owned()))),
            ),
        };
        // Of null both are null, and null is not true.
        let expr = if like.negated { Expr::Not(Box::new(found)) } else { found };
        Ok(Operand::new(expr, Kind::Truth, size))
    }

    fn within(&self, expr: &ast::Expr, within: &In) -> Result<Operand> {
        if !self.has_plain_conditions() {
            return self.evaluated(expr);
        }
        let of = self.lower(&within.of)?;
        let size = of.size + 1;
        let list = match &within.place {
            Place::Subquery(query) => {
                let mut values: Vec<Vec<u8>> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                for value in self.planner.values_of(query) {
                    let bytes = crate::cells::encoded(value);
                    if seen.insert(bytes.clone()) {
                        values.push(bytes);
                    }
                }
                let among = self.operation(Operation::IsAmong(values), vec![of.value_of_condition()]);
                let expr = if within.negated { Expr::Not(Box::new(among)) } else { definite(among) };
                return Ok(Operand::new(expr, Kind::Truth, size));
            }
            Place::List(list) => list,
        };
        let constants: Option<Vec<Value>> = list.iter().map(constant_of).collect();
        if let Some(constants) = constants
            && let Some(list) = constants_of_kind(of.kind, &constants)
            && of.variants.is_empty()
            && !(of.kind == Kind::Text && self.rules().numeric_texts_equal)
        {
            if list.is_empty() {
                let expr = if within.negated { of.expr.is_not_null() } else { lit(false) };
                return Ok(Operand::new(expr, Kind::Truth, size));
            }
            let size = size + list.len();
            return Ok(Operand::new(of.expr.in_list(list, within.negated), Kind::Truth, size));
        }
        self.evaluated(expr)
    }

    /// Whether conditions with null are those of a plan: null is not true, and nothing else.
    pub(super) fn has_plain_conditions(&self) -> bool {
        !self.rules().null_differs && !self.rules().not_keeps_null
    }
}

/// Constants of the type of a column, if each of them is equal to a value of the column exactly if the constant is.
fn constants_of_kind(kind: Kind, values: &[Value]) -> Option<Vec<Expr>> {
    let one = |value: &Value| match (kind, value) {
        (Kind::Text, Value::Text(_)) => Some(Expr::Literal(kind.constant(value), None)),
        // For the engine there are two zeros.
        (Kind::Number, Value::Number(number)) if *number != 0.0 => Some(Expr::Literal(kind.constant(value), None)),
        (Kind::Integer, Value::Number(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(lit(*number as i64))
        }
        _ => None,
    };
    values.iter().map(one).collect()
}
