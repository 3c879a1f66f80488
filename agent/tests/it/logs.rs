//! Following a file: nothing is missed, links are not followed, the end is the end.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Duration;

use agent::logs::tail::{MAX_READ, Tailed, Watcher};
use tokio::time::timeout;

use crate::gates::PATIENCE;

#[tokio::test]
async fn a_file_is_followed_from_before_it_exists_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let watcher = Watcher::new();
    let mut tail = watcher.follow(&path, 0).unwrap();
    let mut second = watcher.follow(&path, 3).unwrap();
    let finisher = tail.finisher();
    let second_finisher = second.finisher();
    let writer = tokio::task::spawn_blocking(move || {
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        for n in 0..2000_u32 {
            file.write_all(&n.to_le_bytes()).unwrap();
        }
        finisher.finish();
        second_finisher.finish();
    });
    let mut read = Vec::new();
    while timeout(PATIENCE, tail.next(&mut read)).await.unwrap().unwrap() == Tailed::More {}
    writer.await.unwrap();
    let expected: Vec<u8> = (0..2000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(read == expected);
    assert_eq!(tail.offset(), 8000);
    let mut rest = Vec::new();
    while second.next(&mut rest).await.unwrap() == Tailed::More {}
    assert!(rest == expected[3..]);
}

#[tokio::test]
async fn a_write_wakes_a_tail_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let mut tail = Watcher::new().follow(&path, 0).unwrap();
    for round in 0..50_u8 {
        let mut read = Vec::new();
        let waits = timeout(Duration::from_millis(1), tail.next(&mut read)).await;
        assert!(waits.is_err() && read.is_empty(), "there is nothing to read yet");
        file.write_all(&[round]).unwrap();
        assert_eq!(
            timeout(PATIENCE, tail.next(&mut read)).await.unwrap().unwrap(),
            Tailed::More
        );
        assert_eq!(read, [round]);
    }
}

#[tokio::test]
async fn a_large_file_comes_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, vec![7; MAX_READ * 2 + 1]).unwrap();
    let mut tail = Watcher::new().follow(&path, 0).unwrap();
    tail.finisher().finish();
    let mut sizes = Vec::new();
    let mut read = Vec::new();
    while tail.next(&mut read).await.unwrap() == Tailed::More {
        sizes.push(read.len());
        read.clear();
    }
    assert_eq!(sizes, [MAX_READ, MAX_READ, 1]);
}

#[tokio::test]
async fn a_log_that_was_never_written_ends_empty_and_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let watcher = Watcher::new();
    let mut tail = watcher.follow(&folder.path().join("log"), 0).unwrap();
    tail.finisher().finish();
    assert_eq!(tail.next(&mut Vec::new()).await.unwrap(), Tailed::Eof);

    symlink("/etc/passwd", folder.path().join("link")).unwrap();
    let mut tail = watcher.follow(&folder.path().join("link"), 0).unwrap();
    let mut read = Vec::new();
    assert!(tail.next(&mut read).await.is_err() && read.is_empty());
}
