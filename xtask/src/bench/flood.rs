//! `cargo xtask bench flood`: what a coordinator on loopback holds, and how soon it answers others, while strangers post
//! large bodies and while they hold connections open in silence. The numbers are bounded and nothing leaves the machine.

use super::servers::{self, Running};
use super::table;
use crate::http::Server;
use crate::{process, say};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Posts at once.
const POSTS: usize = 400;
/// Bytes of each: as many as a webhook may have.
const BODY: usize = 5 << 20;
/// Connections that say nothing: more than the coordinator takes.
const SILENT: usize = 4_200;
/// Files that this process needs for them.
const FILES: u64 = 6_000;
/// How often others ask meanwhile.
const ASKED: usize = 50;

/// Measures both.
///
/// # Errors
/// When the coordinator cannot be started, or ends.
pub fn run(binary: &Path) -> anyhow::Result<Value> {
    raise_limit_of_files()?;
    let home = tempfile::tempdir().context("make a folder")?;
    let (coordinator, url) = servers::coordinator(binary, home.path())?;
    let address = url.strip_prefix("http://").context("read the address")?;
    let drover = |words: &[&str]| process::output(crate::stage::at_home(binary, home.path()).args(words));
    drover(&["repo", "add", "app", "--git", "https://git.example/app.git"])?;

    say::heading("strangers on loopback");
    let before = servers::resident(coordinator.keeper.pid())?;
    let (peak, answers) = posts(&coordinator, address)?;
    table::number("memory before", Some(before), "MB", None);
    table::number(
        &format!("memory during {POSTS} posts of 5 MiB"),
        Some(peak),
        "MB",
        Some(150.0),
    );
    say::line(format_args!("answers: {answers:?} (0: it closed the connection first)"));
    let (slowest, held) = silence(&coordinator, address)?;
    table::number(
        &format!("slowest answer beside {SILENT} silent connections"),
        Some(slowest),
        "ms",
        Some(1_000.0),
    );
    table::number("memory beside them", Some(held), "MB", Some(150.0));
    Ok(json!({
        "memory_before_mb": before,
        "memory_during_posts_mb": peak,
        "answers": answers,
        "slowest_answer_ms": slowest,
        "memory_beside_silence_mb": held,
    }))
}

/// The most memory while all post at once, and how often which answer came.
fn posts(coordinator: &Running, address: &str) -> anyhow::Result<(f64, BTreeMap<u16, usize>)> {
    let body = vec![b'x'; BODY];
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak: f64 = 0.0;
            while !over.load(Ordering::Relaxed) {
                peak = peak.max(servers::resident(coordinator.keeper.pid())?);
                std::thread::sleep(Duration::from_millis(10));
            }
            anyhow::Ok(peak)
        });
        let posting: Vec<_> = (0..POSTS)
            .map(|number| {
                scope.spawn({
                    let body = &body;
                    move || post(address, number, body)
                })
            })
            .collect();
        let mut answers = BTreeMap::new();
        for one in posting {
            *answers.entry(one.join().unwrap_or(0)).or_default() += 1;
        }
        over.store(true, Ordering::Relaxed);
        let peak = watch
            .join()
            .map_err(|_| anyhow::anyhow!("the watch of the memory broke"))??;
        Ok((peak, answers))
    })
}

/// A webhook that nobody signed: with and without something that looks like a signature, for a repository that exists and
/// for one that does not.
fn post(address: &str, number: usize, body: &[u8]) -> u16 {
    let name = if number.is_multiple_of(2) {
        "app"
    } else {
        "nothing-here"
    };
    let signature = match number % 4 {
        0 | 1 => format!("x-drover-signature-256: sha256={}\r\n", "0".repeat(64)),
        _ => String::new(),
    };
    let head = format!(
        "POST /hooks/generic/{name} HTTP/1.1\r\nhost: {address}\r\n{signature}content-length: {}\r\n\r\n",
        body.len()
    );
    let answer = || -> anyhow::Result<u16> {
        let mut stream = TcpStream::connect(address)?;
        // A server that has answered need not take the rest.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.split(' ').nth(1).context("no answer")?.parse()?)
    };
    answer().unwrap_or(0)
}

/// The slowest of [`ASKED`] answers while the connections stand, in milliseconds, and the memory then.
fn silence(coordinator: &Running, address: &str) -> anyhow::Result<(f64, f64)> {
    let mut silent = Vec::with_capacity(SILENT);
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(address).context("connect in silence")?);
    }
    let server = Server::new(&format!("http://{address}"), None);
    let mut slowest = Duration::ZERO;
    for _ in 0..ASKED {
        let begin = Instant::now();
        ensure!(server.answers("/healthz"), "the coordinator does not answer others");
        slowest = slowest.max(begin.elapsed());
    }
    let held = servers::resident(coordinator.keeper.pid())?;
    Ok((slowest.as_secs_f64() * 1_000.0, held))
}

/// Runs this process again with more open files, where it may have too few.
fn raise_limit_of_files() -> anyhow::Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits").context("read our limits")?;
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = files
        .and_then(|line| line.split_whitespace().nth(3))
        .context("read our limit of files")?;
    if soft == "unlimited" || soft.parse::<u64>()? >= FILES {
        return Ok(());
    }
    let own = std::env::current_exe().context("find this program")?;
    let script = format!("ulimit -n {FILES} && exec \"$0\" \"$@\"");
    let error = Command::new("sh")
        .args(["-c", &script])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).context("start again with more open files")
}
