//! `cargo xtask docs`: the reference pages are made by `drover` itself, from what it reads by. A test that shows a key of
//! the job language says so in a comment above it, which the page of keys then names: `// key: services.ulimits`.

use std::process::{Command, ExitCode};

use crate::process;

/// Writes the pages.
///
/// # Errors
/// When `drover` cannot be built, or a marker names a key that does not exist.
pub fn run() -> anyhow::Result<ExitCode> {
    process::run(reference().arg(process::workspace()))?;
    Ok(ExitCode::SUCCESS)
}

/// The pages that are not what they would be if they were made now.
pub fn differing() -> Vec<String> {
    let output = reference().arg(process::workspace()).arg("--check").output();
    match output {
        Ok(output) if output.status.success() => Vec::new(),
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let lines = said.lines().filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        }
        Err(error) => vec![format!("cannot run drover: {error}")],
    }
}

fn reference() -> Command {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "drover", "--profile", "test"]);
    command.args(["--", "__reference"]);
    command
}
