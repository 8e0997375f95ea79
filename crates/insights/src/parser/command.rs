//! Each command behind its name.

use crate::{
    ast::{IndexTest, IndexWanted, Limit, LimitForm, SortKey, Stats, TimeShift, Verb},
    error::{ErrorKind, Fault, Outcome},
    lexer::{Sign, TokenKind},
    span::Span,
};

use super::Parser;

impl Parser {
    /// What comes after a command's name, which is as the table of commands writes it.
    pub(super) fn verb(&mut self, name: &str, at: Span) -> Outcome<Verb> {
        Ok(match name {
            "fields" => Verb::Fields(self.several(Self::item)?),
            "display" => Verb::Display(self.several(Self::item)?),
            "filter" | "where" => Verb::Filter(self.expr()?),
            "filterIndex" => Verb::FilterIndex(self.index_tests()?),
            "stats" => Verb::Stats(self.stats()?),
            "sort" => Verb::Sort(self.several(Self::sort_key)?),
            "limit" | "head" | "tail" => Verb::Limit(self.limit(name)?),
            "parse" => Verb::Parse(self.parse_command()?),
            "json" => self.json()?,
            "dedup" => Verb::Dedup(self.fields()?),
            "pattern" => Verb::Pattern(self.expr()?),
            "diff" => Verb::Diff(self.time_shift()?),
            "unmask" => Verb::Unmask(self.fields()?),
            "unnest" => {
                let list = self.expr()?;
                self.expect_word("into")?;
                Verb::Unnest { list, into: self.name()? }
            }
            "expand" => Verb::Expand(self.field()?),
            "lookup" => Verb::Lookup(self.lookup(false)?),
            "cidrlookup" => Verb::Lookup(self.lookup(true)?),
            "join" => Verb::Join(self.join()?),
            "appendcols" => Verb::AppendColumns(self.append_columns()?),
            "autoregress" => Verb::Autoregress(self.autoregress()?),
            "accum" => Verb::Accumulate { field: self.field()?, name: self.maybe_name()? },
            "filldown" => Verb::FillDown(if self.at_end() { Vec::new() } else { self.several(Self::wild)? }),
            "fillmissing" => Verb::FillMissing(if self.word("with") { self.several_fills()? } else { Vec::new() }),
            "outlier" => Verb::Outlier(self.outlier()?),
            "sessionize" => Verb::Sessionize(self.sessionize()?),
            "countFrequent" => Verb::CountFrequent(self.fields()?),
            "addtotals" => Verb::AddTotals(self.add_totals()?),
            _ => return Err(Fault::new(ErrorKind::UnsupportedCommand, at, format!("`{name}` is not read"))),
        })
    }

    fn index_tests(&mut self) -> Outcome<Vec<IndexTest>> {
        let mut tests = Vec::new();
        loop {
            let field = self.field()?;
            let wanted = if self.sign(Sign::Equal) {
                IndexWanted::Equal(self.literal()?)
            } else if self.word("in") {
                IndexWanted::OneOf(self.literals()?)
            } else {
                return Err(self.unexpected("`=` or `in`: an index finds equal values only"));
            };
            tests.push(IndexTest { field, wanted });
            if !self.word("and") {
                return Ok(tests);
            }
        }
    }

    fn stats(&mut self) -> Outcome<Stats> {
        if self.peek().is_word("by") {
            return Err(self.unexpected("an aggregate such as `count(*)`").or("count(*) by"));
        }
        let items = self.several(Self::item)?;
        let by = if self.word("by") { self.several(Self::item)? } else { Vec::new() };
        let offset = if !by.is_empty() && self.word("offset") { Some(self.lasting_period()?) } else { None };
        Ok(Stats { items, by, offset })
    }

    fn sort_key(&mut self) -> Outcome<SortKey> {
        let expr = self.expr()?;
        let descending = if self.word("desc") {
            Some(true)
        } else if self.word("asc") {
            Some(false)
        } else {
            None
        };
        if descending.is_none()
            && let Some(word) = self.peek().word().map(str::to_lowercase)
            && let Some(near) = ["asc", "desc"].into_iter().find(|known| word.starts_with(known))
        {
            return Err(self.unexpected("`asc`, `desc`, `,` or `|`").or(near));
        }
        Ok(SortKey { expr, descending })
    }

    fn limit(&mut self, name: &str) -> Outcome<Limit> {
        let form = match name {
            "head" => LimitForm::Head,
            "tail" => LimitForm::Tail,
            _ if self.word("any") => LimitForm::Any,
            _ => LimitForm::First,
        };
        let (rows, span) = self.count("a whole number of rows")?;
        Ok(Limit { rows, form, span })
    }

    fn time_shift(&mut self) -> Outcome<TimeShift> {
        if self.at_end() {
            return Ok(TimeShift::Before);
        }
        const SHIFTS: [(&str, TimeShift); 3] = [
            ("previousDay", TimeShift::PreviousDay),
            ("previousWeek", TimeShift::PreviousWeek),
            ("previousMonth", TimeShift::PreviousMonth),
        ];
        for (word, shift) in SHIFTS {
            if self.word(word) {
                return Ok(shift);
            }
        }
        let fault = self.unexpected("`previousDay`, `previousWeek` or `previousMonth`");
        Err(match &self.peek().kind {
            TokenKind::Path { path, .. } => fault.or_nearest(&path.flat(), SHIFTS.map(|(word, _)| word)),
            _ => fault,
        })
    }
}
