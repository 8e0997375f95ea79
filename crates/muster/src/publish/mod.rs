//! Telling the world what room is left: from what is believed already, so that an event costs no call but the publication.
//!
//! | to learn | read |
//! |---|---|
//! | which figures, under which names and units | [`figures`] |
//! | as lines of embedded metric format | [`emf`] |
//! | as gauges for Prometheus | [`prometheus`] |
//! | when it runs out: samples, kept beside the journal | [`foreseen`] |

pub mod emf;
pub mod figures;
pub mod foreseen;
pub mod prometheus;

use std::{collections::BTreeMap, io::Write as _, sync::Arc, time::Duration};

use aws::{AwsCloud, Datum};
use engine::{Handle, cadence::Told};
use fleet::{capacity::view::HeadroomView, id::Arn};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    config::publish::{PublishSection, To},
    metrics::Metrics,
};
use figures::Figure;

/// Publishes until it is stopped.
#[derive(Debug)]
pub struct Publisher {
    /// Where, what and how often.
    pub section: PublishSection,
    /// Whether all tasks are looked at, and so the interfaces known that they hold.
    pub audited: bool,
    /// What was seen longer ago than this is not published.
    pub fresh_secs: i64,
    /// CloudWatch.
    pub cloud: Arc<AwsCloud>,
    /// /metrics.
    pub metrics: Arc<Metrics>,
    /// What was free, now and then.
    pub samples: foreseen::Samples,
}

impl Publisher {
    /// Asks what is believed again and again, and publishes what is due.
    pub async fn run(self, handle: Handle, stop: CancellationToken) {
        let mut told: BTreeMap<String, Told<Vec<Figure>>> = BTreeMap::new();
        let mut every = tokio::time::interval(Duration::from_secs(u64::from(self.section.floor_secs.min(5))));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            let fresh_secs = self.fresh_secs;
            let asked = handle.ask(move |fleet, now| (now, fleet.headroom_views(now, fresh_secs))).await;
            let Ok((now, views)) = asked else { return };
            self.samples.note(now, &views, self.audited).await;
            let mut figures = prometheus::samples(&views, self.audited);
            figures.extend(prometheus::foreseen(&self.samples.runs_out(now), now));
            self.metrics.replace(&prometheus::PREFIXES, &figures);
            if self.section.to != To::Nowhere {
                for view in &views {
                    self.publish(view, now, told.entry(view.cluster.clone()).or_default()).await;
                }
            }
        }
    }

    async fn publish(&self, view: &HeadroomView, now: Timestamp, told: &mut Told<Vec<Figure>>) {
        let mut figures = figures::of_cluster(view);
        if self.section.legacy {
            figures.extend(figures::legacy(view));
        }
        if !told.is_due(self.section.cadence(), now, &figures) {
            return;
        }
        told.tries(now);
        let namespace = &self.section.namespace;
        let done = match self.section.to {
            To::Nowhere => Ok(()),
            To::Cloudwatch => {
                let data: Vec<Datum> = figures.iter().map(|figure| datum(figure, now)).collect();
                self.cloud.put_metrics(&view.cluster, namespace, &data).await.map(drop).map_err(|error| error.why)
            }
            To::Emf => {
                let arn = Arn::parse(&view.cluster);
                let place = arn.map_or(("", ""), |arn| (arn.account, arn.region));
                print(&emf::lines(namespace, now, place, &figures))
            }
        };
        match done {
            Ok(()) => told.arrived(now, figures),
            Err(reason) => tracing::warn!(reason, cluster = view.cluster, "what room is left is not published"),
        }
    }
}

fn datum(figure: &Figure, at: Timestamp) -> Datum {
    Datum {
        name: figure.name.to_owned(),
        dimensions: figure.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        value: figure.value,
        unit: figure.unit,
        at,
    }
}

/// Standard output belongs to whoever collects it: a line is written whole or not at all.
fn print(lines: &[String]) -> Result<(), String> {
    let mut text = lines.join("\n");
    text.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}
