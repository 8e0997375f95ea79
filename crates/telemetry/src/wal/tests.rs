use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use super::*;
use crate::event::Event;

fn config(dir: &Path) -> WalConfig {
    WalConfig { dir: dir.to_owned(), segment_bytes: 400, reserve_bytes: 0 }
}

fn events(messages: &[&str]) -> Vec<Event> {
    messages.iter().map(|message| Event { timestamp_ms: 1, message: (*message).to_owned() }).collect()
}

async fn append(wal: &Wal, group: u64, messages: &[&str]) -> Result<u64, WalError> {
    wal.append(group, Body::of_events(group, "s", 2, &events(messages)), Box::new(|_| {})).await
}

/// The messages in the log with their numbers, and what was found beside them.
fn read(dir: &Path, repair: bool) -> (Vec<(u64, String)>, Replay) {
    let mut found = Vec::new();
    let replay = read_all(open_all(dir).unwrap(), repair, |_, head, body| {
        let body = EventsBody::of_bytes(body, head.count).unwrap();
        found.extend((head.first..).zip(body.events.into_iter().map(|(_, message)| message)));
    });
    (found, replay.unwrap())
}

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    super::segment::list(dir).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_read_back_in_order() {
    let dir = TempDir::new().unwrap();
    let wal = Wal::start(config(dir.path()), Vec::new(), 1).unwrap();
    let mut expected = Vec::new();
    for batch in 0..20_u64 {
        let first = append(&wal, 1, &[&format!("a{batch}"), &format!("b{batch}")]).await.unwrap();
        assert_eq!(first, 1 + 2 * batch);
        expected.extend([(first, format!("a{batch}")), (first + 1, format!("b{batch}"))]);
    }
    assert!(segments(dir.path()).len() > 2);
    let (found, replay) = read(dir.path(), false);
    assert_eq!((found, replay), (expected, Replay { records: 20, ..Replay::default() }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_a_flush_and_each_is_applied_before_it_is_told() {
    let dir = TempDir::new().unwrap();
    let wal = Arc::new(Wal::start(config(dir.path()), Vec::new(), 1).unwrap());
    let applied = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for caller in 0..200 {
        let (wal, applied) = (Arc::clone(&wal), Arc::clone(&applied));
        tasks.push(tokio::spawn(async move {
            let seen = Arc::clone(&applied);
            let body = Body::of_events(1, "s", 2, &events(&[&caller.to_string()]));
            let first = wal.append(1, body, Box::new(move |first| seen.lock().unwrap().push(first))).await.unwrap();
            assert!(applied.lock().unwrap().contains(&first));
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let order = applied.lock().unwrap().clone();
    assert_eq!(order, (1..=200).collect::<Vec<u64>>());
    assert_eq!(read(dir.path(), false).0.len(), 200);
}

#[tokio::test]
async fn a_torn_end_of_any_length_is_cut_off_and_whole_records_stay() {
    let dir = TempDir::new().unwrap();
    let wide = WalConfig { segment_bytes: 1 << 20, ..config(dir.path()) };
    let wal = Wal::start(wide, Vec::new(), 1).unwrap();
    let mut ends = vec![0];
    for batch in 0..4 {
        append(&wal, 1, &["message", &batch.to_string()]).await.unwrap();
        ends.push(fs::metadata(&segments(dir.path())[0]).unwrap().len());
    }
    let whole = fs::read(&segments(dir.path())[0]).unwrap();
    for length in 0..=whole.len() {
        let torn = TempDir::new().unwrap();
        let path = torn.path().join("00000000000000000001.wal");
        fs::write(&path, &whole[..length]).unwrap();
        let records = ends.iter().filter(|end| **end > 0 && **end <= length as u64).count();
        let torn_bytes = length as u64 - ends[records];
        let (found, replay) = read(torn.path(), true);
        assert_eq!(found.len(), 2 * records, "{length} bytes");
        assert_eq!(replay, Replay { records: records as u64, torn_bytes, ..Replay::default() });
        assert_eq!(fs::metadata(&path).unwrap().len(), ends[records]);
        assert_eq!(read(torn.path(), true).1.torn_bytes, 0);
    }
}

#[tokio::test]
async fn a_damaged_byte_costs_one_record_which_is_set_aside() {
    let dir = TempDir::new().unwrap();
    let wide = WalConfig { segment_bytes: 1 << 20, ..config(dir.path()) };
    let wal = Wal::start(wide, Vec::new(), 1).unwrap();
    let mut ends = vec![0];
    for batch in 0..3 {
        append(&wal, 1, &[&batch.to_string()]).await.unwrap();
        ends.push(fs::metadata(&segments(dir.path())[0]).unwrap().len());
    }
    let whole = fs::read(&segments(dir.path())[0]).unwrap();
    for at in 0..ends[2] as usize {
        let damaged = TempDir::new().unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(damaged.path().join("00000000000000000001.wal"), &bytes).unwrap();
        let lost = usize::from(at as u64 >= ends[1]);
        let (found, replay) = read(damaged.path(), true);
        let expected: Vec<u64> = (1..=3).filter(|number| *number != 1 + lost as u64).collect();
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected, "byte {at}");
        assert_eq!((replay.damaged, replay.damaged_bytes), (1, ends[lost + 1] - ends[lost]));
        let set_aside = fs::read(damaged.path().join(format!("set-aside/00000000000000000001-{}.bin", ends[lost])));
        assert_eq!(set_aside.unwrap(), bytes[ends[lost] as usize..ends[lost + 1] as usize]);
    }
}

#[tokio::test]
async fn records_that_are_there_twice_are_read_once() {
    let dir = TempDir::new().unwrap();
    let wal = Wal::start(config(dir.path()), Vec::new(), 1).unwrap();
    append(&wal, 1, &["a", "b"]).await.unwrap();
    append(&wal, 1, &["c"]).await.unwrap();
    let bytes = fs::read(&segments(dir.path())[0]).unwrap();
    fs::write(dir.path().join("00000000000000000002.wal"), bytes).unwrap();
    let (found, replay) = read(dir.path(), false);
    assert_eq!((found.len(), replay.records, replay.repeated), (3, 2, 2));
}

#[tokio::test]
async fn a_segment_goes_when_all_its_groups_are_in_files() {
    let dir = TempDir::new().unwrap();
    let wal = Wal::start(config(dir.path()), Vec::new(), 1).unwrap();
    let mut last = 0;
    for _ in 0..10 {
        append(&wal, 1, &["message of the first group"]).await.unwrap();
        last = append(&wal, 2, &["message of the second group"]).await.unwrap();
    }
    let count = segments(dir.path()).len();
    assert!(count > 3);
    assert_eq!(wal.holding(0), [1, 2]);
    wal.sealed(1, last);
    assert_eq!((segments(dir.path()).len(), wal.holding(0)), (count, vec![2]));
    assert!(wal.holding(wal.bytes()).is_empty());
    wal.sealed(2, last);
    // The newest stays: its name says which number comes next.
    assert_eq!(segments(dir.path()).len(), 1);
}

#[tokio::test]
async fn an_empty_segment_that_is_begun_again_is_not_removed_as_an_old_one() {
    let dir = TempDir::new().unwrap();
    drop(Wal::start(config(dir.path()), Vec::new(), 1).unwrap());
    let path = segments(dir.path()).remove(0);
    let old = vec![Usage { path, bytes: 0, last: std::collections::HashMap::new() }];
    let wal = Wal::start(config(dir.path()), old, 1).unwrap();
    append(&wal, 1, &["a"]).await.unwrap();
    wal.sealed(2, 7);
    assert_eq!(read(dir.path(), false).0, [(1, "a".to_owned())]);
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_no_events() {
    let dir = TempDir::new().unwrap();
    let full = WalConfig { reserve_bytes: u64::MAX, ..config(dir.path()) };
    let wal = Wal::start(full, Vec::new(), 1).unwrap();
    let error = append(&wal, 1, &["a"]).await.unwrap_err();
    assert!(matches!(error, WalError::Full { .. }) && error.to_string().contains("kept for the journal"), "{error}");
    assert_eq!(read(dir.path(), false), (Vec::new(), Replay::default()));
}

#[test]
fn a_directory_that_is_not_there_is_an_empty_log() {
    assert_eq!(read(Path::new("/nonexistent/log"), false), (Vec::new(), Replay::default()));
}
