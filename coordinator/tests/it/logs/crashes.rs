//! A coordinator that dies at any byte: what it comes back with is the beginning of the log, and an agent that goes on
//! from there makes it whole.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use coordinator::logs::{LogKey, LogStore};

use super::{World, assert_begins_like, copy, log, read_all};

/// Opens the logs after a crash, checks that they are a beginning of `records`, and sends the rest. Gives the bytes
/// that had survived.
async fn recover(folder: &Path, key: &LogKey, records: &[u8]) -> u64 {
    let logs = LogStore::open(folder.to_owned()).unwrap();
    let survived = match logs.meta(key).await {
        Ok(meta) => {
            let lines = read_all(&logs, key).await;
            assert_eq!(lines.len() as u64, meta.lines);
            assert_begins_like(records, &lines);
            meta.bytes
        }
        Err(coordinator::logs::LogError::NotFound) => 0,
        Err(other) => panic!("{other}"),
    };
    let rest = records[survived as usize..].to_vec();
    assert_eq!(logs.append(key, survived, rest).await.unwrap(), records.len() as u64);
    logs.seal(key).await.unwrap();
    let lines = read_all(&LogStore::open(folder.to_owned()).unwrap(), key).await;
    assert_eq!(lines.len(), protocol::record::records(records).count());
    survived
}

/// A stream of two frames and a tail.
async fn grown() -> (World, Vec<u8>) {
    let world = World::new();
    let records = log(7_500);
    let cut = log(7_480).len();
    let end = world.append(0, &records[..cut]).await;
    world.append(end, &records[cut..]).await;
    (world, records)
}

async fn truncate_at(file: &str, offsets: impl Iterator<Item = u64>) -> Vec<u64> {
    let (world, records) = grown().await;
    let mut survived = Vec::new();
    for offset in offsets {
        let after = tempfile::tempdir().unwrap();
        copy(world.folder.path(), after.path());
        let path = after
            .path()
            .join(world.stream_folder().strip_prefix(world.folder.path()).unwrap())
            .join(file);
        let truncated = OpenOptions::new().write(true).open(path).unwrap();
        if offset >= truncated.metadata().unwrap().len() {
            break;
        }
        truncated.set_len(offset).unwrap();
        survived.push(recover(after.path(), &world.key, &records).await);
    }
    survived
}

#[tokio::test]
async fn a_tail_cut_at_any_byte() {
    let survived = truncate_at("step-0.tail", (0..150).chain((150..).step_by(997))).await;
    assert!(survived.is_sorted() && survived.len() > 150);
}

#[tokio::test]
async fn an_index_cut_at_any_byte() {
    let survived = truncate_at("step-0.idx", 0..).await;
    let whole = log(7_500).len() as u64;
    assert!(survived.len() > 100);
    assert!(
        survived.iter().all(|bytes| *bytes == whole),
        "the frames tell all that an index knows"
    );
}

#[tokio::test]
async fn frames_cut_at_any_byte() {
    let survived = truncate_at("step-0.zst", (0..60).chain((60..).step_by(499))).await;
    assert!(survived.is_sorted() && survived.len() > 80);
    assert!(
        survived[0] == 0 && *survived.last().unwrap() > 200_000,
        "a whole frame stays"
    );
}

#[tokio::test]
async fn index_and_frames_cut_together() {
    let (world, records) = grown().await;
    for (frames, index) in [(0, 0), (1, 300), (9_000, 40), (20_000, 90), (20_000, 0)] {
        let after = tempfile::tempdir().unwrap();
        copy(world.folder.path(), after.path());
        let folder = after
            .path()
            .join(world.stream_folder().strip_prefix(world.folder.path()).unwrap());
        for (file, len) in [("step-0.zst", frames), ("step-0.idx", index)] {
            let file = OpenOptions::new().write(true).open(folder.join(file)).unwrap();
            file.set_len(len.min(file.metadata().unwrap().len())).unwrap();
        }
        recover(after.path(), &world.key, &records).await;
    }
}

#[tokio::test]
async fn zeros_after_a_power_cut_are_no_lines() {
    let (world, records) = grown().await;
    let tail = world.stream_folder().join("step-0.tail");
    let len = std::fs::metadata(&tail).unwrap().len();
    let file = OpenOptions::new().write(true).open(&tail).unwrap();
    file.set_len(len - 500).unwrap();
    file.set_len(len + 500).unwrap();
    recover(world.folder.path(), &world.key, &records).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_it_grows() {
    let world = World::new();
    let records = log(40_000);
    let (logs, key, all, done) = (
        world.logs.clone(),
        world.key.clone(),
        records.clone(),
        AtomicBool::new(false),
    );
    let done = std::sync::Arc::new(done);
    let is_done = done.clone();
    let writer = tokio::spawn(async move {
        let mut offset = 0;
        while offset < all.len() {
            let end = (offset + 20_011).min(all.len());
            offset = logs
                .append(&key, offset as u64, all[offset..end].to_vec())
                .await
                .unwrap() as usize;
        }
        is_done.store(true, Ordering::Release);
    });
    let mut copies = Vec::new();
    while !done.load(Ordering::Acquire) || copies.is_empty() {
        let after = tempfile::tempdir().unwrap();
        copy(world.folder.path(), after.path());
        copies.push(after);
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    for after in copies.iter().step_by(1 + copies.len() / 40) {
        recover(after.path(), &world.key, &records).await;
    }
}
