//! Commands that take values out of texts: `parse` and `json`.

use crate::{
    ast::{Expr, Name, Parse, ParseMode, Spanned, Verb},
    error::{ErrorKind, Fault, Outcome},
    extract::{XmlPath, glob_stars},
    lexer::{Sign, TokenKind},
};

use super::Parser;

impl Parser {
    pub(super) fn parse_command(&mut self) -> Outcome<Parse> {
        let of = self.subject()?;
        let token = self.peek().clone();
        let mode = match token.kind {
            TokenKind::Text(it) => {
                self.next();
                if !self.peek().is_word("as") {
                    return Err(self.unexpected("`as` and a name for each `*`"));
                }
                let names = self.names_after_as()?;
                let stars = glob_stars(&it);
                if stars != names.len() {
                    let message = format!("the pattern has {stars} `*`, and {} names follow", names.len());
                    return Err(Fault::new(ErrorKind::ArgumentCount, token.span, message));
                }
                ParseMode::Glob(Spanned { it, span: token.span }, names)
            }
            TokenKind::Regex(source) => {
                self.next();
                let regex = self.regex(&source, token.span)?;
                let names = if self.peek().is_word("as") { self.names_after_as()? } else { Vec::new() };
                let named = regex.names().count();
                if names.is_empty() && named == 0 {
                    let message = "no group of the regular expression has a name";
                    return Err(Fault::new(ErrorKind::Argument, token.span, message).or("(?<name>…)"));
                }
                if !names.is_empty() && names.len() != regex.groups() {
                    let message = format!(
                        "the regular expression has {} groups, and {} names follow",
                        regex.groups(),
                        names.len()
                    );
                    return Err(Fault::new(ErrorKind::ArgumentCount, token.span, message));
                }
                ParseMode::Regex(Spanned { it: regex, span: token.span }, names)
            }
            _ if self.word("logfmt") => {
                self.expect_word("as")?;
                ParseMode::Logfmt(self.name()?)
            }
            _ if self.word("csv") => {
                if !self.peek().is_word("as") {
                    return Err(self.unexpected("`as` and a name for each value"));
                }
                ParseMode::Csv(self.names_after_as()?)
            }
            _ if self.word("xml") => {
                let path = self.text("a path in quotes")?;
                let Some(read) = XmlPath::read(&path.it) else {
                    let message = "muster reads paths of names only, such as `/order/item[2]/@id` or `//name`";
                    return Err(Fault::new(ErrorKind::Argument, path.span, message));
                };
                self.expect_word("as")?;
                ParseMode::Xml(path, read, self.name()?)
            }
            _ => return Err(self.unexpected("a pattern in quotes, a regular expression, `logfmt`, `csv` or `XML`")),
        };
        let multi_at = self.peek().span;
        let multi = self.word("multi");
        if multi && !matches!(&mode, ParseMode::Regex(..)) {
            let message = "`multi` goes with a regular expression";
            return Err(Fault::new(ErrorKind::Syntax, multi_at, message));
        }
        if multi && matches!(&mode, ParseMode::Regex(_, names) if !names.is_empty()) {
            let message = "`multi` takes its names from groups, `(?<name>…)`, not from `as`";
            return Err(Fault::new(ErrorKind::Syntax, multi_at, message));
        }
        Ok(Parse { of, mode, multi })
    }

    /// What is taken apart, if the command says it.
    fn subject(&mut self) -> Outcome<Option<Expr>> {
        let next = self.peek_at(1);
        let mode = match &self.peek().kind {
            TokenKind::Text(_) | TokenKind::Regex(_) => true,
            _ if self.peek().is_word("logfmt") || self.peek().is_word("csv") => next.is_word("as"),
            _ => self.peek().is_word("xml") && matches!(next.kind, TokenKind::Text(_)),
        };
        if mode { Ok(None) } else { self.primary().map(Some) }
    }

    fn names_after_as(&mut self) -> Outcome<Vec<Name>> {
        self.expect_word("as")?;
        self.several(Self::name)
    }

    pub(super) fn json(&mut self) -> Outcome<Verb> {
        let of = if self.option("field") { Some(self.primary()?) } else { None };
        let path = self.text("the way to the value, in quotes")?.it;
        self.expect_word("as")?;
        Ok(Verb::Json { of, path, name: self.name()? })
    }

    /// A field's name in which stars may stand.
    pub(super) fn wild(&mut self) -> Outcome<crate::ast::Wild> {
        let mut name = String::new();
        let mut end = None;
        loop {
            let token = self.peek().clone();
            if end.is_some_and(|end| end != token.span.start) {
                break;
            }
            match token.kind {
                TokenKind::Path { path, .. } => name.push_str(&path.flat()),
                TokenKind::Sign(Sign::Star) => name.push('*'),
                _ => break,
            }
            end = Some(token.span.end);
            self.next();
        }
        if name.is_empty() {
            Err(self.unexpected("a field, in which `*` may stand"))
        } else {
            Ok(crate::ast::Wild(name))
        }
    }
}
