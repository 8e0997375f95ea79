//! `[[headroom]]`: what room is always to be kept, and how far muster goes to keep it.

use fleet::{
    capacity::keeper::Declared,
    policy::{Keep, Mode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    mistake::Wrong,
    words::{self, cluster_glob},
};

/// The most copies, hosts and seconds that make sense: a slip of the finger is more.
const MOST_COPIES: u32 = 100_000;
const MOST_HOSTS: u32 = 5_000;
const LONGEST_SECS: u32 = 7 * 86_400;
/// Faster than this a group is not even read anew.
const SHORTEST_COOL_DOWN_SECS: u32 = 60;
/// Scale-in is slow: what is spare for less than this is wanted again in a moment.
const SHORTEST_SCALE_IN_SECS: u32 = 600;

/// Always room for so many more copies. Where there is less, the Auto Scaling group is made larger; where there has long been
/// more, and scale_in says so, one empty host after the other goes. What ECS's managed scaling decides it only advises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadroomEntry {
    /// Patterns of cluster names, with `*` and `?`. Left out: all clusters.
    #[serde(default)]
    #[schemars(example = ["prod-*"])]
    pub clusters: Vec<String>,
    /// Room for copies of this service: of its task definition, with its placement constraints.
    #[serde(default)]
    #[schemars(example = &"api")]
    pub service: Option<String>,
    /// Room for copies of a task definition that belongs to no service, by its family; instead of `service`.
    #[serde(default)]
    #[schemars(example = &"batch", extend("not-alone" = true))]
    pub task: Option<String>,
    /// Room for so many more copies.
    #[schemars(range(min = 1), example = &4)]
    pub copies: u32,
    /// So many in each zone that the group launches in, and not only in all of them together.
    #[serde(default)]
    pub each_zone: bool,
    /// Patterns of names of Auto Scaling groups, with `*` and `?`: which may be made larger and smaller. Left out: the group that
    /// feeds the cluster. Where several do, name one.
    #[serde(default)]
    #[schemars(example = ["prod-api-*"])]
    pub groups: Vec<String>,
    /// The group is never made larger than this, nor than its own maximum.
    #[schemars(range(min = 1), example = &20)]
    pub max_hosts: u32,
    /// The group is never made smaller than this, nor than its own minimum.
    #[serde(default)]
    #[schemars(example = &3)]
    pub min_hosts: u32,
    /// So many hosts at most are added at once; the next ones when these have come.
    #[serde(default = "step_hosts")]
    #[schemars(range(min = 1), example = &2)]
    pub step_hosts: u32,
    /// How long after hosts were added no others are.
    #[serde(default = "cool_down_secs")]
    #[schemars(range(min = 60), example = &180)]
    pub cool_down_secs: u32,
    /// Hosts that are empty go, one at a time, when there has long been more room than declared.
    #[serde(default)]
    pub scale_in: bool,
    /// How long there must have been more room than declared before a host goes, and how long between two of them.
    #[serde(default = "scale_in_after_secs")]
    #[schemars(range(min = 600), example = &3600)]
    pub scale_in_after_secs: u32,
    /// How far muster goes here: observe, dry-run, approve or act.
    #[serde(default)]
    #[schemars(schema_with = "words::mode", example = &"dry-run")]
    pub mode: Mode,
    /// Add hosts by this scaling policy of the group (ExecutePolicy, of type SimpleScaling) instead of setting its size. The
    /// group's own maximum must not be above max_hosts then.
    #[serde(default)]
    #[schemars(example = &"add-two", extend("not-alone" = true))]
    pub scale_out_policy: Option<String>,
}

fn step_hosts() -> u32 {
    Declared::default().step_hosts
}

fn cool_down_secs() -> u32 {
    Declared::default().cool_down_secs
}

fn scale_in_after_secs() -> u32 {
    Declared::default().scale_in_after_secs
}

impl HeadroomEntry {
    /// As the core wants it.
    pub(super) fn keep(&self) -> Keep {
        Keep {
            clusters: self.clusters.clone(),
            of: self.of(),
            each_zone: self.each_zone,
            groups: self.groups.clone(),
            mode: Some(self.mode),
            scale_out_policy: self.scale_out_policy.clone(),
            declared: Declared {
                copies: self.copies,
                min_hosts: self.min_hosts,
                max_hosts: self.max_hosts,
                step_hosts: self.step_hosts,
                cool_down_secs: self.cool_down_secs,
                scale_in: self.scale_in,
                scale_in_after_secs: self.scale_in_after_secs,
                ..Declared::default()
            },
        }
    }

    fn of(&self) -> String {
        match (&self.service, &self.task) {
            (Some(service), _) => format!("service:{service}"),
            (None, task) => format!("family:{}", task.as_deref().unwrap_or_default()),
        }
    }
}

pub(super) fn check(entries: &[HeadroomEntry], wrong: &mut Vec<Wrong>) {
    for (index, entry) in entries.iter().enumerate() {
        let place = format!("headroom.{index}");
        for glob in &entry.clusters {
            if let Err(why) = cluster_glob(glob) {
                wrong.push(Wrong::of(&place, "clusters", why));
            }
        }
        if let Some(glob) = entry.groups.iter().find(|glob| glob.is_empty() || glob.len() > 255) {
            let why = match glob.as_str() {
                "" => "a pattern is empty; leave `groups` out to mean the group that feeds the cluster".to_owned(),
                _ => "a pattern is longer than any group's name (255)".to_owned(),
            };
            wrong.push(Wrong::of(&place, "groups", why));
        }
        names(entry, &place, wrong);
        numbers(entry, &place, wrong);
        let same = |other: &HeadroomEntry| other.of() == entry.of() && other.clusters == entry.clusters;
        if let Some(twin) = entries[..index].iter().position(same) {
            let what = format!(
                "room for {} is declared by entry {} already, for the same clusters, and the first one wins: take one out",
                entry.of(),
                twin + 1
            );
            wrong.push(Wrong::at(&place, what));
        }
    }
}

fn names(entry: &HeadroomEntry, place: &str, wrong: &mut Vec<Wrong>) {
    match (&entry.service, &entry.task) {
        (None, None) => wrong.push(Wrong::at(
            place,
            "room for copies of what? Give it service = \"NAME\", or task = \"FAMILY\" for tasks of no service",
        )),
        (Some(_), Some(_)) => wrong.push(Wrong::of(
            place,
            "task",
            "service and task exclude each other: a service has a task definition already. Take one out",
        )),
        _ => {}
    }
    for (option, name) in [("service", &entry.service), ("task", &entry.task)] {
        let Some(name) = name else { continue };
        let last = name.rsplit('/').next().unwrap_or(name);
        let family = last.split(':').next().unwrap_or(last);
        if name.starts_with("arn:") || (option == "task" && name.contains(':')) {
            let instead = if option == "task" { family } else { last };
            wrong.push(Wrong::of(
                place,
                option,
                format!("a name is wanted here, and no ARN or revision: write `{instead}`"),
            ));
        } else if let Some(strange) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            let what =
                format!("`{name}` is no name of one: it holds letters, digits, `-` and `_`, and not `{strange}`");
            wrong.push(Wrong::of(place, option, what));
        } else if name.is_empty() {
            wrong.push(Wrong::of(place, option, format!("the name is empty: write {option} = \"NAME\"")));
        }
    }
    if let Some(policy) = &entry.scale_out_policy
        && (policy.is_empty() || policy.len() > 255 || policy.chars().any(char::is_control))
    {
        let what = "no scaling policy has this name; leave it out to have the group's size set";
        wrong.push(Wrong::of(place, "scale_out_policy", what));
    }
}

fn numbers(entry: &HeadroomEntry, place: &str, wrong: &mut Vec<Wrong>) {
    let mut range = |option: &str, value: u32, least: u32, most: u32| {
        if !(least..=most).contains(&value) {
            let what = format!("{value} is out of range: must be between {least} and {most}");
            wrong.push(Wrong::of(place, option, what));
        }
    };
    range("copies", entry.copies, 1, MOST_COPIES);
    range("max_hosts", entry.max_hosts, 1, MOST_HOSTS);
    range("step_hosts", entry.step_hosts, 1, MOST_HOSTS);
    range("cool_down_secs", entry.cool_down_secs, SHORTEST_COOL_DOWN_SECS, LONGEST_SECS);
    range("scale_in_after_secs", entry.scale_in_after_secs, SHORTEST_SCALE_IN_SECS, LONGEST_SECS);
    if entry.min_hosts > entry.max_hosts {
        let what = format!(
            "min_hosts ({}) is more than max_hosts ({}): the group could be neither made larger nor smaller",
            entry.min_hosts, entry.max_hosts
        );
        wrong.push(Wrong::of(place, "min_hosts", what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const GOOD: &str = "[[headroom]]\nservice = \"api\"\ncopies = 4\nmax_hosts = 20\n";

    fn mistakes(text: &str) -> String {
        Config::parse("muster.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_declaration_says_what_it_must_and_the_rest_is_careful() {
        let config = Config::parse("muster.toml", GOOD).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let policy = config.policy();
        let keep = policy.keep_of("any", "service:api").unwrap();
        assert_eq!((keep.declared.copies, keep.declared.max_hosts, keep.mode), (4, 20, Some(Mode::DryRun)));
        assert!(!keep.declared.scale_in && !keep.each_zone && !config.may_act());
    }

    #[test]
    fn everything_that_is_written_reaches_the_core_and_who_only_looks_does_nothing() {
        let text = "[[headroom]]\nclusters = [\"prod-*\"]\ntask = \"batch\"\ncopies = 71\neach_zone = true\n\
                    groups = [\"g-*\"]\nmax_hosts = 78\nmin_hosts = 72\nstep_hosts = 73\ncool_down_secs = 74\n\
                    scale_in = true\nscale_in_after_secs = 7500\nmode = \"act\"\nscale_out_policy = \"up\"\n";
        let config = Config::parse("muster.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let keep = config.policy().headroom.remove(0);
        assert_eq!(
            (keep.of.as_str(), keep.groups.as_slice(), keep.each_zone),
            ("family:batch", &["g-*".to_owned()][..], true)
        );
        let told = serde_json::to_string(&keep).unwrap();
        for number in ["71", "72", "73", "74", "7500", "78", "\"up\"", "\"act\"", "\"prod-*\""] {
            assert!(told.contains(number), "{number} is lost: {told}");
        }
        assert!(config.may_act());
        assert_eq!(config.watching_policy().headroom[0].mode, Some(Mode::DryRun));
    }

    #[test]
    fn bad_values_are_shown_where_they_stand_with_what_to_do() {
        let with = |line: &str| format!("{GOOD}{line}\n");
        for (text, place, says) in [
            ("[[headroom]]\ncopies = 4\nmax_hosts = 2\n".to_owned(), "1:1", "copies of what?"),
            (with("task = \"batch\""), "5:8", "exclude each other"),
            (with("mni_hosts = 2"), "5:1", "did you mean `min_hosts`?"),
            (with("mode = \"atc\""), "5:8", "did you mean `act`?"),
            (with("min_hosts = 21"), "5:13", "more than max_hosts (20)"),
            (with("step_hosts = 0"), "5:14", "between 1 and"),
            (with("cool_down_secs = 5"), "5:18", "between 60 and"),
            (with("scale_in_after_secs = 60"), "5:23", "between 600 and"),
            (with("clusters = [\"prod.*\"]"), "5:12", "fits no cluster"),
            (with("groups = [\"\"]"), "5:10", "leave `groups` out"),
            (with("scale_out_policy = \"\""), "5:20", "leave it out"),
            (format!("{GOOD}{GOOD}"), "5:1", "take one out"),
            ("[[headroom]]\nservice = \"api\"\ncopies = 0\nmax_hosts = 2\n".to_owned(), "3:10", "between 1 and"),
            ("[[headroom]]\nservice = \"api\"\nmax_hosts = 2\n".to_owned(), "1:1", "missing field `copies`"),
            (
                "[[headroom]]\nservice = \"arn:aws:ecs:r:1:service/prod/api\"\ncopies = 1\nmax_hosts = 2\n".to_owned(),
                "2:11",
                "write `api`",
            ),
            ("[[headroom]]\ntask = \"batch:7\"\ncopies = 1\nmax_hosts = 2\n".to_owned(), "2:8", "write `batch`"),
            ("[[headroom]]\nservice = \"a*\"\ncopies = 1\nmax_hosts = 2\n".to_owned(), "2:11", "not `*`"),
        ] {
            let told = mistakes(&text);
            assert!(told.starts_with(&format!("muster.toml:{place}: ")) && told.contains(says), "{text}\n{told}");
        }
    }
}
