//! Other programs: found, run, and blamed by name when they fail.

use anyhow::{Context, bail};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The root of the workspace: where this crate was built.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in a folder of the workspace")
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Where the tasks keep logs and scratch files: a folder in Cargo's target folder.
///
/// # Errors
/// When it cannot be made.
pub fn scratch() -> anyhow::Result<PathBuf> {
    let scratch = target().join("xtask");
    std::fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    Ok(scratch)
}

/// Cargo, the one that runs us, as a shell would start it: without the variables that describe this crate. Build scripts
/// of libraries name some of them as what they depend on, and would be run again whenever a task follows a person or a
/// person a task, with everything that stands on them.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    for (name, _) in std::env::vars_os() {
        if describes_a_crate(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_a_crate(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

/// The engine's command line with `arguments`.
pub fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// Where the program of this name is, if anywhere; the system folders are looked at too.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// True for root.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Runs it with our input and output.
///
/// # Errors
/// When it cannot be started or says no.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Gives a command with its arguments and variables to a shell. What it must not hear makes Cargo build anew.
pub fn hand_over(command: &Command, shell: &mut Command) {
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
}

/// What an example of a package, built as it is released, prints: one JSON object.
///
/// # Errors
/// When the example cannot be built or breaks.
pub fn measure(package: &str, example: &str, arguments: &[&OsStr]) -> anyhow::Result<Value> {
    let mut cargo = cargo();
    cargo.args(["run", "--quiet", "--release", "--package", package]);
    cargo.args(["--example", example, "--"]).args(arguments);
    serde_json::from_str(&output(&mut cargo)?).with_context(|| format!("read what the example `{example}` measured"))
}

/// Ends the programs that process `parent` started, and not the process itself.
pub fn kill_children_of(parent: u32) {
    let listed = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    for child in listed.split_whitespace() {
        // One that has ended by now needs nothing.
        let _ = Command::new("kill").args(["-KILL", child]).status();
    }
}

/// A program that runs beside us: it ends when this goes, unless its end was waited for.
pub struct Beside {
    line: String,
    child: Child,
}

impl Beside {
    /// Starts it with our output and no input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> anyhow::Result<Beside> {
        let line = line(command);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("start {line}"))?;
        Ok(Beside { line, child })
    }

    /// Waits for its end and says whether it went well.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn ended_well(mut self) -> anyhow::Result<bool> {
        let status = self.child.wait().with_context(|| format!("wait for {}", self.line))?;
        Ok(status.success())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it says no.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let status = self.child.wait().with_context(|| format!("wait for {}", self.line))?;
        if !status.success() {
            bail!("{} ended with {status}", self.line);
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a wait there is nobody to end, and both say so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it and gives what it printed on stdout.
///
/// # Errors
/// When it cannot be started or says no; the message has what it printed on stderr.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", line(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {} printed", line(command)))
}

/// Whether it runs and says yes; nothing is printed.
pub fn says_yes(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command as one would type it, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// The last `count` lines of a file, for messages; empty when it cannot be read.
pub fn tail(file: &Path, count: usize) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_beside_us_ends_with_us() {
        let sleeper = Beside::start(Command::new("sleep").arg("60")).unwrap();
        let of_it = Path::new("/proc").join(sleeper.child.id().to_string());
        assert!(of_it.exists());
        drop(sleeper);
        assert!(!of_it.exists());
        assert!(Beside::start(&mut Command::new("true")).unwrap().finish().is_ok());
        let error = Beside::start(&mut Command::new("false")).unwrap().finish().unwrap_err();
        assert_eq!(error.to_string(), "`false` ended with exit status: 1");
        assert!(!Beside::start(&mut Command::new("false")).unwrap().ended_well().unwrap());
    }

    #[test]
    fn only_children_are_ended() {
        let mut parent = Command::new("sh").args(["-c", "sleep 60; exit 7"]).spawn().unwrap();
        let list = format!("/proc/{0}/task/{0}/children", parent.id());
        while std::fs::read_to_string(&list).unwrap().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_children_of(parent.id());
        assert_eq!(parent.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn the_cargo_that_we_start_does_not_know_which_crate_starts_it() {
        // Cargo sets this one for whatever it runs, this test too.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let removed: Vec<_> = cargo()
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_owned())
            .collect();
        assert!(removed.iter().any(|name| name == "CARGO_PKG_NAME"), "{removed:?}");
        assert!(
            ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO"]
                .iter()
                .all(|kept| !describes_a_crate(kept))
        );
    }
}
