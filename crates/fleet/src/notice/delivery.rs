//! Pages that are owed until somebody says what became of them, pages that were lost, and the word that muster lives.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::page::{Delivery, DeliveryResult, Page, PageId, PageKind};
use crate::{
    effect::{Effect, Severity},
    id::CaseId,
    journal::Record,
    state::{Fleet, stamp},
    timer::Timer,
};

impl Fleet {
    /// Takes in what became of a page.
    pub(crate) fn told(&mut self, delivery: &Delivery<'_>, effects: &mut Vec<Effect>) {
        // A heartbeat is never owed, and a page told twice is owed once.
        let Some(page) = self.notices.owed.remove(&delivery.page) else { return };
        let DeliveryResult::GivenUp { why } = &delivery.result else { return };
        effects.push(Effect::Record(Record::PageLost {
            page: page.id,
            receiver: page.receiver.clone(),
            because: why.to_string(),
        }));
        self.fire_again(&page);
        self.tell_fallback(page, why, effects);
    }

    /// Nobody has read that a group fires: it fires anew after its interval, if it lasts.
    fn fire_again(&mut self, lost: &Page) {
        if lost.kind != PageKind::Firing {
            return;
        }
        let found = self.notices.groups.iter_mut().find(|(_, group)| group.key == lost.key && group.fired);
        let Some((&number, group)) = found else { return };
        group.fired = false;
        let at = self.now + i64::from(group.interval_secs.max(60)) * 1000;
        let before = std::mem::replace(&mut group.due, at);
        if before != 0 {
            self.timers.clear(before, Timer::Group(number));
        }
        self.timers.set(at, Timer::Group(number));
    }

    fn tell_fallback(&mut self, lost: Page, why: &str, effects: &mut Vec<Effect>) {
        let Some(fallback) = self.policy.routing.fallback.clone().filter(|name| *name != lost.receiver) else { return };
        self.notices.last_page += 1;
        let id = PageId(self.notices.last_page);
        let title = super::wording::clean(&format!("{} could not be told: {}", lost.receiver, lost.title));
        let mut lines = vec![super::wording::clean(&format!("why: {why}"))];
        lines.extend(lost.lines);
        let page = Page { id, receiver: fallback, title, lines, ..lost };
        effects.push(Effect::Record(Record::Paged {
            page: id,
            receiver: page.receiver.clone(),
            page_kind: page.kind,
            key: page.key.clone(),
            title: page.title.clone(),
            hosts: page.hosts,
        }));
        self.notices.owed.insert(id, page.clone());
        effects.push(Effect::Page(page));
    }

    /// Pages of which nobody has said what became: after a restart they are sent again, under the same number and key.
    pub fn owed_pages(&self) -> Vec<Page> {
        self.notices.owed.values().cloned().collect()
    }

    /// Sees to it that the heartbeat beats, if there is to be one.
    pub(crate) fn keep_heartbeat(&mut self) {
        if self.notices.heartbeat_at == 0 && self.policy.routing.heartbeat.is_some() {
            self.notices.heartbeat_at = self.now.max(1);
            self.timers.set(self.notices.heartbeat_at, Timer::Heartbeat);
        }
    }

    /// The heartbeat is due. It is neither journaled nor owed: the next one says the same.
    pub(crate) fn meet_heartbeat(&mut self, due: i64, effects: &mut Vec<Effect>) {
        if self.notices.heartbeat_at != due {
            return;
        }
        self.notices.heartbeat_at = 0;
        let Some(heartbeat) = self.policy.routing.heartbeat.clone() else { return };
        self.notices.heartbeat_at = self.now + i64::from(heartbeat.every_secs.max(10)) * 1000;
        self.timers.set(self.notices.heartbeat_at, Timer::Heartbeat);
        effects.push(Effect::Page(Page {
            id: PageId(0),
            receiver: heartbeat.receiver,
            kind: PageKind::Heartbeat,
            key: "muster/heartbeat".to_owned(),
            severity: Severity::Info,
            title: format!("muster watches {} hosts and has {} open cases", self.hosts.len(), self.cases.len()),
            lines: Vec::new(),
            clusters: Vec::new(),
            hosts: 0,
            samples: Vec::new(),
            trouble: String::new(),
            cases: Vec::new(),
            since: stamp(self.now),
            at: stamp(self.now),
            repaired_after_secs: None,
            decision: None,
        }));
    }

    /// What people are told of at the moment.
    pub fn alerts(&self) -> Vec<AlertView> {
        self.notices
            .groups
            .values()
            .map(|group| AlertView {
                receiver: group.receiver.clone(),
                key: group.key.clone(),
                title: group.said.as_ref().map(|said| said.title.clone()),
                fired: group.fired,
                cases: group.members.iter().take(20).copied().collect(),
                alerts: group.members.len() as u32,
                since: stamp(group.since),
                paged_at: (group.paged_at != 0).then(|| stamp(group.paged_at)),
                kept_back: group.members.iter().find_map(|id| self.kept_back_because(*id)),
            })
            .collect()
    }
}

/// One incident of one receiver as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertView {
    /// Who is told.
    pub receiver: String,
    /// The key of its pages.
    pub key: String,
    /// What was last said; `None`: nothing yet.
    pub title: Option<String>,
    /// It was said that something is wrong.
    pub fired: bool,
    /// Cases, at most 20.
    pub cases: Vec<CaseId>,
    /// How many there are.
    pub alerts: u32,
    /// When the first trouble began.
    pub since: Timestamp,
    /// When it was last paged.
    pub paged_at: Option<Timestamp>,
    /// Why one of them is kept back, if one is.
    pub kept_back: Option<String>,
}
