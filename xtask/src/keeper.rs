//! Servers that must not outlive us. Each is watched by a small shell in a session of its own that reads a pipe from
//! us: when the pipe closes (we are done, failed, were interrupted or killed) it stops the server and removes the
//! folder. So a Ctrl-C leaves nothing, and no signal handler is needed.

use crate::process;
use anyhow::Context;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `$1` the folder to remove, `$2` the signal that stops the server politely; the rest is its command line.
const WATCH: &str = r#"
folder=$1 signal=$2
shift 2
"$@" </dev/null &
pid=$!
echo "$pid" >"$folder/keeper.pid"
read -r word
if [ "$word" = release ]; then exit 0; fi
kill -"$signal" "$pid" 2>/dev/null
for _ in $(seq 300); do
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
done
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf -- "$folder"
"#;

/// A running server and its folder; both go when this goes.
pub struct Keeper {
    shell: Child,
    folder: PathBuf,
    log: PathBuf,
}

impl Keeper {
    /// Starts a command whose folder exists and is removed at the end; its output goes to the log, and the signal, as
    /// `kill` names it, stops it politely.
    ///
    /// # Errors
    /// When the shell cannot be started or the log cannot be made.
    pub fn start(folder: &Path, log: &Path, signal: &str, command: &Command) -> anyhow::Result<Keeper> {
        let output = File::create(log).with_context(|| format!("make {}", log.display()))?;
        let mut shell = Command::new("setsid");
        shell.args(["sh", "-c", WATCH, "keeper"]);
        shell.arg(folder).arg(signal);
        process::hand_over(command, &mut shell);
        shell.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let shell = shell
            .spawn()
            .with_context(|| format!("start {}", process::line(command)))?;
        Ok(Keeper {
            shell,
            folder: folder.to_owned(),
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says yes, asking every 20 ms.
    ///
    /// # Errors
    /// When the time is over; the message has the end of the server's log.
    pub fn wait_until(&self, limit: Duration, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !ready() {
            if begin.elapsed() > limit || self.is_over() {
                let said = process::tail(&self.log, 20);
                anyhow::bail!("the server in {} did not become ready:\n{said}", self.folder.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The server's process id, once it was started.
    pub fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.folder.join("keeper.pid")).ok()?;
        text.trim().parse().ok()
    }

    /// Leaves the server running after us.
    pub fn release(mut self) {
        if let Some(pipe) = self.shell.stdin.as_mut() {
            // When the shell is gone there is nothing left to release.
            let _ = pipe.write_all(b"release\n");
        }
    }

    /// True when the server has ended by itself.
    fn is_over(&self) -> bool {
        self.pid().is_some_and(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The shell gives the server 30 s and then kills it, so this ends.
        let _ = self.shell.wait();
    }
}
