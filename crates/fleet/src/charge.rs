//! Who is in charge of acting, where several musters watch the same clusters.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{effect::Effect, host::Millis, journal::Record, state::Fleet};

/// For so long what somebody else began counts against the budgets that count by the hour.
pub(crate) const HOUR_MS: Millis = 3_600_000;

/// For so long at least what somebody else began may be under way: a machine that boots, an agent that starts, a command that
/// hangs.
const OTHERS_ACTS_MS: Millis = 900_000;

/// Who is in charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Charge {
    /// There is no lease: this muster is alone.
    #[default]
    Alone,
    /// The lease is ours.
    Ours {
        /// It has grown by one with every change of holder.
        epoch: u64,
    },
    /// The lease is another muster's, or nobody can say whose it is.
    Anothers,
}

impl Charge {
    /// Whether this muster may act.
    pub fn is_ours(self) -> bool {
        self != Self::Anothers
    }

    /// Reads also what journals said before they knew epochs: only whether this muster leads.
    pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Charge(Charge),
            Leads(bool),
        }
        Ok(match Written::deserialize(from)? {
            Written::Charge(charge) => charge,
            Written::Leads(true) => Self::Ours { epoch: 0 },
            Written::Leads(false) => Self::Anothers,
        })
    }
}

/// What is remembered of who was in charge.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Leadership {
    pub(crate) charge: Charge,
    /// Of the latest lease that was ours; 0: none was.
    epoch: u64,
    /// When this muster took over from another, whose deeds stand in no journal here.
    took_over_at: Option<Millis>,
}

impl Fleet {
    /// Another muster has come to be in charge, or this one has.
    pub(crate) fn led(&mut self, charge: Charge, effects: &mut Vec<Effect>) {
        let led = self.leads();
        let leadership = &mut self.repairs.leadership;
        leadership.charge = charge;
        if let Charge::Ours { epoch } = charge {
            // One more than our own last one: nobody had it in between.
            if epoch != leadership.epoch && epoch != leadership.epoch.saturating_add(1) {
                leadership.took_over_at = Some(self.now);
            }
            leadership.epoch = epoch;
        }
        let leading = charge.is_ours();
        if led != leading {
            effects.push(Effect::Record(Record::Led { leading }));
        }
    }

    /// Whether this muster is in charge of acting, as far as it was told.
    pub fn leads(&self) -> bool {
        self.charge().is_ours()
    }

    /// Who is in charge of acting, as far as this muster was told.
    pub fn charge(&self) -> Charge {
        self.repairs.leadership.charge
    }

    /// How long ago this muster took over from another, if that was within this time.
    pub(crate) fn took_over_within(&self, ms: Millis) -> Option<Millis> {
        let ago = self.now - self.repairs.leadership.took_over_at?;
        (ago < ms).then_some(ago)
    }

    /// For so long what another muster began may be under way: until a machine that it ended would be late in being replaced.
    pub(crate) fn others_acts_ms(&self) -> Millis {
        OTHERS_ACTS_MS.max(i64::from(self.policy.replacement.arrival_secs) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{input::Input, policy::Policy, step};

    fn taken_over(epochs: &[Option<u64>]) -> bool {
        let mut fleet = Fleet::new(Policy::default());
        for epoch in epochs {
            let charge = epoch.map_or(Charge::Anothers, |epoch| Charge::Ours { epoch });
            step(&mut fleet, "2026-10-02T00:00:00Z".parse().unwrap(), &Input::Leading(charge));
        }
        fleet.took_over_within(HOUR_MS).is_some()
    }

    #[test]
    fn a_muster_knows_whether_another_was_in_charge_before_it() {
        for none in [&[Some(1)][..], &[None, Some(1)], &[Some(1), None, Some(2)], &[Some(1), None, Some(1)]] {
            assert!(!taken_over(none), "{none:?}");
        }
        for another in [&[Some(2)][..], &[None, Some(9)], &[Some(1), None, Some(3)], &[Some(3), None, Some(1)]] {
            assert!(taken_over(another), "{another:?}");
        }
    }

    #[test]
    fn journals_of_before_there_were_epochs_are_read() {
        for (text, charge) in [
            (r#"{"leading":true}"#, Charge::Ours { epoch: 0 }),
            (r#"{"leading":false}"#, Charge::Anothers),
            (r#"{"leading":{"ours":{"epoch":7}}}"#, Charge::Ours { epoch: 7 }),
            (r#"{"leading":"alone"}"#, Charge::Alone),
        ] {
            assert_eq!(serde_json::from_str::<Input<'_>>(text).unwrap(), Input::Leading(charge), "{text}");
        }
    }
}
