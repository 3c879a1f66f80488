//! Probes: an anchor tries to reach a service over the job's network, which sees what a step will see. One small thread
//! each, because a try may block in a connect for a second.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gate::wire::{Event, Probe, ProbeTarget};

use crate::clients::ClientId;
use crate::sys;

/// A connect that takes longer is tried again: the service's address may have come alive in between.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer to one HTTP request may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest pause before a server that still starts is asked again.
const PATIENT: Duration = Duration::from_millis(500);
/// So much of the answer to a question is read, bytes.
const MOST_ANSWER: usize = 512;
/// How often more is read of an answer that is not wanted.
const MOST_READS: usize = 32;
/// How long to wait for each part of it.
const LEAVE: Duration = Duration::from_millis(100);
const STACK_BYTES: usize = 64 * 1024;

/// All probes under way.
pub struct Probes {
    results: Receiver<(ClientId, Event)>,
    reporter: Reporter,
    wake: PipeReader,
}

/// What a probe's thread holds.
#[derive(Clone)]
struct Reporter {
    results: Sender<(ClientId, Event)>,
    wake: Arc<PipeWriter>,
}

impl Probes {
    /// None under way.
    pub fn new() -> io::Result<Probes> {
        let (reporter, results) = channel();
        let (wake, waker) = io::pipe()?;
        sys::set_nonblocking(wake.as_fd())?;
        sys::set_nonblocking(waker.as_fd())?;
        let reporter = Reporter {
            results: reporter,
            wake: Arc::new(waker),
        };
        Ok(Probes {
            results,
            reporter,
            wake,
        })
    }

    /// What to wait for.
    pub fn wake(&self) -> &PipeReader {
        &self.wake
    }

    /// The probes that are over since the last call.
    pub fn finished(&mut self) -> Vec<(ClientId, Event)> {
        let mut buffer = [0; 64];
        while self.wake.read(&mut buffer).is_ok_and(|count| count == buffer.len()) {}
        self.results.try_iter().collect()
    }

    /// Begins one for this client.
    pub fn start(&self, client: ClientId, probe: Probe) {
        let reporter = self.reporter.clone();
        let id = probe.id;
        let work = move || {
            let (ok, message) = run(&probe).map_or_else(|words| (false, words), |()| (true, String::new()));
            reporter.report(client, Event::ProbeDone { id, ok, message });
        };
        if let Err(error) = thread::Builder::new().stack_size(STACK_BYTES).spawn(work) {
            let message = format!("the probe could not be started: {error}");
            self.reporter
                .report(client, Event::ProbeDone { id, ok: false, message });
        }
    }
}

impl Reporter {
    fn report(&self, client: ClientId, event: Event) {
        // Neither can fail in a way that matters: the receiver lives as long as the process, and a full pipe wakes too.
        let _ = self.results.send((client, event));
        let _ = (&*self.wake).write(&[1]);
    }
}

/// Tries until it is reached or the time is over; what the last try said. A server that says that it still starts is
/// asked less and less often: it may write each question to its log.
fn run(probe: &Probe) -> Result<(), String> {
    let end = Instant::now() + Duration::from_millis(probe.timeout_ms.into());
    let mut pause = Duration::from_millis(probe.interval_ms.max(1).into());
    loop {
        let answer = attempt(&probe.target, end);
        if answer.is_ok() || Instant::now() + pause >= end {
            return answer.map_err(ProbeError::words);
        }
        thread::sleep(pause);
        if let Err(ProbeError::Starting(_)) = answer {
            pause = (pause * 2).min(PATIENT);
        }
    }
}

/// Why a target was not reached, in words.
enum ProbeError {
    Failed(String),
    /// It says itself that it is not there yet.
    Starting(String),
}

impl ProbeError {
    fn words(self) -> String {
        let (ProbeError::Failed(words) | ProbeError::Starting(words)) = self;
        words
    }
}

fn attempt(target: &ProbeTarget, end: Instant) -> Result<(), ProbeError> {
    match target {
        ProbeTarget::Tcp(addr) => connect(*addr, end).map(drop).map_err(ProbeError::Failed),
        ProbeTarget::Http { addr, path } => http(*addr, path, end).map_err(ProbeError::Failed),
        ProbeTarget::Ask {
            addr,
            question,
            starting,
        } => ask(*addr, question, starting, end),
    }
}

fn connect(addr: SocketAddr, end: Instant) -> Result<TcpStream, String> {
    TcpStream::connect_timeout(&addr, time_left(end, CONNECT)).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer to a connection attempt".to_owned(),
        _ => error.to_string(),
    })
}

/// Asks for the path; any answer from 200 to 399 is good.
fn http(addr: SocketAddr, path: &str, end: Instant) -> Result<(), String> {
    let mut stream = connect(addr, end)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let request = format!(
        "GET {slash}{path} HTTP/1.1\r\nHost: {addr}\r\nUser-Agent: drover\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let patience = Some(time_left(end, ANSWER));
    let exchange = |stream: &mut TcpStream| {
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    let answer: [u8; 12] = exchange(&mut stream).map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it accepts connections but does not answer".to_owned(),
        io::ErrorKind::UnexpectedEof => "it closed the connection without an answer".to_owned(),
        _ => error.to_string(),
    })?;
    let status = answer
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| std::str::from_utf8(&rest[2..]).ok());
    match status.and_then(|status| status.parse::<u16>().ok()) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("it answered {status}")),
        None => Err("it does not speak HTTP".to_owned()),
    }
}

/// Asks what has accepted the connection whether it still starts. One that does not understand the question, closes, or
/// says nothing for long is another server than the one that was expected: it accepts connections.
fn ask(addr: SocketAddr, question: &[u8], starting: &[u8], end: Instant) -> Result<(), ProbeError> {
    let mut stream = connect(addr, end).map_err(ProbeError::Failed)?;
    let patience = Some(time_left(end, ANSWER));
    let exchange = |stream: &mut TcpStream| {
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        stream.write_all(question)?;
        let mut answer = [0; MOST_ANSWER];
        let count = stream.read(&mut answer)?;
        take_leave(stream);
        Ok(answer[..count].to_vec())
    };
    let answer = exchange(&mut stream).unwrap_or_else(|_: io::Error| Vec::new());
    if answer.windows(starting.len()).any(|part| part == starting) {
        return Err(ProbeError::Starting(format!("it answered: {}", words(&answer))));
    }
    if answer.is_empty() && Instant::now() >= end {
        return Err(ProbeError::Failed(
            "it accepts connections but does not answer".to_owned(),
        ));
    }
    Ok(())
}

/// Ends the connection as a client does that has read everything: a server writes a connection that is reset to its log.
/// None of it can fail in a way that matters.
fn take_leave(stream: &mut TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(LEAVE));
    let mut rest = [0; MOST_ANSWER];
    for _ in 0..MOST_READS {
        if !stream.read(&mut rest).is_ok_and(|count| count > 0) {
            return;
        }
    }
}

/// What of an answer people can read.
fn words(answer: &[u8]) -> String {
    let parts = answer.split(|byte| !matches!(byte, b' '..=b'~'));
    let parts = parts.filter(|part| !part.is_empty()).map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(" ")
}

/// What is left of the time, at most `most` and never nothing.
fn time_left(end: Instant, most: Duration) -> Duration {
    end.saturating_duration_since(Instant::now())
        .clamp(Duration::from_millis(1), most)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn probe(target: ProbeTarget, timeout_ms: u32) -> Probe {
        Probe {
            id: 1,
            target,
            interval_ms: 1,
            timeout_ms,
        }
    }

    /// A server that gives each connection the next of these answers.
    fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let count = stream.read(&mut request).unwrap();
                assert!(request[..count].starts_with(b"GET /ready HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        addr
    }

    #[test]
    fn an_http_probe_waits_for_a_good_answer() {
        let addr = server(&[
            "HTTP/1.1 503 Busy\r\n\r\n",
            "",
            "SSH-2.0-OpenSSH",
            "HTTP/1.0 302 Found\r\n\r\n",
        ]);
        let target = ProbeTarget::Http {
            addr,
            path: "ready".into(),
        };
        assert_eq!(run(&probe(target, 60_000)), Ok(()));
    }

    #[test]
    fn a_server_that_still_starts_is_asked_again_and_any_other_answer_will_do() {
        let target = |answers: Vec<&'static str>| ProbeTarget::Ask {
            addr: server(Vec::leak(answers)),
            question: b"GET /ready HTTP/1.1\r\n".to_vec(),
            starting: b"-LOADING".to_vec(),
        };
        let busy = "-LOADING the dataset\r\n";
        for last in ["+PONG\r\n", "-NOAUTH\r\n", ""] {
            assert_eq!(run(&probe(target(vec![busy, busy, last]), 60_000)), Ok(()));
        }
        let said = "it answered: -LOADING the dataset".to_owned();
        assert_eq!(run(&probe(target(vec![busy]), 0)), Err(said));
    }

    #[test]
    fn a_probe_that_gives_up_says_what_it_met() {
        let addr = server(&["HTTP/1.1 503 Busy\r\n\r\n"]);
        let target = ProbeTarget::Http {
            addr,
            path: "/ready".into(),
        };
        assert_eq!(run(&probe(target, 0)), Err("it answered 503".to_owned()));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(
            run(&probe(ProbeTarget::Tcp(closed), 5)),
            Err("connection refused".to_owned())
        );
    }
}
