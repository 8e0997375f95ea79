//! What commands are told: items, names, fields, options.

use crate::{
    ast::{Expr, FieldRef, Item, Name, Spanned},
    error::{ErrorKind, Fault, Outcome},
    lexer::{Sign, TokenKind},
    period::Period,
    span::Span,
};

use super::Parser;

impl Parser {
    /// At least one, with commas between them.
    pub(super) fn several<T>(&mut self, one: impl Fn(&mut Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.sign(Sign::Comma) {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// Whether the command ends here.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek().kind, TokenKind::End | TokenKind::Sign(Sign::Pipe | Sign::Close))
    }

    pub(super) fn item(&mut self) -> Outcome<Item> {
        Ok(Item { expr: self.expr()?, name: self.maybe_name()? })
    }

    /// `as NAME`, if it comes next.
    pub(super) fn maybe_name(&mut self) -> Outcome<Option<Name>> {
        if self.word("as") { self.name().map(Some) } else { Ok(None) }
    }

    /// A new name.
    pub(super) fn name(&mut self) -> Outcome<Name> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Path { path, .. } => {
                self.next();
                Ok(Spanned { it: path.flat(), span: token.span })
            }
            TokenKind::Text(text) => {
                let fault = Fault::new(ErrorKind::Syntax, token.span, "a name stands in backticks, not in quotes");
                Err(fault.or(format!("`{text}`")))
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// A field, no expression.
    pub(super) fn field(&mut self) -> Outcome<FieldRef> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Path { .. } if token.is_word("by") => Err(self.unexpected("a field")),
            TokenKind::Path { path, .. } => {
                self.next();
                Ok(Spanned { it: path, span: token.span })
            }
            TokenKind::Text(text) => {
                let fault =
                    Fault::new(ErrorKind::Syntax, token.span, "a field stands in backticks or plain, not in quotes");
                Err(fault.or(format!("`{text}`")))
            }
            _ => Err(self.unexpected("a field")),
        }
    }

    pub(super) fn fields(&mut self) -> Outcome<Vec<FieldRef>> {
        self.several(Self::field)
    }

    pub(super) fn text(&mut self, what: &str) -> Outcome<Spanned<String>> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Text(it) => {
                self.next();
                Ok(Spanned { it, span: token.span })
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// A whole number.
    pub(super) fn count(&mut self, what: &str) -> Outcome<(u64, Span)> {
        let token = self.peek().clone();
        if let TokenKind::Number(number) = &token.kind
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            let Ok(count) = number.parse() else {
                return Err(Fault::new(ErrorKind::Limit, token.span, format!("{what} that is too large")));
            };
            self.next();
            return Ok((count, token.span));
        }
        Err(self.unexpected(what))
    }

    pub(super) fn period(&mut self) -> Outcome<Period> {
        match self.peek().kind {
            TokenKind::Period(period) => {
                self.next();
                Ok(period)
            }
            _ => Err(self.unexpected("a period such as `5m`")),
        }
    }

    /// A period of which every one is as long as any other.
    pub(super) fn lasting_period(&mut self) -> Outcome<Period> {
        let span = self.peek().span;
        self.period()?.lasting(span)
    }

    /// Whether `WORD=` comes next; if so it is passed over.
    pub(super) fn option(&mut self, name: &str) -> bool {
        let comes = self.peek().is_word(name) && self.peek_at(1).is_sign(Sign::Equal);
        if comes {
            self.next();
            self.next();
        }
        comes
    }

    pub(super) fn boolean(&mut self) -> Outcome<bool> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err(self.unexpected("`true` or `false`"))
        }
    }

    /// A number or a text, with a sign perhaps.
    pub(super) fn literal(&mut self) -> Outcome<Expr> {
        match self.peek().kind {
            TokenKind::Number(_) | TokenKind::Text(_) => self.primary(),
            TokenKind::Sign(Sign::Minus) if matches!(self.peek_at(1).kind, TokenKind::Number(_)) => self.unary(),
            TokenKind::Path { .. } if self.peek().is_word("true") || self.peek().is_word("false") => self.primary(),
            _ => Err(match self.peek().word() {
                Some(word) => self.unexpected("a number or a text in quotes").or(format!("\"{word}\"")),
                None => self.unexpected("a number or a text in quotes"),
            }),
        }
    }

    pub(super) fn literals(&mut self) -> Outcome<Vec<Expr>> {
        self.expect(Sign::OpenList)?;
        let all = self.several(Self::literal)?;
        self.expect(Sign::CloseList)?;
        Ok(all)
    }
}
