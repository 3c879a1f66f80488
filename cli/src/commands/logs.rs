//! `drover logs`: every line of a build, in order, each with its job, step or service, and time.

use anyhow::Context;
use futures_util::StreamExt;
use protocol::api::BuildLogLine;
use protocol::ids::StreamId;

use crate::args::Logs;
use crate::client::Client;
use crate::exit::Exit;
use crate::render;

/// Prints lines as they come; with `--follow`, until the build ends.
pub async fn logs(client: &Client, logs: &Logs) -> anyhow::Result<Exit> {
    let mut query = Vec::new();
    query.extend(logs.job.iter().map(|job| ("job", job.clone())));
    query.extend(logs.step.iter().map(|step| ("step", step.clone())));
    query.extend(logs.service.iter().map(|service| ("service", service.clone())));
    if logs.follow {
        query.push(("follow", "1".to_owned()));
    }
    if logs.raw {
        query.push(("raw", "1".to_owned()));
    }
    let response = client.stream(&format!("/builds/{}/logs", logs.number), &query).await?;
    let mut out = Lines::new(std::io::stdout().lock());
    let mut body = response.bytes_stream();
    let mut pieces = Pieces::default();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.context("the log broke off; call again to see the rest")?;
        if logs.raw {
            if !out.print_bytes(&chunk)? {
                return Ok(Exit::Passed);
            }
            continue;
        }
        let whole = pieces.add(&chunk);
        for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if !out.print(line, logs)? {
                return Ok(Exit::Passed);
            }
        }
        out.flush()?;
    }
    Ok(Exit::Passed)
}

/// A body that comes in pieces, as whole lines.
#[derive(Default)]
pub struct Pieces {
    /// The begin of a line whose end has not come.
    pending: Vec<u8>,
}

impl Pieces {
    /// Takes the next piece; gives the lines that are whole now.
    pub fn add(&mut self, piece: &[u8]) -> Vec<u8> {
        self.pending.extend_from_slice(piece);
        let whole = self
            .pending
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.pending.drain(..whole).collect()
    }
}

struct Lines<W: std::io::Write> {
    out: std::io::BufWriter<W>,
}

impl<W: std::io::Write> Lines<W> {
    fn new(out: W) -> Lines<W> {
        Lines {
            out: std::io::BufWriter::with_capacity(64 * 1024, out),
        }
    }

    /// Prints one line of the answer; false when nobody reads any more.
    fn print(&mut self, json: &[u8], logs: &Logs) -> anyhow::Result<bool> {
        use std::io::Write;
        let written = if logs.json {
            self.out.write_all(json).and_then(|()| self.out.write_all(b"\n"))
        } else {
            let line: BuildLogLine<'_> = serde_json::from_slice(json).context("read a line of the log")?;
            writeln!(
                self.out,
                "{} {} {} {} {}",
                render::clock(line.t),
                line.job,
                place(&line),
                bar(&line),
                line.text
            )
        };
        gone_is_fine(written)
    }

    /// Prints bytes as they came; false when nobody reads any more.
    fn print_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<bool> {
        use std::io::Write;
        gone_is_fine(self.out.write_all(bytes).and_then(|()| self.out.flush()))
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        use std::io::Write;
        gone_is_fine(self.out.flush()).map(drop)
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn gone_is_fine(written: std::io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("print the log"),
    }
}

/// `step 2 integration`, `service db` or `drover`.
pub fn place(line: &BuildLogLine<'_>) -> String {
    match (
        &line.service,
        StreamId::parse(&line.stream).and_then(|stream| stream.step_index()),
    ) {
        (Some(service), _) => format!("service:{service}"),
        (None, Some(index)) => match &line.step {
            Some(name) => format!("{}:{}", index + 1, cut(name)),
            None => format!("step:{}", index + 1),
        },
        (None, None) => "drover".to_owned(),
    }
}

/// A name before each line is no longer than this, characters.
const NAME: usize = 24;

/// A step without a name is called like the first line of its script, which is too long to stand before every line.
fn cut(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(NAME - 1).collect();
    format!("{}…", begin.trim_end())
}

/// What stands before a line's text: standard error is told apart.
pub fn bar(line: &BuildLogLine<'_>) -> &'static str {
    match &*line.s {
        "e" => "!",
        "s" => "·",
        _ => "|",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_before_a_line_is_short() {
        let named = |name: &str| {
            place(&BuildLogLine {
                job: "test".into(),
                job_id: "j".into(),
                attempt: 1,
                n: 1,
                stream: "step-1".into(),
                step: Some(name.into()),
                service: None,
                t: 0,
                s: "o".into(),
                text: "".into(),
            })
        };
        assert_eq!(named("unit tests"), "2:unit tests");
        assert_eq!(
            named("printf 'é%s' a long; head -c 100000 /dev/zero"),
            "2:printf 'é%s' a long; he…"
        );
    }
}
