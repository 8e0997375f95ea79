//! Pages, sent beside the loop: one receiver gets its pages in order, and none waits for another receiver.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use fleet::notice::page::{Delivery, DeliveryResult, Page, PageId};
use futures::FutureExt as _;
use jiff::SignedDuration;
use tokio::{sync::mpsc, task::JoinSet};

use super::queue::after;
use crate::{
    once::payload_text,
    ports::{Clock, Notifier},
};

/// How pages are sent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Receivers that are sent something at the same time.
    pub sends_at_once: usize,
    /// How long one page may take, retries included.
    pub page_limit_secs: u32,
    /// Pages held here; the others wait with the core, which owes them.
    pub pages_waiting: usize,
}

/// The pages that were handed out and of which it is not known whether they arrived.
pub struct Telling {
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    back: mpsc::Sender<Delivery<'static>>,
    /// By receiver; one without pages has none.
    queues: BTreeMap<String, Queue>,
    /// Receivers with pages and nothing under way, longest first.
    ready: VecDeque<String>,
    known: BTreeSet<PageId>,
    /// Some were left with the core.
    left_some: bool,
    sending: usize,
    tasks: JoinSet<()>,
}

/// Pages handed to the task of one receiver before another receiver that waits is served.
const IN_A_ROW: usize = 64;

/// The pages of one receiver. While it has some under way, a task of its own sends them one after the other: the next one
/// does not wait until the journal holds what became of the one before.
#[derive(Debug, Default)]
struct Queue {
    pages: VecDeque<Page>,
    under_way: BTreeSet<PageId>,
    feed: Option<mpsc::UnboundedSender<Page>>,
}

impl std::fmt::Debug for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telling")
            .field("known", &self.known.len())
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}

impl Telling {
    /// Nothing to send yet. What becomes of a page comes back by `back`: take it in a turn, then call
    /// [`told`](Self::told).
    pub fn new(
        notifier: Arc<dyn Notifier>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        back: mpsc::Sender<Delivery<'static>>,
    ) -> Self {
        Self {
            notifier,
            clock,
            limits,
            back,
            queues: BTreeMap::new(),
            ready: VecDeque::new(),
            known: BTreeSet::new(),
            left_some: false,
            sending: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Pages that wait or are under way.
    pub fn open(&self) -> usize {
        self.known.len()
    }

    /// Pages that are being sent.
    pub fn sending(&self) -> usize {
        self.sending
    }

    /// The receiver of the page under way with this number.
    pub fn receiver(&self, page: PageId) -> Option<&str> {
        self.queues.iter().find(|(_, queue)| queue.under_way.contains(&page)).map(|(receiver, _)| receiver.as_str())
    }

    /// Sends a page when its receiver's turn comes. One that is here already is not taken twice.
    pub fn give(&mut self, page: Page) {
        // Once some were left behind, later ones must not overtake them.
        if self.left_some || self.known.len() >= self.limits.pages_waiting.max(1) {
            self.left_some = true;
            return;
        }
        self.keep(page);
        self.fill();
    }

    fn keep(&mut self, page: Page) {
        if !self.known.insert(page.id) {
            return;
        }
        let queue = self.queues.entry(page.receiver.clone()).or_default();
        if queue.pages.is_empty() && queue.feed.is_none() {
            self.ready.push_back(page.receiver.clone());
        }
        queue.pages.push_back(page);
        if self.ready.is_empty() {
            queue.feed_some();
        }
    }

    /// What became of a page is in the journal. Returns whether there is room for pages that were left with the core:
    /// then call [`take_owed`](Self::take_owed).
    pub fn told(&mut self, page: PageId) -> bool {
        // Only to take out what has ended.
        while self.tasks.try_join_next().is_some() {}
        if self.known.remove(&page) {
            let others_wait = !self.ready.is_empty();
            let found = self.queues.iter_mut().find(|(_, queue)| queue.under_way.contains(&page));
            if let Some((receiver, queue)) = found {
                queue.under_way.remove(&page);
                if !others_wait {
                    queue.feed_some();
                }
                if queue.under_way.is_empty() {
                    // Its task ends with its feed.
                    queue.feed = None;
                    self.sending = self.sending.saturating_sub(1);
                    let receiver = receiver.clone();
                    if queue.pages.is_empty() {
                        self.queues.remove(&receiver);
                    } else {
                        self.ready.push_back(receiver);
                    }
                }
            }
            self.fill();
        }
        self.left_some && self.known.len() <= self.limits.pages_waiting / 2
    }

    /// Takes as many of the pages that the core owes, oldest first, as there is room for.
    pub fn take_owed(&mut self, owed: Vec<Page>) {
        self.left_some = false;
        for page in owed {
            if self.known.contains(&page.id) {
                continue;
            }
            if self.known.len() >= self.limits.pages_waiting.max(1) {
                self.left_some = true;
                break;
            }
            self.keep(page);
        }
        self.fill();
    }

    fn fill(&mut self) {
        while self.sending < self.limits.sends_at_once.max(1)
            && let Some(receiver) = self.ready.pop_front()
        {
            let Some(queue) = self.queues.get_mut(&receiver) else { continue };
            let (feed, pages) = mpsc::unbounded_channel();
            queue.feed = Some(feed);
            queue.feed_some();
            self.sending += 1;
            let limit = SignedDuration::from_secs(i64::from(self.limits.page_limit_secs.max(1)));
            let (notifier, clock, back) = (self.notifier.clone(), self.clock.clone(), self.back.clone());
            self.tasks.spawn(send_all(pages, notifier, clock, limit, back));
        }
    }
}

impl Queue {
    /// Hands waiting pages to the task, as long as not too many are under way.
    fn feed_some(&mut self) {
        let Some(feed) = &self.feed else { return };
        while self.under_way.len() < IN_A_ROW
            && let Some(page) = self.pages.pop_front()
        {
            self.under_way.insert(page.id);
            // The task lives as long as its feed.
            let _ = feed.send(page);
        }
    }
}

/// Sends the pages of one receiver, one after the other.
async fn send_all(
    mut pages: mpsc::UnboundedReceiver<Page>,
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
    limit: SignedDuration,
    back: mpsc::Sender<Delivery<'static>>,
) {
    while let Some(page) = pages.recv().await {
        let id = page.id;
        let result = send(&*notifier, &*clock, page, limit).await;
        if back.send(Delivery { page: id, result }).await.is_err() {
            // The loop has ended: the page stays owed.
            return;
        }
    }
}

async fn send(
    notifier: &dyn Notifier,
    clock: &dyn Clock,
    page: Page,
    limit: SignedDuration,
) -> DeliveryResult<'static> {
    let give_up_at = after(clock.now(), limit);
    let (id, receiver) = (page.id, page.receiver.clone());
    // What a panic leaves behind in a receiver is the receiver's own; nothing here has seen half of a change.
    let sending = AssertUnwindSafe(notifier.send(&page)).catch_unwind();
    let why = tokio::select! {
        biased;
        ended = sending => match ended {
            Ok(result) => return result,
            Err(panic) => {
                let said = payload_text(&*panic);
                format!("sending ended in a panic, which is a fault of muster; please report it: {said}")
            }
        },
        () = clock.sleep_until(give_up_at) => format!("the receiver had not taken it after {} s", limit.as_secs()),
    };
    tracing::error!(page = %id, receiver, why, "a page was given up");
    DeliveryResult::GivenUp { why: why.into() }
}
