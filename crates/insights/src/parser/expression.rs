//! Expressions, by precedence: `or`, `and`, `not`, comparisons, sums, products, powers, signs.

use crate::{
    ast::{Call, Comparison, Expr, ExprKind, In, Like, LikePattern, Logic, NumberLiteral, Operator, Place},
    error::{ErrorKind, Fault, Outcome},
    function,
    lexer::{Sign, TokenKind},
    limits::HEIGHT_MAX,
    span::Span,
};

use super::Parser;

/// Words that cannot be fields without backticks.
const KEYWORDS: [&str; 6] = ["and", "or", "in", "like", "as", "by"];

/// Operators of other languages, and what this one has instead.
const FOREIGN: [(&str, &str); 7] = [
    ("is", "ispresent(…)"),
    ("contains", "like"),
    ("matches", "=~"),
    ("regexp", "=~"),
    ("rlike", "=~"),
    ("ilike", "like /(?i)…/"),
    ("between", ">= … and … <="),
];

impl Parser {
    pub(super) fn expr(&mut self) -> Outcome<Expr> {
        self.enter()?;
        let expr = self.any()?;
        self.depth -= 1;
        Ok(expr)
    }

    fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > HEIGHT_MAX {
            return Err(Self::too_deep(self.peek().span));
        }
        Ok(())
    }

    fn too_deep(span: Span) -> Box<Fault> {
        Fault::new(ErrorKind::Limit, span, format!("an expression that is nested deeper than {HEIGHT_MAX} levels"))
    }

    /// An expression of its parts, unless it becomes too high: a long sum is a tree that leans to the left.
    fn build(kind: ExprKind, span: Span) -> Outcome<Expr> {
        let expr = Expr::new(kind, span);
        if expr.height() > HEIGHT_MAX { Err(Self::too_deep(span)) } else { Ok(expr) }
    }

    fn any(&mut self) -> Outcome<Expr> {
        let first = self.all()?;
        self.chain(Logic::Any, "or", first, Self::all)
    }

    fn all(&mut self) -> Outcome<Expr> {
        let first = self.not()?;
        self.chain(Logic::All, "and", first, Self::not)
    }

    fn chain(&mut self, logic: Logic, word: &str, first: Expr, one: fn(&mut Self) -> Outcome<Expr>) -> Outcome<Expr> {
        if !self.peek().is_word(word) {
            return Ok(first);
        }
        let mut span = first.span;
        let mut all = vec![first];
        while self.word(word) {
            let next = one(self)?;
            span = span.to(next.span);
            all.push(next);
        }
        Self::build(ExprKind::Logic(logic, all), span)
    }

    fn not(&mut self) -> Outcome<Expr> {
        let start = self.peek().span;
        if !self.word("not") && !self.sign(Sign::Bang) {
            return self.comparison();
        }
        self.enter()?;
        let of = self.not()?;
        self.depth -= 1;
        let span = start.to(of.span);
        Self::build(ExprKind::Not(Box::new(of)), span)
    }

    fn comparison_sign(&self) -> Option<Comparison> {
        Some(match self.peek().kind {
            TokenKind::Sign(Sign::Equal) => Comparison::Equal,
            TokenKind::Sign(Sign::NotEqual) => Comparison::NotEqual,
            TokenKind::Sign(Sign::Less) => Comparison::Less,
            TokenKind::Sign(Sign::LessEqual) => Comparison::LessEqual,
            TokenKind::Sign(Sign::Greater) => Comparison::Greater,
            TokenKind::Sign(Sign::GreaterEqual) => Comparison::GreaterEqual,
            _ => return None,
        })
    }

    fn comparison(&mut self) -> Outcome<Expr> {
        let left = self.sum()?;
        let negated = self.peek().is_word("not") && (self.peek_at(1).is_word("like") || self.peek_at(1).is_word("in"));
        if negated {
            self.next();
        }
        let expr = if let Some(comparison) = self.comparison_sign() {
            let sign = self.next();
            if self.peek().is_sign(Sign::Equal) {
                let span = sign.span.to(self.peek().span);
                return Err(Fault::new(ErrorKind::Syntax, span, "two comparisons beside each other")
                    .or(format!("{comparison}")));
            }
            let right = self.sum()?;
            let span = left.span.to(right.span);
            Self::build(ExprKind::Compare(Box::new(left), comparison, Box::new(right)), span)?
        } else if self.word("like") {
            self.like(left, negated, false)?
        } else if self.sign(Sign::Match) {
            self.like(left, false, true)?
        } else if self.word("in") {
            self.within(left, negated)?
        } else {
            if let Some(word) = self.peek().word()
                && let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(word))
            {
                let fault = Fault::new(ErrorKind::Syntax, self.peek().span, format!("`{word}` is no operator here"));
                return Err(fault.or(*instead));
            }
            return Ok(left);
        };
        if self.comparison_sign().is_some() || self.peek().is_sign(Sign::Match) {
            let fault =
                Fault::new(ErrorKind::Syntax, self.peek().span, "two comparisons in a row; join them with `and`");
            return Err(fault.or("and"));
        }
        Ok(expr)
    }

    fn like(&mut self, of: Expr, negated: bool, sign: bool) -> Outcome<Expr> {
        let token = self.peek().clone();
        let pattern = match &token.kind {
            TokenKind::Regex(source) => LikePattern::Regex(self.regex(source, token.span)?),
            TokenKind::Text(text) if sign => {
                let fault =
                    Fault::new(ErrorKind::Syntax, token.span, "`=~` is followed by a regular expression in slashes");
                return Err(fault.or(format!("/{text}/")));
            }
            TokenKind::Text(text) => LikePattern::Text(text.clone()),
            _ => {
                let fault = self.unexpected("a text in quotes or a regular expression between slashes");
                return Err(match token.word() {
                    Some(word) => fault.or(format!("\"{word}\"")),
                    None => fault,
                });
            }
        };
        self.next();
        let span = of.span.to(token.span);
        Self::build(ExprKind::Like(Box::new(Like { of, pattern, negated, sign })), span)
    }

    fn within(&mut self, of: Expr, negated: bool) -> Outcome<Expr> {
        let start = of.span;
        let place = if self.peek().is_sign(Sign::Open) {
            let next = self.peek_at(1);
            if matches!(next.kind, TokenKind::Text(_) | TokenKind::Number(_)) {
                let fault = Fault::new(ErrorKind::Syntax, self.peek().span, "a list stands in brackets, `[…]`");
                return Err(fault.or("["));
            }
            Place::Subquery(self.subquery()?)
        } else {
            self.expect(Sign::OpenList)?;
            let mut list = Vec::new();
            if !self.peek().is_sign(Sign::CloseList) {
                list.push(self.expr()?);
                while self.sign(Sign::Comma) {
                    list.push(self.expr()?);
                }
            }
            if !self.sign(Sign::CloseList) {
                return Err(self.unexpected("`,` or `]`"));
            }
            Place::List(list)
        };
        let span = Span::new(start.start, self.end_before());
        Self::build(ExprKind::In(Box::new(In { of, place, negated })), span)
    }

    fn sum(&mut self) -> Outcome<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek().kind {
                TokenKind::Sign(Sign::Plus) => Operator::Add,
                TokenKind::Sign(Sign::Minus) => Operator::Subtract,
                _ => return Ok(left),
            };
            self.next();
            let right = self.product()?;
            left = Self::arithmetic(left, operator, right)?;
        }
    }

    fn product(&mut self) -> Outcome<Expr> {
        let mut left = self.power()?;
        loop {
            let operator = match self.peek().kind {
                TokenKind::Sign(Sign::Star) => Operator::Multiply,
                TokenKind::Sign(Sign::Slash) => Operator::Divide,
                TokenKind::Sign(Sign::Percent) => Operator::Remainder,
                _ => return Ok(left),
            };
            self.next();
            let right = self.power()?;
            left = Self::arithmetic(left, operator, right)?;
        }
    }

    fn arithmetic(left: Expr, operator: Operator, right: Expr) -> Outcome<Expr> {
        let span = left.span.to(right.span);
        Self::build(ExprKind::Arithmetic(Box::new(left), operator, Box::new(right)), span)
    }

    fn power(&mut self) -> Outcome<Expr> {
        let left = self.unary()?;
        if !self.sign(Sign::Caret) {
            return Ok(left);
        }
        self.enter()?;
        let right = self.power()?;
        self.depth -= 1;
        Self::arithmetic(left, Operator::Power, right)
    }

    pub(super) fn unary(&mut self) -> Outcome<Expr> {
        let start = self.peek().span;
        if !self.sign(Sign::Minus) {
            return self.primary();
        }
        self.enter()?;
        let of = self.unary()?;
        self.depth -= 1;
        let span = start.to(of.span);
        Self::build(ExprKind::Negative(Box::new(of)), span)
    }

    pub(super) fn primary(&mut self) -> Outcome<Expr> {
        let token = self.peek().clone();
        let kind = match token.kind {
            TokenKind::Number(number) => ExprKind::Number(NumberLiteral(number)),
            TokenKind::Period(period) => ExprKind::Period(period),
            TokenKind::Text(text) => ExprKind::Text(text),
            TokenKind::Sign(Sign::Open) => {
                self.next();
                let mut inner = self.expr()?;
                if !self.sign(Sign::Close) {
                    return Err(match self.peek().kind {
                        TokenKind::End => Fault::new(ErrorKind::Syntax, token.span, "a parenthesis that is not closed"),
                        _ => self.unexpected("`)` or an operator"),
                    });
                }
                inner.span = Span::new(token.span.start, self.end_before());
                return Ok(inner);
            }
            TokenKind::Path { path, bare } => match path.single().filter(|_| bare) {
                Some(word) if self.peek_at(1).is_sign(Sign::Open) && !is_keyword(word) => return self.call(),
                Some(word) if is_keyword(word) => return Err(self.unexpected("an expression")),
                Some(word) if word.eq_ignore_ascii_case("true") => ExprKind::Boolean(true),
                Some(word) if word.eq_ignore_ascii_case("false") => ExprKind::Boolean(false),
                _ => ExprKind::Field(path),
            },
            TokenKind::Sign(Sign::Star) => {
                let message = "there is no `*` for all fields; the whole record is `@message`";
                return Err(Fault::new(ErrorKind::Syntax, token.span, message).or("@message"));
            }
            TokenKind::Regex(_) => {
                let message = "a regular expression stands only after `like`, `=~` and `parse`";
                return Err(Fault::new(ErrorKind::Syntax, token.span, message));
            }
            _ => return Err(self.unexpected("an expression")),
        };
        self.next();
        Self::build(kind, token.span)
    }

    fn call(&mut self) -> Outcome<Expr> {
        let token = self.next();
        let name = token.word().unwrap_or_default();
        let Some(function) = function::named(name) else {
            let fault = Fault::new(ErrorKind::UnknownFunction, token.span, format!("there is no function `{name}`"));
            return Err(fault.or_nearest(name, function::names()));
        };
        if function.name == "regexReplace" {
            self.count_regex(token.span)?;
        }
        let open = self.expect(Sign::Open)?;
        let mut arguments = Vec::new();
        let star = self.peek().is_sign(Sign::Star) && self.peek_at(1).is_sign(Sign::Close);
        if star {
            self.next();
        } else if !self.peek().is_sign(Sign::Close) {
            arguments.push(self.expr()?);
            while self.sign(Sign::Comma) {
                arguments.push(self.expr()?);
            }
        }
        if !self.sign(Sign::Close) {
            return Err(match self.peek().kind {
                TokenKind::End => Fault::new(ErrorKind::Syntax, open, "a parenthesis that is not closed"),
                _ => self.unexpected("`,` or `)`"),
            });
        }
        let span = Span::new(token.span.start, self.end_before());
        Self::build(ExprKind::Call(Call { function, name_span: token.span, star, arguments }), span)
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}
