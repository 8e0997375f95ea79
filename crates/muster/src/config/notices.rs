//! `[notices]`: who is told what, when, and how often. The receivers themselves are `[[receiver]]`.

use fleet::{
    effect::Severity,
    journal::Trouble,
    notice::route::{GroupBy, Heartbeat, Route, Routing},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    mistake::{Wrong, nearest},
    words::{self, cluster_glob},
};

/// Who is told what. Without routes nobody is: notices go to the log alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesSection {
    /// Routes, tried in order: the first that fits is taken, and the next ones too if it says `go_on`. A route may have
    /// routes below it.
    #[schemars(example = routes_example())]
    pub routes: Vec<RouteEntry>,
    /// How long the first alert of a group waits for others.
    pub wait_secs: u32,
    /// From one page of a group to the next, when more has happened.
    pub interval_secs: u32,
    /// From one page of a group to the next, when nothing has changed. 0: never again.
    pub repeat_secs: u32,
    /// A receiver that is told when a page to another one was given up.
    #[schemars(example = &"team")]
    pub fallback: Option<String>,
    /// A receiver that is told every so often that muster is alive. It should shout when that stops.
    #[schemars(example = heartbeat_example())]
    pub heartbeat: Option<HeartbeatEntry>,
}

/// One route, and the routes below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteEntry {
    /// Patterns of cluster names, with `*` and `?`. Left out: all. An alert wider than one cluster fits only then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Troubles. Left out: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "words::troubles")]
    pub troubles: Vec<Trouble>,
    /// At least this loud: info, warning or critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::severity")]
    pub severity: Option<Severity>,
    /// Names of receivers; those of the deepest route that fits and names any are told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<String>,
    /// What alerts are gathered by into one page: place, cluster, zone, trouble, host. Left out: as above it; at the top by
    /// trouble and cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "words::group_by")]
    pub group_by: Vec<GroupBy>,
    /// The next routes are tried as well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub go_on: bool,
    /// Instead of the section's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_secs: Option<u32>,
    /// Instead of the section's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_secs: Option<u32>,
    /// Instead of the section's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_secs: Option<u32>,
    /// Routes below this one: the first that fits is taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteEntry>,
}

/// A dead-man's heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatEntry {
    /// The receiver.
    pub receiver: String,
    /// How often.
    pub every_secs: u32,
}

fn routes_example() -> Vec<RouteEntry> {
    vec![RouteEntry { receivers: vec!["team".to_owned()], ..RouteEntry::default() }]
}

fn heartbeat_example() -> HeartbeatEntry {
    HeartbeatEntry { receiver: "team".to_owned(), every_secs: 300 }
}

impl Default for NoticesSection {
    fn default() -> Self {
        let Routing { routes: _, wait_secs, interval_secs, repeat_secs, fallback, heartbeat: _ } = Routing::default();
        Self { routes: Vec::new(), wait_secs, interval_secs, repeat_secs, fallback, heartbeat: None }
    }
}

impl NoticesSection {
    /// As the core wants it.
    pub(super) fn routing(&self) -> Routing {
        Routing {
            routes: self.routes.iter().map(RouteEntry::route).collect(),
            wait_secs: self.wait_secs,
            interval_secs: self.interval_secs,
            repeat_secs: self.repeat_secs,
            fallback: self.fallback.clone(),
            heartbeat: self
                .heartbeat
                .as_ref()
                .map(|beat| Heartbeat { receiver: beat.receiver.clone(), every_secs: beat.every_secs }),
        }
    }

    /// The names of all receivers that may be told something.
    pub(super) fn told(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fallback.iter().map(String::as_str).collect();
        names.extend(self.heartbeat.iter().map(|beat| beat.receiver.as_str()));
        fn below<'a>(routes: &'a [RouteEntry], names: &mut Vec<&'a str>) {
            for route in routes {
                names.extend(route.receivers.iter().map(String::as_str));
                below(&route.routes, names);
            }
        }
        below(&self.routes, &mut names);
        names
    }

    /// `receivers`: the names of those there are.
    pub(super) fn check(&self, receivers: &[&str], wrong: &mut Vec<Wrong>) {
        let unknown = |name: &str| {
            if receivers.contains(&name) {
                return None;
            }
            let instead = match nearest(name, receivers.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if receivers.is_empty() => "there is no [[receiver]] at all".to_owned(),
                None => format!("there are {}", receivers.join(", ")),
            };
            Some(format!("there is no [[receiver]] called `{name}`; {instead}"))
        };
        if let Some(why) = self.fallback.as_deref().and_then(unknown) {
            wrong.push(Wrong::at("notices.fallback", why));
        }
        if let Some(beat) = &self.heartbeat {
            if let Some(why) = unknown(&beat.receiver) {
                wrong.push(Wrong::of("notices.heartbeat", "receiver", why));
            }
            if beat.every_secs < 10 {
                wrong.push(Wrong::of(
                    "notices.heartbeat",
                    "every_secs",
                    format!(
                        "{} is out of range: a heart that beats more often than every 10 s is noise",
                        beat.every_secs
                    ),
                ));
            }
        }
        if self.interval_secs == 0 {
            wrong.push(Wrong::at("notices.interval_secs", "0 is out of range: must be at least 1"));
        }
        check_routes(&self.routes, "notices", 1, &unknown, wrong);
    }
}

/// Routes lie no deeper.
const DEEPEST: usize = 8;

fn check_routes(
    routes: &[RouteEntry],
    parent: &str,
    depth: usize,
    unknown: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<Wrong>,
) {
    for (index, route) in routes.iter().enumerate() {
        let place = format!("{parent}.routes.{index}");
        let mut of = |option: &str, what: String| {
            let paths = vec![format!("{place}.{option}"), place.clone(), parent.to_owned()];
            wrong.push(Wrong::at_any(paths, what));
        };
        if depth > DEEPEST {
            of("routes", format!("routes lie at most {DEEPEST} deep"));
            return;
        }
        for glob in &route.clusters {
            if let Err(why) = cluster_glob(glob) {
                of("clusters", why);
            }
        }
        for why in route.receivers.iter().filter_map(|name| unknown(name)) {
            of("receivers", why);
        }
        if route.interval_secs == Some(0) {
            of("interval_secs", "0 is out of range: must be at least 1".to_owned());
        }
        let takes_all = |route: &RouteEntry| {
            route.clusters.is_empty() && route.troubles.is_empty() && route.severity.is_none() && !route.go_on
        };
        if takes_all(route) && index + 1 < routes.len() {
            of(
                "go_on",
                "this route fits everything, so the ones after it are never tried: put it last, or let it go_on"
                    .to_owned(),
            );
        }
        if !told_somewhere(route) && depth == 1 {
            of("receivers", "this route names no receiver, and neither does a route below it".to_owned());
        }
        check_routes(&route.routes, &place, depth + 1, unknown, wrong);
    }
}

fn told_somewhere(route: &RouteEntry) -> bool {
    !route.receivers.is_empty() || route.routes.iter().any(told_somewhere)
}

impl RouteEntry {
    fn route(&self) -> Route {
        Route {
            clusters: self.clusters.clone(),
            troubles: self.troubles.clone(),
            severity: self.severity,
            receivers: self.receivers.clone(),
            group_by: self.group_by.clone(),
            go_on: self.go_on,
            wait_secs: self.wait_secs,
            interval_secs: self.interval_secs,
            repeat_secs: self.repeat_secs,
            routes: self.routes.iter().map(Self::route).collect(),
        }
    }
}
