//! One log on its way: the records between what the coordinator has and what the file says. Records are a pure
//! function of the file, so any offset can be gone back to; nothing else needs to be kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::record;

use crate::gate;
use crate::logs::lines::LineAssembler;
use crate::logs::mask::Masker;
use crate::logs::tail::{Tail, Tailed, Watcher};

/// One log on its way.
pub struct Spool {
    watcher: Watcher,
    file: PathBuf,
    masker: Arc<Masker>,
    source: Source,
    /// Records from `base` on, whole ones only.
    records: Vec<u8>,
    /// The offset that the coordinator has.
    base: u64,
    /// Bytes of the file that count, once that is known.
    file_len: Option<u64>,
    /// Bytes of the file that count at most: the job can write to it, too.
    most: u64,
}

/// The file, and the lines that are made of it.
struct Source {
    tail: Tail,
    lines: LineAssembler,
    chunks: Vec<u8>,
    file_offset: u64,
    /// Bytes of records made so far; those before `base` are thrown away.
    made: u64,
    is_over: bool,
}

/// The next part of a log.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Bytes of records before it.
    pub offset: u64,
    /// Nothing comes after it.
    pub eof: bool,
    /// The records, compressed.
    pub body: Vec<u8>,
}

impl Spool {
    /// Follows `file` from its beginning; a `limit` of 0 is none.
    pub fn open(watcher: &Watcher, file: PathBuf, masker: Arc<Masker>, limit: u64) -> io::Result<Spool> {
        Ok(Spool {
            source: Source::open(watcher, &file, &masker)?,
            watcher: watcher.clone(),
            file,
            masker,
            records: Vec::new(),
            base: 0,
            file_len: None,
            most: match gate::most_of(limit) {
                0 => u64::MAX,
                most => most,
            },
        })
    }

    /// The file will not grow, and only its first `len` bytes count.
    pub fn end_at(&mut self, len: u64) {
        self.file_len = Some(len);
        self.end_source(len);
    }

    fn end_source(&mut self, len: u64) {
        self.source.tail.finisher().finish();
        self.source.end_if_read(len, &mut self.records, self.base);
    }

    /// Waits for more of the file and makes records of it. Safe to drop half-way. Errors: the file cannot be read, or
    /// is not a gate's.
    pub async fn pull(&mut self) -> io::Result<()> {
        let source = &mut self.source;
        let tailed = source.tail.next(&mut source.chunks).await?;
        let counts = self.file_len.unwrap_or(u64::MAX).min(self.most);
        let rest = usize::try_from(counts.saturating_sub(source.file_offset)).unwrap_or(usize::MAX);
        source.chunks.truncate(rest);
        source.make_records(&mut self.records, self.base);
        if source.file_offset >= self.most {
            source.cut_off(self.most, &mut self.records, self.base);
        }
        if source.lines.is_damaged() {
            source.end(&mut self.records, self.base);
        }
        match (tailed, self.file_len) {
            (Tailed::Eof, _) => source.end(&mut self.records, self.base),
            (Tailed::More, Some(len)) => source.end_if_read(len, &mut self.records, self.base),
            (Tailed::More, None) => {}
        }
        Ok(())
    }

    /// Every record is made.
    pub fn is_over(&self) -> bool {
        self.source.is_over
    }

    /// [`Spool::end_at`] was called.
    pub fn is_ending(&self) -> bool {
        self.file_len.is_some()
    }

    /// Bytes of records that the coordinator has.
    pub fn offset(&self) -> u64 {
        self.base
    }

    /// Bytes of records that wait.
    pub fn waiting(&self) -> usize {
        self.records.len()
    }

    /// The next part: whole records of at most `most` bytes in all (one record, if that is longer).
    pub fn part(&self, most: usize) -> io::Result<Part> {
        let len = whole_records(&self.records, most);
        Ok(Part {
            offset: self.base,
            eof: self.is_over() && len == self.records.len(),
            body: zstd::bulk::compress(&self.records[..len], 1)?,
        })
    }

    /// Every record that waits, as taken.
    pub fn take(&mut self) -> Vec<u8> {
        self.base += self.records.len() as u64;
        std::mem::take(&mut self.records)
    }

    /// The coordinator has `offset` bytes: goes on from there, back or forth. False: that is what was known.
    pub fn go_to(&mut self, offset: u64) -> io::Result<bool> {
        let known = std::mem::replace(&mut self.base, offset);
        if offset < known {
            self.records.clear();
            self.source = Source::open(&self.watcher, &self.file, &self.masker)?;
            if let Some(len) = self.file_len {
                self.end_source(len);
            }
        } else {
            let ahead = usize::try_from(offset - known)
                .unwrap_or(usize::MAX)
                .min(self.records.len());
            self.records.drain(..ahead);
        }
        Ok(offset != known)
    }
}

impl Source {
    fn open(watcher: &Watcher, file: &std::path::Path, masker: &Arc<Masker>) -> io::Result<Source> {
        Ok(Source {
            tail: watcher.follow(file, 0)?,
            lines: LineAssembler::new(masker.clone()),
            chunks: Vec::new(),
            file_offset: 0,
            made: 0,
            is_over: false,
        })
    }

    fn make_records(&mut self, records: &mut Vec<u8>, base: u64) {
        let before = records.len();
        self.lines.push(&self.chunks, records);
        self.file_offset += self.chunks.len() as u64;
        self.chunks.clear();
        self.keep(records, before, base);
    }

    /// No gate writes so much.
    fn cut_off(&mut self, most: u64, records: &mut Vec<u8>, base: u64) {
        if !self.is_over && !self.lines.is_damaged() {
            let before = records.len();
            let text = format!(
                "This log is larger than {}: what comes after that is left out.",
                job_specs::units::size(most)
            );
            self.lines.cut_off(&text, records);
            self.keep(records, before, base);
        }
    }

    fn end_if_read(&mut self, len: u64, records: &mut Vec<u8>, base: u64) {
        if self.file_offset >= len {
            self.end(records, base);
        }
    }

    fn end(&mut self, records: &mut Vec<u8>, base: u64) {
        if !self.is_over {
            let before = records.len();
            self.lines.finish(records);
            self.is_over = true;
            self.keep(records, before, base);
        }
    }

    /// Counts the records from `before` on, and throws away what the coordinator has already.
    fn keep(&mut self, records: &mut Vec<u8>, before: usize, base: u64) {
        let new = (records.len() - before) as u64;
        let known = base.saturating_sub(self.made).min(new);
        self.made += new;
        if known > 0 {
            let known = usize::try_from(known).expect("no more than there are in memory");
            records.drain(before..before + known);
        }
    }
}

/// The length of the whole records at the start of `bytes` that fit into `most`; of the first, if none fits.
fn whole_records(bytes: &[u8], most: usize) -> usize {
    if bytes.len() <= most {
        return bytes.len();
    }
    let mut len = 0;
    while let Ok(Some((_, record))) = record::decode(&bytes[len..]) {
        if len > 0 && len + record > most {
            break;
        }
        len += record;
    }
    len
}

#[cfg(test)]
mod tests {
    use std::fs;

    use protocol::record::{Record, Source as Stream};

    use super::*;

    fn chunk(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let record = Record {
            source: Stream::Stdout,
            at: 7,
            continues: false,
            bytes: text.as_bytes(),
        };
        record.encode(&mut bytes);
        bytes
    }

    fn lines(part: &Part) -> Vec<String> {
        let records = zstd::stream::decode_all(part.body.as_slice()).unwrap();
        record::records(&records)
            .map(|line| String::from_utf8_lossy(line.unwrap().bytes).into_owned())
            .collect()
    }

    async fn over(spool: &mut Spool) {
        while !spool.is_over() {
            spool.pull().await.unwrap();
        }
    }

    #[tokio::test]
    async fn any_offset_can_be_gone_back_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        fs::write(&file, chunk(&text)).unwrap();
        let mut spool = Spool::open(&Watcher::new(), file.clone(), Arc::default(), 0).unwrap();
        spool.end_at(fs::metadata(&file).unwrap().len());
        over(&mut spool).await;

        let first = spool.part(100).unwrap();
        assert_eq!((first.offset, first.eof, lines(&first).len()), (0, false, 5));
        assert!(spool.go_to(95).unwrap());
        assert_eq!(lines(&spool.part(100).unwrap())[0], "line 5");
        assert!(!spool.go_to(95).unwrap(), "nothing new");
        // The coordinator lost what it had.
        assert!(spool.go_to(19).unwrap());
        over(&mut spool).await;
        let rest = spool.part(1 << 20).unwrap();
        assert_eq!((rest.offset, rest.eof, lines(&rest).len()), (19, true, 99));
    }

    #[tokio::test]
    async fn what_the_coordinator_has_is_not_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        fs::write(&file, chunk("one\ntwo\nthree\n")).unwrap();
        let mut spool = Spool::open(&Watcher::new(), file.clone(), Arc::default(), 0).unwrap();
        // It had two lines before this agent was started.
        assert!(spool.go_to(2 * (13 + 3)).unwrap());
        spool.end_at(fs::metadata(&file).unwrap().len());
        over(&mut spool).await;
        assert_eq!(lines(&spool.part(1 << 20).unwrap()), ["three"]);
    }

    #[tokio::test]
    async fn a_file_that_no_gate_wrote_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let sparse = |len: u64| {
            fs::File::options()
                .append(true)
                .open(&file)
                .unwrap()
                .set_len(len)
                .unwrap()
        };
        // Made longer than any disk, with nothing in it; nobody has said that it is over.
        fs::write(&file, chunk("one\n")).unwrap();
        sparse(26 << 30);
        let mut spool = Spool::open(&Watcher::new(), file.clone(), Arc::default(), 1 << 20).unwrap();
        over(&mut spool).await;
        let message = lines(&spool.part(1 << 20).unwrap());
        assert!(
            message.len() == 2 && message[1].contains("damaged at byte 17"),
            "{message:?}"
        );

        // Well formed, and more than a gate may write.
        let many = chunk(&"x".repeat(63 * 1024)).repeat(60);
        fs::write(&file, many).unwrap();
        let mut spool = Spool::open(&Watcher::new(), file.clone(), Arc::default(), 1 << 20).unwrap();
        over(&mut spool).await;
        let message = lines(&spool.part(8 << 20).unwrap());
        let last = message.iter().find(|line| line.contains("larger than 3 MiB"));
        assert!(last.is_some(), "{} records", message.len());
    }

    #[tokio::test]
    async fn what_a_service_says_after_the_end_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let counted = chunk("in time\nhalf");
        fs::write(&file, [counted.clone(), chunk(" a line\nlate\n")].concat()).unwrap();
        let mut spool = Spool::open(&Watcher::new(), file, Arc::default(), 0).unwrap();
        spool.end_at(counted.len() as u64);
        over(&mut spool).await;
        assert_eq!(lines(&spool.part(1 << 20).unwrap()), ["in time", "half"]);
    }
}
