//! Pages that are owed until somebody says what became of them, pages that were lost, and the word that muster lives.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    page::{Delivery, DeliveryResult, Page, PageId, PageKind},
    wording::clean,
};
use crate::{
    effect::{Effect, Severity},
    host::Millis,
    id::CaseId,
    journal::Record,
    state::{Fleet, stamp},
    timer::Timer,
};

/// After a loss the receiver is tried anew, no sooner than this.
const TRY_AGAIN_MS: Millis = 60_000;

/// A page of which nobody has said yet what became.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Owed {
    /// As handed out.
    pub(crate) page: Page,
    /// The group of which it is the page; none when it is for the fallback, or when no other follows.
    pub(crate) group: Option<u32>,
    /// It says something of which nobody was told before.
    pub(crate) news: bool,
}

impl Fleet {
    /// Makes a page out of its words: numbers it, writes it down, and hands it out. Returns its number.
    pub(crate) fn hand_out_page(
        &mut self,
        page: Page,
        group: Option<u32>,
        news: bool,
        effects: &mut Vec<Effect>,
    ) -> PageId {
        self.notices.last_page += 1;
        let id = PageId(self.notices.last_page);
        let page = Page { id, ..page };
        effects.push(Effect::Record(Record::Paged {
            page: id,
            receiver: page.receiver.clone(),
            page_kind: page.kind,
            key: page.key.clone(),
            title: page.title.clone(),
            hosts: page.hosts,
        }));
        self.notices.owed.insert(id, Owed { page: page.clone(), group, news });
        effects.push(Effect::Page(page));
        id
    }

    /// Takes in what became of a page.
    pub(crate) fn told(&mut self, delivery: &Delivery<'_>, effects: &mut Vec<Effect>) {
        // A heartbeat is never owed, and a page told twice is owed once.
        let Some(owed) = self.notices.owed.remove(&delivery.page) else { return };
        let lost = match &delivery.result {
            DeliveryResult::Delivered => None,
            DeliveryResult::GivenUp { why } => Some(why),
        };
        let now = self.now;
        let number = owed.group.unwrap_or(0);
        if let Some(group) = self.notices.groups.get_mut(&number)
            && group.owed == Some(delivery.page)
        {
            group.owed = None;
            let queued = std::mem::take(&mut group.queued);
            if lost.is_some() {
                // Whether it arrived after all, nobody knows: what follows is an update, never a second beginning.
                group.changed = true;
                group.next_update = now + group.interval_ms().max(TRY_AGAIN_MS);
            }
            if (queued || lost.is_some()) && !group.members.is_empty() {
                self.wake_group(number);
            }
        }
        if let Some(why) = lost {
            effects.push(Effect::Record(Record::PageLost {
                page: owed.page.id,
                receiver: owed.page.receiver.clone(),
                because: clean(why),
            }));
            self.tell_fallback(owed, why, effects);
        }
    }

    /// Tells somebody else of a page that was lost: once of each thing, and never of what was lost on the way to them.
    fn tell_fallback(&mut self, lost: Owed, why: &str, effects: &mut Vec<Effect>) {
        let Some(fallback) = self.policy.routing.fallback.clone().filter(|name| *name != lost.page.receiver) else {
            return;
        };
        let ended = lost.page.kind == PageKind::Resolved;
        let number = lost.group.unwrap_or(0);
        let (kind, key) = match self.notices.groups.get_mut(&number) {
            Some(group) => match group.elsewhere.replace(fallback.clone()) {
                None => (PageKind::Firing, lost.page.key.clone()),
                Some(_) if !lost.news => return,
                Some(_) => (PageKind::Update, lost.page.key.clone()),
            },
            None if !lost.news => return,
            // No other page follows it, so it is an incident of its own.
            None => (PageKind::Firing, self.key_of_one_page()),
        };
        let title = clean(&format!("{} could not be told: {}", lost.page.receiver, lost.page.title));
        let mut lines = vec![clean(&format!("why: {why}"))];
        let severity = if ended { Severity::Warning } else { lost.page.severity };
        lines.extend(lost.page.lines);
        let page = Page { receiver: fallback, kind, key, severity, title, lines, at: stamp(self.now), ..lost.page };
        self.hand_out_page(page, None, false, effects);
    }

    /// The key of a page that no other follows.
    pub(crate) fn key_of_one_page(&self) -> String {
        format!("muster/once/{}-{}", self.notices.last_page + 1, self.now / 1000)
    }

    /// Pages of which nobody has said what became: after a restart they are sent again, under the same number and key.
    pub fn owed_pages(&self) -> Vec<Page> {
        self.notices.owed.values().map(|owed| owed.page.clone()).collect()
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
                on_its_way: group.owed.is_some(),
                told_instead: group.elsewhere.clone(),
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
    /// The last page is not known to have arrived yet.
    pub on_its_way: bool,
    /// Who was told because the receiver could not be.
    pub told_instead: Option<String>,
    /// Why one of them is kept back, if one is.
    pub kept_back: Option<String>,
}
