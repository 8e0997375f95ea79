//! Aggregates: what they take and give. An engine computes them.

use super::{
    Argument::{Any, Count, Number, Period},
    Class, Compute, Function, Kind, MANY,
};

const fn aggregate(
    name: &'static str,
    arguments: &'static [super::Argument],
    least: usize,
    most: usize,
    result: Kind,
) -> Function {
    Function { name, aliases: &[], class: Class::Aggregate, arguments, least, most, result, compute: Compute::Rows }
}

pub(super) const FUNCTIONS: &[Function] = &[
    aggregate("count", &[Any], 0, 1, Kind::Number),
    aggregate("count_distinct", &[Any], 1, MANY, Kind::Number).also(&["countDistinct"]),
    aggregate("sum", &[Number], 1, 1, Kind::Number),
    aggregate("avg", &[Number], 1, 1, Kind::Number),
    aggregate("min", &[Any], 1, 1, Kind::Any),
    aggregate("max", &[Any], 1, 1, Kind::Any),
    aggregate("pct", &[Number, Number], 2, 2, Kind::Number),
    aggregate("stddev", &[Number], 1, 1, Kind::Number),
    aggregate("variance", &[Number], 1, 1, Kind::Number),
    aggregate("values", &[Any], 1, 1, Kind::List).also(&["collect_values"]),
    aggregate("topk", &[Count, Any], 2, 2, Kind::Any),
    aggregate("earliest", &[Any], 1, 1, Kind::Any),
    aggregate("latest", &[Any], 1, 1, Kind::Any),
    aggregate("sortsFirst", &[Any], 1, 1, Kind::Any),
    aggregate("sortsLast", &[Any], 1, 1, Kind::Any),
    aggregate("rate", &[Any, Period], 2, 2, Kind::Number),
    aggregate("countOverTime", &[Any, Period], 1, 2, Kind::Number).also(&["count_over_time"]),
    aggregate("sumOverTime", &[Number, Period], 2, 2, Kind::Number).also(&["sum_over_time"]),
    Function {
        name: "histogram",
        aliases: &[],
        class: Class::Group,
        arguments: &[Number, Number],
        least: 2,
        most: 2,
        result: Kind::Number,
        compute: Compute::Rows,
    },
];
