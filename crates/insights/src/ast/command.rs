//! Commands.

use crate::{extract::XmlPath, period::Period, regex::Regex, span::Span};

use super::{Expr, ExprKind, NumberLiteral, Path, Query};

/// A command and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What it does.
    pub verb: Verb,
    /// Where its name stands.
    pub name_span: Span,
    /// Where all of it stands.
    pub span: Span,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Shows and derives fields.
    Fields(Vec<Item>),
    /// Fixes the columns.
    Display(Vec<Item>),
    /// Keeps the rows that are true; also `where`.
    Filter(Expr),
    /// As `filter`, with a promise that the field is indexed.
    FilterIndex(Vec<IndexTest>),
    /// Aggregates.
    Stats(Stats),
    /// Orders.
    Sort(Vec<SortKey>),
    /// Keeps the first rows.
    Limit(Limit),
    /// Takes fields out of a text.
    Parse(Parse),
    /// Takes one value out of a JSON text.
    Json {
        /// The text; the message, if not said.
        of: Option<Expr>,
        /// The way to the value.
        path: String,
        /// The name of the new field.
        name: Name,
    },
    /// Keeps the first row of each combination of values.
    Dedup(Vec<FieldRef>),
    /// Clusters similar texts.
    Pattern(Expr),
    /// Compares clusters with those of another time.
    Diff(TimeShift),
    /// Shows what is masked.
    Unmask(Vec<FieldRef>),
    /// One row for each element of a list.
    Unnest {
        /// The list.
        list: Expr,
        /// The name of the element.
        into: Name,
    },
    /// One row for each value of a field that has several.
    Expand(FieldRef),
    /// Joins with an uploaded table.
    Lookup(Lookup),
    /// Joins with another query.
    Join(Join),
    /// Puts the columns of another query beside, row by row.
    AppendColumns(AppendColumns),
    /// Adds the values of rows before.
    Autoregress(Autoregress),
    /// A running sum.
    Accumulate {
        /// Of what.
        field: FieldRef,
        /// The name of the sum.
        name: Option<Name>,
    },
    /// Fills absent values with the last present.
    FillDown(Vec<Wild>),
    /// Adds absent time buckets.
    FillMissing(Vec<Fill>),
    /// Clamps or drops outliers.
    Outlier(Outlier),
    /// Numbers sessions by their gaps.
    Sessionize(Sessionize),
    /// Counts combinations, most frequent first.
    CountFrequent(Vec<FieldRef>),
    /// Adds sums of rows or columns.
    AddTotals(AddTotals),
}

/// A new name and where it stands.
pub type Name = Spanned<String>;

/// A field that is named, and where.
pub type FieldRef = Spanned<Path>;

/// Something with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// What.
    pub it: T,
    /// Where.
    pub span: Span,
}

/// An expression, perhaps with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What.
    pub expr: Expr,
    /// Its name, after `as`.
    pub name: Option<Name>,
}

impl Item {
    /// The name of its column in a query of this text: the alias, the field, or the expression as it was typed.
    pub fn column_name(&self, text: &str) -> String {
        match (&self.name, &self.expr.kind) {
            (Some(name), _) => name.it.clone(),
            (None, ExprKind::Field(path)) => path.flat(),
            (None, _) => self.expr.span.of(text).to_owned(),
        }
    }
}

/// One condition of `filterIndex`.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexTest {
    /// The indexed field.
    pub field: FieldRef,
    /// What it must be.
    pub wanted: IndexWanted,
}

/// What an indexed field must be.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexWanted {
    /// `= value`
    Equal(Expr),
    /// `in [values]`
    OneOf(Vec<Expr>),
}

/// `stats a, b by c, d offset 1h`
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// What is aggregated.
    pub items: Vec<Item>,
    /// By what it is grouped.
    pub by: Vec<Item>,
    /// By how much time buckets are shifted.
    pub offset: Option<Period>,
}

/// A key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What is compared.
    pub expr: Expr,
    /// Whether greatest first, if said.
    pub descending: Option<bool>,
}

/// `limit 10`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// How many rows.
    pub rows: u64,
    /// Which.
    pub form: LimitForm,
    /// Where the number stands.
    pub span: Span,
}

/// Which rows a limit keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitForm {
    /// `limit 10`: the first.
    First,
    /// `limit any 10`: the first that are found, in no order.
    Any,
    /// `head 10`: the old form of `limit`.
    Head,
    /// `tail 10`: the old form for the last rows (uncertain).
    Tail,
}

/// `parse @message "a=*" as a`
#[derive(Clone, Debug, PartialEq)]
pub struct Parse {
    /// The text; the message, if not said.
    pub of: Option<Expr>,
    /// How it is taken apart.
    pub mode: ParseMode,
    /// Whether each match makes a row.
    pub multi: bool,
}

/// How a text is taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum ParseMode {
    /// A pattern with `*`, and a name for each.
    Glob(Spanned<String>, Vec<Name>),
    /// A regular expression; its named groups, or names by order.
    Regex(Spanned<Regex>, Vec<Name>),
    /// `key=value` pairs below one name.
    Logfmt(Name),
    /// Values between commas.
    Csv(Vec<Name>),
    /// A path into XML.
    Xml(Spanned<String>, XmlPath, Name),
}

/// With which time `diff` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeShift {
    /// The time just before, equally long.
    Before,
    /// The same time a day before.
    PreviousDay,
    /// A week before.
    PreviousWeek,
    /// A month before.
    PreviousMonth,
}

/// `lookup table column as field OUTPUT owner`
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// Whether networks of the table contain the field (`cidrlookup`), instead of being equal to it.
    pub network: bool,
    /// The table.
    pub table: Name,
    /// What must be equal.
    pub keys: Vec<KeyPair>,
    /// Whether values of the table replace those of the row.
    pub overwrite: bool,
    /// What is taken over.
    pub outputs: Vec<Output>,
}

/// A column of a table and the field that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPair {
    /// The first name; in `lookup` the table's column, in `cidrlookup` the field.
    pub first: FieldRef,
    /// The name after `as`, if it is another one.
    pub second: Option<FieldRef>,
}

/// A column of a table that is taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The table's column.
    pub column: FieldRef,
    /// Its name in the row, if it is another one.
    pub name: Option<Name>,
}

/// `join type=left left=l right=r where l.k = r.k (…)`
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Whether rows without a partner stay.
    pub kind: JoinKind,
    /// How rows of this query are called.
    pub left: Name,
    /// How rows of the other query are called.
    pub right: Name,
    /// What must be equal.
    pub on: Vec<(FieldRef, FieldRef)>,
    /// The other query.
    pub query: Query,
}

/// Whether rows without a partner stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// They go.
    Inner,
    /// They stay, with nothing on the right.
    Left,
}

/// `appendcols override=true max=100 (…)`
#[derive(Clone, Debug, PartialEq)]
pub struct AppendColumns {
    /// Whether columns of the same name are replaced.
    pub replace: bool,
    /// How many rows at most, 1 to 100,000.
    pub rows_max: u32,
    /// The other query.
    pub query: Query,
}

/// `autoregress f as a p=1-4`
#[derive(Clone, Debug, PartialEq)]
pub struct Autoregress {
    /// Whose values.
    pub field: FieldRef,
    /// How the new fields begin.
    pub name: Option<Name>,
    /// How many rows before, from and to.
    pub lags: (u32, u32),
}

/// A field's name in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wild(pub String);

/// `0 for a, b`
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// What is put in.
    pub value: Expr,
    /// Where.
    pub fields: Vec<FieldRef>,
}

/// `outlier action=remove param=2.5 f`
#[derive(Clone, Debug, PartialEq)]
pub struct Outlier {
    /// What is done with outliers.
    pub action: OutlierAction,
    /// How many interquartile ranges away they begin.
    pub factor: Option<NumberLiteral>,
    /// Whether low ones count, too.
    pub low: bool,
    /// Whether they are marked.
    pub mark: bool,
    /// Of which fields.
    pub fields: Vec<FieldRef>,
}

/// What is done with outliers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlierAction {
    /// They are moved to the border.
    Transform,
    /// Their rows are dropped.
    Remove,
}

/// `sessionize user maxspan 30m as session_id`
#[derive(Clone, Debug, PartialEq)]
pub struct Sessionize {
    /// What tells sessions apart.
    pub fields: Vec<FieldRef>,
    /// The gap after which a new one begins.
    pub gap_max: Option<Period>,
    /// The name of the number.
    pub name: Option<Name>,
}

/// `addtotals fieldname=Total row=true col=false a, b`
#[derive(Clone, Debug, PartialEq)]
pub struct AddTotals {
    /// The name of the sum.
    pub name: Option<String>,
    /// Whether each row is summed.
    pub row: bool,
    /// Whether each column is summed.
    pub column: bool,
    /// Which fields, or all numbers.
    pub fields: Vec<FieldRef>,
}
