//! Alerts gathered, and when they become a page. One group is one incident for one receiver: it fires, is updated at most
//! every interval, is repeated while it lasts, and is resolved once, when all its alerts are over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{alert::Labels, page::PageKind, route::GroupBy, routing::To, wording::Said};
use crate::{effect::Effect, host::Millis, id::CaseId, journal::Trouble, state::Fleet, timer::Timer};

/// One group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Receiver, route and values: what makes alerts fall together.
    pub(crate) label: String,
    pub(crate) receiver: String,
    /// The key of all its pages.
    pub(crate) key: String,
    /// Its alerts that are not over.
    pub(crate) members: BTreeSet<CaseId>,
    /// When its first trouble began.
    pub(crate) since: Millis,
    /// When its last alert was over, for as long as none is left.
    pub(crate) over_at: Millis,
    /// A page says that it fires, and was not lost.
    pub(crate) fired: bool,
    /// More has happened since the last page.
    pub(crate) changed: bool,
    /// When it was last paged, or 0.
    pub(crate) paged_at: Millis,
    /// When it is looked at next, or 0: it sleeps until somebody wakes it.
    pub(crate) due: Millis,
    pub(crate) wait_secs: u32,
    pub(crate) interval_secs: u32,
    pub(crate) repeat_secs: u32,
    /// What the last page said, for the one that says it is over.
    pub(crate) said: Option<Said>,
}

impl Fleet {
    /// Puts an alert into the group of a receiver, made if there is none. Returns the group's number.
    pub(crate) fn gather_alert(&mut self, id: CaseId, to: To, labels: &Labels, trouble: Trouble) -> u32 {
        let since =
            self.notices.alerts.get(&id).and_then(|alert| self.cases.get(alert.slot)).map_or(self.now, |it| it.since);
        let label = label(&to, labels, trouble);
        if let Some(&number) = self.notices.by_label.get(&label) {
            if let Some(group) = self.notices.groups.get_mut(&number) {
                group.members.insert(id);
                group.since = group.since.min(since);
            }
            self.group_changed(number);
            return number;
        }
        self.notices.last_group += 1;
        let number = self.notices.last_group;
        let group = Group {
            key: key(labels, trouble, number, self.now),
            label: label.clone(),
            receiver: to.receiver,
            members: BTreeSet::from([id]),
            since,
            over_at: 0,
            fired: false,
            changed: true,
            paged_at: 0,
            due: 0,
            wait_secs: to.wait_secs,
            interval_secs: to.interval_secs,
            repeat_secs: to.repeat_secs,
            said: None,
        };
        let at = self.now + i64::from(group.wait_secs) * 1000;
        self.notices.groups.insert(number, group);
        self.notices.by_label.insert(label, number);
        self.group_due(number, at);
        number
    }

    /// More has happened in a group: it is looked at once its wait or its interval is over.
    pub(crate) fn group_changed(&mut self, number: u32) {
        let now = self.now;
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        group.changed = true;
        let at = match group.fired {
            true => now.max(group.paged_at + i64::from(group.interval_secs) * 1000),
            false if group.due != 0 => return,
            false => now + i64::from(group.wait_secs) * 1000,
        };
        self.group_due(number, at);
    }

    /// An alert of a group is over. When it was the last one the group is resolved after its wait: what comes back at
    /// once was not over.
    pub(crate) fn ungather_alert(&mut self, number: u32, id: CaseId) {
        let now = self.now;
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        group.members.remove(&id);
        group.changed = true;
        if group.members.is_empty() {
            group.over_at = now;
            let at = now + i64::from(group.wait_secs) * 1000;
            self.group_due(number, at);
        } else if group.fired {
            self.group_changed(number);
        }
    }

    /// Looks at a group at this time, or earlier if it was to be looked at earlier.
    fn group_due(&mut self, number: u32, at: Millis) {
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        let resolves = group.members.is_empty();
        if group.due != 0 && group.due <= at && !resolves {
            return;
        }
        let before = std::mem::replace(&mut group.due, at);
        if before != 0 {
            self.timers.clear(before, Timer::Group(number));
        }
        self.timers.set(at, Timer::Group(number));
    }

    /// A group's time has come.
    pub(crate) fn meet_group(&mut self, number: u32, due: Millis, effects: &mut Vec<Effect>) {
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        if group.due != due {
            return;
        }
        group.due = 0;
        if group.members.is_empty() {
            self.end_group(number, effects);
            return;
        }
        let (members, fired, changed, repeat_ms, paged_at, interval_secs) = (
            group.members.clone(),
            group.fired,
            group.changed,
            i64::from(group.repeat_secs) * 1000,
            group.paged_at,
            group.interval_secs,
        );
        let next_update = paged_at + i64::from(interval_secs) * 1000;
        if fired && changed && self.now < next_update {
            self.group_due(number, next_update);
            return;
        }
        let mut heard = Vec::new();
        for id in members {
            match self.kept_back_because(id) {
                Some(because) => self.keep_back(id, &because, effects),
                None => heard.push(id),
            }
        }
        if heard.is_empty() {
            // It sleeps until the doubt or the silence is over.
            return;
        }
        let repeats = repeat_ms > 0 && self.now >= paged_at + repeat_ms;
        if !fired || changed || repeats {
            let kind = if fired { PageKind::Update } else { PageKind::Firing };
            self.page_group(number, kind, &heard, effects);
        }
        if repeat_ms > 0 {
            self.group_due(number, self.now + repeat_ms);
        }
    }

    fn end_group(&mut self, number: u32, effects: &mut Vec<Effect>) {
        let Some(group) = self.notices.groups.get(&number) else { return };
        // A page about something that nobody was told of would only puzzle.
        if group.fired {
            self.page_group(number, PageKind::Resolved, &[], effects);
        }
        if let Some(group) = self.notices.groups.remove(&number) {
            self.notices.by_label.remove(&group.label);
        }
    }

    /// A doubt or a silence is over: groups that slept are looked at again.
    pub(crate) fn wake_groups(&mut self) {
        let asleep: Vec<(u32, Millis)> = self
            .notices
            .groups
            .iter()
            .filter(|(_, group)| group.due == 0 || !group.fired)
            .map(|(number, group)| (*number, i64::from(group.wait_secs) * 1000))
            .collect();
        for (number, wait_ms) in asleep {
            self.group_due(number, self.now + wait_ms);
        }
    }
}

/// What makes alerts of one receiver fall together.
fn label(to: &To, labels: &Labels, trouble: Trouble) -> String {
    let mut label = format!("{}\n{}", to.receiver, to.route);
    for by in &to.group_by {
        let value = match by {
            GroupBy::Place => labels.place.clone(),
            GroupBy::Cluster => labels.clusters.join(","),
            GroupBy::Zone => labels.zone.clone(),
            GroupBy::Trouble => trouble.word().to_owned(),
            GroupBy::Host => labels.host.join(","),
        };
        label.push('\n');
        label.push_str(&value);
    }
    label
}

/// `muster/CLUSTER/TROUBLE/NUMBER-TIME`: unique, at most 255 characters, and fit for every receiver.
fn key(labels: &Labels, trouble: Trouble, number: u32, now: Millis) -> String {
    let cluster = match &labels.clusters[..] {
        [one] => one.as_str(),
        [] => "fleet",
        _ => "several",
    };
    let cluster: String = cluster
        .chars()
        .take(120)
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' })
        .collect();
    format!("muster/{cluster}/{}/{number}-{}", trouble.word(), now / 1000)
}
