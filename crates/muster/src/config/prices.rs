//! `[prices]`: what AWS asks, for the bill that `muster insights` tells before it switches anything on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// What AWS asks for metrics and logs. AWS changes its prices and has others in other regions: compare the date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PricesSection {
    /// When and where these prices were read.
    pub as_of: String,
    /// Dollars a month for each custom metric, step by step: each step's price is for the metrics up to `up_to`, the last one's for
    /// all further ones.
    pub metrics: Vec<Step>,
    /// Dollars a month for each metric of enhanced Container Insights.
    pub enhanced_metric_usd: f64,
    /// Dollars for each GB of logs that is taken in.
    pub logs_gb_usd: f64,
}

/// One step of a price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The last metric of this step; left out: there is no further step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub up_to: Option<u64>,
    /// Dollars a month for each.
    pub usd: f64,
}

impl Default for PricesSection {
    fn default() -> Self {
        Self {
            as_of: "list prices of us-east-1, October 2026".to_owned(),
            metrics: vec![
                Step { up_to: Some(10_000), usd: 0.30 },
                Step { up_to: Some(250_000), usd: 0.10 },
                Step { up_to: Some(1_000_000), usd: 0.05 },
                Step { up_to: None, usd: 0.02 },
            ],
            enhanced_metric_usd: 0.07,
            logs_gb_usd: 0.50,
        }
    }
}

impl PricesSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        let prices = [("enhanced_metric_usd", self.enhanced_metric_usd), ("logs_gb_usd", self.logs_gb_usd)];
        let steps = self.metrics.iter().map(|step| ("metrics", step.usd));
        for (name, price) in prices.into_iter().chain(steps) {
            if !(price.is_finite() && price >= 0.0) {
                wrong.push(Wrong::at(format!("prices.{name}"), format!("{price} is no price")));
            }
        }
        let grows = self.metrics.windows(2).all(|two| match (two[0].up_to, two[1].up_to) {
            (Some(one), Some(other)) => one < other,
            (one, None) => one.is_some(),
            (None, Some(_)) => false,
        });
        if self.metrics.last().is_none_or(|step| step.up_to.is_some()) || !grows {
            let what = "each step needs a greater up_to than the one before it, and the last one none";
            wrong.push(Wrong::at("prices.metrics", what));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn steps_that_lead_nowhere_are_refused() {
        let told = |text: &str| {
            let text = format!("[prices]\n{text}\n");
            Config::parse("muster.toml", &text).map_or_else(|mistakes| mistakes.to_string(), |_| String::new())
        };
        assert_eq!(told("metrics = [{ up_to = 10, usd = 0.3 }, { usd = 0.1 }]\nlogs_gb_usd = 0.63"), "");
        for text in [
            "metrics = []",
            "metrics = [{ up_to = 10, usd = 0.3 }]",
            "metrics = [{ usd = 0.3 }, { usd = 0.1 }]",
            "metrics = [{ up_to = 10, usd = 0.3 }, { up_to = 5, usd = 0.1 }, { usd = 0.1 }]",
        ] {
            assert!(told(text).contains("greater up_to"), "{text}: {}", told(text));
        }
        assert!(told("logs_gb_usd = -1.0").contains("no price"));
    }
}
