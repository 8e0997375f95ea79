//! Commands in their order: which may follow which, what each reads, makes and shows.

use crate::{
    ast::{Command, Expr, Item, Limit, LimitForm, Name, Parse, ParseMode, Path, Query, Verb},
    error::{ErrorKind, Fault, Outcome},
    function::Kind,
    limits::{FIELDS_MADE_MAX, ROWS_MAX, STATS_MAX},
    span::Span,
};

use super::{Checker, Column, expression::Standing};

/// Which columns a result has.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// What the last `display` says.
    display: Option<Vec<Column>>,
    /// What an aggregation gives.
    outputs: Option<Vec<Column>>,
    /// What `fields` shows.
    fields: Vec<Column>,
    /// What other commands have made.
    made: Vec<Column>,
    pub(super) more: bool,
}

impl Shown {
    /// Shows nothing but these.
    pub(super) fn replace(&mut self, outputs: Vec<Column>) {
        *self = Self { outputs: Some(outputs), ..Self::default() };
    }

    /// A column that a command has made.
    pub(super) fn make(&mut self, name: &str, kind: Kind) {
        add(&mut self.made, Column::new(name, kind));
    }

    /// Whether messages are shown because nothing else is said.
    pub(super) fn shows_messages(&self) -> bool {
        self.display.is_none() && self.outputs.is_none() && self.fields.is_empty()
    }
}

fn add(columns: &mut Vec<Column>, column: Column) {
    if !columns.iter().any(|known| known.name == column.name) {
        columns.push(column);
    }
}

impl Checker<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Outcome<()> {
        order(&query.commands)?;
        for (index, command) in query.commands.iter().enumerate() {
            self.command = index;
            self.verb(command)?;
            if self.scope.names().count() > FIELDS_MADE_MAX {
                let message = format!("more than {FIELDS_MADE_MAX} fields are made");
                return Err(Fault::new(ErrorKind::Limit, command.name_span, message));
            }
        }
        Ok(())
    }

    /// The columns of the result, and whether there may be more.
    pub(super) fn columns(&self) -> (Vec<Column>, bool) {
        if let Some(display) = &self.shown.display {
            return (display.clone(), false);
        }
        let mut columns = match &self.shown.outputs {
            Some(outputs) => outputs.clone(),
            None if self.shown.fields.is_empty() => {
                vec![Column::new("@timestamp", Kind::Time), Column::new("@message", Kind::Text)]
            }
            None => Vec::new(),
        };
        let made = self.shown.made.iter().filter(|_| self.rules.extracted_shown);
        for column in self.shown.fields.iter().chain(made) {
            add(&mut columns, column.clone());
        }
        (columns, self.shown.more)
    }

    fn verb(&mut self, command: &Command) -> Outcome<()> {
        match &command.verb {
            Verb::Fields(items) => self.fields(items),
            Verb::Display(items) => self.display(items),
            Verb::Filter(condition) => {
                self.expr(condition, Standing::Row)?;
                self.no_constant(condition);
                Ok(())
            }
            Verb::FilterIndex(tests) => {
                for test in tests {
                    self.read(&test.field.it, test.field.span)?;
                }
                Ok(())
            }
            Verb::Stats(stats) => self.stats(stats),
            Verb::Sort(keys) => {
                for key in keys {
                    let kind = self.expr(&key.expr, Standing::Row)?;
                    self.no_structure(&key.expr, kind, "sort")?;
                    self.no_text(&key.expr);
                }
                Ok(())
            }
            Verb::Limit(limit) => self.rows(*limit),
            Verb::Parse(parse) => self.parse(parse),
            Verb::Json { of, name, .. } => {
                self.text_or_message(of.as_ref())?;
                self.make(name, Kind::Any)
            }
            Verb::Dedup(fields) => {
                for field in fields {
                    let kind = self.read(&field.it, field.span)?;
                    if matches!(kind, Kind::List | Kind::Structure) {
                        let message = "`dedup` takes no list and no map, only what is inside of them";
                        return Err(Fault::new(ErrorKind::Argument, field.span, message));
                    }
                }
                Ok(())
            }
            Verb::Pattern(of) => {
                let kind = self.expr(of, Standing::Row)?;
                self.no_structure(of, kind, "pattern")?;
                let columns = vec![
                    Column::new("@pattern", Kind::Text),
                    Column::new("@ratio", Kind::Number),
                    Column::new("@sampleCount", Kind::Number),
                    Column::new("@severityLabel", Kind::Text),
                ];
                self.scope.close("pattern", columns.iter().map(|it| (it.name.clone(), it.kind)), self.command);
                self.shown.replace(columns);
                Ok(())
            }
            Verb::Diff(_) => {
                // What it adds is not published.
                self.shown.more = true;
                Ok(())
            }
            other => self.reshape(other),
        }
    }

    /// The kind of a field that is named.
    pub(super) fn read(&mut self, path: &Path, span: Span) -> Outcome<Kind> {
        self.scope.field(path, span, self.command)
    }

    /// A field that a command makes and shows.
    pub(super) fn make(&mut self, name: &Name, kind: Kind) -> Outcome<()> {
        self.scope.define(name, kind, self.command)?;
        self.shown.make(&name.it, kind);
        Ok(())
    }

    /// A text that is taken apart; the message, if none is said.
    fn text_or_message(&mut self, of: Option<&Expr>) -> Outcome<()> {
        match of {
            Some(of) => self.expr(of, Standing::Row).map(drop),
            None => self.read(&Path::named("@message"), Span::default()).map(drop),
        }
    }

    fn fields(&mut self, items: &[Item]) -> Outcome<()> {
        for item in items {
            let kind = self.expr(&item.expr, Standing::Row)?;
            self.no_text(&item.expr);
            let name = item.column_name(self.text);
            if let Some(alias) = &item.name {
                self.scope.define(alias, kind, self.command)?;
            } else {
                self.scope.show(&name, kind, self.command);
            }
            add(&mut self.shown.fields, Column::new(name, kind));
        }
        Ok(())
    }

    fn display(&mut self, items: &[Item]) -> Outcome<()> {
        let mut columns = Vec::new();
        for item in items {
            let kind = self.expr(&item.expr, Standing::Row)?;
            self.no_text(&item.expr);
            let name = item.column_name(self.text);
            self.scope.show(&name, kind, self.command);
            add(&mut columns, Column::new(name, kind));
        }
        self.shown.display = Some(columns);
        Ok(())
    }

    fn parse(&mut self, parse: &Parse) -> Outcome<()> {
        self.text_or_message(parse.of.as_ref())?;
        match &parse.mode {
            ParseMode::Regex(regex, names) if names.is_empty() => {
                for group in regex.it.names() {
                    self.make(&Name { it: group.to_owned(), span: regex.span }, Kind::Text)?;
                }
            }
            ParseMode::Glob(_, names) | ParseMode::Regex(_, names) | ParseMode::Csv(names) => {
                for name in names {
                    self.make(name, Kind::Text)?;
                }
            }
            ParseMode::Logfmt(name) => {
                // Its fields are below the name, and only the data tell which.
                self.scope.define(name, Kind::Any, self.command)?;
                self.shown.more = true;
            }
            ParseMode::Xml(_, _, name) => self.make(name, Kind::Text)?,
        }
        Ok(())
    }

    fn rows(&mut self, limit: Limit) -> Outcome<()> {
        if limit.rows == 0 || limit.rows > ROWS_MAX {
            let message = format!("a limit is from 1 to {ROWS_MAX} rows");
            return Err(Fault::new(ErrorKind::Limit, limit.span, message));
        }
        self.limit = Some(self.limit.map_or(limit.rows, |before| before.min(limit.rows)));
        if limit.form == LimitForm::Tail {
            self.hint(
                limit.span,
                "`tail` is the old form; sort the other way and use `limit`",
                Some("limit".to_owned()),
            );
        }
        Ok(())
    }
}

/// Whether commands stand where they may.
fn order(commands: &[Command]) -> Outcome<()> {
    let fault = |kind, command: &Command, message: &str| Err(Fault::new(kind, command.name_span, message));
    let mut stats = 0;
    let mut joins = 0;
    let mut ordered: Option<&Command> = None;
    for (index, command) in commands.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &commands[before].verb);
        match &command.verb {
            Verb::Stats(_) => {
                stats += 1;
                if stats > STATS_MAX {
                    return fault(ErrorKind::Limit, command, &format!("more than {STATS_MAX} `stats`"));
                }
                if let Some(earlier) = ordered {
                    return fault(ErrorKind::Order, earlier, "`sort` and `limit` come after the last `stats`");
                }
            }
            Verb::Sort(_) | Verb::Limit(_) => ordered = ordered.or(Some(command)),
            Verb::Pattern(_) if commands[..index].iter().any(|it| matches!(it.verb, Verb::Sort(_))) => {
                return fault(ErrorKind::Order, command, "`pattern` cannot come after `sort`");
            }
            Verb::Diff(_) if !matches!(before, Some(Verb::Pattern(_))) => {
                return fault(ErrorKind::Order, command, "`diff` must come directly after `pattern`");
            }
            Verb::Join(_) => {
                joins += 1;
                if joins > 1 {
                    return fault(ErrorKind::Limit, command, "more than one `join`");
                }
            }
            Verb::FillMissing(_) if stats == 0 => {
                return fault(ErrorKind::Order, command, "`fillmissing` comes after `stats … by bin(…)`");
            }
            _ => {}
        }
        let deduplicated = commands[..index].iter().any(|it| matches!(it.verb, Verb::Dedup(_)));
        if deduplicated && !matches!(command.verb, Verb::Limit(_)) {
            return fault(ErrorKind::Order, command, "after `dedup` only `limit` may follow");
        }
    }
    Ok(())
}
