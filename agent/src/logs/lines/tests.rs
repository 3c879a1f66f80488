//! What a line is, and that nothing but the bytes decides it.

use std::sync::Arc;

use proptest::prelude::*;
use protocol::record::records;

use super::*;

/// A run of bytes of one source.
#[derive(Debug, Clone)]
struct Run {
    source: Source,
    bytes: Vec<u8>,
}

fn masker() -> Arc<Masker> {
    Arc::new(Masker::new([("A", "hunter2"), ("B", "hunter2-tail"), ("C", "nter")]))
}

/// The file a gate would have written, with the runs cut further after every `at most` bytes.
fn file(runs: &[Run], at_most: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for (at, run) in (0..).zip(runs) {
        for bytes in run.bytes.chunks(at_most.min(MAX_LEN)) {
            let (source, continues) = (run.source, false);
            Record {
                source,
                at,
                continues,
                bytes,
            }
            .encode(&mut file);
        }
    }
    file
}

/// The line records of a file that comes in pieces of these lengths, in turn.
fn assemble(file: &[u8], pieces: &[usize]) -> Vec<u8> {
    let mut lines = LineAssembler::new(masker());
    let mut out = Vec::new();
    let mut rest = file;
    for &piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(piece.clamp(1, rest.len()));
        lines.push(now, &mut out);
        rest = later;
    }
    lines.finish(&mut out);
    out
}

fn shown(records_of: &[u8]) -> Vec<String> {
    let show = |record: Record<'_>| {
        let mark = match record.source {
            Source::Stdout => "out",
            Source::Stderr => "err",
            Source::System => "sys",
        };
        let more = if record.continues { "+" } else { "" };
        format!("{} {mark}{more} {}", record.at, String::from_utf8_lossy(record.bytes))
    };
    records(records_of).map(|record| show(record.unwrap())).collect()
}

fn run(source: Source, text: &str) -> Run {
    Run {
        source,
        bytes: text.as_bytes().to_vec(),
    }
}

#[test]
fn a_line_has_the_time_of_its_first_byte_and_stands_where_it_ends() {
    let runs = [
        run(Source::Stdout, "one\ntwo, "),
        run(Source::Stderr, "warn hunt"),
        run(Source::Stdout, "still two\r"),
        run(Source::Stderr, "er2\n\n"),
        run(Source::Stdout, "\nlast"),
        run(Source::System, "bye\n"),
    ];
    let all = assemble(&file(&runs, usize::MAX), &[usize::MAX]);
    assert_eq!(
        shown(&all),
        [
            "0 out one",
            "1 err warn •••",
            "3 err ",
            "0 out two, still two\r",
            "5 sys bye",
            "4 out+ last"
        ]
    );
}

#[test]
fn a_line_longer_than_a_record_is_cut_between_characters_and_goes_on() {
    let text = "é".repeat(MAX_LEN / 2 - 1) + "x" + "é" + "hunter2\nnext\n";
    let all = assemble(&file(&[run(Source::Stdout, &text)], usize::MAX), &[usize::MAX]);
    let seen: Vec<_> = records(&all).map(|record| record.unwrap()).collect();
    assert_eq!(seen.len(), 3);
    assert_eq!((seen[0].bytes.len(), seen[0].continues), (MAX_LEN - 1, true));
    assert_eq!((seen[1].bytes, seen[1].continues), ("é•••".as_bytes(), false));
    assert_eq!(seen[2].bytes, b"next");
}

#[test]
fn a_chunk_cut_short_counts_as_far_as_it_goes() {
    let whole = file(&[run(Source::Stdout, "done\nhalf a li")], usize::MAX);
    let all = assemble(&whole[..whole.len() - 3], &[7]);
    assert_eq!(shown(&all), ["0 out done", "0 out+ half a"]);
}

#[test]
fn a_damaged_file_says_where_and_ends_the_log() {
    let mut bytes = file(&[run(Source::Stdout, "fine\n")], usize::MAX);
    let offset = bytes.len();
    bytes.extend_from_slice(b"echo fake > log; this is no record");
    let all = assemble(&bytes, &[5]);
    assert_eq!(shown(&all)[0], "0 out fine");
    assert!(
        shown(&all)[1].contains(&format!("damaged at byte {offset}")),
        "{:?}",
        shown(&all)
    );
    assert_eq!(shown(&all).len(), 2);

    // A hole: zeros look like empty records.
    bytes.truncate(offset);
    bytes.extend_from_slice(&[0; 1000]);
    let all = shown(&assemble(&bytes, &[5]));
    assert!(
        all.len() == 2 && all[1].contains(&format!("damaged at byte {offset}")),
        "{all:?}"
    );
}

#[test]
fn a_short_line_of_a_key_is_hidden_behind_the_line_before_it() {
    let key = "-----BEGIN-----\nMIIEabcdef\nxy\n\n=Q\n-----END-----\n";
    let masker = Arc::new(Masker::new([("KEY", key), ("PIN", "12\n34\n56\n")]));
    let all = |text: &str, at_most: usize| {
        let mut out = Vec::new();
        let mut lines = LineAssembler::new(masker.clone());
        lines.push(&file(&[run(Source::Stdout, text)], at_most), &mut out);
        lines.finish(&mut out);
        let lines = records(&out).map(|record| String::from_utf8_lossy(record.unwrap().bytes).into_owned());
        lines.collect::<Vec<_>>().join("|")
    };
    for at_most in [usize::MAX, 3] {
        assert_eq!(
            all(&format!("xy\nkey: {key}xy\n"), at_most),
            "xy|key: •••|•••|•••||•••|•••|xy"
        );
        assert_eq!(
            all("56\n12\n34\n56\n", at_most),
            "56|12|•••|•••",
            "its first is only known by the next"
        );
        let dos = key.replace('\n', "\r\n");
        assert_eq!(all(&dos, at_most), "•••\r|•••\r|•••\r|\r|•••\r|•••\r");
    }
}

#[test]
fn a_secret_is_found_wherever_a_chunk_or_a_record_ends() {
    for before in (MAX_LEN - 8)..(MAX_LEN + 2) {
        let text = format!("{}hunter2-tail{}\n", "x".repeat(before), "y".repeat(MAX_LEN));
        for at_most in [7, 1000, usize::MAX] {
            let all = assemble(&file(&[run(Source::Stdout, &text)], at_most), &[usize::MAX]);
            let whole = text_of(&all, Source::Stdout);
            assert!(whole.len() == text.len() - 12 + 9, "{before} {at_most}");
        }
    }
}

#[test]
fn a_hundred_thousand_lines_come_out_complete_and_in_order() {
    let text: String = (0..100_000).map(|n| format!("{n:>79}\n")).collect();
    let all = assemble(&file(&[run(Source::Stdout, &text)], 10_000), &[4096, 77, MAX_LEN]);
    let mut expected = 0;
    for record in records(&all) {
        let record = record.unwrap();
        assert_eq!(record.bytes, format!("{expected:>79}").as_bytes());
        expected += 1;
    }
    assert_eq!(expected, 100_000);
}

/// Bytes in which line ends, carriage returns and (parts of) secrets are frequent, sometimes as long as a record.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "\n",
        "\r\n",
        "\r",
        "hunter2",
        "hunter2-tail",
        "hun",
        "ter2",
        "-ta",
        "il",
        "nter",
        "é",
        "a",
        "ok\n",
    ];
    let piece = prop_oneof![
        40 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => (MAX_LEN - 20..MAX_LEN + 20).prop_map(|len| "x".repeat(len)),
    ];
    proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat().into_bytes())
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let source = prop_oneof![Just(Source::Stdout), Just(Source::Stderr)];
    let run = (source, bytes()).prop_map(|(source, bytes)| Run { source, bytes });
    proptest::collection::vec(run, 1..8)
}

/// All bytes of one source, lines joined again.
fn text_of(records_of: &[u8], source: Source) -> Vec<u8> {
    let mut text = Vec::new();
    for record in records(records_of)
        .map(|record| record.unwrap())
        .filter(|record| record.source == source)
    {
        text.extend_from_slice(record.bytes);
        if !record.continues {
            text.push(b'\n');
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_same_bytes_make_the_same_lines_however_they_come(
        runs in runs(),
        chunk in prop_oneof![1..40_usize, Just(usize::MAX)],
        pieces in proptest::collection::vec(1..200_000_usize, 1..4),
    ) {
        let reference = assemble(&file(&runs, usize::MAX), &[usize::MAX]);
        let other = assemble(&file(&runs, chunk), &pieces);
        prop_assert!(reference == other);
    }

    #[test]
    fn the_log_so_far_is_the_beginning_of_the_log(runs in runs(), cut in any::<proptest::sample::Index>()) {
        let file = file(&runs, 1000);
        let mut all = Vec::new();
        let mut whole = LineAssembler::new(masker());
        whole.push(&file, &mut all);
        whole.finish(&mut all);
        let mut so_far = Vec::new();
        LineAssembler::new(masker()).push(&file[..cut.index(file.len() + 1)], &mut so_far);
        prop_assert!(all.starts_with(&so_far));
    }

    #[test]
    fn no_byte_is_lost_and_no_secret_passes(runs in runs()) {
        let all = assemble(&file(&runs, 100), &[usize::MAX]);
        for source in [Source::Stdout, Source::Stderr] {
            let said: Vec<u8> = runs.iter().filter(|run| run.source == source).flat_map(|run| run.bytes.clone()).collect();
            let mut expected = Vec::new();
            for line in said.split_inclusive(|&byte| byte == b'\n') {
                let (line, end) = match line.strip_suffix(b"\n") {
                    Some(line) => (line, "\n"),
                    None => (line, ""),
                };
                masker().mask_whole(line, &mut expected);
                expected.extend_from_slice(end.as_bytes());
            }
            prop_assert!(text_of(&all, source) == expected);
        }
    }
}
