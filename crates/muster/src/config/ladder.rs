//! `[[ladder]]`: how far muster goes for some clusters and troubles, how long it waits, and which remedies it tries in which
//! order.

use fleet::{
    journal::Trouble,
    policy::{Mode, Rule, Rung, rule::default_ladder},
    remedy::Remedy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config,
    mistake::{Wrong, nearest},
    words::{self, cluster_glob, covers},
};

/// What holds for some clusters and some troubles. Of all entries that fit, the last one that says something wins, option by
/// option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LadderEntry {
    /// Patterns of cluster names, with `*` and `?`. Left out: all clusters.
    #[schemars(example = ["prod-*"])]
    pub clusters: Vec<String>,
    /// Troubles: agent-away, runtime, never-registered, host-impaired, flapping, registration-failed, drain-stuck, doubt.
    /// Left out: all.
    #[schemars(schema_with = "words::troubles", example = ["agent-away"])]
    pub troubles: Vec<Trouble>,
    /// How far muster goes: observe, dry-run, approve or act. Left out: as the `[policy]` section says.
    #[schemars(schema_with = "words::mode", example = &"approve")]
    pub mode: Option<Mode>,
    /// Instead of the `[policy]` section's.
    #[schemars(range(min = 1), example = &120)]
    pub grace_secs: Option<u32>,
    /// Instead of the `[policy]` section's.
    #[schemars(range(min = 1), example = &300)]
    pub act_after_secs: Option<u32>,
    /// Instead of the `[policy]` section's.
    #[schemars(range(min = 1), example = &3)]
    pub fail_after: Option<u32>,
    /// The remedies in the order in which they are tried, mildest first: restart-agent, restart-runtime, reboot, drain,
    /// replace, deregister, release-tasks, custom, tell-someone. One that does not fit a case is passed over; after the last
    /// one a person is told.
    #[schemars(example = rungs_example())]
    pub rungs: Option<Vec<RungEntry>>,
}

/// One remedy of a ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RungEntry {
    /// What is tried.
    #[schemars(schema_with = "words::remedy")]
    pub remedy: Remedy,
    /// How long it may take until the trouble must be over; then the next one is tried. For a drain, when it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_secs: Option<u32>,
    /// For `remedy = "custom"`: the name of a `[[custom]]` action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<String>,
}

fn rungs_example() -> Vec<RungEntry> {
    let rung = |remedy, secs| RungEntry { remedy, deadline_secs: Some(secs), custom: None };
    vec![rung(Remedy::RestartAgent, 180), rung(Remedy::Replace, 900)]
}

impl LadderEntry {
    /// As the core wants it.
    pub(super) fn rule(&self) -> Rule {
        let rung = |rung: &RungEntry| Rung {
            remedy: rung.remedy,
            deadline_secs: rung.deadline_secs,
            custom: rung.custom.clone(),
        };
        Rule {
            clusters: self.clusters.clone(),
            troubles: self.troubles.clone(),
            mode: self.mode,
            grace_secs: self.grace_secs,
            act_after_secs: self.act_after_secs,
            fail_after: self.fail_after,
            ladder: self.rungs.as_ref().map(|rungs| rungs.iter().map(rung).collect()),
        }
    }

    /// Whether everything it is about is what `narrow` is about, and more perhaps.
    fn covers(&self, narrow: &Self) -> bool {
        covers(&self.clusters, &narrow.clusters, |glob| glob == "*")
            && covers(&self.troubles, &narrow.troubles, |_| false)
    }

    /// Whether each option that `other` gives is given here too.
    fn says_all_of(&self, other: &Self) -> bool {
        (self.mode.is_some() || other.mode.is_none())
            && (self.grace_secs.is_some() || other.grace_secs.is_none())
            && (self.act_after_secs.is_some() || other.act_after_secs.is_none())
            && (self.fail_after.is_some() || other.fail_after.is_none())
            && (self.rungs.is_some() || other.rungs.is_none())
    }
}

pub(super) fn check(config: &Config, wrong: &mut Vec<Wrong>) {
    let ladders = &config.ladder;
    for (index, entry) in ladders.iter().enumerate() {
        let place = format!("ladder.{index}");
        for glob in &entry.clusters {
            if let Err(why) = cluster_glob(glob) {
                wrong.push(Wrong::of(&place, "clusters", why));
            }
        }
        if LadderEntry::default().says_all_of(entry) {
            wrong.push(Wrong::at(
                &place,
                "this entry says nothing: give it mode, grace_secs, act_after_secs, fail_after or rungs, or take it out",
            ));
            continue;
        }
        if let Some(later) =
            (index + 1..ladders.len()).find(|&later| ladders[later].covers(entry) && ladders[later].says_all_of(entry))
        {
            wrong.push(Wrong::at(
                &place,
                format!(
                    "this entry is never heard: entry {} further down fits all that it fits and says the same options, \
                     and the last one wins. Take one out, or put the narrower one last",
                    later + 1
                ),
            ));
        }
        waits(config, index, &place, wrong);
        rungs(config, index, &place, wrong);
    }
}

fn waits(config: &Config, index: usize, place: &str, wrong: &mut Vec<Wrong>) {
    let entry = &config.ladder[index];
    for (option, value) in
        [("grace_secs", entry.grace_secs), ("act_after_secs", entry.act_after_secs), ("fail_after", entry.fail_after)]
    {
        if value == Some(0) {
            wrong.push(Wrong::of(place, option, "0 is out of range: must be at least 1"));
            return;
        }
    }
    if entry.grace_secs.is_none() && entry.act_after_secs.is_none() {
        return;
    }
    // What holds where this entry is the last word: the section's numbers, then each wider entry before it.
    let (mut grace, mut act_after) = (config.policy.grace_secs, config.policy.act_after_secs);
    for earlier in config.ladder[..=index].iter().filter(|earlier| earlier.covers(entry)) {
        grace = earlier.grace_secs.unwrap_or(grace);
        act_after = earlier.act_after_secs.unwrap_or(act_after);
    }
    if act_after <= grace {
        let option = if entry.act_after_secs.is_some() { "act_after_secs" } else { "grace_secs" };
        wrong.push(Wrong::of(
            place,
            option,
            format!(
                "act_after_secs ({act_after}) must be more than grace_secs ({grace}) here: nothing is decided before the \
                 grace is over"
            ),
        ));
    }
}

fn rungs(config: &Config, index: usize, place: &str, wrong: &mut Vec<Wrong>) {
    let entry = &config.ladder[index];
    let acting = matches!(entry.mode, Some(Mode::Act | Mode::Approve));
    let Some(rungs) = &entry.rungs else {
        let given = |trouble: Trouble| {
            let about =
                LadderEntry { clusters: entry.clusters.clone(), troubles: vec![trouble], ..LadderEntry::default() };
            config.ladder.iter().any(|other| other.rungs.is_some() && other.covers(&about))
        };
        for &trouble in entry.troubles.iter().filter(|_| acting) {
            if matches!(trouble, Trouble::NoRoom | Trouble::MuchRoom) {
                let what = format!("how far muster goes about {} is said by each [[headroom]]", trouble.word());
                wrong.push(Wrong::of(place, "troubles", what));
            } else if default_ladder(trouble).is_empty() && !given(trouble) {
                wrong.push(Wrong::of(
                    place,
                    "troubles",
                    format!(
                        "there is no usual ladder for {}, so there is nothing to {}: give rungs, or leave the mode out",
                        trouble.word(),
                        entry.mode.unwrap_or_default().word()
                    ),
                ));
            }
        }
        return;
    };
    if rungs.is_empty() && acting {
        wrong.push(Wrong::of(
            place,
            "rungs",
            format!(
                "mode = \"{}\" with a ladder without rungs does nothing: give it a rung, or mode = \"observe\"",
                entry.mode.unwrap_or_default().word()
            ),
        ));
    }
    for (number, rung) in rungs.iter().enumerate() {
        let at = |option: &str, what: String| {
            let rungs = format!("{place}.rungs");
            Wrong::at_any(vec![format!("{rungs}.{number}.{option}"), format!("{rungs}.{number}"), rungs], what)
        };
        if rung.deadline_secs == Some(0) {
            wrong.push(at("deadline_secs", "0 is out of range: a rung needs at least 1 second".to_owned()));
        }
        match (&rung.custom, rung.remedy) {
            (None, Remedy::Custom) => {
                wrong.push(at(
                    "remedy",
                    "a custom rung needs a name: custom = \"NAME\" of a [[custom]] action".to_owned(),
                ));
            }
            (Some(name), Remedy::Custom) if !config.custom.iter().any(|custom| custom.name == *name) => {
                let known = || config.custom.iter().map(|custom| custom.name.as_str());
                let instead = match nearest(name, known()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if config.custom.is_empty() => "there is no [[custom]] at all".to_owned(),
                    None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                };
                wrong.push(at("custom", format!("there is no [[custom]] action called `{name}`; {instead}")));
            }
            (Some(_), remedy) if remedy != Remedy::Custom => {
                wrong.push(at(
                    "custom",
                    format!(
                        "`custom` names an action of yours, and this rung is {}: write remedy = \"custom\"",
                        remedy.word()
                    ),
                ));
            }
            _ => {}
        }
        if rung.remedy.keeps_room() {
            let what = format!("{} is no rung of a ladder: it follows from a [[headroom]]", rung.remedy.word());
            wrong.push(at("remedy", what));
        }
        if rung.remedy == Remedy::TellSomeone && number + 1 < rungs.len() {
            wrong.push(at(
                "remedy",
                "after tell-someone a person is in charge: the rungs behind it are never reached".to_owned(),
            ));
        }
    }
}

/// What is allowed and still worth a word.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    // Custom actions may be as mild or as harsh as their writer likes.
    let harshness = |rung: &RungEntry| Remedy::ALL.iter().position(|known| *known == rung.remedy);
    let mut warnings = Vec::new();
    for (index, entry) in config.ladder.iter().enumerate() {
        let steps: Vec<&RungEntry> =
            entry.rungs.iter().flatten().filter(|rung| rung.remedy != Remedy::Custom).collect();
        if let Some(pair) = steps.windows(2).find(|pair| harshness(pair[0]) > harshness(pair[1]))
            && pair[1].remedy != Remedy::Deregister
        {
            warnings.push(format!(
                "[[ladder]] {}: {} comes before the milder {}",
                index + 1,
                pair[0].remedy.word(),
                pair[1].remedy.word()
            ));
        }
    }
    warnings
}
