//! Where the copies go, one after the other: each of the twin's choices must be one of those that the scheduler might have
//! made itself, and it must stop where the scheduler stops.

use std::collections::BTreeMap;

use fleet::capacity::limit::Limit;
use simulator::{
    twin::Case,
    world::{HostId, placement::PlacementStrategy},
};

use super::{coverage::Coverage, told::Told};

/// So many copies are walked at most: after the first rounds nothing new happens.
const STEPS: u32 = 40;

pub(crate) fn compare(case: &Case, told: &Told, coverage: &mut Coverage) -> Result<(), String> {
    // One in three: the strategies need fewer cases than the numbers.
    if !case.seed.is_multiple_of(3) {
        return Ok(());
    }
    let strategies = case.placement().map_or(&[][..], |placement| &placement.strategies);
    let words: Vec<&str> = strategies.iter().map(PlacementStrategy::word).collect();
    *coverage.walks.entry(if words.is_empty() { "none".to_owned() } else { words.join(", ") }).or_default() += 1;
    let hosts: BTreeMap<String, HostId> =
        case.listed_hosts().into_iter().map(|host| (case.world.host_arn(host), host)).collect();
    let mut world = case.world.clone();
    let ask = case.ask();
    let placed = told.fleet.place(&told.cluster, &told.shape, &told.placement, STEPS, case.seed);
    for (number, step) in placed.iter().enumerate() {
        let best = world.best_hosts(case.cluster, &ask);
        let arn = match step {
            Ok(arn) => arn,
            // The scheduler knows more where the twin says that it cannot know.
            Err(_) if told.has_unknown() => return Ok(()),
            Err(limit) if best.is_empty() => return stopped(limit),
            Err(limit) => return Err(format!("copy {number} goes to {best:?}, the twin stops for {limit:?}")),
        };
        let Some(host) = hosts.get(arn) else {
            return Err(format!("copy {number} goes to {arn}, which is not listed"));
        };
        if !best.contains(host) && !told.has_unknown() {
            let best: Vec<String> = best.iter().map(|host| case.world.host_arn(*host)).collect();
            return Err(format!("copy {number} goes to {arn}, by {strategies:?} it should to one of {best:?}"));
        }
        let (copies, lack) = world.fill_host(*host, &ask, 1);
        if copies != 1 {
            return Err(format!("copy {number} goes to {arn}, which lacks {lack:?}"));
        }
        coverage.walked += 1;
    }
    Ok(())
}

fn stopped(limit: &Limit) -> Result<(), String> {
    match limit {
        Limit::Unknown(why) => Err(format!("the twin stops for what it does not know: {why}")),
        _ => Ok(()),
    }
}

impl Told {
    /// Whether the twin cannot know what a host takes.
    fn has_unknown(&self) -> bool {
        let answer = self.fleet.fit(&self.cluster, &self.shape, &self.placement, self.now);
        answer.hosts.iter().any(|host| matches!(host.limit, Some(Limit::Unknown(_))))
    }
}
