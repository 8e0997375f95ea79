//! How far a sweep has come: bars on standard error, only on a terminal, only when work takes more than a second.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape;

/// Work that takes no longer shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The bars of one sweep.
#[derive(Debug)]
pub struct Progress {
    since: Instant,
    bars: Option<MultiProgress>,
    by_what: BTreeMap<String, ProgressBar>,
}

impl Progress {
    /// Bars, if standard error is a terminal and `wanted`.
    pub fn new(wanted: bool) -> Self {
        let bars = (wanted && std::io::stderr().is_terminal())
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self { since: Instant::now(), bars, by_what: BTreeMap::new() }
    }

    /// So many of `what` are read.
    pub fn report(&mut self, what: &str, done: u64, total: Option<u64>) {
        let Some(bars) = &self.bars else { return };
        if self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self.by_what.entry(what.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg:40} {bar:30} {pos}/{len} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(escape::clean(what).into_owned());
            bar
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        for bar in self.by_what.values() {
            bar.finish_and_clear();
        }
    }
}
