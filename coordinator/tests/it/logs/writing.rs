//! Appending: by offset, so that nothing is doubled and nothing is left out.

use coordinator::logs::{Extent, LogError, LogKey, LogStore};
use proptest::prelude::*;
use protocol::ids::{AttemptId, StreamId};

use super::{World, assert_begins_like, line, log, read_all};

#[tokio::test]
async fn what_is_appended_is_read() {
    let world = World::new();
    let records = log(20_000);
    let (first, second) = records.split_at(log(7).len());
    let end = world.append(0, first).await;
    assert_eq!(end, first.len() as u64);
    world.append(end, second).await;
    let meta = world.meta().await;
    assert_eq!(
        (meta.lines, meta.bytes, meta.eof),
        (20_000, records.len() as u64, false)
    );
    assert_eq!((meta.first_at, meta.last_at), (Some(1_000_000), Some(1_019_999)));
    assert_begins_like(&records, &read_all(&world.logs, &world.key).await);
    world.logs.seal(&world.key).await.unwrap();
    world.logs.seal(&world.key).await.unwrap();
    let lines = read_all(&world.restarted(), &world.key).await;
    assert_eq!(lines.len(), 20_000);
    assert_begins_like(&records, &lines);
    let names: Vec<_> = std::fs::read_dir(world.stream_folder())
        .unwrap()
        .flatten()
        .map(|f| f.file_name())
        .collect();
    assert_eq!(names.len(), 2, "frames and index: {names:?}");
    let frames = std::fs::read(world.stream_folder().join("step-0.zst")).unwrap();
    assert_eq!(zstd::decode_all(&frames[..]).unwrap(), records, "any zstd reads it");
    assert!(frames.len() * 10 < records.len());
}

#[tokio::test]
async fn an_offset_must_be_the_end() {
    let world = World::new();
    let records = log(3);
    let end = world.append(0, &records).await;
    for wrong in [0, 1, end - 1, end + 1, u64::MAX] {
        let refused = world.logs.append(&world.key, wrong, line(3)).await;
        assert!(
            matches!(refused, Err(LogError::WrongOffset { expected }) if expected == end),
            "{wrong}"
        );
    }
    assert_eq!(world.meta().await.lines, 3);
    let half = line(3);
    assert_eq!(
        world.append(end, &half[..half.len() - 1]).await,
        end,
        "half a record is to be sent again"
    );
    assert_eq!(
        world.append(end, &[line(3), line(5)[..20].to_vec()].concat()).await,
        end + half.len() as u64
    );
    let garbage = world
        .logs
        .append(&world.key, end + half.len() as u64, vec![9; 40])
        .await;
    assert!(matches!(garbage, Err(LogError::BadRecord(_))));
    assert_eq!(world.meta().await.lines, 4);
}

#[tokio::test]
async fn a_complete_log_takes_nothing_more() {
    let world = World::new();
    world.append(0, &log(3)).await;
    world.logs.seal_all(&world.key.attempt).await.unwrap();
    let after = world.logs.append(&world.key, world.meta().await.bytes, line(3)).await;
    assert!(matches!(after, Err(LogError::Sealed)));
    let silent = LogKey {
        stream: StreamId::step(1),
        ..world.key.clone()
    };
    assert!(matches!(world.logs.meta(&silent).await, Err(LogError::NotFound)));
    world.logs.seal(&silent).await.unwrap();
    let meta = world.restarted().meta(&silent).await.unwrap();
    assert_eq!((meta.lines, meta.eof, meta.first_at), (0, true, None));
}

#[tokio::test]
async fn an_attempt_lists_its_streams() {
    let world = World::new();
    for name in ["service-redis", "step-10", "step-2", "job", "service-db.1"] {
        let key = LogKey {
            stream: StreamId::parse(name).unwrap(),
            ..world.key.clone()
        };
        world.logs.append(&key, 0, log(1)).await.unwrap();
    }
    let streams = world.logs.streams(&world.key.attempt).await.unwrap();
    let names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
    assert_eq!(names, ["job", "step-2", "step-10", "service-db.1", "service-redis"]);
    assert!(world.logs.streams(&AttemptId::generate()).await.unwrap().is_empty());
    for bad in ["", "..", "../x", "a/b", "a.removed"] {
        let key = LogKey {
            attempt: AttemptId(bad.into()),
            ..world.key.clone()
        };
        assert!(
            matches!(world.logs.append(&key, 0, log(1)).await, Err(LogError::BadAttempt)),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_watcher_sees_lines_when_they_are_written() {
    let world = World::new();
    let end = world.append(0, &log(2)).await;
    let mut watcher = world.logs.subscribe(&world.key.attempt).await.unwrap();
    let seen = |watcher: &mut tokio::sync::watch::Receiver<_>| {
        let extents: &std::collections::BTreeMap<StreamId, Extent> = &watcher.borrow_and_update();
        extents[&StreamId::step(0)]
    };
    assert_eq!(seen(&mut watcher), Extent { lines: 2, eof: false });
    world.append(end, &[line(2), line(3)].concat()).await;
    watcher.changed().await.unwrap();
    assert_eq!(seen(&mut watcher), Extent { lines: 4, eof: false });
    assert_eq!(world.lines(2, 10).await.len(), 2, "what is told can be read");
    world.logs.seal(&world.key).await.unwrap();
    watcher.changed().await.unwrap();
    assert_eq!(seen(&mut watcher), Extent { lines: 4, eof: true });
    assert!(!watcher.has_changed().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_grow_at_once() {
    let world = World::new();
    let mut writers = tokio::task::JoinSet::new();
    // More than the store keeps in mind.
    for stream in 0..700 {
        let logs = world.logs.clone();
        let key = LogKey {
            stream: StreamId::step(stream),
            ..world.key.clone()
        };
        writers.spawn(async move {
            let mut offset = 0;
            for n in 0..5 {
                offset = logs.append(&key, offset, line(n)).await.unwrap();
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    for stream in [0, 350, 699] {
        let key = LogKey {
            stream: StreamId::step(stream),
            ..world.key.clone()
        };
        assert_begins_like(&log(5), &read_all(&world.logs, &key).await);
        assert_eq!(world.logs.meta(&key).await.unwrap().lines, 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the records are cut into appends, and whenever the coordinator restarts, the log is the same.
    #[test]
    fn the_cuts_do_not_matter(cuts in prop::collection::vec((1usize..200_000, any::<bool>()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let (records, mut logs, mut offset) = (log(6_000), world.restarted(), 0);
            for (len, restart) in cuts {
                let end = (offset + len).min(records.len());
                offset = logs.append(&world.key, offset as u64, records[offset..end].to_vec()).await.unwrap() as usize;
                if restart {
                    logs = LogStore::open(world.folder.path().to_owned()).unwrap();
                }
            }
            if offset > 0 {
                let lines = read_all(&logs, &world.key).await;
                assert_eq!(logs.meta(&world.key).await.unwrap().lines, lines.len() as u64);
                assert_begins_like(&records, &lines);
                let expected = protocol::record::records(&records[..offset]).count();
                assert_eq!(lines.len(), expected);
            }
        });
    }
}
