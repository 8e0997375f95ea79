//! What values mean: the one table of types, nulls and coercion, with its uncertain rows marked and configurable.

use serde::{Deserialize, Serialize};

/// How sure a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The service's documentation says so.
    Documented,
    /// It was seen at the service.
    Seen,
    /// It follows from what is documented.
    Follows,
    /// Neither documented nor seen: a choice, which an option changes.
    Uncertain,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it is about.
    pub topic: &'static str,
    /// What holds.
    pub holds: &'static str,
    /// How sure that is.
    pub mark: Mark,
    /// The option of [`Rules`] that changes it.
    pub option: Option<&'static str>,
}

macro_rules! rules {
    ($($mark:ident $topic:literal $holds:literal $(=> $option:ident: $type:ty = $default:expr)?;)*) => {
        /// The options of the uncertain rows, each with the choice that is made by default.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Rules {
            $($(#[doc = concat!($topic, ": ", $holds)] pub $option: $type,)?)*
        }

        impl Default for Rules {
            fn default() -> Self {
                Self { $($($option: $default,)?)* }
            }
        }

        /// Every rule.
        pub const TABLE: &[Rule] = &[
            $(Rule { topic: $topic, holds: $holds, mark: Mark::$mark, option: option_name!($($option)?) },)*
        ];
    };
}

macro_rules! option_name {
    () => {
        None
    };
    ($option:ident) => {
        Some(stringify!($option))
    };
}

rules! {
    Uncertain "precedence" "`or`, `and`, `not`, comparisons, `+ -`, `* / %`, `^` to the right, signs; each binds tighter than those before";
    Follows "fields without a name" "a column is called as its expression was typed, blanks included";
    Uncertain "escapes" "in a text a backslash before a quote or a backslash stands for the sign itself, every other one stays";
    Uncertain "regular expressions" "they are RE2's, with short classes of ASCII; look-around is refused";
    Documented "numbers" "a text that looks like a number is one wherever a number is wanted";
    Follows "equality" "a number and a text that looks like a number are compared as numbers";
    Uncertain "two texts" "two texts are equal if they are the same, `01` is not `1`; true compares them as numbers where both are" => numeric_texts_equal: bool = false;
    Follows "order" "two values that are both numbers, or look so, are compared as numbers, two texts otherwise by code point";
    Uncertain "number and other text" "a number and a text that is none are neither less nor more, and not equal";
    Seen "not convertible" "what is no number gives null in arithmetic and in `toNumber`; aggregates skip it";
    Follows "null in comparison" "a comparison with null is not true";
    Uncertain "null and !=" "`!=`, `not like` and `not in` are not true of null; true makes them so" => null_differs: bool = false;
    Uncertain "not" "`not` of a comparison with null is true; true leaves it null, as SQL does" => not_keeps_null: bool = false;
    Follows "null in arithmetic" "arithmetic with null is null";
    Uncertain "null in concat" "`concat` with null is null; true leaves the null out" => concat_skips_null: bool = false;
    Uncertain "division by zero" "it is null, like every result that is no finite number";
    Uncertain "rounding" "halves go away from zero; true rounds them to the even neighbour" => round_half_even: bool = false;
    Documented "count" "`count(f)` counts the rows that have f, `count(*)` all";
    Uncertain "sum of nothing" "it is null";
    Uncertain "count of no rows" "`stats` without `by` over no rows gives no row; true gives one" => empty_stats_row: bool = false;
    Uncertain "group of null" "rows without the field are a group of their own, printed without it";
    Uncertain "booleans" "they print as 1 and 0; false prints true and false" => booleans_as_numbers: bool = true;
    Documented "maps and lists" "they are null for functions of texts, numbers and dates, and no comparison with them is true";
    Uncertain "index of a list" "the first element is number 0; 1 makes it number 1" => first_index: u32 = 0;
    Uncertain "decimals" "numbers print with at most 4 digits behind the point" => decimals_max: usize = 4;
    Uncertain "order by default" "`sort` without a direction begins with the least; true with the greatest" => sort_descending: bool = false;
    Uncertain "null in an order" "rows without the value come last in both directions; false makes null the least" => nulls_last: bool = true;
    Documented "rows by default" "10,000 rows where nothing is said (in older texts 1,000)" => rows_default: u64 = 10_000;
    Uncertain "two limits" "of the query's and the request's limit the smaller counts; false lets the query's count" => smaller_limit_counts: bool = true;
    Uncertain "dateceil" "a time that is a boundary stays; false moves it to the next" => ceil_keeps_boundary: bool = true;
    Uncertain "weeks and months" "weeks begin on Monday; months, quarters and years are the calendar's, in UTC";
    Uncertain "percentiles" "they are interpolated between neighbours; false takes the nearest rank" => percentiles_interpolated: bool = true;
    Uncertain "stddev" "it is of the whole population, as variance is; true takes it as a sample" => stddev_of_sample: bool = false;
    Seen "strcontains" "its third argument, which ignores letters' case, is documented, and had no effect when seen; false ignores it" => strcontains_folds_case: bool = true;
    Uncertain "extracted columns" "what `parse` extracts is shown where no `display` says otherwise" => extracted_shown: bool = true;
    Uncertain "tail" "`tail N` keeps the last N rows in their order";
}

impl Rules {
    /// How many rows a query gives: its own limit and the request's, or what holds by default.
    pub fn rows(&self, query: Option<u64>, request: Option<u64>) -> u64 {
        let asked = match (query, request) {
            (Some(query), Some(request)) if self.smaller_limit_counts => Some(query.min(request)),
            (query, request) => query.or(request),
        };
        asked.unwrap_or(self.rows_default).min(crate::limits::ROWS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_belong_to_rules_that_are_not_certain() {
        for rule in TABLE.iter().filter(|rule| rule.option.is_some()) {
            let documented = rule.option == Some("rows_default");
            assert!(rule.mark != Mark::Follows && (documented || rule.mark != Mark::Documented), "{}", rule.topic);
        }
    }

    #[test]
    fn of_two_limits_the_smaller_counts() {
        let rules = Rules::default();
        assert_eq!([rules.rows(None, None), rules.rows(Some(5), None), rules.rows(Some(5), Some(3))], [10_000, 5, 3]);
        assert_eq!(Rules { smaller_limit_counts: false, ..rules }.rows(Some(5), Some(3)), 5);
    }
}
