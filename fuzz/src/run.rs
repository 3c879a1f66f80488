//! A run: so many inputs from an index on, over one target or all in turn. What fails is made smaller and kept in a file
//! with the command that repeats it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::measure::{Cost, Fault, LIMITS, Limits, measured};
use crate::random::Random;
use crate::targets::{self, Target};

/// Tries to make a failing input smaller.
const MOST_TRIES: usize = 2_000;
/// A slow input is read so often, and its fastest time counts: the first reading pays for more than itself.
const TRIES_OF_THE_SLOW: usize = 3;

/// Which inputs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// One target, or `all`.
    pub target: String,
    /// The same seed makes the same inputs.
    pub seed: u64,
    /// The first index.
    pub from: u64,
    /// How many.
    pub inputs: u64,
    /// What an input may cost; without it only panics count.
    pub limited: bool,
    /// Where failing inputs are kept.
    pub keep: PathBuf,
}

/// How far a run has come.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The next index.
    pub next: u64,
    /// The slowest input so far: its index and time.
    pub slowest: (u64, Duration),
    /// The input that took most memory so far: its index and bytes.
    pub heaviest: (u64, usize),
}

/// An input that does what none may.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What it does.
    pub fault: String,
    /// Where it is kept.
    pub file: PathBuf,
    /// How to read it again.
    pub command: String,
}

/// A folder to work in: in memory where there is such a place, since a disk would be most of the time.
///
/// # Errors
/// When it cannot be made.
pub fn scratch() -> anyhow::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("drover-fuzz-")
        .tempdir_in(&folder)
        .with_context(|| format!("make a folder in {}", folder.display()))
}

/// Reads the inputs of the plan; first the worst of each target, when it begins at 0 and has limits. `reported` hears before each input how
/// far it is, so that what ends the process is known.
///
/// # Errors
/// When there is no such target, the examples cannot be read, or a failure cannot be kept.
pub fn run(plan: &Plan, mut reported: impl FnMut(&Progress) -> anyhow::Result<()>) -> anyhow::Result<Vec<Failure>> {
    let scratch = scratch()?;
    let chosen = targets::chosen(&plan.target, scratch.path())?;
    let mut failures = Vec::new();
    let limits = plan.limited.then_some(LIMITS);
    // Without limits this is a build in which the worst take minutes.
    if plan.from == 0 && plan.limited {
        for target in &chosen {
            for (what, bytes) in (target.worst)()? {
                let cost = read(target, &bytes, limits);
                if let Some(fault) = fault(&cost, limits) {
                    failures.push(keep(plan, target, &what.replace(' ', "-"), (&bytes, &fault))?);
                }
            }
        }
    }
    let mut progress = Progress {
        next: plan.from,
        ..Progress::default()
    };
    for index in plan.from..plan.from.saturating_add(plan.inputs) {
        progress.next = index;
        reported(&progress)?;
        let target = &chosen[usize::try_from(index % chosen.len() as u64).unwrap_or(0)];
        let bytes = target.examples.input(&mut Random::of_input(plan.seed, index));
        let cost = read(target, &bytes, limits);
        if cost.time > progress.slowest.1 {
            progress.slowest = (index, cost.time);
        }
        if cost.memory > progress.heaviest.1 {
            progress.heaviest = (index, cost.memory);
        }
        if let Some(fault) = fault(&cost, limits) {
            let smaller = smaller(target, bytes, &fault);
            failures.push(keep(
                plan,
                target,
                &format!("{}-{index}", plan.seed),
                (&smaller, &fault),
            )?);
        }
    }
    progress.next = plan.from.saturating_add(plan.inputs);
    reported(&progress)?;
    Ok(failures)
}

/// Reads one file as an input of that target, and says what it costs.
///
/// # Errors
/// When it cannot be read, or does what no input may.
pub fn read_file(target: &str, file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let scratch = scratch()?;
    let [target] = &targets::chosen(target, scratch.path())?[..] else {
        bail!("say which target reads it: --target NAME");
    };
    let cost = read(target, &bytes, Some(LIMITS));
    match cost.fault(LIMITS) {
        Some(fault) => bail!("{}: {fault}", file.display()),
        None => Ok(format!(
            "{} bytes: {:?}, {} KiB",
            bytes.len(),
            cost.time,
            cost.memory >> 10
        )),
    }
}

fn read(target: &Target, bytes: &[u8], limits: Option<Limits>) -> Cost {
    let mut cost = measured(|| (target.read)(bytes));
    for _ in 1..TRIES_OF_THE_SLOW {
        if limits.is_none_or(|limits| cost.time <= limits.time) || cost.panic.is_some() {
            break;
        }
        let again = measured(|| (target.read)(bytes));
        cost.time = cost.time.min(again.time);
    }
    cost
}

fn fault(cost: &Cost, limits: Option<Limits>) -> Option<Fault> {
    match limits {
        Some(limits) => cost.fault(limits),
        None => cost.panic.clone().map(Fault::Panic),
    }
}

/// Takes parts away while it fails in the same way; parts of half its length first, at last single bytes.
fn smaller(target: &Target, mut bytes: Vec<u8>, fault: &Fault) -> Vec<u8> {
    let fails = |bytes: &[u8]| {
        let found = read(target, bytes, Some(LIMITS)).fault(LIMITS);
        found.is_some_and(|found| std::mem::discriminant(&found) == std::mem::discriminant(fault))
    };
    // What is slow once is slow in each try.
    let mut tries = if matches!(fault, Fault::Panic(_)) {
        MOST_TRIES
    } else {
        MOST_TRIES / 50
    };
    let mut part = bytes.len() / 2;
    while part > 0 && tries > 0 {
        let mut at = 0;
        while at < bytes.len() && tries > 0 {
            let mut without = bytes.clone();
            without.drain(at..(at + part).min(bytes.len()));
            tries -= 1;
            if fails(&without) {
                bytes = without;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    bytes
}

fn keep(plan: &Plan, target: &Target, name: &str, (bytes, fault): (&[u8], &Fault)) -> anyhow::Result<Failure> {
    std::fs::create_dir_all(&plan.keep).with_context(|| format!("make {}", plan.keep.display()))?;
    let file = plan.keep.join(format!("{}-{name}", target.name));
    std::fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))?;
    Ok(Failure {
        fault: fault.to_string(),
        command: format!("cargo xtask fuzz --target {} --file {}", target.name, file.display()),
        file,
    })
}
