//! The commands of the language, those included of which only the name is known.

/// A command's name, and whether muster knows what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandName {
    /// As the documentation writes it; letters' case does not count.
    pub name: &'static str,
    /// Whether its meaning is known.
    pub standing: Standing,
    /// How it is used, for completion and messages.
    pub usage: &'static str,
}

/// Whether the meaning of a command is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is read.
    Known,
    /// The service has it, but what it does is not published well enough to do the same.
    Unknown {
        /// What is not known.
        why: &'static str,
        /// What may do instead.
        instead: Option<&'static str>,
    },
}

const fn known(name: &'static str, usage: &'static str) -> CommandName {
    CommandName { name, standing: Standing::Known, usage }
}

const fn unknown(name: &'static str, why: &'static str, instead: Option<&'static str>) -> CommandName {
    CommandName { name, standing: Standing::Unknown { why, instead }, usage: "" }
}

/// Every command.
pub const COMMANDS: &[CommandName] = &[
    known("fields", "fields FIELD [as NAME], …"),
    known("display", "display FIELD [as NAME], …"),
    known("filter", "filter CONDITION"),
    known("where", "where CONDITION"),
    known("filterIndex", "filterIndex FIELD = VALUE | FIELD in [VALUE, …]"),
    known("stats", "stats AGGREGATE [as NAME], … [by FIELD, …] [offset PERIOD]"),
    known("sort", "sort FIELD [asc|desc], …"),
    known("limit", "limit [any] ROWS"),
    known("head", "head ROWS"),
    known("tail", "tail ROWS"),
    known("parse", "parse [FIELD] \"GLOB *\"|/REGEX/|logfmt|csv|XML \"PATH\" [as NAME, …] [multi]"),
    known("json", "json [field=FIELD] \"PATH\" as NAME"),
    known("dedup", "dedup FIELD, …"),
    known("pattern", "pattern FIELD"),
    known("diff", "diff [previousDay|previousWeek|previousMonth]"),
    known("unmask", "unmask FIELD, …"),
    known("unnest", "unnest LIST into NAME"),
    known("expand", "expand FIELD"),
    known("lookup", "lookup TABLE COLUMN [as FIELD], … OUTPUT|OUTPUTNEW COLUMN [as NAME], …"),
    known("cidrlookup", "cidrlookup TABLE FIELD [as COLUMN] OUTPUT|OUTPUTNEW COLUMN [as NAME], …"),
    known("join", "join type=inner|left left=NAME right=NAME where LEFT.FIELD = RIGHT.FIELD (QUERY)"),
    known("appendcols", "appendcols [override=BOOLEAN] [max=ROWS] (QUERY)"),
    known("autoregress", "autoregress FIELD [as NAME] [p=FROM-TO]"),
    known("accum", "accum FIELD [as NAME]"),
    known("filldown", "filldown [FIELD, …]"),
    known("fillmissing", "fillmissing [with VALUE for FIELD, …]"),
    known("outlier", "outlier [action=transform|remove] [param=NUMBER] [uselower=BOOLEAN] [mark=BOOLEAN] FIELD, …"),
    known("sessionize", "sessionize FIELD, … [maxspan PERIOD] [as NAME]"),
    known("countFrequent", "countFrequent FIELD, …"),
    known("addtotals", "addtotals [fieldname=NAME] [row=BOOLEAN] [col=BOOLEAN] [FIELD, …]"),
    unknown("anomaly", "the fields that it adds are not published", Some("pattern")),
    unknown("relevantfields", "how its scores are computed is not published", None),
    unknown("logcompare", "its columns are not published", Some("diff")),
    unknown("timeshift", "its columns are not published", Some("diff")),
    unknown("estimate", "what it counts is not published", None),
    unknown("append", "it is named in the grammar and nowhere explained", Some("appendcols")),
    unknown("search", "the service's messages name it, its documentation does not", Some("filter @message like")),
    unknown("order", "the service's messages name it, its documentation does not", Some("sort")),
];

/// The command of this name, in any case.
pub fn command(name: &str) -> Option<&'static CommandName> {
    COMMANDS.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}
