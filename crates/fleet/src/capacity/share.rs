//! Services whose tasks are shared out among several capacity providers: how many more fit on each, and how many in turn.
//!
//! ECS first gives a provider its base, then shares tasks out by the weights, of all tasks of the service and not of the
//! next ones. How it rounds is not documented: here the provider that is furthest behind its share gets the next task. A
//! task whose provider is full waits there; it does not go to another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{placement::Placement, shape::TaskShape, twin::Twin};
use crate::state::Fleet;

/// More copies in turn are not counted.
const MOST_COPIES: u64 = 100_000;

/// One capacity provider of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Name of the capacity provider.
    pub provider: String,
    /// So many tasks of the service it has before weights count.
    pub base: u32,
    /// Its part of the others; 0: none of them.
    pub weight: u32,
}

/// What one capacity provider has of a service, and has room for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFit {
    /// The share.
    #[serde(flatten)]
    pub share: Share,
    /// Tasks of the service that are on its hosts.
    pub placed: u64,
    /// Copies that fit on its hosts.
    pub copies: u64,
    /// Of those, copies that it gets before a provider is full whose turn it is.
    pub in_turn: u64,
}

/// The strategy of a service, as DescribeServices or CreateService has it; empty where one provider alone is named.
pub fn shares(service: &Value) -> Vec<Share> {
    let list = service["capacityProviderStrategy"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number =
        |value: &Value, default: u32| value.as_u64().map_or(default, |it| u32::try_from(it).unwrap_or(u32::MAX));
    let share = |entry: &Value| {
        let provider = entry["capacityProvider"].as_str()?.to_owned();
        Some(Share { provider, base: number(&entry["base"], 0), weight: number(&entry["weight"], 0) })
    };
    let shares: Vec<Share> = list.iter().filter_map(share).collect();
    if shares.len() > 1 { shares } else { Vec::new() }
}

impl Fleet {
    /// How many more copies fit on the hosts of each provider, and how many in turn.
    pub fn fit_shares(
        &self,
        cluster: &str,
        shape: &TaskShape,
        placement: &Placement,
        shares: &[Share],
    ) -> Vec<ShareFit> {
        let twin = Twin::of(self, cluster);
        let group = placement.group.clone().unwrap_or_else(|| shape.own_group());
        let tasks = twin.tasks_of_group(&group);
        let fit = |share: &Share| {
            let own = Placement { capacity_provider: Some(share.provider.clone()), ..placement.clone() };
            let name = self.names.find(&share.provider);
            let here = twin.seats.iter().zip(&tasks).filter(|(seat, _)| name.is_some() && seat.provider == name);
            ShareFit {
                share: share.clone(),
                placed: here.map(|(_, tasks)| u64::from(*tasks)).sum(),
                copies: twin.fit(shape, &own).copies,
                in_turn: 0,
            }
        };
        let mut fits: Vec<ShareFit> = shares.iter().map(fit).collect();
        take_turns(&mut fits);
        fits
    }
}

fn take_turns(fits: &mut [ShareFit]) {
    for _ in 0..MOST_COPIES {
        let has = |fit: &ShareFit| fit.placed + fit.in_turn;
        let base = fits.iter().position(|fit| has(fit) < u64::from(fit.share.base));
        // Of those with a weight the one that would still have the least of its share.
        let by_weight = || {
            let weighed = fits.iter().enumerate().filter(|(_, fit)| fit.share.weight > 0);
            let part = |fit: &ShareFit| {
                (has(fit).saturating_sub(u64::from(fit.share.base)) + 1) as f64 / f64::from(fit.share.weight)
            };
            weighed.min_by(|(_, one), (_, other)| part(one).total_cmp(&part(other))).map(|(number, _)| number)
        };
        let Some(next) = base.or_else(by_weight).and_then(|number| fits.get_mut(number)) else { return };
        if next.in_turn >= next.copies {
            return;
        }
        next.in_turn += 1;
    }
}

/// What is told of shares, in a sentence.
pub fn sentence(fits: &[ShareFit]) -> String {
    let one = |fit: &ShareFit| {
        let Share { provider, base, weight } = &fit.share;
        format!("{provider} {} more (base {base}, weight {weight}, {} placed)", fit.copies, fit.placed)
    };
    let all: Vec<String> = fits.iter().map(one).collect();
    let turn: u64 = fits.iter().map(|fit| fit.in_turn).sum();
    format!(
        "by capacity provider: {}; in turn {turn} fit before one is full whose turn it is (how ECS rounds shares is not \
         documented)",
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(base: u32, weight: u32, placed: u64, copies: u64) -> ShareFit {
        ShareFit { share: Share { provider: "p".into(), base, weight }, placed, copies, in_turn: 0 }
    }

    fn turns(mut fits: Vec<ShareFit>) -> Vec<u64> {
        take_turns(&mut fits);
        fits.iter().map(|fit| fit.in_turn).collect()
    }

    #[test]
    fn the_base_comes_first_and_then_the_weights() {
        assert_eq!(
            turns(vec![fit(2, 1, 0, 10), fit(0, 1, 0, 3)]),
            [6, 3],
            "2 of the base, then one each until one is full"
        );
        assert_eq!(turns(vec![fit(0, 3, 0, 9), fit(0, 1, 0, 9)]), [9, 3], "three to one");
        assert_eq!(turns(vec![fit(0, 1, 5, 9), fit(0, 1, 0, 9)]), [5, 9], "who is behind catches up");
    }

    #[test]
    fn a_full_provider_keeps_its_turn_and_one_without_weight_gets_its_base_alone() {
        assert_eq!(turns(vec![fit(4, 1, 0, 1), fit(0, 1, 0, 9)]), [1, 0], "the base does not fit");
        assert_eq!(turns(vec![fit(2, 0, 0, 9), fit(0, 1, 0, 4)]), [2, 4]);
        assert_eq!(turns(vec![fit(1, 0, 1, 9), fit(0, 0, 0, 9)]), [0, 0]);
    }

    #[test]
    fn a_strategy_is_read_where_there_is_more_than_one_provider() {
        let entry = |name: &str| serde_json::json!({"capacityProvider": name, "weight": 2});
        let of = |list: Vec<Value>| shares(&serde_json::json!({"capacityProviderStrategy": list}));
        assert_eq!(of(vec![entry("a")]), []);
        let both = of(vec![entry("a"), entry("b")]);
        assert_eq!((both.len(), both[1].weight, both[1].base), (2, 2, 0));
        assert!(sentence(&[fit(1, 2, 3, 4)]).contains("p 4 more (base 1, weight 2, 3 placed)"));
    }
}
