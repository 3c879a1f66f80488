//! Logs: the chunks that a gate wrote into a step's folder, the records that an agent sends, and the files that a crash
//! left of a stream. The first byte of an input says which; the rest are the bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::logs::lines::LineAssembler;
use agent::logs::mask::Masker;
use anyhow::Context;
use coordinator::logs::{Case, Find, LogError, LogKey, LogStore, Syntax};
use protocol::ids::{AttemptId, StreamId};
use protocol::record::{HEADER_LEN, Record, Source, records};
use tokio::runtime::{Builder, Runtime};

use super::Target;
use crate::mutate::Examples;
use crate::random::Random;

const ATTEMPT: &str = "attempt-aa";
/// The endings of a stream's files, after the first bytes that mean them.
const FILES: [(u8, &str); 3] = [(b'i', "idx"), (b't', "tail"), (b'z', "zst")];
const CHUNKS: u8 = b'c';
const SENT: u8 = b's';
/// Line records in a small example.
const LINES: usize = 12;

/// Where it is done.
struct Scratch {
    masker: Arc<Masker>,
    logs: LogStore,
    /// The attempt's folder.
    folder: PathBuf,
    key: LogKey,
    runtime: Runtime,
}

pub(super) fn target(scratch: &Path) -> anyhow::Result<Target> {
    let place = Scratch {
        masker: Arc::new(Masker::new([
            ("TOKEN", "hunter2-and-more"),
            ("KEY", "line one\nline two\n"),
        ])),
        logs: LogStore::open(scratch.to_owned())?,
        folder: scratch.join("aa").join(ATTEMPT),
        key: LogKey {
            attempt: AttemptId(ATTEMPT.to_owned()),
            stream: StreamId::job(),
        },
        runtime: Builder::new_current_thread().build().context("make a runtime")?,
    };
    Ok(Target {
        name: "frame",
        examples: Examples::new(place.examples()?),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(move |bytes| place.read(bytes)),
    })
}

impl Scratch {
    fn read(&self, bytes: &[u8]) {
        let Some((kind, bytes)) = bytes.split_first() else {
            return;
        };
        match FILES.iter().find(|(known, _)| known == kind) {
            Some((_, ending)) => self.after_a_crash(ending, bytes),
            None if *kind == SENT => self.sent(bytes),
            None => self.chunks(bytes),
        }
    }

    /// The lines are the same however the file was cut, are well formed, and hold no secret.
    fn chunks(&self, bytes: &[u8]) {
        let mut random = Random::of_bytes(bytes);
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        let mut lines = LineAssembler::new(self.masker.clone());
        lines.push(bytes, &mut whole);
        lines.finish(&mut whole);
        let mut lines = LineAssembler::new(self.masker.clone());
        let (mut rest, most) = (bytes, 1 + bytes.len() / 4);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + random.below(most)).min(rest.len()));
            lines.push(now, &mut cut);
            rest = later;
        }
        lines.finish(&mut cut);
        assert!(whole == cut, "lines do not depend on how the file was read");
        assert!(records(&whole).all(|line| line.is_ok()), "lines are records");
    }

    fn sent(&self, bytes: &[u8]) {
        self.clear();
        let taken = self.runtime.block_on(self.logs.append(&self.key, 0, bytes.to_vec()));
        if let Ok(end) = taken {
            assert!(end <= bytes.len() as u64, "no more is kept than was sent");
        }
        self.read_stream();
    }

    fn after_a_crash(&self, ending: &str, bytes: &[u8]) {
        self.clear();
        for (_, other) in FILES {
            let kept = self.folder.with_file_name(format!("whole.{other}"));
            let file = self.folder.join(format!("job.{other}"));
            if other == ending {
                std::fs::write(&file, bytes).expect("the scratch folder is ours");
            } else if kept.exists() {
                std::fs::copy(&kept, &file).expect("the scratch folder is ours");
            }
        }
        self.read_stream();
        let end = self.runtime.block_on(self.logs.meta(&self.key)).map(|meta| meta.bytes);
        if let Ok(end) = end {
            let more = small(1);
            let _ = self.runtime.block_on(self.logs.append(&self.key, end, more));
        }
        self.read_stream();
    }

    /// Everything that people and programs read of a stream.
    fn read_stream(&self) {
        let find = Find {
            query: "error".to_owned(),
            syntax: Syntax::Text,
            case: Case::Ignored,
        };
        self.runtime.block_on(async {
            let Ok(meta) = self.logs.meta(&self.key).await else {
                return;
            };
            let lines = self.logs.lines(&self.key, 0, 1_000).await;
            if let Ok(lines) = &lines {
                let there = usize::try_from(meta.lines).unwrap_or(usize::MAX);
                assert!(lines.len() <= there, "there are no more lines than were counted");
            }
            let _ = self.logs.lines(&self.key, meta.lines.saturating_sub(1), 10).await;
            if let Ok(mut hits) = self.logs.find(&self.key, find, 0).await {
                while hits.recv().await.is_some() {}
            }
            if let Ok(mut pieces) = self.logs.raw(&self.key).await {
                while pieces.recv().await.is_some() {}
            }
        });
    }

    /// The store knows a stream by a few numbers between calls, so it has to be told that it is gone.
    fn clear(&self) {
        let forget = async {
            let keep = coordinator::logs::Retention {
                max_age: Some(std::time::Duration::ZERO),
                max_bytes: Some(0),
            };
            self.logs.retain(keep, i64::MAX, &[]).await
        };
        self.runtime.block_on(forget).expect("the scratch folder is ours");
        let _ = std::fs::remove_file(self.folder.with_extension("removed"));
        std::fs::create_dir_all(&self.folder).expect("the scratch folder is ours");
    }

    /// Small inputs of every kind; the files of a whole stream stay beside its folder.
    fn examples(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        self.clear();
        let write = async {
            // Enough for a sealed frame and a tail behind it.
            let many: Vec<u8> = small(LINES).repeat(600);
            let end = self.logs.append(&self.key, 0, many).await?;
            self.logs.append(&self.key, end, small(3)).await?;
            Ok::<_, LogError>(())
        };
        self.runtime.block_on(write).context("write an example of a log")?;
        let mut examples = vec![
            tagged(CHUNKS, &small(LINES)),
            tagged(CHUNKS, &small(3)),
            tagged(SENT, &small(LINES)),
        ];
        for (kind, ending) in FILES {
            let file = self.folder.join(format!("job.{ending}"));
            if file.exists() {
                std::fs::copy(&file, self.folder.with_file_name(format!("whole.{ending}")))?;
                examples.push(tagged(kind, &std::fs::read(&file)?));
            }
        }
        Ok(examples)
    }
}

fn tagged(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], bytes].concat()
}

/// So many records of all sources.
fn small(count: usize) -> Vec<u8> {
    let texts: [&[u8]; 6] = [
        b"error: it does not compile\n",
        b"the token is hunter2-and-more\r\n",
        b"half a line",
        b"\x1b[31mred\x1b[0m \xff\xfe\n\n\n",
        b"",
        b"line one\nline two\n",
    ];
    let mut bytes = Vec::new();
    for number in 0..count {
        let record = Record {
            source: [Source::Stdout, Source::Stderr, Source::System][number % 3],
            at: 1_700_000_000_000_000,
            continues: false,
            bytes: texts[number % texts.len()],
        };
        record.encode(&mut bytes);
    }
    bytes
}

fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let empty = {
        let mut bytes = Vec::new();
        let record = Record {
            source: Source::Stdout,
            at: 0,
            continues: false,
            bytes: b"",
        };
        record.encode(&mut bytes);
        bytes.repeat((4 << 20) / HEADER_LEN)
    };
    let newlines = {
        let mut bytes = Vec::new();
        let record = Record {
            source: Source::Stderr,
            at: 0,
            continues: false,
            bytes: &[b'\n'; 60 * 1024],
        };
        record.encode(&mut bytes);
        bytes.repeat(16)
    };
    vec![
        ("records without bytes", tagged(SENT, &empty)),
        ("chunks without bytes", tagged(CHUNKS, &empty)),
        ("chunks of line ends", tagged(CHUNKS, &newlines)),
        ("a tail of zeros", tagged(b't', &vec![0; 4 << 20])),
        ("an index of zeros", tagged(b'i', &vec![0; 4 << 20])),
    ]
}
