//! Reading: any line at once, searches as a stream.

use coordinator::logs::{Case, Find, Hit, LogError, MarkKind, Syntax};
use protocol::record::{Record, Source};

use super::{World, log, record_of};

fn find(query: &str, syntax: Syntax, case: Case) -> Find {
    Find {
        query: query.into(),
        syntax,
        case,
    }
}

async fn hits(world: &World, find: Find, from: u64) -> Vec<(u64, usize, usize)> {
    let mut receiver = world.logs.find(&world.key, find, from).await.unwrap();
    let mut hits = Vec::new();
    while let Some(hit) = receiver.recv().await {
        let Hit { line, column, len } = hit.unwrap();
        hits.push((line, column, len));
    }
    hits
}

#[tokio::test]
async fn any_line_of_many_is_read() {
    let world = World::new();
    world.append(0, &log(60_000)).await;
    for (from, count, expected) in [
        (0, 3, 0..3),
        (31_234, 2, 31_234..31_236),
        (59_998, 100, 59_998..60_000),
        (60_000, 1, 0..0),
        (u64::MAX, 1, 0..0),
        (5, 0, 0..0),
    ] {
        let numbers: Vec<u64> = world.lines(from, count).await.iter().map(|line| line.number).collect();
        assert_eq!(numbers, expected.collect::<Vec<u64>>(), "{from} {count}");
    }
    let across: Vec<_> = world.lines(0, 60_000).await;
    assert!(
        across
            .iter()
            .enumerate()
            .all(|(n, line)| line.text().starts_with(&format!("{n}: ")))
    );
}

#[tokio::test]
async fn one_answer_is_not_the_whole_log() {
    let world = World::new();
    let long = vec![b'x'; 60_000];
    let mut offset = 0;
    for n in 0..100 {
        offset = world.append(offset, &record_of(n, &long)).await;
    }
    let answer = world.lines(0, 1_000).await;
    assert!((60..80).contains(&answer.len()), "{} lines of 60 kB", answer.len());
    assert_eq!(world.lines(99, 1_000).await.len(), 1);
}

#[tokio::test]
async fn a_search_finds_every_place() {
    let world = World::new();
    let mut records = log(9_000);
    records.extend(record_of(9_000, "grün: Der FUCHS, fuchs".as_bytes()));
    records.extend(record_of(9_001, b"\xff fuchs a.c abc"));
    world.append(0, &records).await;
    let text = |query: &str| find(query, Syntax::Text, Case::Kept);
    assert_eq!(hits(&world, text("fuchs"), 0).await, [(9_000, 17, 5), (9_001, 2, 5)]);
    assert_eq!(
        hits(&world, text("a.c"), 0).await,
        [(9_001, 8, 3)],
        "text is no pattern"
    );
    let any_case = find("FUCHS", Syntax::Text, Case::Ignored);
    assert_eq!(hits(&world, any_case.clone(), 0).await.len(), 3);
    assert_eq!(hits(&world, any_case, 9_001).await, [(9_001, 2, 5)]);
    assert_eq!(
        hits(&world, find(r"^\d+: $", Syntax::Regex, Case::Kept), 0).await.len(),
        2_250
    );
    assert_eq!(
        hits(&world, find("x*", Syntax::Regex, Case::Kept), 9_000).await,
        [],
        "nothing is no hit"
    );
    for bad in ["(", "", &"a".repeat(1_001), r"(\w{100}){100}"] {
        let refused = world
            .logs
            .find(&world.key, find(bad, Syntax::Regex, Case::Kept), 0)
            .await;
        assert!(matches!(refused, Err(LogError::BadQuery(_))), "{bad}");
    }
    // Who has seen enough drops the receiver; the search ends there.
    let mut receiver = world.logs.find(&world.key, text("fox"), 0).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap().line, 1);
}

#[tokio::test]
async fn the_text_is_what_was_printed() {
    let world = World::new();
    let mut records = Vec::new();
    let mut say = |source, continues, bytes: &[u8]| {
        Record {
            source,
            at: 7,
            continues,
            bytes,
        }
        .encode(&mut records);
    };
    say(Source::Stdout, false, b"one");
    say(Source::Stderr, true, b"a very long ");
    say(Source::Stderr, false, b"line");
    say(Source::Stdout, true, b"no line end");
    world.append(0, &records).await;
    let mut pieces = world.logs.raw(&world.key).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = pieces.recv().await {
        text.extend(piece.unwrap());
    }
    assert_eq!(String::from_utf8(text).unwrap(), "one\na very long line\nno line end");
    assert_eq!(world.lines(1, 1).await[0].source, Source::Stderr);
    assert!(world.lines(1, 1).await[0].continues);
}

#[tokio::test]
async fn errors_are_marked() {
    let world = World::new();
    let mut records = log(10);
    records.extend(record_of(10, b"error[E0308]: mismatched types"));
    let end = world.append(0, &records).await;
    let mut more: Vec<u8> = (11..9_000).flat_map(super::line).collect();
    more.extend(record_of(9_000, b"test it ... FAILED"));
    let end = world.append(end, &more).await;
    world
        .append(end, &record_of(9_001, b"thread 'x' panicked at src/lib.rs"))
        .await;
    let marked = [10, 9_000, 9_001];
    for meta in [world.meta().await, world.restarted().meta(&world.key).await.unwrap()] {
        let lines: Vec<u64> = meta.marks.iter().map(|mark| mark.line).collect();
        assert_eq!(lines, marked);
        assert!(meta.marks.iter().all(|mark| mark.kind == MarkKind::Error));
    }
    world.logs.seal(&world.key).await.unwrap();
    let after: Vec<u64> = world
        .restarted()
        .meta(&world.key)
        .await
        .unwrap()
        .marks
        .iter()
        .map(|m| m.line)
        .collect();
    assert_eq!(after, marked);
}

#[tokio::test]
async fn a_damaged_frame_is_reported() {
    let world = World::new();
    world.append(0, &log(20_000)).await;
    world.logs.seal(&world.key).await.unwrap();
    let file = world.stream_folder().join("step-0.zst");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 0xff;
    std::fs::write(&file, bytes).unwrap();
    let logs = world.restarted();
    assert!(matches!(logs.lines(&world.key, 0, 1).await, Err(LogError::Damaged(_))));
    assert_eq!(
        logs.lines(&world.key, 19_999, 1).await.unwrap().len(),
        1,
        "the other frames are as good as before"
    );
}
