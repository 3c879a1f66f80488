//! This side's terminal: its size, and the mode in which every key goes through as it is.

use std::io::IsTerminal;

use anyhow::Context;
use protocol::shell::ShellSize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal's size, when input and output are both one.
pub fn size() -> Option<ShellSize> {
    let (input, output) = (std::io::stdin(), std::io::stdout());
    if !input.is_terminal() || !output.is_terminal() {
        return None;
    }
    let size = tcgetwinsize(&output).ok()?;
    // Some say nothing; a terminal of no width is of no use.
    Some(ShellSize {
        cols: if size.ws_col == 0 { 80 } else { size.ws_col },
        rows: if size.ws_row == 0 { 24 } else { size.ws_row },
    })
}

/// Keys go through as they are while this exists; afterwards the terminal is as it was.
pub struct Raw(Termios);

impl Raw {
    /// From now on.
    pub fn enter() -> anyhow::Result<Raw> {
        let input = std::io::stdin();
        let before = tcgetattr(&input).context("read the terminal's mode")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&input, OptionalActions::Now, &raw).context("set the terminal's mode")?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0) {
            tracing::warn!(%error, "the terminal cannot be set back; `reset` helps");
        }
    }
}
