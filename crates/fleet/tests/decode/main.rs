//! The event decoder from outside: every kind of event, bad input, and agreement with a slow reference.
#![allow(clippy::unwrap_used, reason = "the events are made here")]

mod bad_input;
mod events;
mod generator;
mod reference;

use fleet::observation::{Attributes, Fact, decode::decode_event};
use generator::Dice;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_decoder_reads_what_a_slow_reference_reads(seed: u64) {
        let event = generator::event(&mut Dice(seed));
        let mut decoded = match decode_event(event.as_bytes()) {
            Ok(decoded) => decoded,
            Err(fault) => return Err(TestCaseError::fail(format!("{fault}: {event}"))),
        };
        if let Fact::Instance(host) = &mut decoded.fact
            && matches!(host.attributes, Attributes::Raw(_))
        {
            host.attributes = Attributes::Known(Box::new(host.attributes.read()));
        }
        prop_assert_eq!(decoded, reference::decode(&event), "{}", event);
    }

    #[test]
    fn a_truncated_event_is_refused(seed: u64, cut in 0.0..1.0) {
        let event = generator::event(&mut Dice(seed));
        let event = event.trim_end();
        let cut = (event.len() as f64 * cut) as usize;
        prop_assert!(decode_event(&event.as_bytes()[..cut]).is_err(), "{}", &event[..event.floor_char_boundary(cut)]);
    }

    #[test]
    fn a_damaged_event_never_panics_and_what_is_accepted_has_its_time(
        seed: u64, wounds in prop::collection::vec((any::<u32>(), any::<u8>()), 1..6),
    ) {
        let mut event = generator::event(&mut Dice(seed)).into_bytes();
        for (place, byte) in wounds {
            let place = place as usize % event.len();
            event[place] = byte;
        }
        if let Ok(observation) = decode_event(&event) {
            prop_assert!(std::str::from_utf8(&event).is_ok());
            if let Fact::Instance(host) = &observation.fact {
                host.attributes.read();
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode_event(&bytes).is_err());
    }
}
