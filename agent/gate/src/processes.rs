//! The processes of the container, as /proc shows them: what the child is at, what it leaves behind, and the end of a
//! shell session, which the engine itself never ends.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use gate::SESSION;

use crate::sys;

/// Bytes of a command line that are listed at most.
const COMMAND_LEN: usize = 300;

/// A process as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: i32,
    activity: Activity,
    /// Clock ticks since the machine started.
    started: u64,
}

/// Whether a process has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It runs, or waits for a processor or a disk.
    Working,
    /// It waits for anything else.
    Asleep,
}

/// Every process that this one or one of its children started, and whose starter is not gone without a trace.
pub fn below_this_one() -> Vec<(i32, Activity)> {
    let own = i32::try_from(std::process::id()).unwrap_or(1);
    let all = all();
    let below = all.iter().filter(|(pid, _)| depth(&all, **pid, own).is_some());
    below.map(|(pid, process)| (*pid, process.activity)).collect()
}

/// The innermost descendant of `child`, the last started of several, with its command line. `None`: it has none.
pub fn innermost(child: i32) -> Option<(i32, String)> {
    let pid = innermost_of(&all(), child)?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let mut command = words.join(" ").replace(['\n', '\r'], " ");
    if command.len() > COMMAND_LEN {
        command.truncate(command.floor_char_boundary(COMMAND_LEN));
        command.push('…');
    }
    (!command.is_empty()).then_some((pid, command))
}

/// Looks for processes of a session: one that is just being replaced by another program shows no environment.
const SCANS: u32 = 5;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(20);

/// Ends the processes of a session: those that were started with its name in their environment.
pub fn end_session(session: &str) {
    let mark = format!("{SESSION}={session}").into_bytes();
    for _ in 0..SCANS {
        for pid in pids() {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if environment.split(|&byte| byte == 0).any(|entry| entry == mark) {
                sys::kill(pid);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let own = i32::try_from(std::process::id()).unwrap_or(1);
    pids.filter(move |&pid| pid != own)
}

fn all() -> BTreeMap<i32, Process> {
    let read = |pid| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
    pids().filter_map(read).collect()
}

/// The text of /proc/PID/stat: after the name in parentheses come state, parent, and 17 fields later the start.
fn parse(stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let activity = match *fields.first()? {
        "Z" => return None,
        "R" | "D" => Activity::Working,
        _ => Activity::Asleep,
    };
    Some(Process {
        activity,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn innermost_of(all: &BTreeMap<i32, Process>, child: i32) -> Option<i32> {
    let below = all.iter().filter(|(pid, _)| **pid != child);
    let below = below.filter_map(|(pid, process)| Some((depth(all, *pid, child)?, process.started, *pid)));
    below.max().map(|(_, _, pid)| pid)
}

/// How far `pid` is below `top`. `None`: it is not.
fn depth(all: &BTreeMap<i32, Process>, pid: i32, top: i32) -> Option<usize> {
    let (mut at, mut depth) = (pid, 0);
    while at != top {
        at = all.get(&at)?.parent;
        depth += 1;
        if depth > all.len() {
            return None;
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_process_is_found_whatever_its_name() {
        let stat = "7 (a) b (c)) S 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let seven = parse(stat).unwrap();
        assert_eq!((seven.parent, seven.started), (3, 4242));
        assert_eq!(parse("8 (gone) Z 3"), None);
        let activity = Activity::Asleep;
        let process = |parent, started| Process {
            parent,
            activity,
            started,
        };
        // 2 is the child; 9 belongs to somebody else.
        let all = [
            (2, process(1, 1)),
            (3, process(2, 2)),
            (4, process(2, 9)),
            (7, seven),
            (9, process(0, 99)),
        ];
        assert_eq!(innermost_of(&all.into(), 2), Some(7));
        assert_eq!(innermost_of(&all[..3].iter().copied().collect(), 2), Some(4));
        assert_eq!(innermost_of(&all[..1].iter().copied().collect(), 2), None);
    }
}
