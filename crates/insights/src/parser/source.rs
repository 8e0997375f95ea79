//! `SOURCE`: where records come from.

use crate::{
    ast::{Instant, Source, SourceKind, Tag},
    error::{ErrorKind, Fault, Outcome},
    lexer::{Sign, TokenKind},
    span::Span,
};

use super::Parser;

const PREFIXES_MAX: usize = 5;
const ACCOUNTS_MAX: usize = 20;
const DATA_SOURCES_MAX: usize = 10;
const TAGS_MAX: usize = 5;
const TAG_VALUES_MAX: usize = 5;

/// What `SOURCE` calls, for suggestions.
const CALLS: [&str; 3] = ["logGroups", "dataSource", "logGroupTags"];

impl Parser {
    pub(super) fn source(&mut self) -> Outcome<Source> {
        let begin = self.next().span;
        let kind = self.source_kind()?;
        let mut source = Source { kind, start: None, end: None, span: begin };
        loop {
            if self.option("start") {
                source.start = Some(self.instant()?);
            } else if self.option("end") {
                source.end = Some(self.instant()?);
            } else {
                break;
            }
        }
        source.span = Span::new(begin.start, self.end_before());
        Ok(source)
    }

    fn source_kind(&mut self) -> Outcome<SourceKind> {
        let called = self.peek_at(1).is_sign(Sign::Open);
        match self.peek().word().map(str::to_lowercase).as_deref() {
            Some("loggroups") if called => self.matching(),
            Some("datasource") if called => {
                self.next();
                self.expect(Sign::Open)?;
                let names = self.texts(DATA_SOURCES_MAX)?;
                self.expect(Sign::Close)?;
                Ok(SourceKind::DataSources(names))
            }
            Some("loggrouptags") if called => self.tagged(),
            Some(word) if called => {
                let fault =
                    Fault::new(ErrorKind::UnknownFunction, self.peek().span, format!("`SOURCE` knows no `{word}`"));
                Err(fault.or_nearest(word, CALLS))
            }
            _ => Ok(SourceKind::Groups(self.several(Self::group)?)),
        }
    }

    /// The name of a log group, in quotes or as a plain word.
    fn group(&mut self) -> Outcome<String> {
        let token = self.peek().clone();
        let name = match token.kind {
            TokenKind::Text(text) => text,
            TokenKind::Path { path, .. } => path.flat(),
            _ => return Err(self.unexpected("a log group in quotes, or `logGroups(…)`")),
        };
        self.next();
        Ok(name)
    }

    /// Texts in brackets, or a single one without.
    fn texts(&mut self, most: usize) -> Outcome<Vec<String>> {
        let begin = self.peek().span;
        if !self.sign(Sign::OpenList) {
            return Ok(vec![self.text("a text in quotes")?.it]);
        }
        let texts = self.several(|parser| Ok(parser.text("a text in quotes")?.it))?;
        let end = self.expect(Sign::CloseList)?;
        if texts.len() > most {
            return Err(Fault::new(ErrorKind::Limit, begin.to(end), format!("more than {most} values")));
        }
        Ok(texts)
    }

    fn matching(&mut self) -> Outcome<SourceKind> {
        self.next();
        self.expect(Sign::Open)?;
        let (mut name_prefixes, mut accounts, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        while !self.sign(Sign::Close) {
            const OPTIONS: [&str; 3] = ["namePrefix", "accountIdentifiers", "class"];
            let token = self.peek().clone();
            let name = token.word().unwrap_or_default();
            let Some(option) = OPTIONS.into_iter().find(|option| option.eq_ignore_ascii_case(name)) else {
                return Err(self.unexpected("`namePrefix`, `accountIdentifiers` or `class`").or_nearest(name, OPTIONS));
            };
            self.next();
            self.expect(Sign::Colon)?;
            match option {
                "namePrefix" => name_prefixes = self.texts(PREFIXES_MAX)?,
                "accountIdentifiers" => accounts = self.texts(ACCOUNTS_MAX)?,
                _ => {
                    let at = self.peek().span;
                    classes = self.texts(2)?;
                    if let Some(odd) =
                        classes.iter().find(|it| !["STANDARD", "INFREQUENT_ACCESS"].contains(&it.as_str()))
                    {
                        let fault = Fault::new(ErrorKind::Argument, at, format!("there is no log class `{odd}`"));
                        return Err(fault.or_nearest(odd, ["STANDARD", "INFREQUENT_ACCESS"]));
                    }
                }
            }
            if !self.sign(Sign::Comma) && !self.peek().is_sign(Sign::Close) {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(SourceKind::Matching { name_prefixes, accounts, classes })
    }

    fn tagged(&mut self) -> Outcome<SourceKind> {
        let begin = self.next().span;
        self.expect(Sign::Open)?;
        self.expect(Sign::OpenList)?;
        let tags = self.several(Self::tag)?;
        self.expect(Sign::CloseList)?;
        let end = self.expect(Sign::Close)?;
        if tags.len() > TAGS_MAX {
            return Err(Fault::new(ErrorKind::Limit, begin.to(end), format!("more than {TAGS_MAX} tags")));
        }
        Ok(SourceKind::Tagged(tags))
    }

    fn tag(&mut self) -> Outcome<Tag> {
        self.expect(Sign::OpenBrace)?;
        self.expect_word("key")?;
        self.expect(Sign::Colon)?;
        let key = self.text("the key of a tag, in quotes")?.it;
        self.expect(Sign::Comma)?;
        self.expect_word("values")?;
        self.expect(Sign::Colon)?;
        let values = self.texts(TAG_VALUES_MAX)?;
        self.expect(Sign::CloseBrace)?;
        Ok(Tag { key, values })
    }

    fn instant(&mut self) -> Outcome<Instant> {
        if self.word("now") {
            return Ok(Instant::Now);
        }
        if self.sign(Sign::Minus) {
            return Ok(Instant::Ago(self.lasting_period()?));
        }
        Ok(Instant::At(self.count("`now`, a period such as `-1d`, or milliseconds since 1970")?.0))
    }
}
