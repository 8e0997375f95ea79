//! From words to a tree.

mod argument;
mod command;
mod expression;
mod extract;
mod reshape;
mod source;

use crate::{
    ast::{Command, Query},
    command::{COMMANDS, Standing, command},
    error::{ErrorKind, Fault, Outcome, QueryError},
    lexer::{Sign, Token, TokenKind, tokens},
    limits::{COMMANDS_MAX, QUERY_CHARS_MAX, REGEXES_MAX},
    regex::Regex,
    span::Span,
};

/// Reads a query.
///
/// # Errors
/// What is wrong with it first, and where.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    read(text).map_err(|fault| fault.in_text(text))
}

pub(crate) fn read(text: &str) -> Outcome<Query> {
    if let Some((at, _)) = text.char_indices().nth(QUERY_CHARS_MAX) {
        let message = format!("a query longer than {QUERY_CHARS_MAX} characters");
        return Err(Fault::new(ErrorKind::Limit, Span::new(at, text.len()), message));
    }
    let mut parser = Parser { tokens: tokens(text), at: 0, depth: 0, queries: 0, regexes: 0 };
    let query = parser.query()?;
    match &parser.peek().kind {
        TokenKind::End => Ok(query),
        _ => Err(parser.unexpected("the end of the query")),
    }
}

/// Where in the words the reading is.
pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// How deep in parentheses.
    depth: u16,
    /// How many queries are open: a subquery has none of its own.
    queries: u16,
    /// How many regular expressions were read.
    regexes: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// A word further on; the end is followed by itself.
    fn peek_at(&self, ahead: usize) -> &Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    /// The end of the word before, where a missing one would stand.
    fn end_before(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |before| self.tokens[before].span.end)
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Counts a regular expression, which costs more to read than anything else.
    fn count_regex(&mut self, span: Span) -> Outcome<()> {
        self.regexes += 1;
        if self.regexes > REGEXES_MAX {
            let message = format!("more than {REGEXES_MAX} regular expressions");
            return Err(Fault::new(ErrorKind::Limit, span, message));
        }
        Ok(())
    }

    fn regex(&mut self, source: &str, span: Span) -> Outcome<Regex> {
        self.count_regex(span)?;
        Regex::compile(source, span)
    }

    /// Passes over a sign if it comes next.
    fn sign(&mut self, sign: Sign) -> bool {
        let comes = self.peek().is_sign(sign);
        if comes {
            self.next();
        }
        comes
    }

    /// Passes over a keyword if it comes next.
    fn word(&mut self, word: &str) -> bool {
        let comes = self.peek().is_word(word);
        if comes {
            self.next();
        }
        comes
    }

    fn expect(&mut self, sign: Sign) -> Outcome<Span> {
        if self.peek().is_sign(sign) {
            return Ok(self.next().span);
        }
        Err(self.unexpected(&format!("`{}`", sign.typed())))
    }

    fn expect_word(&mut self, word: &str) -> Outcome<Span> {
        if self.peek().is_word(word) {
            return Ok(self.next().span);
        }
        Err(self.unexpected(&format!("`{word}`")).or_nearest(self.peek().word().unwrap_or_default(), [word]))
    }

    /// What is wrong about the next word, where something else had to stand.
    fn unexpected(&self, wanted: &str) -> Box<Fault> {
        let token = self.peek();
        let found = match &token.kind {
            TokenKind::Bad(bad) => return bad.0.clone(),
            TokenKind::End => {
                let end = self.end_before();
                let message = format!("expected {wanted}, found the end");
                return Fault::new(ErrorKind::Syntax, Span::new(end, end), message);
            }
            TokenKind::Path { path, .. } => format!("`{}`", path.flat()),
            TokenKind::Number(number) => format!("the number {number}"),
            TokenKind::Period(period) => format!("the period {period}"),
            TokenKind::Text(_) => "a text in quotes".to_owned(),
            TokenKind::Regex(_) => "a regular expression".to_owned(),
            TokenKind::Sign(sign) => format!("`{}`", sign.typed()),
        };
        if let Some(word) = token.word()
            && self.at > 0
            && COMMANDS.iter().any(|known| known.name.eq_ignore_ascii_case(word))
        {
            let message = format!("expected {wanted}, found {found}: a `|` is missing before the command");
            return Fault::new(ErrorKind::Syntax, token.span, message).or(format!("| {word}"));
        }
        Fault::new(ErrorKind::Syntax, token.span, format!("expected {wanted}, found {found}"))
    }

    /// A query: the whole text, or what stands in parentheses.
    fn query(&mut self) -> Outcome<Query> {
        let source = if self.peek().is_word("source") {
            let source = self.source()?;
            if !self.sign(Sign::Pipe) {
                return Err(self.unexpected("`|` and a command"));
            }
            Some(source)
        } else {
            None
        };
        let mut commands = Vec::new();
        loop {
            if commands.len() == COMMANDS_MAX {
                let message = format!("more than {COMMANDS_MAX} commands");
                return Err(Fault::new(ErrorKind::Limit, self.peek().span, message));
            }
            commands.push(self.command(commands.is_empty())?);
            if !self.sign(Sign::Pipe) {
                break;
            }
        }
        Ok(Query { source, commands })
    }

    /// A query in parentheses.
    fn subquery(&mut self) -> Outcome<Query> {
        let open = self.expect(Sign::Open)?;
        if self.queries > 0 {
            return Err(Fault::new(ErrorKind::Limit, open, "a subquery inside of a subquery"));
        }
        self.queries += 1;
        let query = self.query()?;
        self.queries -= 1;
        if !self.sign(Sign::Close) {
            return Err(self.unexpected("`|` or `)`"));
        }
        Ok(query)
    }

    fn command(&mut self, first: bool) -> Outcome<Command> {
        let token = self.peek().clone();
        let Some(word) = token.word() else {
            return Err(match &token.kind {
                TokenKind::Sign(Sign::Pipe) if !first => {
                    Fault::new(ErrorKind::Syntax, token.span, "two `|` without a command between them").or("|")
                }
                TokenKind::End if first && self.at == 0 => Fault::new(ErrorKind::Syntax, token.span, "an empty query"),
                _ => self.unexpected("a command"),
            });
        };
        if word.eq_ignore_ascii_case("source") {
            return Err(Fault::new(ErrorKind::Order, token.span, "`SOURCE` comes before all commands"));
        }
        let Some(known) = command(word) else {
            let names = COMMANDS.iter().filter(|it| matches!(it.standing, Standing::Known)).map(|it| it.name);
            let fault =
                Fault::new(ErrorKind::UnknownCommand, token.span, format!("expected a command, found `{word}`"));
            return Err(match crate::function::named(word) {
                Some(function) if function.is_aggregate() => fault.or(format!("stats {word}")),
                _ => fault.or_nearest(word, names),
            });
        };
        if let Standing::Unknown { why, instead } = known.standing {
            let message = format!("muster does not know what `{}` does: {why}", known.name);
            let fault = Fault::new(ErrorKind::UnsupportedCommand, token.span, message);
            return Err(match instead {
                Some(instead) => fault.or(instead),
                None => fault,
            });
        }
        self.next();
        let verb = self.verb(known.name, token.span)?;
        if !matches!(self.peek().kind, TokenKind::End | TokenKind::Sign(Sign::Pipe | Sign::Close)) {
            return Err(self.unexpected("`|` or the end"));
        }
        let span = Span::new(token.span.start, self.end_before());
        Ok(Command { verb, name_span: token.span, span })
    }
}

#[cfg(test)]
mod tests;
