//! From characters to words. Nothing that can be typed stops it: what forms no word becomes a bad token that says why.

mod token;

pub use token::{BadToken, Sign, Token, TokenKind};

use crate::{
    ast::{Part, Path},
    error::{ErrorKind, Fault, nearest},
    limits::PATH_PARTS_MAX,
    period::{Period, Unit},
    span::Span,
    value::number_of_text,
};

/// The words of a text; the last one is its end.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, operand: false, command_next: true, opened: false, depth: 0, parse_at: None };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        lexer.blanks();
        let start = lexer.at;
        let kind = lexer.token();
        let span = Span::new(start, lexer.at);
        let last = kind == TokenKind::End;
        let token = Token { kind, span };
        lexer.saw(&token);
        tokens.push(token);
        if last {
            return tokens;
        }
    }
}

/// Whether a character may stand in a name without backticks.
pub(crate) fn is_name_char(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '@')
}

/// Words after which an expression is expected, so that a slash opens a regular expression.
const NO_OPERANDS: [&str; 8] = ["and", "or", "not", "in", "like", "by", "as", "parse"];

/// Signs of other languages, and what this one has instead.
const FOREIGN: [(&str, &str, &str); 13] = [
    ("===", "=", "`===` is no operator here"),
    ("==", "=", "`==` is no operator here, one `=` compares"),
    ("<>", "!=", "`<>` is no operator here"),
    ("!~", "not like", "`!~` is no operator here"),
    ("&&", "and", "`&&` is no operator here"),
    ("||", "or", "`||` is no operator here"),
    ("&", "and", "`&` is no operator here"),
    (";", "|", "`;` does not end a command, `|` does"),
    ("“", "\"", "a typographic quotation mark"),
    ("”", "\"", "a typographic quotation mark"),
    ("‘", "'", "a typographic quotation mark"),
    ("’", "'", "a typographic quotation mark"),
    ("$", "`", "`$` is no part of a field's name unless it stands in backticks"),
];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Whether the word before is something that can be divided.
    operand: bool,
    /// Whether the next word is a command.
    command_next: bool,
    /// Whether a parenthesis was opened just before.
    opened: bool,
    depth: u32,
    /// At which depth a `parse` waits for its pattern: a slash at that depth opens one, also after a field.
    parse_at: Option<u32>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Passes over blanks and comments. What is pasted from web pages may hold blanks without width.
    fn blanks(&mut self) {
        loop {
            self.take_while(|char| char.is_whitespace() || matches!(char, '\u{200b}' | '\u{feff}'));
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|char| char != '\n');
        }
    }

    /// Remembers what decides how the next word is read.
    fn saw(&mut self, token: &Token) {
        let command = std::mem::replace(&mut self.command_next, token.is_sign(Sign::Pipe));
        // A subquery may begin with its command: a field of that name stands in backticks there.
        let opened = std::mem::replace(&mut self.opened, token.is_sign(Sign::Open));
        match &token.kind {
            TokenKind::Sign(Sign::Open) => self.depth += 1,
            TokenKind::Sign(Sign::Close) => {
                self.depth = self.depth.saturating_sub(1);
                // The subquery in which the `parse` stood has ended.
                self.parse_at = self.parse_at.filter(|at| *at <= self.depth);
            }
            TokenKind::Sign(Sign::Pipe) => self.parse_at = None,
            TokenKind::Regex(_) | TokenKind::Text(_) if self.parse_at == Some(self.depth) => self.parse_at = None,
            _ if (command || opened) && token.is_word("parse") => self.parse_at = Some(self.depth),
            _ => {}
        }
        self.operand = match &token.kind {
            TokenKind::Path { .. } => !command && !NO_OPERANDS.iter().any(|word| token.is_word(word)),
            TokenKind::Sign(sign) => matches!(sign, Sign::Close | Sign::CloseList | Sign::CloseBrace),
            _ => true,
        };
    }

    fn bad(&self, start: usize, message: impl Into<String>) -> Box<Fault> {
        Fault::new(ErrorKind::Lexical, Span::new(start, self.at), message)
    }

    fn token(&mut self) -> TokenKind {
        let start = self.at;
        let Some(char) = self.peek() else {
            return TokenKind::End;
        };
        if char.is_ascii_digit() || (char == '.' && self.rest()[1..].starts_with(|next: char| next.is_ascii_digit())) {
            return self.number();
        }
        if is_name_char(char) || char == '`' {
            return self.path();
        }
        if char == '"' || char == '\'' {
            return self.quoted(char);
        }
        if char == '/' && (!self.operand || self.parse_at == Some(self.depth)) {
            return self.regex();
        }
        if let Some((typed, instead, says)) = FOREIGN.iter().find(|(typed, ..)| self.rest().starts_with(typed)) {
            self.at += typed.len();
            return TokenKind::Bad(BadToken(self.bad(start, *says).or(*instead)));
        }
        if let Some((typed, sign)) = Sign::ALL.iter().find(|(typed, _)| self.rest().starts_with(typed)) {
            self.at += typed.len();
            return TokenKind::Sign(*sign);
        }
        self.at += char.len_utf8();
        let fault = if char.is_control() || is_hidden(char) {
            self.bad(start, format!("a control character (U+{:04X})", u32::from(char)))
        } else {
            self.bad(start, format!("`{char}` means nothing here; names with it stand in backticks"))
        };
        TokenKind::Bad(BadToken(fault))
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        let mut typed = self.take_while(|char| is_name_char(char) || char == '.');
        let exponent_open = typed.ends_with(['e', 'E'])
            && typed[..typed.len() - 1].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if exponent_open
            && self.rest().starts_with(['+', '-'])
            && self.rest()[1..].starts_with(|it: char| it.is_ascii_digit())
        {
            self.at += 1;
            self.take_while(|char| char.is_ascii_digit());
            typed = &self.text[start..self.at];
        }
        if number_of_text(typed).is_some() {
            return TokenKind::Number(typed.to_owned());
        }
        let digits = typed.bytes().take_while(u8::is_ascii_digit).count();
        let (amount, unit) = typed.split_at(digits);
        let fault = match (amount.parse::<u32>(), Unit::named(unit)) {
            (Ok(0), Some(_)) => self.bad(start, "a period of nothing"),
            (Ok(amount), Some(unit)) => return TokenKind::Period(Period { amount, unit }),
            (Err(_), Some(_)) => self.bad(start, "a period that is too long"),
            _ if unit.starts_with('.') => {
                let fault = self.bad(start, format!("`{typed}` is no number; texts stand in quotes"));
                fault.or(format!("\"{typed}\""))
            }
            _ => {
                let fault = self.bad(
                    start,
                    format!("`{typed}` is no number and no period; a field whose name begins with a digit stands in backticks"),
                );
                let near = nearest(unit, Unit::names()).filter(|_| unit.len() > 2);
                fault.or(near.map_or_else(|| format!("`{typed}`"), |unit| format!("{amount}{unit}")))
            }
        };
        TokenKind::Bad(BadToken(fault))
    }

    fn path(&mut self) -> TokenKind {
        let start = self.at;
        let mut parts = Vec::new();
        let mut bare = true;
        loop {
            if self.peek() == Some('`') {
                bare = false;
                match self.backticks() {
                    Ok(name) => parts.push(Part::Name(name)),
                    Err(fault) => return TokenKind::Bad(BadToken(fault)),
                }
            } else {
                let name = self.take_while(is_name_char).to_owned();
                parts.push(Part::Name(name));
            }
            let keyword = bare && parts.len() == 1 && self.text[start..self.at].eq_ignore_ascii_case("in");
            while !keyword && let Some((index, len)) = leading_index(self.rest()) {
                self.at += len;
                match index {
                    Some(index) => parts.push(Part::Index(index)),
                    None => return TokenKind::Bad(BadToken(self.bad(start, "an index that is too large"))),
                }
            }
            if self.peek() != Some('.') {
                break;
            }
            self.at += 1;
            if !self.peek().is_some_and(|char| is_name_char(char) || char == '`') {
                let fault = self.bad(start, "a field's path that ends with a point");
                return TokenKind::Bad(BadToken(fault));
            }
        }
        if parts.len() > PATH_PARTS_MAX {
            let message = format!("a field's path of more than {PATH_PARTS_MAX} steps");
            return TokenKind::Bad(BadToken(Fault::new(ErrorKind::Limit, Span::new(start, self.at), message)));
        }
        TokenKind::Path { path: Path { parts }, bare }
    }

    fn backticks(&mut self) -> Result<String, Box<Fault>> {
        let start = self.at;
        self.at += 1;
        let name = self.take_while(|char| char != '`' && char != '\n').to_owned();
        if self.peek() != Some('`') {
            return Err(self.bad(start, "a backtick that is not closed").or(format!("`{}`", name.trim_end())));
        }
        self.at += 1;
        if name.is_empty() { Err(self.bad(start, "backticks with no name between them")) } else { Ok(name) }
    }

    fn quoted(&mut self, quote: char) -> TokenKind {
        let start = self.at;
        self.at += 1;
        let mut inside = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, char)) = chars.next() {
            if char == quote {
                self.at += at + 1;
                return TokenKind::Text(inside);
            }
            if char == '\\' {
                match chars.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\'))) => inside.push(escaped),
                    // Other escapes are not documented [U]: both characters stay.
                    Some((_, other)) => inside.extend(['\\', other]),
                    None => break,
                }
            } else {
                inside.push(char);
            }
        }
        // The rest of the text is no string: the fault is where it opens.
        self.at = self.text.len();
        let fault = Fault::new(
            ErrorKind::Lexical,
            Span::new(start, start + 1),
            format!("a text that is opened with `{quote}` and not closed"),
        );
        TokenKind::Bad(BadToken(fault))
    }

    fn regex(&mut self) -> TokenKind {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        let rest = self.rest();
        for (at, char) in rest.char_indices() {
            match char {
                '/' if !escaped && at == 0 => {
                    self.at += 1;
                    return TokenKind::Bad(BadToken(
                        self.bad(start, "an empty regular expression; comments begin with `#`"),
                    ));
                }
                '/' if !escaped => {
                    self.at += at + 1;
                    return TokenKind::Regex(rest[..at].to_owned());
                }
                _ => escaped = char == '\\' && !escaped,
            }
        }
        self.at = self.text.len();
        let fault =
            Fault::new(ErrorKind::Lexical, Span::new(start, start + 1), "a regular expression that is not closed");
        TokenKind::Bad(BadToken(fault))
    }
}

/// The index that comes next in brackets, `[12]`, and its length; no number if it is too large.
fn leading_index(rest: &str) -> Option<(Option<u32>, usize)> {
    let inside = rest.strip_prefix('[')?;
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && inside[digits..].starts_with(']')).then(|| (inside[..digits].parse().ok(), digits + 2))
}

/// Whether a character cannot be seen: directions of writing, joiners.
fn is_hidden(char: char) -> bool {
    matches!(char, '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests;
