//! An open case as people should hear of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    case::Subject,
    cohort::Trait,
    effect::{Effect, Notice, Severity},
    host::{Host, Millis},
    id::CaseId,
    journal::{Record, Trouble},
    names::Name,
    slab::Slot,
    state::Fleet,
};

/// One open case that people should hear of. Its words are made when a page is: a hundred thousand of these are small.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alert {
    /// The case's slot.
    pub(crate) slot: Slot,
    /// How loud.
    pub(crate) severity: Severity,
    /// When it was raised.
    pub(crate) raised_at: Millis,
    /// The groups it is in.
    pub(crate) groups: Vec<u32>,
    /// It is on the record that nobody was told, and why.
    pub(crate) kept_back: bool,
}

/// What routes, silences and groups look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// The clusters it is about, by name; several only for a doubt.
    pub(crate) clusters: Vec<String>,
    pub(crate) place: String,
    pub(crate) zone: String,
    /// Container instance id and machine id.
    pub(crate) host: Vec<String>,
}

impl Fleet {
    /// Tells people of a case: in the log at once, and by pages as the routes say. Called again when there is more to
    /// say of the same case; over when the case is closed.
    pub(crate) fn tell(&mut self, slot: Slot, severity: Severity, text: String, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get_mut(slot) else { return };
        case.told = true;
        let id = case.id;
        effects.push(Effect::Notify(Notice { case: id, severity, text }));
        if self.policy.routing.routes.is_empty() {
            return;
        }
        if let Some(alert) = self.notices.alerts.get_mut(&id) {
            alert.severity = alert.severity.max(severity);
            self.route_alert(id, effects);
            self.alert_changed(id);
            return;
        }
        self.raise_alert(id, slot, severity, effects);
    }

    fn raise_alert(&mut self, id: CaseId, slot: Slot, severity: Severity, effects: &mut Vec<Effect>) {
        let alert = Alert { slot, severity, raised_at: self.now, groups: Vec::new(), kept_back: false };
        self.notices.alerts.insert(id, alert);
        self.route_alert(id, effects);
    }

    /// There is more to say of an alert.
    pub(crate) fn alert_changed(&mut self, id: CaseId) {
        let Some(alert) = self.notices.alerts.get(&id) else { return };
        for group in alert.groups.clone() {
            self.group_changed(group, id);
        }
    }

    /// The case of an alert is closed.
    pub(crate) fn alert_over(&mut self, id: CaseId, because: &str) {
        let Some(alert) = self.notices.alerts.remove(&id) else { return };
        for group in alert.groups {
            self.ungather_alert(group, id, because);
        }
    }

    /// Finds the receivers of an alert that have not got it yet: all, or those who are concerned since it grew.
    fn route_alert(&mut self, id: CaseId, effects: &mut Vec<Effect>) {
        let Some(alert) = self.notices.alerts.get(&id) else { return };
        let Some(case) = self.cases.get(alert.slot) else { return };
        let (severity, trouble, subject) = (alert.severity, case.trouble, case.subject);
        let mut groups = alert.groups.clone();
        let labels = self.labels(subject);
        let mut routed = self.policy.routing.receivers_of(&labels, trouble, severity);
        let has = |receiver: &str| {
            groups.iter().any(|number| self.notices.groups.get(number).is_some_and(|it| it.receiver == receiver))
        };
        routed.retain(|to| !has(&to.receiver));
        if routed.is_empty() && groups.is_empty() {
            self.keep_back(id, "no route fits", effects);
        }
        for to in routed {
            groups.push(self.gather_alert(id, to, &labels, trouble));
        }
        if let Some(alert) = self.notices.alerts.get_mut(&id) {
            alert.groups = groups;
        }
    }

    /// A doubt goes by another name, or covers more hosts than before: others may be concerned, and those who were told
    /// hear of it when it has grown by a fifth.
    pub(crate) fn doubt_spread(&mut self, slot: Slot, renamed: bool, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let (id, Subject::Cohort(key)) = (case.id, case.subject) else { return };
        let Some(alert) = self.notices.alerts.get(&id) else { return };
        let away = self.cohorts.tally(key).away;
        let said = alert
            .groups
            .iter()
            .filter_map(|number| self.notices.groups.get(number)?.said.as_ref())
            .map(|said| said.hosts)
            .min();
        let grown = said.is_some_and(|said| away > said.saturating_add(said / 5));
        if renamed || key.0 != Trait::Cluster {
            self.route_alert(id, effects);
        }
        if renamed || grown {
            self.alert_changed(id);
        }
        if renamed {
            // It may cover other hosts than before.
            self.wake_groups();
        }
    }

    /// Other routes may have come into force with a restart: what people should hear of finds its receivers anew.
    pub(crate) fn keep_routes(&mut self, effects: &mut Vec<Effect>) {
        if self.notices.routed_by == self.policy.routing.routes {
            return;
        }
        self.notices.routed_by = self.policy.routing.routes.clone();
        let receivers: BTreeSet<String> = self.policy.routing.receivers().into_iter().map(str::to_owned).collect();
        let gone: Vec<u32> = self
            .notices
            .groups
            .iter()
            .filter(|(_, group)| !receivers.contains(&group.receiver))
            .map(|(number, _)| *number)
            .collect();
        for number in gone {
            self.forget_group(number);
        }
        let told: Vec<(CaseId, Slot)> =
            self.cases.iter().filter(|(_, case)| case.told).map(|(slot, case)| (case.id, slot)).collect();
        for (id, slot) in told {
            if self.notices.alerts.contains_key(&id) {
                self.route_alert(id, effects);
            } else if !self.policy.routing.routes.is_empty() {
                self.raise_alert(id, slot, Severity::Critical, effects);
            }
        }
    }

    /// Writes down, once, that nobody is told of an alert.
    pub(crate) fn keep_back(&mut self, id: CaseId, because: &str, effects: &mut Vec<Effect>) {
        let Some(alert) = self.notices.alerts.get_mut(&id) else { return };
        if !std::mem::replace(&mut alert.kept_back, true) {
            effects.push(Effect::Record(Record::NotTold { case: id, because: because.to_owned() }));
        }
    }

    /// Why nobody is told of an alert now, if somebody should not be: a doubt covers its host, or it is silenced.
    pub(crate) fn kept_back_because(&self, id: CaseId) -> Option<String> {
        let alert = self.notices.alerts.get(&id)?;
        let case = self.cases.get(alert.slot)?;
        // A doubt that goes by another cohort's name meanwhile still holds the cases that it took.
        let doubt = case.held_by.or_else(|| match case.subject {
            Subject::Host(host) => self.doubt_over(host),
            _ => None,
        });
        if let Some(doubt) = doubt {
            return Some(format!("case {doubt} covers it"));
        }
        if self.notices.silences.is_empty() {
            return None;
        }
        let labels = self.labels(case.subject);
        self.silenced(&labels, case.trouble).map(|silence| format!("silence {silence} covers it"))
    }

    /// What routes and silences look at.
    pub(crate) fn labels(&self, subject: Subject) -> Labels {
        let (text, cluster, machine) = self.subject_texts(subject);
        let last = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
        match subject {
            Subject::Cohort(key) => {
                let clusters: Vec<String> =
                    self.clusters_of_doubt(key).into_iter().map(|name| last(self.names.text(name))).collect();
                let place = match key.0 {
                    Trait::Place => self.names.text(key.1).to_owned(),
                    _ => String::new(),
                };
                let zone = if key.0 == Trait::Zone { self.names.text(key.1).to_owned() } else { String::new() };
                Labels { clusters, place, zone, host: Vec::new() }
            }
            _ => {
                let locality = self.locality(subject);
                let place =
                    locality.cluster.and_then(|cluster| self.clusters.get(&cluster)).map(|cluster| cluster.place);
                let mut host = vec![last(&text)];
                host.extend(machine);
                Labels {
                    clusters: if cluster.is_empty() { Vec::new() } else { vec![last(&cluster)] },
                    place: self.names.owned(place).unwrap_or_default(),
                    zone: self.names.owned(locality.zone).unwrap_or_default(),
                    host,
                }
            }
        }
    }

    /// The clusters whose hosts a doubt is about, in order.
    pub(crate) fn clusters_of_doubt(&self, key: (Trait, Name)) -> Vec<Name> {
        if key.0 == Trait::Cluster {
            return vec![key.1];
        }
        let members = |away: bool| -> Vec<Name> {
            let member = |host: &Host| self.cohort_values(host)[key.0 as usize] == Some(key.1);
            let hosts = self.hosts.iter().filter(|(_, host)| (!away || host.is_away()) && member(host));
            hosts.map(|(_, host)| host.cluster).collect()
        };
        let mut clusters = members(true);
        if clusters.is_empty() {
            // All are back: it was about some of these, and a silence over all of them still covers it.
            clusters = members(false);
        }
        clusters.sort_unstable();
        clusters.dedup();
        clusters
    }

    /// Tells the receivers of a cluster something that is no case: once, and nothing follows.
    pub(crate) fn shout(
        &mut self,
        case: CaseId,
        subject: &str,
        cluster: &str,
        text: String,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Notify(Notice { case, severity: Severity::Critical, text: text.clone() }));
        let labels = Labels {
            clusters: vec![cluster.rsplit('/').next().unwrap_or(cluster).to_owned()],
            host: vec![subject.rsplit('/').next().unwrap_or(subject).to_owned()],
            ..Labels::default()
        };
        for to in self.policy.routing.receivers_of(&labels, Trouble::AgentAway, Severity::Critical) {
            self.page_once(case, to.receiver, cluster, &text, effects);
        }
    }
}
