//! Commands and sources as text.

use std::fmt::{self, Display, Formatter};

use super::{
    Expr, ExprKind, Fill, IndexTest, IndexWanted, Instant, Item, JoinKind, KeyPair, LimitForm, OutlierAction, Output,
    Parse, ParseMode, Path, SortKey, Source, SourceKind, Spanned, TimeShift, Verb,
    print::{Quoted, commas, list},
};

impl Display for Spanned<String> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Path::named(&self.it).fmt(formatter)
    }
}

impl Display for Spanned<Path> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.it.fmt(formatter)
    }
}

impl Display for Item {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(formatter)?;
        named(formatter, self.name.as_ref())
    }
}

impl Display for SortKey {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(formatter)?;
        formatter.write_str(match self.descending {
            None => "",
            Some(false) => " asc",
            Some(true) => " desc",
        })
    }
}

impl Display for IndexTest {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.field.fmt(formatter)?;
        match &self.wanted {
            IndexWanted::Equal(value) => write!(formatter, " = {value}"),
            IndexWanted::OneOf(values) => {
                formatter.write_str(" in [")?;
                commas(formatter, values)?;
                formatter.write_str("]")
            }
        }
    }
}

impl Display for KeyPair {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.first.fmt(formatter)?;
        named(formatter, self.second.as_ref())
    }
}

impl Display for Output {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.column.fmt(formatter)?;
        named(formatter, self.name.as_ref())
    }
}

impl Display for Fill {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} for ", self.value)?;
        commas(formatter, &self.fields)
    }
}

fn named<T: Display>(formatter: &mut Formatter<'_>, name: Option<&T>) -> fmt::Result {
    name.map_or(Ok(()), |name| write!(formatter, " as {name}"))
}

fn verb<T: Display>(formatter: &mut Formatter<'_>, name: &str, all: &[T]) -> fmt::Result {
    formatter.write_str(name)?;
    if !all.is_empty() {
        formatter.write_str(" ")?;
    }
    commas(formatter, all)
}

impl Display for Verb {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(items) => verb(formatter, "fields", items),
            Self::Display(items) => verb(formatter, "display", items),
            Self::Filter(condition) => write!(formatter, "filter {condition}"),
            Self::FilterIndex(tests) => {
                formatter.write_str("filterIndex ")?;
                list(formatter, tests, " and ", |formatter, test| test.fmt(formatter))
            }
            Self::Stats(stats) => {
                verb(formatter, "stats", &stats.items)?;
                if !stats.by.is_empty() {
                    verb(formatter, " by", &stats.by)?;
                }
                stats.offset.map_or(Ok(()), |offset| write!(formatter, " offset {offset}"))
            }
            Self::Sort(keys) => verb(formatter, "sort", keys),
            Self::Limit(limit) => {
                let name = match limit.form {
                    LimitForm::First => "limit",
                    LimitForm::Any => "limit any",
                    LimitForm::Head => "head",
                    LimitForm::Tail => "tail",
                };
                write!(formatter, "{name} {}", limit.rows)
            }
            Self::Parse(parse) => parse.fmt(formatter),
            Self::Json { of, path, name } => {
                formatter.write_str("json ")?;
                if let Some(of) = of {
                    write!(formatter, "field={} ", Subject(of))?;
                }
                write!(formatter, "{} as {name}", Quoted(path))
            }
            Self::Dedup(fields) => verb(formatter, "dedup", fields),
            Self::Pattern(of) => write!(formatter, "pattern {of}"),
            Self::Diff(shift) => formatter.write_str(match shift {
                TimeShift::Before => "diff",
                TimeShift::PreviousDay => "diff previousDay",
                TimeShift::PreviousWeek => "diff previousWeek",
                TimeShift::PreviousMonth => "diff previousMonth",
            }),
            Self::Unmask(fields) => verb(formatter, "unmask", fields),
            Self::Unnest { list, into } => write!(formatter, "unnest {list} into {into}"),
            Self::Expand(field) => write!(formatter, "expand {field}"),
            Self::Lookup(lookup) => {
                let name = if lookup.network { "cidrlookup" } else { "lookup" };
                write!(formatter, "{name} {} ", TableName(&lookup.table.it))?;
                commas(formatter, &lookup.keys)?;
                formatter.write_str(if lookup.overwrite { " OUTPUT " } else { " OUTPUTNEW " })?;
                commas(formatter, &lookup.outputs)
            }
            Self::Join(join) => {
                let kind = match join.kind {
                    JoinKind::Inner => "inner",
                    JoinKind::Left => "left",
                };
                write!(formatter, "join type={kind} left={} right={} where ", join.left, join.right)?;
                list(formatter, &join.on, " and ", |formatter, (left, right)| write!(formatter, "{left} = {right}"))?;
                write!(formatter, " ({})", join.query)
            }
            Self::AppendColumns(append) => {
                write!(formatter, "appendcols override={} max={} ({})", append.replace, append.rows_max, append.query)
            }
            Self::Autoregress(it) => {
                write!(formatter, "autoregress {}", it.field)?;
                named(formatter, it.name.as_ref())?;
                write!(formatter, " p={}-{}", it.lags.0, it.lags.1)
            }
            Self::Accumulate { field, name } => {
                write!(formatter, "accum {field}")?;
                named(formatter, name.as_ref())
            }
            Self::FillDown(wilds) => {
                formatter.write_str("filldown")?;
                for (index, wild) in wilds.iter().enumerate() {
                    write!(formatter, "{} {}", if index > 0 { "," } else { "" }, WildName(&wild.0))?;
                }
                Ok(())
            }
            Self::FillMissing(fills) => {
                formatter.write_str("fillmissing")?;
                for (index, fill) in fills.iter().enumerate() {
                    write!(formatter, "{} {fill}", if index > 0 { "," } else { " with" })?;
                }
                Ok(())
            }
            Self::Outlier(outlier) => {
                let action = match outlier.action {
                    OutlierAction::Transform => "transform",
                    OutlierAction::Remove => "remove",
                };
                write!(formatter, "outlier action={action} ")?;
                if let Some(factor) = &outlier.factor {
                    write!(formatter, "param={} ", factor.0)?;
                }
                write!(formatter, "uselower={} mark={} ", outlier.low, outlier.mark)?;
                commas(formatter, &outlier.fields)
            }
            Self::Sessionize(it) => {
                verb(formatter, "sessionize", &it.fields)?;
                if let Some(gap) = it.gap_max {
                    write!(formatter, " maxspan {gap}")?;
                }
                named(formatter, it.name.as_ref())
            }
            Self::CountFrequent(fields) => verb(formatter, "countFrequent", fields),
            Self::AddTotals(totals) => {
                formatter.write_str("addtotals")?;
                if let Some(name) = &totals.name {
                    write!(formatter, " fieldname={}", Path::named(name))?;
                }
                write!(formatter, " row={} col={}", totals.row, totals.column)?;
                verb(formatter, "", &totals.fields)
            }
        }
    }
}

/// What is taken apart: a field or a call as it is, anything else in parentheses.
struct Subject<'e>(&'e Expr);

impl Display for Subject<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            ExprKind::Field(_) | ExprKind::Call(_) => self.0.fmt(formatter),
            _ => write!(formatter, "({})", self.0),
        }
    }
}

/// The name of a table, which may hold `-` without backticks.
struct TableName<'n>(&'n str);

impl Display for TableName<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.0)
    }
}

/// A name with stars: pieces without a star in backticks.
struct WildName<'n>(&'n str);

impl Display for WildName<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.0.split('*').enumerate() {
            if index > 0 {
                formatter.write_str("*")?;
            }
            if !piece.is_empty() {
                write!(formatter, "`{piece}`")?;
            }
        }
        Ok(())
    }
}

impl Display for Parse {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("parse ")?;
        if let Some(of) = &self.of {
            write!(formatter, "{} ", Subject(of))?;
        }
        let names = match &self.mode {
            ParseMode::Glob(pattern, names) => {
                Quoted(&pattern.it).fmt(formatter)?;
                names
            }
            ParseMode::Regex(regex, names) => {
                write!(formatter, "/{}/", regex.it.source())?;
                names
            }
            ParseMode::Logfmt(name) => return write!(formatter, "logfmt as {name}"),
            ParseMode::Xml(path, _, name) => return write!(formatter, "XML {} as {name}", Quoted(&path.it)),
            ParseMode::Csv(names) => {
                formatter.write_str("csv")?;
                names
            }
        };
        if !names.is_empty() {
            verb(formatter, " as", names)?;
        }
        formatter.write_str(if self.multi { " multi" } else { "" })
    }
}

impl Display for Source {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("SOURCE ")?;
        match &self.kind {
            SourceKind::Groups(names) => list(formatter, names, ", ", |formatter, name| Quoted(name).fmt(formatter))?,
            SourceKind::Matching { name_prefixes, accounts, classes } => {
                formatter.write_str("logGroups(")?;
                let mut between = "";
                for (name, values) in
                    [("namePrefix", name_prefixes), ("accountIdentifiers", accounts), ("class", classes)]
                {
                    if !values.is_empty() {
                        write!(formatter, "{between}{name}: {}", Texts(values))?;
                        between = ", ";
                    }
                }
                formatter.write_str(")")?;
            }
            SourceKind::DataSources(names) => write!(formatter, "dataSource({})", Texts(names))?,
            SourceKind::Tagged(tags) => {
                formatter.write_str("logGroupTags([")?;
                list(formatter, tags, ", ", |formatter, tag| {
                    write!(formatter, "{{key: {}, values: {}}}", Quoted(&tag.key), Texts(&tag.values))
                })?;
                formatter.write_str("])")?;
            }
        }
        for (name, instant) in [("start", self.start), ("end", self.end)] {
            match instant {
                None => {}
                Some(Instant::Now) => write!(formatter, " {name}=now")?,
                Some(Instant::Ago(period)) => write!(formatter, " {name}=-{period}")?,
                Some(Instant::At(millis)) => write!(formatter, " {name}={millis}")?,
            }
        }
        Ok(())
    }
}

/// Texts in brackets.
struct Texts<'t>(&'t [String]);

impl Display for Texts<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        list(formatter, self.0, ", ", |formatter, text| Quoted(text).fmt(formatter))?;
        formatter.write_str("]")
    }
}
