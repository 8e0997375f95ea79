//! A fleet as the journal keeps it: with the policy it was under, because the entries that follow were stepped under
//! that one.

use fleet::{Fleet, policy::Policy, snapshot, snapshot::Unreadable};

const MARK: &[u8] = b"muster snapshot 1\n";

/// Packs a fleet and its policy: the mark, the length of the policy's JSON (4 bytes, big-endian), that JSON, the fleet.
pub(crate) fn pack(fleet: &Fleet) -> Result<Vec<u8>, serde_json::Error> {
    let policy = serde_json::to_vec(fleet.policy())?;
    let beliefs = snapshot::save(fleet);
    let length = u32::try_from(policy.len()).map_err(serde::ser::Error::custom)?;
    let mut bytes = Vec::with_capacity(MARK.len() + 4 + policy.len() + beliefs.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&policy);
    bytes.extend_from_slice(&beliefs);
    Ok(bytes)
}

/// Unpacks it, under the policy it was packed with.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Fleet, Unreadable> {
    let short = || Unreadable("it ends too early".into());
    let rest = bytes
        .strip_prefix(MARK)
        .ok_or_else(|| Unreadable("it does not begin as a snapshot of this version does".into()))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| short())?;
    let (policy, beliefs) = rest.split_at_checked(length).ok_or_else(short)?;
    let policy: Policy =
        serde_json::from_slice(policy).map_err(|error| Unreadable(format!("its policy cannot be read: {error}")))?;
    snapshot::load(beliefs, policy)
}

/// The same beliefs under another policy.
pub(crate) fn under(fleet: Fleet, policy: Policy) -> Result<Fleet, Unreadable> {
    if *fleet.policy() == policy { Ok(fleet) } else { snapshot::load(&snapshot::save(&fleet), policy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_comes_back_under_the_policy_it_was_packed_with() {
        let policy = Policy { grace_secs: 77, doubt_share: 0.3, ..Policy::default() };
        let fleet = Fleet::new(policy.clone());
        let back = unpack(&pack(&fleet).unwrap()).unwrap();
        assert_eq!(*back.policy(), policy);
        assert_eq!(snapshot::save(&back), snapshot::save(&fleet));
    }

    #[test]
    fn every_truncation_of_the_frame_is_refused() {
        let fleet = Fleet::new(Policy::default());
        let bytes = pack(&fleet).unwrap();
        let frame = bytes.len() - snapshot::save(&fleet).len();
        for end in 0..frame {
            assert!(unpack(&bytes[..end]).is_err(), "{end} of {frame} bytes");
        }
    }
}
