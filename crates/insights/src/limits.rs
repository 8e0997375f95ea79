//! How large a query may be. The service's own limits, and ours where it has none that are published.

/// The longest query, in characters (StartQuery's own limit).
pub const QUERY_CHARS_MAX: usize = 10_000;

/// The longest filter pattern, in characters (FilterLogEvents' own limit).
pub const PATTERN_CHARS_MAX: usize = 1_024;

/// The most commands of one query. The service publishes none; this bounds what a check costs.
pub const COMMANDS_MAX: usize = 100;

/// The most `stats` commands of one query.
pub const STATS_MAX: usize = 10;

/// How high the tree of an expression may grow, and how deep parentheses may be nested.
pub const HEIGHT_MAX: u16 = 64;

/// The most branches of one `case`.
pub const CASE_BRANCHES_MAX: usize = 10;

/// The most rows that a query may ask for.
pub const ROWS_MAX: u64 = 100_000;

/// The most fields that are discovered in one record; the rest is reached by `parse` only.
pub const DISCOVERED_FIELDS_MAX: usize = 200;

/// The largest compiled regular expression, in bytes. One of this size takes milliseconds to compile.
pub const REGEX_BYTES_MAX: usize = 256 << 10;

/// The most regular expressions of one query, so that reading one takes a fraction of a second at worst.
pub const REGEXES_MAX: usize = 100;
