//! How large a query may be, and what it makes of a record. The service's own limits, and ours where it has none that are published.

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

/// The most steps of a field's path. JSON is not read deeper than this, so that a longer one leads nowhere.
pub const PATH_PARTS_MAX: usize = 128;

/// The most fields that a query may make and keep at one time.
pub const FIELDS_MADE_MAX: usize = 2_000;

/// The most hints that are given with one query.
pub const HINTS_MAX: usize = 20;

/// The longest text that a function makes, in bytes: four times the longest message. Instead of a longer one there is null.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// The most elements of a list that a function makes out of a text by cutting it: as many as a message has bytes.
pub const ELEMENTS_MAX: usize = 1 << 20;

/// The largest compiled regular expression, in bytes. One of this size takes milliseconds to compile.
pub const REGEX_BYTES_MAX: usize = 256 << 10;

/// What a compiled regular expression may remember of the texts it has seen, in bytes and for each thread that searches: it is
/// kept as long as the query runs, for each of them.
pub const REGEX_CACHE_BYTES_MAX: usize = 256 << 10;

/// The most regular expressions of one query, so that reading one takes a fraction of a second at worst.
pub const REGEXES_MAX: usize = 100;
