//! Finding the receivers of an alert in the route tree.

use super::{
    alert::Labels,
    route::{GroupBy, Route, Routing},
};
use crate::{effect::Severity, glob, journal::Trouble};

/// A receiver that an alert goes to, and how it is gathered there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct To {
    pub(crate) receiver: String,
    /// The place of the route in the tree, `0.2`.
    pub(crate) route: String,
    pub(crate) group_by: Vec<GroupBy>,
    pub(crate) wait_secs: u32,
    pub(crate) interval_secs: u32,
    pub(crate) repeat_secs: u32,
}

/// What the routes above have said.
#[derive(Clone, Copy)]
struct Inherited<'r> {
    receivers: &'r [String],
    group_by: &'r [GroupBy],
    wait_secs: u32,
    interval_secs: u32,
    repeat_secs: u32,
}

impl Routing {
    /// The receivers of an alert. One receiver is told once, by the first route that names it. What is about several
    /// clusters goes to the receivers of each; a doubt that no route asks for goes where its hosts would go.
    pub(crate) fn receivers_of(&self, labels: &Labels, trouble: Trouble, severity: Severity) -> Vec<To> {
        let mut told: Vec<To> = Vec::new();
        let nowhere = [String::new()];
        for cluster in if labels.clusters.is_empty() { &nowhere[..] } else { &labels.clusters } {
            let mut found = self.receivers_at(cluster, trouble, severity);
            if found.is_empty() && trouble == Trouble::Doubt {
                found = self.receivers_at(cluster, Trouble::AgentAway, severity);
            }
            for to in found {
                if !told.iter().any(|other| other.receiver == to.receiver) {
                    told.push(to);
                }
            }
        }
        told
    }

    fn receivers_at(&self, cluster: &str, trouble: Trouble, severity: Severity) -> Vec<To> {
        let above = Inherited {
            receivers: &[],
            group_by: &[],
            wait_secs: self.wait_secs,
            interval_secs: self.interval_secs,
            repeat_secs: self.repeat_secs,
        };
        let mut found = Vec::new();
        walk(&self.routes, above, "", &|route| fits(route, cluster, trouble, severity), &mut found);
        found
    }

    /// All receivers that are named anywhere.
    pub fn receivers(&self) -> Vec<&str> {
        fn gather<'r>(routes: &'r [Route], names: &mut Vec<&'r str>) {
            for route in routes {
                names.extend(route.receivers.iter().map(String::as_str));
                gather(&route.routes, names);
            }
        }
        let mut names = Vec::new();
        gather(&self.routes, &mut names);
        names.extend(self.fallback.as_deref());
        names.extend(self.heartbeat.as_ref().map(|heartbeat| heartbeat.receiver.as_str()));
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn fits(route: &Route, cluster: &str, trouble: Trouble, severity: Severity) -> bool {
    let cluster = route.clusters.is_empty() || !cluster.is_empty() && glob::fits_any(&route.clusters, cluster);
    let trouble = route.troubles.is_empty() || route.troubles.contains(&trouble);
    cluster && trouble && route.severity.is_none_or(|least| severity >= least)
}

/// Returns whether any route here took the alert.
fn walk(
    routes: &[Route],
    above: Inherited<'_>,
    path: &str,
    fits: &dyn Fn(&Route) -> bool,
    found: &mut Vec<To>,
) -> bool {
    let mut taken = false;
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| fits(route)) {
        let here = Inherited {
            receivers: if route.receivers.is_empty() { above.receivers } else { &route.receivers },
            group_by: if route.group_by.is_empty() { above.group_by } else { &route.group_by },
            wait_secs: route.wait_secs.unwrap_or(above.wait_secs),
            interval_secs: route.interval_secs.unwrap_or(above.interval_secs),
            repeat_secs: route.repeat_secs.unwrap_or(above.repeat_secs),
        };
        let path = if path.is_empty() { index.to_string() } else { format!("{path}.{index}") };
        if !walk(&route.routes, here, &path, fits, found) {
            const DEFAULT: [GroupBy; 2] = [GroupBy::Cluster, GroupBy::Trouble];
            let group_by = if here.group_by.is_empty() { &DEFAULT[..] } else { here.group_by };
            found.extend(here.receivers.iter().map(|receiver| To {
                receiver: receiver.clone(),
                route: path.clone(),
                group_by: group_by.to_vec(),
                wait_secs: here.wait_secs,
                interval_secs: here.interval_secs,
                repeat_secs: here.repeat_secs,
            }));
        }
        taken = true;
        if !route.go_on {
            break;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(cluster: &str) -> Labels {
        Labels { clusters: vec![cluster.into()], ..Labels::default() }
    }

    fn to(routing: &Routing, cluster: &str, trouble: Trouble, severity: Severity) -> Vec<String> {
        let found = routing.receivers_of(&labels(cluster), trouble, severity);
        found.into_iter().map(|to| format!("{}@{}", to.receiver, to.route)).collect()
    }

    fn route(receivers: &[&str]) -> Route {
        Route { receivers: receivers.iter().map(|&name| name.to_owned()).collect(), ..Route::default() }
    }

    #[test]
    fn the_first_route_that_fits_takes_the_alert_unless_it_lets_it_go_on() {
        let routing = Routing {
            routes: vec![
                Route { clusters: vec!["prod-*".into()], go_on: true, ..route(&["audit"]) },
                Route { severity: Some(Severity::Critical), ..route(&["pager"]) },
                route(&["chat", "audit"]),
            ],
            ..Routing::default()
        };
        assert_eq!(to(&routing, "prod-eu", Trouble::AgentAway, Severity::Critical), ["audit@0", "pager@1"]);
        assert_eq!(to(&routing, "prod-eu", Trouble::AgentAway, Severity::Info), ["audit@0", "chat@2"]);
        assert_eq!(to(&routing, "dev", Trouble::AgentAway, Severity::Warning), ["chat@2", "audit@2"]);
    }

    #[test]
    fn deeper_routes_inherit_and_override() {
        let routing = Routing {
            routes: vec![Route {
                wait_secs: Some(30),
                group_by: vec![GroupBy::Zone],
                routes: vec![Route { troubles: vec![Trouble::Doubt], wait_secs: Some(5), ..Route::default() }],
                ..route(&["pager"])
            }],
            ..Routing::default()
        };
        let doubt = routing.receivers_of(&labels("a"), Trouble::Doubt, Severity::Critical);
        assert_eq!((doubt[0].route.as_str(), doubt[0].wait_secs, doubt[0].receiver.as_str()), ("0.0", 5, "pager"));
        assert_eq!(doubt[0].group_by, [GroupBy::Zone]);
        let away = routing.receivers_of(&labels("a"), Trouble::AgentAway, Severity::Critical);
        assert_eq!((away[0].route.as_str(), away[0].wait_secs), ("0", 30));
    }

    #[test]
    fn what_is_about_several_clusters_goes_to_the_people_of_each() {
        let routing = Routing {
            routes: vec![
                Route { clusters: vec!["shop-*".into()], ..route(&["shop", "audit"]) },
                Route { clusters: vec!["bank-*".into()], troubles: vec![Trouble::AgentAway], ..route(&["bank"]) },
                Route { troubles: vec![Trouble::DrainStuck], ..route(&["ops"]) },
            ],
            ..Routing::default()
        };
        let clusters = ["bank-eu", "shop-eu", "shop-us", "dev"].map(str::to_owned).to_vec();
        let wide = Labels { clusters, ..Labels::default() };
        let found = routing.receivers_of(&wide, Trouble::Doubt, Severity::Critical);
        let found: Vec<&str> = found.iter().map(|to| to.receiver.as_str()).collect();
        assert_eq!(found, ["bank", "shop", "audit"], "the bank asked for its hosts alone, and a doubt is about them");
        let nowhere = routing.receivers_of(&Labels::default(), Trouble::DrainStuck, Severity::Critical);
        assert_eq!(nowhere.len(), 1, "a route without clusters takes what is in none");
    }

    #[test]
    fn nobody_is_told_without_routes() {
        assert!(to(&Routing::default(), "a", Trouble::Doubt, Severity::Critical).is_empty());
    }
}
