//! Makes a story that fails smaller: fewer hosts first, then fewer faults, then less time, as long as the same invariant
//! is violated.

use super::story::Story;

/// Makes `story` smaller while `fails` says that it still fails, trying at most `tries` others.
pub fn shrink(story: &Story, mut tries: u32, fails: &mut dyn FnMut(&Story) -> bool) -> Story {
    let mut best = story.clone();
    loop {
        let mut smaller = false;
        for candidate in candidates(&best) {
            if tries == 0 {
                return best;
            }
            tries -= 1;
            if fails(&candidate) {
                best = candidate;
                smaller = true;
                break;
            }
        }
        if !smaller {
            return best;
        }
    }
}

/// Stories with one thing less, the largest cuts first.
fn candidates(story: &Story) -> Vec<Story> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Story)| {
        let mut other = story.clone();
        change(&mut other);
        if other != *story {
            all.push(other);
        }
    };
    // Hosts: the last cluster, when nothing happens to it by name; half of each; one less.
    if story.clusters.len() > 1 {
        with(&|it| {
            let gone = format!("c{}", it.clusters.len() - 1);
            it.clusters.pop();
            it.misfortunes.retain(|misfortune| !misfortune.rest.contains(&gone));
        });
    }
    for at in 0..story.clusters.len() {
        let needed = highest_named(story, at);
        with(&|it| it.clusters[at].hosts = (it.clusters[at].hosts / 2).max(needed).max(1).min(it.clusters[at].hosts));
        with(&|it| it.clusters[at].hosts = (it.clusters[at].hosts - 1).max(needed).max(1).min(it.clusters[at].hosts));
        with(&|it| it.clusters[at].churn_per_hour = 0.0);
        with(&|it| it.clusters[at].daemon = false);
        with(&|it| it.clusters[at].tasks = it.clusters[at].tasks.min(1));
        with(&|it| {
            it.clusters[at].room = None;
            let about = serde_json::json!([format!("c{at}")]);
            if let Some(declared) = it.policy["headroom"].as_array_mut() {
                declared.retain(|keep| keep["clusters"] != about);
            }
        });
    }
    // Faults: half of what happens, one of it, a class at a time.
    let many = story.misfortunes.len();
    if many > 3 {
        with(&|it| it.misfortunes.truncate(many / 2));
        with(&|it| drop(it.misfortunes.drain(..many / 2)));
    }
    for at in 0..many {
        with(&|it| drop(it.misfortunes.remove(at)));
    }
    for of in [Story::events_mut, Story::api_mut, Story::ssm_mut, Story::sink_mut] {
        let mut copy = story.clone();
        let names: Vec<&'static str> = of(&mut copy).keys().copied().collect();
        with(&|it| of(it).clear());
        for name in names {
            with(&|it| {
                of(it).remove(name);
            });
        }
    }
    with(&|it| it.two_musters = false);
    with(&|it| it.clock_steps.clear());
    with(&|it| it.pauses.clear());
    with(&|it| it.full_groups.clear());
    with(&|it| it.crashes.clear());
    with(&|it| it.journal_failures.clear());
    with(&|it| it.requests.clear());
    for at in 0..story.crashes.len() {
        with(&|it| {
            it.crashes.remove(at);
        });
    }
    for at in 0..story.requests.len().min(12) {
        with(&|it| drop(it.requests.remove(at)));
    }
    with(&|it| it.wire = false);
    // Time: end earlier.
    let last = story.misfortunes.iter().map(|it| it.minute).max().unwrap_or(0);
    with(&|it| it.minutes = (it.minutes * 2 / 3).max(last + 31).min(it.minutes));
    with(&|it| it.minutes = (it.minutes - 10).max(last + 31).min(it.minutes));
    all
}

/// The highest host number that anything in the story names in a cluster.
fn highest_named(story: &Story, cluster: usize) -> i64 {
    let named = story.misfortunes.iter().filter_map(|it| {
        let (_, rest) = it.rest.split_once(&format!("host = \"c{cluster}/"))?;
        rest.split('"').next()?.parse::<i64>().ok()
    });
    named.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::draw::draw;

    #[test]
    fn what_is_not_needed_for_the_failure_is_cut_away() {
        let story = (1..).map(draw).find(|it| it.misfortunes.len() > 4 && it.clusters.len() > 1).unwrap();
        let needed = story.misfortunes.first().unwrap().clone();
        let small = shrink(&story, 2_000, &mut |it| it.misfortunes.contains(&needed));
        assert_eq!(small.misfortunes, vec![needed]);
        assert!(small.events.is_empty() && small.api.is_empty() && small.requests.is_empty());
        assert!(small.hosts() <= story.hosts() && small.minutes < story.minutes);
    }
}
