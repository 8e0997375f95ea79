//! Aggregates of plans that DataFusion has not itself.

mod gather;
mod nearest;
mod percentile;
mod single;
pub(crate) mod templates;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::{
    common::Result,
    logical_expr::{
        Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};
use serde::{Deserialize, Serialize};

use crate::{kind::Kind, operation::Setting, rollup::percentile as sketched};

/// What an aggregate computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Aggregation {
    /// The least or the greatest in natural order.
    Extreme {
        /// Which of both.
        greatest: bool,
        /// Whether it becomes a number, where all values look like one.
        as_number: bool,
    },
    /// The value of the row that happened first or last.
    Nearest {
        /// Which of both.
        latest: bool,
    },
    /// The different values, in natural order.
    Values,
    /// The most frequent values.
    TopK(u32),
    /// An exact percentile of numbers.
    Percentile {
        /// Its rank, in billionths of a hundredth.
        billionths: u64,
        /// Whether what lies between two numbers is interpolated; else it is the nearest rank.
        interpolated: bool,
    },
    /// About a percentile, of what sketches of roll-ups and single numbers say.
    Sketched {
        /// Its rank, in billionths of a hundredth.
        billionths: u64,
        /// As of an exact one.
        interpolated: bool,
    },
    /// The patterns of texts, with how often each was seen; of those with `true` in the second argument, apart.
    Patterns,
}

/// An aggregate as DataFusion knows it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Function {
    aggregation: Aggregation,
    setting: Arc<Setting>,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
struct Written {
    aggregation: Aggregation,
    setting: Setting,
}

impl From<Written> for Function {
    fn from(written: Written) -> Self {
        Self::new(written.aggregation, Arc::new(written.setting))
    }
}

impl From<Function> for Written {
    fn from(function: Function) -> Self {
        Self { aggregation: function.aggregation, setting: Setting::clone(&function.setting) }
    }
}

impl Function {
    pub(crate) fn new(aggregation: Aggregation, setting: Arc<Setting>) -> Self {
        Self { aggregation, setting, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.aggregation == other.aggregation && self.setting == other.setting
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aggregation.hash(state);
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregation.fmt(formatter)
    }
}

impl AggregateUDFImpl for Function {
    fn name(&self) -> &str {
        match self.aggregation {
            Aggregation::Extreme { greatest: false, .. } => "least",
            Aggregation::Extreme { greatest: true, .. } => "greatest",
            Aggregation::Nearest { latest: false } => "earliest",
            Aggregation::Nearest { latest: true } => "latest",
            Aggregation::Values => "values",
            Aggregation::TopK(_) => "topk",
            Aggregation::Percentile { .. } => "percentile",
            Aggregation::Sketched { .. } => "percentile_of_sketches",
            Aggregation::Patterns => "patterns",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.aggregation {
            Aggregation::Nearest { .. } => arguments.first().cloned().unwrap_or(DataType::Null),
            Aggregation::Percentile { .. } | Aggregation::Sketched { .. } => Kind::Number.arrow(),
            _ => Kind::Any.arrow(),
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let kinds = match self.aggregation {
            Aggregation::Percentile { .. } => vec![percentile::state_type()],
            Aggregation::Sketched { .. } => vec![sketched::STATE],
            Aggregation::Nearest { .. } => {
                vec![arguments.return_field.data_type().clone(), DataType::Int64, DataType::Int64]
            }
            _ => vec![Kind::Any.arrow()],
        };
        let named = |(number, kind)| Arc::new(Field::new(format!("{}[state {number}]", arguments.name), kind, true));
        Ok(kinds.into_iter().enumerate().map(named).collect())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let rules = self.setting.rules.clone();
        Ok(match self.aggregation {
            Aggregation::Extreme { greatest, as_number } => {
                Box::new(gather::Gathering(gather::Extreme::new(greatest, as_number)))
            }
            Aggregation::Nearest { latest } => {
                Box::new(single::Single(nearest::Groups::new(latest, arguments.return_field.data_type().clone())))
            }
            Aggregation::Values => Box::new(gather::Gathering(gather::Distinct::new(rules))),
            Aggregation::TopK(wanted) => Box::new(gather::Gathering(gather::Frequent::new(wanted, rules))),
            Aggregation::Percentile { billionths, interpolated } => {
                Box::new(single::Single(percentile::Groups::new(percentile::Rank::new(billionths, interpolated))))
            }
            Aggregation::Sketched { billionths, interpolated } => {
                Box::new(sketched::Percentile::new(billionths, interpolated))
            }
            Aggregation::Patterns => Box::new(gather::Gathering(templates::Templates::new(rules))),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        matches!(self.aggregation, Aggregation::Percentile { .. } | Aggregation::Nearest { .. })
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        match self.aggregation {
            Aggregation::Nearest { latest } => {
                Ok(Box::new(nearest::Groups::new(latest, arguments.return_field.data_type().clone())))
            }
            Aggregation::Percentile { billionths, interpolated } => {
                Ok(Box::new(percentile::Groups::new(percentile::Rank::new(billionths, interpolated))))
            }
            _ => datafusion::common::not_impl_err!("`{}` is computed group by group", self.name()),
        }
    }
}
