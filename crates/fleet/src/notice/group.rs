//! Alerts gathered, and when they become a page. One group is one incident for one receiver: it fires, is updated at most
//! every interval, is repeated while it lasts, and is resolved once, when all its alerts are over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    alert::Labels,
    page::{PageId, PageKind},
    route::GroupBy,
    routing::To,
    wording::Said,
};
use crate::{effect::Effect, host::Millis, id::CaseId, journal::Trouble, state::Fleet, timer::Timer};

/// A group with alerts that nobody may be told of now is looked at again after its interval, and never sooner than this.
const LOOK_AGAIN_MS: Millis = 60_000;

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
    /// Those of them that no page has counted yet.
    pub(crate) unheard: BTreeSet<CaseId>,
    /// When its first trouble began.
    pub(crate) since: Millis,
    /// When the latest of its alerts was over, and why.
    pub(crate) over_at: Millis,
    pub(crate) over_because: String,
    /// A page says that it fires.
    pub(crate) fired: bool,
    /// There is more to say of what was paged, or the last page was lost.
    pub(crate) changed: bool,
    /// The page that is on its way to the receiver: no update overtakes it.
    pub(crate) owed: Option<PageId>,
    /// An update waits for it.
    pub(crate) queued: bool,
    /// Who was told instead of the receiver: they hear of the end too.
    pub(crate) elsewhere: Option<String>,
    /// When it was last paged, or 0.
    pub(crate) paged_at: Millis,
    /// No update before: an interval after the last page, and after it was lost.
    pub(crate) next_update: Millis,
    /// When it is looked at next, or 0: when something happens.
    pub(crate) due: Millis,
    pub(crate) wait_secs: u32,
    pub(crate) interval_secs: u32,
    pub(crate) repeat_secs: u32,
    /// What the last page said, for the one that says it is over.
    pub(crate) said: Option<Said>,
}

impl Group {
    fn wait_ms(&self) -> Millis {
        i64::from(self.wait_secs) * 1000
    }

    /// From a look at alerts that nobody may be told of now to the next.
    fn look_again_ms(&self) -> Millis {
        self.interval_ms().max(LOOK_AGAIN_MS)
    }

    pub(crate) fn interval_ms(&self) -> Millis {
        i64::from(self.interval_secs) * 1000
    }

    /// All that was paged is over; what is left was never told.
    fn told_is_over(&self) -> bool {
        self.fired && self.members.len() == self.unheard.len()
    }
}

impl Fleet {
    /// Puts an alert into the group of a receiver, made if there is none. Returns the group's number.
    pub(crate) fn gather_alert(&mut self, id: CaseId, to: To, labels: &Labels, trouble: Trouble) -> u32 {
        let since =
            self.notices.alerts.get(&id).and_then(|alert| self.cases.get(alert.slot)).map_or(self.now, |it| it.since);
        let label = label(&to, labels, trouble);
        if let Some(&number) = self.notices.by_label.get(&label)
            && let Some(group) = self.notices.groups.get_mut(&number)
        {
            group.members.insert(id);
            group.unheard.insert(id);
            group.since = group.since.min(since);
            self.wake_group(number);
            return number;
        }
        self.notices.last_group += 1;
        let number = self.notices.last_group;
        let group = Group {
            key: key(labels, trouble, number, self.now),
            label: label.clone(),
            receiver: to.receiver,
            members: BTreeSet::from([id]),
            unheard: BTreeSet::from([id]),
            since,
            over_at: 0,
            over_because: String::new(),
            fired: false,
            changed: false,
            owed: None,
            queued: false,
            elsewhere: None,
            paged_at: 0,
            next_update: 0,
            due: 0,
            wait_secs: to.wait_secs,
            interval_secs: to.interval_secs,
            repeat_secs: to.repeat_secs,
            said: None,
        };
        self.notices.groups.insert(number, group);
        self.notices.by_label.insert(label, number);
        self.wake_group(number);
        number
    }

    /// There is more to say of an alert of a group.
    pub(crate) fn group_changed(&mut self, number: u32, id: CaseId) {
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        group.changed |= !group.unheard.contains(&id);
        self.wake_group(number);
    }

    /// Sees to it that a group is looked at once its wait or its interval is over.
    pub(crate) fn wake_group(&mut self, number: u32) {
        let now = self.now;
        let Some(group) = self.notices.groups.get(&number) else { return };
        let at = if group.fired { now.max(group.next_update) } else { now + group.wait_ms() };
        self.group_due(number, at, false);
    }

    /// An alert of a group is over. When it was the last one that was told, the group is resolved after its wait: what
    /// comes back at once was not over.
    pub(crate) fn ungather_alert(&mut self, number: u32, id: CaseId, because: &str) {
        let now = self.now;
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        group.members.remove(&id);
        if !group.unheard.remove(&id) {
            group.changed = true;
            group.over_at = now;
            group.over_because = because.to_owned();
        }
        if group.told_is_over() || group.members.is_empty() {
            let at = now + group.wait_ms();
            // What nobody was told of ends when it was to be told.
            let push = group.fired;
            self.group_due(number, at, push);
        } else if group.fired && group.changed {
            self.wake_group(number);
        }
    }

    /// Looks at a group at this time, or earlier if it was to be looked at earlier and is not to `wait` that long.
    pub(crate) fn group_due(&mut self, number: u32, at: Millis, wait: bool) {
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        if group.due != 0 && group.due <= at && !wait {
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
        let next_update = group.next_update;
        if group.fired && self.now < next_update && !group.told_is_over() {
            self.group_due(number, next_update, false);
            return;
        }
        let Some(group) = self.notices.groups.get(&number) else { return };
        let (mut heard, mut old, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for id in &group.members {
            match self.kept_back_because(*id) {
                Some(because) => kept.push((*id, because)),
                None if group.unheard.contains(id) => heard.push(*id),
                None => old.push(*id),
            }
        }
        let news = !heard.is_empty();
        // What is new is named first.
        heard.append(&mut old);
        let asleep = !kept.is_empty();
        for (id, because) in kept {
            self.keep_back(id, &because, effects);
        }
        self.page_if_due(number, &heard, news, effects);
        let Some(group) = self.notices.groups.get(&number) else { return };
        if asleep {
            let at = self.now + group.look_again_ms();
            self.group_due(number, at, false);
        }
    }

    /// Pages a group if there is anything to say to anybody who may hear it.
    fn page_if_due(&mut self, number: u32, heard: &[CaseId], news: bool, effects: &mut Vec<Effect>) {
        let Some(group) = self.notices.groups.get_mut(&number) else { return };
        if heard.is_empty() {
            if group.told_is_over() {
                self.begin_anew(number, effects);
            }
            return;
        }
        if group.told_is_over() && self.now < group.next_update {
            let at = group.next_update;
            self.group_due(number, at, false);
            return;
        }
        let repeat_ms = i64::from(group.repeat_secs) * 1000;
        let repeats = repeat_ms > 0 && self.now >= group.paged_at + repeat_ms;
        let says = !group.fired || group.changed || news || repeats;
        if says && group.owed.is_some() {
            group.queued = true;
            return;
        }
        if says {
            let kind = if group.fired { PageKind::Update } else { PageKind::Firing };
            self.page_group(number, kind, heard, effects);
        }
        let paged_at = self.notices.groups.get(&number).map_or(self.now, |group| group.paged_at);
        if repeat_ms > 0 {
            self.group_due(number, paged_at + repeat_ms, false);
        }
    }

    /// Everything that was told is over, and what is left nobody may be told of: the incident ends here, and what is left
    /// is another one.
    fn begin_anew(&mut self, number: u32, effects: &mut Vec<Effect>) {
        let Some(ended) = self.notices.groups.get(&number).cloned() else { return };
        self.end_group(number, effects);
        self.notices.last_group += 1;
        let again = self.notices.last_group;
        let of_case = |id: &CaseId| self.notices.alerts.get(id).and_then(|alert| self.cases.get(alert.slot));
        let since = ended.unheard.iter().filter_map(of_case).map(|case| case.since).min().unwrap_or(self.now);
        let stem = ended.key.rsplit_once('/').map_or("muster/fleet", |(stem, _)| stem);
        for id in &ended.members {
            if let Some(alert) = self.notices.alerts.get_mut(id) {
                alert.groups.push(again);
            }
        }
        self.notices.by_label.insert(ended.label.clone(), again);
        let group = Group {
            key: format!("{stem}/{again}-{}", self.now / 1000),
            since,
            over_at: 0,
            over_because: String::new(),
            fired: false,
            changed: false,
            owed: None,
            queued: false,
            elsewhere: None,
            paged_at: 0,
            next_update: 0,
            due: 0,
            said: None,
            ..ended
        };
        let at = self.now + group.look_again_ms();
        self.notices.groups.insert(again, group);
        self.group_due(again, at, false);
    }

    fn end_group(&mut self, number: u32, effects: &mut Vec<Effect>) {
        let Some(group) = self.notices.groups.get(&number) else { return };
        // A page about something that nobody was told of would only puzzle.
        if group.fired {
            self.page_group(number, PageKind::Resolved, &[], effects);
        }
        self.forget_group(number);
    }

    /// Its receiver is told of nothing any more.
    pub(crate) fn forget_group(&mut self, number: u32) {
        let Some(group) = self.notices.groups.remove(&number) else { return };
        self.notices.by_label.remove(&group.label);
        if group.due != 0 {
            self.timers.clear(group.due, Timer::Group(number));
        }
        for id in group.members {
            if let Some(alert) = self.notices.alerts.get_mut(&id) {
                alert.groups.retain(|other| *other != number);
            }
        }
    }

    /// A doubt or a silence is over: groups of which somebody was not told are looked at again.
    pub(crate) fn wake_groups(&mut self) {
        let waiting: Vec<u32> =
            self.notices.groups.iter().filter(|(_, group)| !group.unheard.is_empty()).map(|(it, _)| *it).collect();
        for number in waiting {
            self.wake_group(number);
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
