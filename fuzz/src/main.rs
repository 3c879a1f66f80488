//! The run by hand, `cargo xtask fuzz`: bounded, with a line on how far it is, and gone on with where it was stopped.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use fuzz::{Plan, Progress};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Reads a great many mutated inputs: none may panic, take more than 1 s of processor time or more than 200 MB.
#[derive(Parser)]
#[command(name = "cargo xtask fuzz")]
struct Arguments {
    /// How many inputs
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// The same seed makes the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first input; by default, the one after the last of the run before with this target and seed
    #[arg(long)]
    from: Option<u64>,
    /// What reads them: job, compose, webhook, report, archive, frame, message, or all in turn
    #[arg(long, default_value = "all")]
    target: String,
    /// Read this file instead, as an input of the target
    #[arg(long, conflicts_with_all = ["inputs", "from"])]
    file: Option<PathBuf>,
    /// Where the state and the inputs that fail are kept
    #[arg(long, default_value = "target/fuzz")]
    folder: PathBuf,
}

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10);
/// The process never has more memory than this: an input that wants more ends it, and not the machine.
const MOST_MEMORY: u64 = 4 << 30;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let limit = Rlimit {
        current: Some(MOST_MEMORY),
        maximum: Some(MOST_MEMORY),
    };
    setrlimit(Resource::As, limit).context("limit the memory of this process")?;
    if let Some(file) = &arguments.file {
        println!("{}", fuzz::read_file(&arguments.target, file)?);
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&arguments.folder).context("make the folder of the state")?;
    let state = arguments
        .folder
        .join(format!("{}-{}.next", arguments.target, arguments.seed));
    let from = arguments.from.unwrap_or_else(|| next_of(&state));
    let plan = Plan {
        target: arguments.target.clone(),
        seed: arguments.seed,
        from,
        inputs: arguments.inputs,
        limited: true,
        keep: arguments.folder.join("failures"),
    };
    run(&plan, &state)
}

fn run(plan: &Plan, state: &Path) -> anyhow::Result<ExitCode> {
    let file = File::create(state).context("write the state")?;
    let (begun, mut said) = (Instant::now(), Instant::now());
    println!(
        "{} inputs for {} from {} on, seed {}; when this process is killed, the input is in {}",
        plan.inputs,
        plan.target,
        plan.from,
        plan.seed,
        state.display()
    );
    let failures = fuzz::run(plan, |progress| {
        // Each time: the input that ends the process is then known.
        file.write_all_at(format!("{:<20}\n", progress.next).as_bytes(), 0)
            .context("write the state")?;
        if said.elapsed() > PAUSE || progress.next == plan.from + plan.inputs {
            said = Instant::now();
            say(plan, progress, begun.elapsed());
        }
        Ok(())
    })?;
    for failure in &failures {
        println!(
            "\n{}\n  {}\n  {}",
            failure.fault,
            failure.file.display(),
            failure.command
        );
    }
    println!("\n{} inputs, {} failures", plan.inputs, failures.len());
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

fn say(plan: &Plan, progress: &Progress, took: Duration) {
    let done = progress.next - plan.from;
    let ((slow, time), (heavy, bytes)) = (progress.slowest, progress.heaviest);
    println!(
        "{done} of {} in {} s; slowest {time:?} (input {slow}), most memory {} KiB (input {heavy}), process {} MiB",
        plan.inputs,
        took.as_secs(),
        bytes >> 10,
        peak_kib() / 1_024
    );
    // A line that nobody can read is no reason to stop.
    let _ = std::io::stdout().flush();
}

/// Where the run before stopped.
fn next_of(state: &Path) -> u64 {
    let text = std::fs::read_to_string(state).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// The most memory that this process ever had, with what libraries in other languages take.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
