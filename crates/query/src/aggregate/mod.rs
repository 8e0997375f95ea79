//! Aggregates of plans that DataFusion has not itself.

mod gather;
mod percentile;
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

use crate::{kind::Kind, operation::Setting};

/// What an aggregate computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Aggregation {
    /// The least or the greatest: a number where all look like one, by natural order otherwise.
    Extreme {
        /// Which of both.
        greatest: bool,
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
            Aggregation::Extreme { greatest: false } => "least",
            Aggregation::Extreme { greatest: true } => "greatest",
            Aggregation::Values => "values",
            Aggregation::TopK(_) => "topk",
            Aggregation::Percentile { .. } => "percentile",
            Aggregation::Patterns => "patterns",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.aggregation {
            Aggregation::Percentile { .. } => Kind::Number.arrow(),
            _ => Kind::Any.arrow(),
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let kind = match self.aggregation {
            Aggregation::Percentile { .. } => percentile::state_type(),
            _ => Kind::Any.arrow(),
        };
        Ok(vec![Arc::new(Field::new(format!("{}[state]", arguments.name), kind, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let rules = self.setting.rules.clone();
        Ok(match self.aggregation {
            Aggregation::Extreme { greatest } => Box::new(gather::Gathering(gather::Extreme::new(greatest))),
            Aggregation::Values => Box::new(gather::Gathering(gather::Distinct::new(rules))),
            Aggregation::TopK(wanted) => Box::new(gather::Gathering(gather::Frequent::new(wanted, rules))),
            Aggregation::Percentile { billionths, interpolated } => {
                Box::new(percentile::One::new(percentile::Rank::new(billionths, interpolated)))
            }
            Aggregation::Patterns => Box::new(gather::Gathering(templates::Templates::new(rules))),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        matches!(self.aggregation, Aggregation::Percentile { .. })
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        match self.aggregation {
            Aggregation::Percentile { billionths, interpolated } => {
                Ok(Box::new(percentile::Groups::new(percentile::Rank::new(billionths, interpolated))))
            }
            _ => datafusion::common::not_impl_err!("`{}` is computed group by group", self.name()),
        }
    }
}
