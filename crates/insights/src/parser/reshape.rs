//! Commands that join, fill and number rows.

use crate::{
    ast::{
        AddTotals, AppendColumns, Autoregress, FieldRef, Fill, Join, JoinKind, KeyPair, Lookup, Name, NumberLiteral,
        Outlier, OutlierAction, Output, Sessionize, Spanned,
    },
    error::{ErrorKind, Fault, Outcome},
    lexer::{Sign, TokenKind},
    span::Span,
};

use super::Parser;

/// The most rows that `appendcols` takes over.
const APPENDED_ROWS_MAX: u64 = 100_000;
/// As many as it takes over where none are said.
const APPENDED_ROWS: u32 = 10_000;

impl Parser {
    pub(super) fn lookup(&mut self, network: bool) -> Outcome<Lookup> {
        let table = self.table_name()?;
        let pair = |parser: &mut Self| -> Outcome<KeyPair> {
            let first = parser.field()?;
            let second = if parser.word("as") { Some(parser.field()?) } else { None };
            Ok(KeyPair { first, second })
        };
        let keys = if network { vec![pair(self)?] } else { self.several(pair)? };
        let overwrite = if self.word("output") {
            true
        } else if self.word("outputnew") {
            false
        } else {
            return Err(self.unexpected("`OUTPUT` or `OUTPUTNEW` and columns of the table"));
        };
        let outputs = self.several(|parser| Ok(Output { column: parser.field()?, name: parser.maybe_name()? }))?;
        Ok(Lookup { network, table, keys, overwrite, outputs })
    }

    /// The name of a table: letters, digits, `-` and `_`, in backticks or not.
    fn table_name(&mut self) -> Outcome<Name> {
        let begin = self.peek().span;
        let mut name = String::new();
        let mut end = begin.start;
        loop {
            let token = self.peek().clone();
            let piece = match &token.kind {
                _ if end != token.span.start => break,
                TokenKind::Path { path, .. } => path.flat(),
                TokenKind::Number(number) => number.clone(),
                TokenKind::Sign(Sign::Minus) => "-".to_owned(),
                _ => break,
            };
            name.push_str(&piece);
            end = token.span.end;
            self.next();
        }
        if name.is_empty() {
            return Err(self.unexpected("the name of a table"));
        }
        let span = Span::new(begin.start, end);
        if !name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')) {
            let message = "a table's name has letters, digits, `-` and `_` only";
            return Err(Fault::new(ErrorKind::Argument, span, message));
        }
        Ok(Spanned { it: name, span })
    }

    pub(super) fn join(&mut self) -> Outcome<Join> {
        let mut kind = None;
        let mut left = None;
        let mut right = None;
        loop {
            if self.option("type") {
                kind = Some(if self.word("inner") {
                    JoinKind::Inner
                } else if self.word("left") {
                    JoinKind::Left
                } else {
                    return Err(self.unexpected("`inner` or `left`"));
                });
            } else if self.option("left") {
                left = Some(self.name()?);
            } else if self.option("right") {
                right = Some(self.name()?);
            } else {
                break;
            }
        }
        let (Some(left), Some(right)) = (left, right) else {
            return Err(self.unexpected("`type=`, `left=` and `right=`"));
        };
        if !self.word("where") && !self.word("on") {
            return Err(self.unexpected("`where`"));
        }
        let mut on = Vec::new();
        loop {
            on.push(self.join_pair(&left, &right)?);
            if !self.word("and") {
                break;
            }
        }
        Ok(Join { kind: kind.unwrap_or(JoinKind::Inner), left, right, on, query: self.subquery()? })
    }

    /// `l.k = r.k`, either side first; the left one comes first in the tree.
    fn join_pair(&mut self, left: &Name, right: &Name) -> Outcome<(FieldRef, FieldRef)> {
        let one = self.field()?;
        self.expect(Sign::Equal).map_err(|_| self.unexpected("`=`: only equal values are joined"))?;
        let other = self.field()?;
        let side = |field: &FieldRef, name: &Name| field.it.parts.len() > 1 && field.it.root() == name.it;
        if side(&one, left) && side(&other, right) {
            Ok((one, other))
        } else if side(&one, right) && side(&other, left) {
            Ok((other, one))
        } else {
            let message = format!("fields begin with `{}.` on one side and `{}.` on the other", left.it, right.it);
            Err(Fault::new(ErrorKind::UnknownField, one.span.to(other.span), message))
        }
    }

    pub(super) fn append_columns(&mut self) -> Outcome<AppendColumns> {
        let mut replace = false;
        let mut rows_max = APPENDED_ROWS;
        loop {
            if self.option("override") {
                replace = self.boolean()?;
            } else if self.option("max") {
                let (rows, span) = self.count("a whole number of rows")?;
                if rows == 0 || rows > APPENDED_ROWS_MAX {
                    let message = format!("`max` is from 1 to {APPENDED_ROWS_MAX}");
                    return Err(Fault::new(ErrorKind::Limit, span, message));
                }
                rows_max = u32::try_from(rows).unwrap_or(u32::MAX);
            } else {
                break;
            }
        }
        Ok(AppendColumns { replace, rows_max, query: self.subquery()? })
    }

    pub(super) fn autoregress(&mut self) -> Outcome<Autoregress> {
        let field = self.field()?;
        let name = self.maybe_name()?;
        let mut lags = (1, 1);
        if self.option("p") {
            let (from, at) = self.count("how many rows before")?;
            let to = if self.sign(Sign::Minus) { self.count("how many rows before")?.0 } else { from };
            let lag = |rows: u64| u32::try_from(rows).ok().filter(|rows| (1..=1_000).contains(rows));
            let (Some(from), Some(to)) = (lag(from), lag(to)) else {
                return Err(Fault::new(ErrorKind::Limit, at, "`p` is from 1 to 1000 rows"));
            };
            if from > to {
                return Err(Fault::new(ErrorKind::Argument, at, "`p` counts from the smaller to the larger"));
            }
            lags = (from, to);
        }
        Ok(Autoregress { field, name, lags })
    }

    pub(super) fn several_fills(&mut self) -> Outcome<Vec<Fill>> {
        let mut fills = Vec::new();
        loop {
            let value = self.literal()?;
            self.expect_word("for")?;
            let mut fields = vec![self.field()?];
            // After a comma comes another field, or another value and its fields.
            while self.peek().is_sign(Sign::Comma) && matches!(self.peek_at(1).kind, TokenKind::Path { .. }) {
                if self.peek_at(2).is_word("for") {
                    break;
                }
                self.next();
                fields.push(self.field()?);
            }
            fills.push(Fill { value, fields });
            if !self.sign(Sign::Comma) {
                return Ok(fills);
            }
        }
    }

    pub(super) fn outlier(&mut self) -> Outcome<Outlier> {
        let mut outlier =
            Outlier { action: OutlierAction::Transform, factor: None, low: false, mark: false, fields: Vec::new() };
        loop {
            if self.option("action") {
                outlier.action = if self.word("transform") {
                    OutlierAction::Transform
                } else if self.word("remove") {
                    OutlierAction::Remove
                } else {
                    return Err(self.unexpected("`transform` or `remove`"));
                };
            } else if self.option("param") {
                let token = self.peek().clone();
                let TokenKind::Number(number) = token.kind else {
                    return Err(self.unexpected("a number"));
                };
                self.next();
                outlier.factor = Some(NumberLiteral(number));
            } else if self.option("uselower") {
                outlier.low = self.boolean()?;
            } else if self.option("mark") {
                outlier.mark = self.boolean()?;
            } else {
                break;
            }
        }
        outlier.fields = self.fields()?;
        Ok(outlier)
    }

    pub(super) fn sessionize(&mut self) -> Outcome<Sessionize> {
        let fields = self.fields()?;
        let gap_max = if self.word("maxspan") {
            self.sign(Sign::Equal);
            Some(self.lasting_period()?)
        } else {
            None
        };
        Ok(Sessionize { fields, gap_max, name: self.maybe_name()? })
    }

    pub(super) fn add_totals(&mut self) -> Outcome<AddTotals> {
        let mut totals = AddTotals { name: None, row: true, column: false, fields: Vec::new() };
        loop {
            if self.option("fieldname") {
                totals.name = Some(self.name()?.it);
            } else if self.option("row") {
                totals.row = self.boolean()?;
            } else if self.option("col") {
                totals.column = self.boolean()?;
            } else {
                break;
            }
        }
        if !self.at_end() {
            totals.fields = self.fields()?;
        }
        Ok(totals)
    }
}
