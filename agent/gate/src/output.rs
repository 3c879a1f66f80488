//! The child's output: two pipes, read as soon as something is there, so that the order between standard output and
//! standard error is kept as well as two pipes can. A child that writes many small pieces for long is read a
//! millisecond at a time instead, because waking up for every line would cost more than the line.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::log::{HEADER_LEN, Log, MAX_LEN, Source};
use crate::sys;

/// A larger pipe lets the child write on while we sleep. Larger still would take kernel memory from the job's limit.
const PIPE_BYTES: i32 = 256 * 1024;
/// A read below this is a small one.
const SMALL: usize = 8 * 1024;
/// What a small read costs of the credit, and how long it takes to earn it back.
const COST: Duration = Duration::from_micros(250);
/// Credit for 256 small reads in a row.
const MAX_CREDIT: Duration = COST.saturating_mul(256);
/// Reads of what was written so far, at most.
const MOST_READS: u32 = 16;
/// How long we look away when the credit is used up.
const NAP: Duration = Duration::from_millis(1);

/// Both pipes of a child.
pub struct Output {
    pipes: [Pipe; 2],
    /// Which pipe was read last: when both have something, the other one is more likely to be the older.
    last: usize,
    buffer: Vec<u8>,
    credit: Duration,
    earned_until: Instant,
    nap_until: Option<Instant>,
    /// When something was last read, or the child started.
    active: Instant,
}

/// One pipe.
struct Pipe {
    source: Source,
    /// `None` once every writer has closed it.
    file: Option<File>,
    /// Once closed: what was in the pipe then. Background processes may hold the pipe for ever.
    left: Option<usize>,
}

impl Output {
    /// Makes the pipes; the ends for the child come second.
    pub fn new(now: Instant) -> io::Result<(Output, [OwnedFd; 2])> {
        let (out, child_out) = pipe(Source::Stdout)?;
        let (err, child_err) = pipe(Source::Stderr)?;
        let output = Output {
            pipes: [out, err],
            last: 1,
            buffer: vec![0; HEADER_LEN + MAX_LEN],
            credit: MAX_CREDIT,
            earned_until: now,
            nap_until: None,
            active: now,
        };
        Ok((output, [child_out, child_err]))
    }

    /// The pipes to wait for now, and for how long at most when it is not for ever.
    pub fn interest(&mut self, now: Instant) -> ([Option<&File>; 2], Option<Duration>) {
        if let Some(until) = self.nap_until {
            if now < until {
                return ([None, None], Some(until - now));
            }
            self.nap_until = None;
        }
        let [out, err] = &self.pipes;
        ([out.file.as_ref(), err.file.as_ref()], None)
    }

    /// Reads once from each pipe that is ready and appends it to the log; the number of bytes.
    pub fn read_ready(&mut self, ready: [bool; 2], log: &mut Log, now: Instant) -> usize {
        let first = 1 - self.last;
        let mut all = 0;
        for index in [first, 1 - first] {
            if ready[index] && log.waits().is_none() {
                let bytes = self.read(index, log);
                self.last = index;
                self.charge(bytes, now);
                all += bytes;
            }
        }
        if all > 0 {
            self.active = now;
        }
        all
    }

    /// When something was last read; the child's start before that.
    pub fn active(&self) -> Instant {
        self.active
    }

    /// Reads what was written so far; the child may write on.
    pub fn read_so_far(&mut self, log: &mut Log, now: Instant) {
        let mut reads = 0..MOST_READS;
        while self.read_ready([true; 2], log, now) > 0 && reads.next().is_some() {}
    }

    /// The pipes that some process can still write to.
    pub fn with_writers(&self) -> Vec<&File> {
        let files = self.pipes.iter().filter_map(|pipe| pipe.file.as_ref());
        files.filter(|file| !sys::is_hung_up(file.as_fd())).collect()
    }

    /// From here on only what is in the pipes now counts.
    pub fn close(&mut self) {
        self.nap_until = None;
        for pipe in &mut self.pipes {
            pipe.left = Some(pipe.file.as_ref().map_or(0, |file| sys::readable_bytes(file.as_fd())));
        }
    }

    /// Reads what was in the pipes when they were closed; false when the log could not take all of it yet.
    pub fn drain(&mut self, log: &mut Log) -> bool {
        let first = 1 - self.last;
        for index in [first, 1 - first] {
            while self.pipes[index].has_left() {
                if log.waits().is_some() {
                    return false;
                }
                self.read(index, log);
            }
        }
        log.waits().is_none()
    }

    /// One read of one pipe into the log; the number of bytes.
    fn read(&mut self, index: usize, log: &mut Log) -> usize {
        let pipe = &mut self.pipes[index];
        let Some(file) = &mut pipe.file else { return 0 };
        let most = pipe.left.unwrap_or(MAX_LEN).min(MAX_LEN);
        match file.read(&mut self.buffer[HEADER_LEN..HEADER_LEN + most]) {
            Ok(0) => pipe.file = None,
            Ok(bytes) => {
                pipe.left = pipe.left.map(|left| left - bytes);
                log.append(pipe.source, &mut self.buffer[..HEADER_LEN + bytes]);
                return bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pipe.left = pipe.left.map(|_| 0),
            Err(_) => pipe.file = None,
        }
        0
    }

    /// Keeps account of small reads, see the top of the file.
    fn charge(&mut self, bytes: usize, now: Instant) {
        self.credit = (self.credit + now.saturating_duration_since(self.earned_until)).min(MAX_CREDIT);
        self.earned_until = now;
        if bytes >= SMALL {
            return;
        }
        match self.credit.checked_sub(COST) {
            Some(credit) => self.credit = credit,
            None => self.nap_until = Some(now + NAP),
        }
    }
}

impl Pipe {
    fn has_left(&self) -> bool {
        self.file.is_some() && self.left != Some(0)
    }
}

/// A pipe whose reading end is ours and does not block.
fn pipe(source: Source) -> io::Result<(Pipe, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    sys::set_nonblocking(reader.as_fd())?;
    sys::widen_pipe(reader.as_fd(), PIPE_BYTES);
    let file = Some(File::from(OwnedFd::from(reader)));
    let pipe = Pipe {
        source,
        file,
        left: None,
    };
    Ok((pipe, writer.into()))
}
