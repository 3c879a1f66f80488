//! What the tasks print about themselves: one line for each thing done, with how long it took. Apart from the rest so
//! that every task speaks alike.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Prints a heading: a new part of the task begins.
pub fn heading(text: impl Display) {
    println!("\n{}", bold(&format!("==> {text}")));
    flush();
}

/// Prints one line about something that is now true.
pub fn line(text: impl Display) {
    println!("    {text}");
    flush();
}

/// Text in bold when somebody reads it in a terminal.
pub fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A duration as people say it: `8 ms`, `1.3 s`, `4 min 09 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else if seconds < 120 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Does `work` and prints `text` with the time it took.
pub fn timed<T>(text: impl Display, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let begin = Instant::now();
    let done = work()?;
    line(format_args!("{text} ({})", duration(begin.elapsed())));
    Ok(done)
}

fn flush() {
    // A reader that went away is no reason to stop.
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(duration(Duration::from_millis(8)), "8 ms");
        assert_eq!(duration(Duration::from_millis(1_340)), "1.3 s");
        assert_eq!(duration(Duration::from_secs(249)), "4 min 09 s");
    }
}
