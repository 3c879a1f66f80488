//! What may still come through the output's pipes after the child's end, from processes that it left. A filter such as
//! `tee` that has not yet passed on what it was given is waited for; a process that was left running on purpose
//! (`server &`) is not, unless it has just written something: then until it pauses. /proc tells which is which, and the step's result never depends on it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use crate::processes::{self, Activity};
use crate::sys;

/// The longest that anything is waited for.
const MOST: Duration = Duration::from_secs(10);
/// A filter at the end of its input that sleeps and writes nothing for so long is a server with a closed input.
const SILENCE: Duration = Duration::from_secs(5);
/// A process that the child left, and that has written something, may write more until it was silent for so long,
const PAUSE: Duration = Duration::from_millis(250);
/// and never longer than this: it may have been left running on purpose.
const LEFT: Duration = Duration::from_secs(2);
/// A filter whose input has other writers, too, may pass on for so long what it was given.
const FED: Duration = Duration::from_secs(1);
/// A process that is at work, or whose files we may not see, has so long.
const BUSY: Duration = Duration::from_millis(250);
/// Between two looks: the first, and the longest.
const LOOK: Duration = Duration::from_millis(2);
const LOOK_MOST: Duration = Duration::from_millis(50);
/// Open files of one process that are looked at.
const MOST_FILES: usize = 4096;

/// The wait for what the child's processes may still write.
pub struct Rest {
    ended: Instant,
    /// When something was last written, or owed.
    active: Instant,
    next_look: Instant,
    pause: Duration,
}

/// What the next thing to do is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait, and look again.
    Wait,
    /// What is in the pipes now is all that counts.
    Over,
    /// The same, but a filter still owed output after that time.
    Cut(Duration),
}

/// What the processes that hold the output are at; the later, the more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    /// They sleep, and it is not for input from the child: servers, and what writes from time to time.
    Nothing,
    /// One is at work, or cannot be looked into.
    Perhaps,
    /// A filter has input from the child, and from others that go on.
    Fed,
    /// A filter's input has ended; it sleeps.
    Silent,
    /// A filter's input has ended, and it has not taken or passed on all of it.
    Output,
}

impl Rest {
    /// The child ended now; something was last written at `active`.
    pub fn new(now: Instant, active: Instant) -> Rest {
        Rest {
            ended: now,
            active,
            next_look: now,
            pause: LOOK,
        }
    }

    /// Something was written.
    pub fn written(&mut self, now: Instant) {
        self.active = now;
    }

    /// How long until the next look.
    pub fn due(&self, now: Instant) -> Duration {
        self.next_look.saturating_duration_since(now)
    }

    /// Looks at the processes, if it is time. `pipes` are the output's reading ends that still have writers.
    pub fn look(&mut self, pipes: &[&File], now: Instant) -> Verdict {
        if pipes.is_empty() {
            return Verdict::Over;
        }
        if now < self.next_look {
            return Verdict::Wait;
        }
        self.next_look = now + self.pause;
        self.pause = (self.pause * 2).min(LOOK_MOST);
        self.judge(pending(pipes), now)
    }

    fn judge(&mut self, pending: Pending, now: Instant) -> Verdict {
        if pending == Pending::Output {
            self.active = now;
        }
        let waited = now.saturating_duration_since(self.ended);
        let silent = now.saturating_duration_since(self.active);
        let is_over = match pending {
            Pending::Nothing => silent >= PAUSE || waited >= LEFT,
            Pending::Perhaps => waited >= BUSY && silent >= PAUSE || waited >= LEFT,
            Pending::Fed => waited >= FED,
            Pending::Silent => silent >= SILENCE || waited >= MOST,
            Pending::Output => waited >= MOST,
        };
        match (is_over, pending) {
            (false, _) => Verdict::Wait,
            (true, Pending::Output) => Verdict::Cut(waited),
            (true, _) => Verdict::Over,
        }
    }
}

/// A pipe, by device and number.
type Pipe = (u64, u64);

/// A process with the pipes that it has open.
struct PipeProcess {
    pid: i32,
    activity: Activity,
    /// Each that it reads, with a way to its reading end.
    reads: Vec<(Pipe, String)>,
    writes: BTreeSet<Pipe>,
    /// Its files cannot be seen: it is another user's.
    is_opaque: bool,
}

/// What the processes below this one may still write to those pipes.
fn pending(outputs: &[&File]) -> Pending {
    let outputs: BTreeSet<Pipe> = outputs
        .iter()
        .filter_map(|file| pipe_of(&file.metadata().ok()?))
        .collect();
    let all: Vec<PipeProcess> = processes::below_this_one().into_iter().map(process).collect();
    let ending = at_their_end(&all);
    let writers = all
        .iter()
        .filter(|process| process.is_opaque || !process.writes.is_disjoint(&outputs));
    let owes = |process: &PipeProcess| {
        let is_working = process.activity == Activity::Working;
        let unread = |only_ended: bool| {
            let counts = |pipe: &Pipe| !only_ended || is_ended(pipe, &all, &ending);
            let mut inputs = process.reads.iter().filter(|(pipe, _)| counts(pipe));
            inputs.any(|(_, path)| has_bytes(path))
        };
        if ending.contains(&process.pid) {
            return match is_working || unread(true) {
                true => Pending::Output,
                false => Pending::Silent,
            };
        }
        match process.is_opaque || is_working {
            _ if unread(false) => Pending::Fed,
            true => Pending::Perhaps,
            false => Pending::Nothing,
        }
    };
    writers.map(owes).max().unwrap_or(Pending::Nothing)
}

/// The processes that read from a pipe which nobody will write to any more, but processes that are at their end too.
fn at_their_end(all: &[PipeProcess]) -> BTreeSet<i32> {
    let mut ending = BTreeSet::new();
    loop {
        let before = ending.len();
        for process in all {
            let mut inputs = process.reads.iter();
            if inputs.any(|(pipe, _)| is_ended(pipe, all, &ending)) {
                ending.insert(process.pid);
            }
        }
        if ending.len() == before {
            return ending;
        }
    }
}

fn is_ended(pipe: &Pipe, all: &[PipeProcess], ending: &BTreeSet<i32>) -> bool {
    let mut writers = all.iter().filter(|process| process.writes.contains(pipe));
    writers.all(|writer| ending.contains(&writer.pid))
}

fn process((pid, activity): (i32, Activity)) -> PipeProcess {
    let mut process = PipeProcess {
        pid,
        activity,
        reads: Vec::new(),
        writes: BTreeSet::new(),
        is_opaque: false,
    };
    let files = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(files) => files,
        Err(error) => {
            process.is_opaque = error.kind() == io::ErrorKind::PermissionDenied;
            return process;
        }
    };
    for file in files.flatten().take(MOST_FILES) {
        let path = file.path();
        let Some(pipe) = fs::metadata(&path).ok().as_ref().and_then(pipe_of) else {
            continue;
        };
        // The link's own mode says how the file is open.
        let mode = fs::symlink_metadata(&path).map_or(0, |link| link.mode());
        if mode & 0o200 != 0 {
            process.writes.insert(pipe);
        } else if mode & 0o400 != 0 {
            process.reads.push((pipe, path.display().to_string()));
        }
    }
    process
}

fn pipe_of(metadata: &fs::Metadata) -> Option<Pipe> {
    let is_pipe = metadata.file_type().is_fifo();
    is_pipe.then(|| (metadata.dev(), metadata.ino()))
}

/// Is there something to read in the pipe?
fn has_bytes(path: &str) -> bool {
    let pipe = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    pipe.is_ok_and(|pipe| sys::readable_bytes(pipe.as_fd()) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, reads: &[u64], writes: &[u64]) -> PipeProcess {
        PipeProcess {
            pid,
            activity: Activity::Asleep,
            reads: reads.iter().map(|&pipe| ((0, pipe), String::new())).collect(),
            writes: writes.iter().map(|&pipe| (0, pipe)).collect(),
            is_opaque: false,
        }
    }

    #[test]
    fn the_wait_is_as_long_as_something_is_owed_and_no_longer_than_its_limit() {
        let begin = Instant::now();
        let after = |pending, millis| Rest::new(begin, begin).judge(pending, begin + Duration::from_millis(millis));
        for pending in [Pending::Nothing, Pending::Perhaps] {
            assert_eq!(
                (after(pending, 249), after(pending, 250)),
                (Verdict::Wait, Verdict::Over)
            );
        }
        // What has said nothing for long is not waited for; what says something all the time, only so long.
        let long_ago = begin.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(Rest::new(begin, long_ago).judge(Pending::Nothing, begin), Verdict::Over);
        for (millis, verdict) in [(1_999, Verdict::Wait), (2_000, Verdict::Over)] {
            let now = begin + Duration::from_millis(millis);
            assert_eq!(Rest::new(begin, now).judge(Pending::Nothing, now), verdict);
        }
        assert_eq!(
            (after(Pending::Fed, 999), after(Pending::Fed, 1_000)),
            (Verdict::Wait, Verdict::Over)
        );
        assert_eq!(
            (after(Pending::Silent, 4_999), after(Pending::Silent, 5_000)),
            (Verdict::Wait, Verdict::Over)
        );
        let cut = Verdict::Cut(Duration::from_secs(10));
        assert_eq!(
            (after(Pending::Output, 9_999), after(Pending::Output, 10_000)),
            (Verdict::Wait, cut)
        );

        // It is only silent since it last wrote something.
        let mut rest = Rest::new(begin, begin);
        rest.written(begin + Duration::from_secs(3));
        assert_eq!(
            rest.judge(Pending::Silent, begin + Duration::from_secs(7)),
            Verdict::Wait
        );
        assert_eq!(
            rest.judge(Pending::Silent, begin + Duration::from_secs(8)),
            Verdict::Over
        );
    }

    #[test]
    fn filters_end_one_behind_the_other_and_servers_do_not() {
        // 2 reads what the child wrote, 3 what 2 writes. 4 wakes itself by a pipe, 5 feeds 6.
        let all = [
            process(2, &[20], &[30, 1]),
            process(3, &[30], &[1]),
            process(4, &[40], &[40, 1]),
            process(5, &[], &[50]),
            process(6, &[50], &[1]),
        ];
        assert_eq!(at_their_end(&all), [2, 3].into());
        // Somebody else still writes to 2.
        let fed = process(7, &[], &[20]);
        let all: Vec<PipeProcess> = all.into_iter().chain([fed]).collect();
        assert_eq!(at_their_end(&all), BTreeSet::new());
    }
}
