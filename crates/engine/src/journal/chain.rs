//! The hash chain: each entry's hash covers the one before it, so that nothing in the middle can change unseen.

use sha2::{Digest, Sha256};

/// A link's hash.
pub type Hash = [u8; 32];

/// What the first entry of a journal follows.
pub const BEGINNING: Hash = [0; 32];

/// The hash of an entry: SHA-256 over the previous hash, the number, the format version, the time and the body. Numbers
/// are big-endian; the time is preceded by its length, so that no two different entries give the same bytes.
pub fn link(prev: &Hash, seq: i64, at: &str, version: u32, body: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    hasher.update(seq.to_be_bytes());
    hasher.update(version.to_be_bytes());
    hasher.update((at.len() as u64).to_be_bytes());
    hasher.update(at.as_bytes());
    hasher.update(body);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_entry_changes_its_hash() {
        let base = link(&BEGINNING, 1, "2026-01-01T00:00:00Z", 1, b"{}");
        let others = [
            link(&[1; 32], 1, "2026-01-01T00:00:00Z", 1, b"{}"),
            link(&BEGINNING, 2, "2026-01-01T00:00:00Z", 1, b"{}"),
            link(&BEGINNING, 1, "2026-01-01T00:00:01Z", 1, b"{}"),
            link(&BEGINNING, 1, "2026-01-01T00:00:00Z", 2, b"{}"),
            link(&BEGINNING, 1, "2026-01-01T00:00:00Z", 1, b"{ }"),
            link(&BEGINNING, 1, "2026-01-01T00:00:00Z{", 1, b"}"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
