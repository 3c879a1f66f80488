//! Retention: the oldest go, what runs stays, and nobody takes a removed log for one that never was.

use std::time::Duration;

use coordinator::logs::{LogError, LogKey, LogStore, Retention};
use protocol::ids::{AttemptId, StreamId};

use super::{World, log};

const DAY: i64 = 86_400_000_000;

/// Attempts of so many days ago, each with 100 kB that do not compress.
async fn attempts_of(logs: &LogStore, now: i64, days: &[i64]) -> Vec<AttemptId> {
    let mut attempts = Vec::new();
    for days in days {
        let at = (now - days * DAY) / 1_000_000;
        let id = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at as u64, 0));
        let attempt = AttemptId(id.simple().to_string());
        let key = LogKey {
            attempt: attempt.clone(),
            stream: StreamId::job(),
        };
        logs.append(&key, 0, log(1_500)).await.unwrap();
        attempts.push(attempt);
    }
    attempts
}

#[tokio::test]
async fn the_oldest_go_first() {
    let world = World::new();
    let logs = &world.logs;
    let now = 1_800_000_000_000_000;
    let attempts = attempts_of(logs, now, &[40, 35, 20, 10, 1]).await;
    let by_age = Retention {
        max_age: Some(Duration::from_secs(30 * 86_400)),
        max_bytes: None,
    };
    let removed = logs.retain(by_age, now, &attempts[..1]).await.unwrap();
    assert_eq!(removed, attempts[1..2], "the oldest of all runs still");
    let kept = std::fs::read_dir(world.folder.path()).unwrap().count();
    assert!(kept > 0);
    let size = size_of(world.folder.path());
    let by_size = Retention {
        max_age: None,
        max_bytes: Some(size - 1),
    };
    assert_eq!(logs.retain(by_size, now, &attempts[..1]).await.unwrap(), attempts[2..3]);
    assert!(logs.retain(Retention::default(), now, &[]).await.unwrap().is_empty());
    for gone in &attempts[1..3] {
        let key = LogKey {
            attempt: gone.clone(),
            stream: StreamId::job(),
        };
        for logs in [logs, &world.restarted()] {
            assert!(matches!(logs.meta(&key).await, Err(LogError::Removed)));
            assert!(matches!(logs.lines(&key, 0, 1).await, Err(LogError::Removed)));
            assert!(matches!(logs.append(&key, 0, log(1)).await, Err(LogError::Removed)));
            assert!(matches!(logs.streams(gone).await, Err(LogError::Removed)));
            assert!(logs.subscribe(gone).await.is_err());
            logs.seal_all(gone).await.unwrap();
        }
    }
    for stays in [&attempts[0], &attempts[3], &attempts[4]] {
        let key = LogKey {
            attempt: stays.clone(),
            stream: StreamId::job(),
        };
        assert_eq!(logs.meta(&key).await.unwrap().lines, 1_500);
    }
    let nothing = Retention {
        max_age: None,
        max_bytes: Some(0),
    };
    assert_eq!(logs.retain(nothing, now, &[]).await.unwrap().len(), 3);
    assert_eq!(size_of(world.folder.path()), 0, "only empty markers are left");
}

fn size_of(folder: &std::path::Path) -> u64 {
    let len = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => size_of(&entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    std::fs::read_dir(folder).unwrap().flatten().map(len).sum()
}
