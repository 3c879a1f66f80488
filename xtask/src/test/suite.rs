//! The tests themselves: built while the machine is made ready, run by Cargo with their output streamed as it comes, and counted.

use super::tally::{Seen, Tally};
use crate::process::{self, Beside};
use crate::say;
use crate::setup::Prepared;
use anyhow::Context;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

const BUILD: &[&str] = &["test", "--workspace", "--no-run"];
const RUN: &[&str] = &["test", "--workspace", "--no-fail-fast", "--"];
/// Tests at the same time for each processor: most of them wait for containers, a browser or a database.
const PER_PROCESSOR: usize = 2;
/// What a developer's shell may say and a test must not hear.
const NOT_FOR_TESTS: &[&str] = &["DROVER_URL", "DROVER_TOKEN", "DROVER_DATA", "DROVER_DATABASE"];

/// A test binary that prints nothing for this long hangs: it is ended, and the others have their turn. A whole suite
/// takes less.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Begins to build every test binary; errors of the compiler appear among what else is printed.
///
/// # Errors
/// When Cargo cannot be started.
pub fn begin_build() -> anyhow::Result<Beside> {
    Beside::start(process::cargo().args(BUILD).arg("--quiet"))
}

/// Waits for it. A failure counts as one failed test.
///
/// # Errors
/// When Cargo cannot be waited for.
pub fn finish_build(build: Beside, tally: &mut Tally) -> anyhow::Result<()> {
    say::heading("build the tests, which began with the setup");
    if !build.ended_well()? {
        tally.record("the tests compile", false);
    }
    Ok(())
}

/// Runs them, all or those whose name contains `only`.
///
/// # Errors
/// When Cargo cannot be started.
pub fn run(prepared: &Prepared, only: Option<&str>, tally: &mut Tally) -> anyhow::Result<()> {
    say::heading("tests");
    let mut cargo = process::cargo();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    cargo.args(RUN).args(only);
    cargo.arg(format!("--test-threads={}", processors * PER_PROCESSOR));
    let mut tests = in_one_stream(&cargo);
    tests.envs(prepared.variables()).env("RUST_BACKTRACE", "1");
    for name in NOT_FOR_TESTS {
        tests.env_remove(name);
    }
    let mut tests = tests.stdout(Stdio::piped()).spawn().context("start `cargo test`")?;
    let output = tests.stdout.take().context("read what the tests print")?;
    let lines = lines_of(output);
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                let line = line.context("read what the tests print")?;
                match tally.read(&String::from_utf8_lossy(&line)) {
                    Seen::Other => println!("{}", String::from_utf8_lossy(&line)),
                    Seen::Noise => {}
                    Seen::Result(summary) => say::line(summary),
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                tally.hangs();
                process::kill_children_of(tests.id());
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = tests.wait().context("wait for `cargo test`")?;
    tally.close(status.success());
    Ok(())
}

/// Its lines as they come; a thread reads them, so that their absence is noticed.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The same command with stderr in stdout, so that Cargo's headings stay where they belong among the tests' lines.
fn in_one_stream(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$@" 2>&1"#, "sh"]);
    process::hand_over(command, &mut shell);
    shell.current_dir(process::workspace()).stdin(Stdio::null());
    shell
}
