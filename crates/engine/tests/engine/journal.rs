//! The journal on disk: what is written is there, and what is changed is found.

use std::{fs::OpenOptions, path::Path};

use engine::{
    journal::{JournalReader, MemoryJournal, SqliteJournal, schema},
    ports::{Journal, JournalError, SetAside},
};
use fleet::{
    input::Input,
    journal::{Body, JOURNAL_VERSION},
};
use rusqlite::Connection;

use crate::support::{entries, later, start};

fn filled(dir: &Path, entries: i64) {
    let mut journal = SqliteJournal::open(dir).unwrap();
    for number in 0..entries {
        journal.append(later(number), &[Body::Input(Input::Ticked)], &[]).unwrap();
    }
}

/// A connection of somebody who means ill: without the triggers that protect the entries.
fn tamper(dir: &Path, sql: &str) {
    let connection = Connection::open(schema::database(dir)).unwrap();
    connection
        .execute_batch("DROP TRIGGER entry_is_never_changed; DROP TRIGGER entry_is_removed_by_retention_only;")
        .unwrap();
    connection.execute_batch(sql).unwrap();
}

fn broken_at(dir: &Path) -> (i64, String) {
    match JournalReader::open(dir).unwrap().verify() {
        Err(JournalError::Broken { seq, what, .. }) => (seq, what),
        other => panic!("the chain should be broken, but {other:?}"),
    }
}

#[test]
fn what_is_appended_is_read_back_in_order_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    let last = journal.append(start(), &[Body::Input(Input::Ticked), Body::Stopped], &[]).unwrap();
    assert_eq!(last, 2);
    let aside = SetAside { reason: "not JSON".into(), body: b"\xff{".to_vec() };
    assert_eq!(journal.append(later(1), &[Body::Stopped], &[aside]).unwrap(), 4);
    let bodies: Vec<_> = entries(&journal).into_iter().map(|(_, body)| body.to_string()).collect();
    assert_eq!(
        bodies,
        [r#"{"input":"ticked"}"#, r#""stopped""#, r#""stopped""#, r#"{"set-aside":{"id":1,"reason":"not JSON"}}"#]
    );
    let verified = journal.reader().verify().unwrap();
    assert_eq!((verified.entries, verified.first, verified.last, verified.hash.len()), (4, 1, 4, 64));
    let kept = journal.reader().set_aside(0, 10).unwrap();
    assert_eq!((kept.len(), kept[0].body.as_slice(), kept[0].at), (1, b"\xff{".as_slice(), later(1)));
    assert_eq!(journal.reader().count_set_aside().unwrap(), 1);
    drop(journal);
    let again = SqliteJournal::open(dir.path()).unwrap();
    assert_eq!(again.last_seq(), 4);
    assert_eq!(again.reader().verify().unwrap(), verified);
}

#[test]
fn an_empty_journal_verifies_and_an_empty_append_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    assert_eq!(journal.append(start(), &[], &[]).unwrap(), 0);
    let verified = journal.reader().verify().unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (0, 1, 0));
}

#[test]
fn readers_follow_while_the_writer_writes() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.append(start(), &[Body::Stopped, Body::Stopped, Body::Stopped], &[]).unwrap();
    let reader = JournalReader::open(dir.path()).unwrap();
    let seen = |after| {
        let mut seen = Vec::new();
        reader
            .read(after, &mut |entry| {
                seen.push(entry.seq);
                true
            })
            .unwrap();
        seen
    };
    assert_eq!(seen(0), [1, 2, 3]);
    assert_eq!(seen(3), [0; 0]);
    journal.append(later(1), &[Body::Stopped, Body::Stopped], &[]).unwrap();
    assert_eq!(seen(3), [4, 5]);
    assert_eq!((reader.first_seq().unwrap(), reader.last_seq().unwrap()), (1, 5));
}

#[test]
fn a_reader_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    let mut reader = JournalReader::open(dir.path()).unwrap();
    let refused = reader.append(start(), &[Body::Stopped], &[]).unwrap_err();
    assert!(matches!(refused, JournalError::Failed { .. }), "{refused}");
    assert_eq!(reader.last_seq().unwrap(), 1);
}

#[test]
fn the_export_holds_everything_that_the_chain_covers() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let mut out = Vec::new();
    assert_eq!(JournalReader::open(dir.path()).unwrap().export(1, &mut out).unwrap(), 2);
    let lines: Vec<serde_json::Value> = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["seq"].as_i64(), lines[0]["at"].as_str()), (Some(2), Some("2026-10-02T00:00:01Z")));
    assert_eq!(lines[1]["prev"], lines[0]["hash"]);
    let body = serde_json::to_string(&lines[1]["body"]).unwrap();
    let prev: [u8; 32] = hex::decode(lines[1]["prev"].as_str().unwrap()).unwrap().try_into().unwrap();
    let hash = engine::journal::chain::link(&prev, 3, "2026-10-02T00:00:02Z", 1, body.as_bytes());
    assert_eq!(lines[1]["hash"], hex::encode(hash));
}

#[test]
fn entries_cannot_be_changed_or_removed_through_the_front_door() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let connection = Connection::open(schema::database(dir.path())).unwrap();
    let changed = connection.execute("UPDATE entry SET body = '\"stopped\"' WHERE seq = 2", []).unwrap_err();
    assert!(changed.to_string().contains("never changed"), "{changed}");
    let removed = connection.execute("DELETE FROM entry WHERE seq = 1", []).unwrap_err();
    assert!(removed.to_string().contains("retention only"), "{removed}");
}

#[test]
fn a_flipped_byte_in_a_body_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    tamper(dir.path(), r#"UPDATE entry SET body = '{"input":"tocked"}' WHERE seq = 3"#);
    let (seq, what) = broken_at(dir.path());
    assert_eq!(seq, 3);
    assert!(what.contains("changed after it was written"), "{what}");
}

#[test]
fn a_changed_time_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    tamper(dir.path(), "UPDATE entry SET at = '2026-10-02T00:00:03.5Z' WHERE seq = 4");
    assert_eq!(broken_at(dir.path()).0, 4);
}

#[test]
fn a_missing_entry_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    tamper(dir.path(), "DELETE FROM entry WHERE seq = 2");
    let (seq, what) = broken_at(dir.path());
    assert_eq!(seq, 2);
    assert!(what.contains("missing"), "{what}");
}

#[test]
fn swapped_entries_are_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    tamper(
        dir.path(),
        "UPDATE entry SET seq = 99 WHERE seq = 2; UPDATE entry SET seq = 2 WHERE seq = 3; UPDATE entry SET seq = 3 WHERE seq = 99;",
    );
    assert_eq!(broken_at(dir.path()).0, 2);
}

#[test]
fn a_removed_last_entry_is_found_and_nothing_is_appended_after_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    tamper(dir.path(), "DELETE FROM entry WHERE seq = 5");
    assert_eq!(broken_at(dir.path()).0, 5);
    assert!(matches!(SqliteJournal::open(dir.path()), Err(JournalError::Broken { seq: 5, .. })));
}

#[test]
fn an_entry_smuggled_in_at_the_end_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 2);
    let prev: [u8; 32] = Connection::open(schema::database(dir.path()))
        .unwrap()
        .query_row("SELECT hash FROM entry WHERE seq = 2", [], |row| row.get(0))
        .unwrap();
    let hash = engine::journal::chain::link(&prev, 3, "2026-10-02T00:00:09Z", 1, br#""stopped""#);
    Connection::open(schema::database(dir.path()))
        .unwrap()
        .execute(r#"INSERT INTO entry VALUES (3, '2026-10-02T00:00:09Z', 1, '"stopped"', ?1, ?2)"#, (prev, hash))
        .unwrap();
    assert_eq!(broken_at(dir.path()).0, 3);
}

#[test]
fn a_message_set_aside_that_is_gone_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.append(start(), &[], &[SetAside { reason: "r".into(), body: vec![0] }]).unwrap();
    drop(journal);
    tamper(dir.path(), "DELETE FROM set_aside");
    assert_eq!(broken_at(dir.path()).0, 1);
}

#[test]
fn a_file_cut_off_at_its_end_is_reported_and_not_read_as_shorter() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 400);
    let file = OpenOptions::new().write(true).open(schema::database(dir.path())).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
    let found = JournalReader::open(dir.path()).and_then(|reader| reader.verify()).unwrap_err();
    assert!(matches!(found, JournalError::Broken { .. } | JournalError::Failed { .. }), "{found}");
    assert!(SqliteJournal::open(dir.path()).and_then(|journal| journal.reader().verify()).is_err());
}

#[test]
fn a_write_ahead_log_torn_in_its_last_transaction_loses_that_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    for number in 0..5 {
        journal.append(later(number), &[Body::Stopped], &[]).unwrap();
    }
    // What a crash leaves behind: both files as they are, the log cut in the middle of its last frame.
    let crashed = tempfile::tempdir().unwrap();
    std::fs::copy(schema::database(dir.path()), schema::database(crashed.path())).unwrap();
    let mut log = std::fs::read(dir.path().join("journal.db-wal")).unwrap();
    log.truncate(log.len() - 100);
    std::fs::write(crashed.path().join("journal.db-wal"), log).unwrap();
    let mut again = SqliteJournal::open(crashed.path()).unwrap();
    assert_eq!(again.last_seq(), 4);
    assert_eq!(again.append(later(9), &[Body::Stopped], &[]).unwrap(), 5);
    assert_eq!(again.reader().verify().unwrap().entries, 5);
}

#[test]
fn a_second_writer_is_told_that_the_journal_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteJournal::open(dir.path()).unwrap();
    assert!(matches!(SqliteJournal::open(dir.path()), Err(JournalError::Locked { .. })));
    drop(first);
    assert!(SqliteJournal::open(dir.path()).is_ok());
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_the_journal_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.limit_bytes(256 * 1024).unwrap();
    let message = SetAside { reason: "large".into(), body: vec![7; 10_000] };
    let mut appended = 0;
    let refused = loop {
        match journal.append(start(), &[Body::Stopped], std::slice::from_ref(&message)) {
            Ok(last) => appended = last,
            Err(error) => break error,
        }
        assert!(appended < 1_000, "the limit is never reached");
    };
    assert!(matches!(refused, JournalError::Full { .. }), "{refused}");
    assert!(appended > 0);
    assert_eq!(journal.last_seq(), appended);
    assert_eq!(journal.reader().verify().unwrap().last, appended);
    journal.limit_bytes(64 * 1024 * 1024).unwrap();
    assert_eq!(journal.append(start(), &[Body::Stopped], &[message]).unwrap(), appended + 2);
}

#[test]
fn a_journal_of_a_newer_muster_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    Connection::open(schema::database(dir.path())).unwrap().pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(SqliteJournal::open(dir.path()), Err(JournalError::Newer { found: 9, .. })));
    assert!(matches!(JournalReader::open(dir.path()), Err(JournalError::Newer { found: 9, .. })));
}

#[test]
fn an_entry_of_a_newer_muster_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 2);
    tamper(dir.path(), &format!("UPDATE entry SET version = {} WHERE seq = 2", JOURNAL_VERSION + 1));
    let found = JournalReader::open(dir.path()).unwrap().verify().unwrap_err();
    assert!(matches!(found, JournalError::Newer { .. }), "{found}");
}

#[test]
fn a_foreign_database_and_a_file_that_is_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    Connection::open(schema::database(dir.path())).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(SqliteJournal::open(dir.path()), Err(JournalError::Failed { .. })));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(schema::database(dir.path()), vec![b'x'; 8192]).unwrap();
    assert!(matches!(SqliteJournal::open(dir.path()), Err(JournalError::Failed { .. })));
    let dir = tempfile::tempdir().unwrap();
    let missing = JournalReader::open(dir.path()).unwrap_err();
    assert!(matches!(missing, JournalError::Failed { .. }), "{missing}");
}

#[test]
fn the_two_newest_snapshots_are_kept_and_a_damaged_one_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    for seq in 1..=3 {
        journal.append(later(seq), &[Body::Stopped], &[]).unwrap();
        journal.keep_snapshot(seq, later(seq), format!("fleet {seq}").as_bytes()).unwrap();
    }
    assert_eq!(journal.newest_snapshot().unwrap(), Some((3, b"fleet 3".to_vec())));
    assert_eq!(journal.snapshot_before(3).unwrap(), Some((2, b"fleet 2".to_vec())));
    assert_eq!(journal.snapshot_before(2).unwrap(), None);
    drop(journal);
    tamper(dir.path(), "UPDATE snapshot SET bytes = x'00' WHERE seq = 3");
    let journal = SqliteJournal::open(dir.path()).unwrap();
    assert_eq!(journal.newest_snapshot().unwrap(), Some((2, b"fleet 2".to_vec())));
}

#[test]
fn retention_removes_only_what_no_snapshot_needs_and_the_chain_stays_whole() {
    fn prune(journal: &mut dyn Journal) -> Vec<i64> {
        for number in 0..10 {
            journal.append(later(number), &[Body::Stopped], &[]).unwrap();
        }
        assert_eq!(journal.prune(later(10), 2).unwrap(), 0, "no snapshot, no retention");
        journal.keep_snapshot(4, later(10), b"four").unwrap();
        journal.keep_snapshot(8, later(10), b"eight").unwrap();
        assert_eq!(journal.prune(later(10), 2).unwrap(), 4);
        assert_eq!(journal.prune(later(11), 2).unwrap(), 0);
        let (last, body) = entries(journal).pop().unwrap();
        assert_eq!(body.to_string(), r#"{"pruned":{"entries":4,"through":4}}"#);
        assert_eq!(journal.append(later(12), &[Body::Stopped], &[]).unwrap(), last + 1);
        entries(journal).into_iter().map(|(seq, _)| seq).collect()
    }
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    let remaining = prune(&mut journal);
    assert_eq!(remaining, (5..=12).collect::<Vec<_>>());
    assert_eq!(prune(&mut MemoryJournal::new()), remaining);
    let verified = journal.reader().verify().unwrap();
    assert_eq!((verified.first, verified.last, verified.entries), (5, 12, 8));
    drop(journal);
    tamper(dir.path(), "DELETE FROM entry WHERE seq = 5");
    assert_eq!(broken_at(dir.path()).0, 5);
}

#[test]
fn a_journal_in_memory_with_a_limit_forgets_its_oldest_entries() {
    let mut journal = MemoryJournal::with_limit(3);
    let aside = SetAside { reason: "r".into(), body: Vec::new() };
    for _ in 0..5 {
        journal.append(start(), &[], std::slice::from_ref(&aside)).unwrap();
    }
    let kept = entries(&journal);
    assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(kept[2].1["set-aside"]["id"], 5);
    assert_eq!(journal.messages_set_aside().len(), 3);
}
