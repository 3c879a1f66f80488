//! The agent's side of a gate: the program itself, and a client for the one that runs in a container. Robust against
//! the gate's end: whatever happens to the socket, the `status` file has the last word.

mod folder;
mod state;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use ::gate::cap::{Admitted, Cap, is_full, most as most_of};
pub use ::gate::exit::{self, ExitStatus};
use ::gate::wire::{Event, MAX_MESSAGE, Probe, Request, take_message};
pub use ::gate::wire::{Go, Health, HealthCheck, HealthState, ProbeTarget};
pub use ::gate::{FOLDER, LOG, OUTPUTS, SCRIPT, SECRETS, SESSION, SOCKET, STATUS};
use folder::{connect_in, open_directory, status_in};
pub use folder::{forget, open_log, read_file, read_status};
use job_specs::units::duration;
pub use state::{GatePhase, GateState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::lock::lock;

/// The gate program: static, for this machine's architecture.
pub const BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gate"));

/// A connection to one gate; clones share it, and it closes with the last.
#[derive(Clone)]
pub struct GateClient {
    state: watch::Receiver<GateState>,
    /// `None`: the gate was over before we came.
    connection: Option<Arc<Connection>>,
}

/// The open socket. The task that reads it ends with it.
struct Connection {
    writer: tokio::sync::Mutex<Writer>,
    probes: Probes,
    next_probe: AtomicU64,
    reader: AbortHandle,
}

/// The way to the gate.
struct Writer {
    half: OwnedWriteHalf,
    /// What a caller who gave up half-way has left: it goes first, or no later message could be read.
    unsent: Vec<u8>,
}

/// Who waits for which probe; `None` once the gate is gone.
type Probes = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Result<(), String>>>>>>;

/// Pause between looks for a socket that is not there yet: its container takes 50 ms and more to start.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// A socket on which nobody has listened for this long will never be served again.
const DEAF: Duration = Duration::from_millis(100);

/// A gate says what runs within a millisecond; a busy machine may need longer, and nobody waits long for a remark.
const SAYS_WHAT_RUNS: Duration = Duration::from_millis(500);

/// What can go wrong with a gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nobody answered in time.
    #[error("the gate in {folder} did not answer within {}", duration(*waited))]
    Timeout {
        /// The gate's folder.
        folder: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The gate is gone.
    #[error("the gate is gone")]
    Gone,
    /// Its folder or socket cannot be used.
    #[error("talk to the gate")]
    Io(#[from] std::io::Error),
}

impl GateClient {
    /// Connects to the gate of `folder`; waits until it listens. A gate that is already over (its status is there) is
    /// a client too, in phase [`GatePhase::Exited`].
    pub async fn connect(folder: &Path, timeout: Duration) -> Result<GateClient, GateError> {
        let deadline = Instant::now() + timeout;
        let late = || GateError::Timeout {
            folder: folder.display().to_string(),
            waited: timeout,
        };
        let directory = open_directory(folder)?;
        let mut deaf_since = None;
        loop {
            if let Some(status) = status_in(&directory) {
                return Ok(GateClient::over(GatePhase::Exited(status)));
            }
            match connect_in(&directory).await {
                Ok(stream) => {
                    let client = GateClient::open(stream, directory);
                    let mut state = client.state();
                    let greeted = timeout_at(deadline, state.wait_for(|state| state.greeted)).await;
                    return greeted.map(|_| client).map_err(|_| late());
                }
                Err(error) if error.kind() == ErrorKind::NotFound => deaf_since = None,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    let since = *deaf_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > DEAF {
                        return Ok(GateClient::over(GatePhase::Lost));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= deadline {
                return Err(late());
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Starts the child. A second `go` changes nothing.
    pub async fn go(&self, mut go: Go) -> Result<(), GateError> {
        go.log_limit = if self.speaks(4) { go.log_limit } else { 0 };
        self.send(&Request::Go(go)).await
    }

    /// Sends a signal to the child's process group.
    pub async fn signal(&self, signal: i32) -> Result<(), GateError> {
        self.send(&Request::Signal(signal)).await
    }

    /// Ends everything in the container now.
    pub async fn kill(&self) -> Result<(), GateError> {
        self.send(&Request::Kill).await
    }

    /// Ends a gate that has no running child.
    pub async fn quit(&self) -> Result<(), GateError> {
        self.send(&Request::Quit).await
    }

    /// The command line that the child runs just now. `None`: only itself, or the gate does not say.
    pub async fn running(&self) -> Option<String> {
        self.speaks(2).then_some(())?;
        let mut state = self.state();
        let asked = state.borrow().busy.0;
        self.send(&Request::WhatRuns).await.ok()?;
        let answered = state.wait_for(|state| state.busy.0 > asked);
        let state = tokio::time::timeout(SAYS_WHAT_RUNS, answered).await.ok()?.ok()?;
        state.busy.1.clone()
    }

    /// Ends the processes of a shell session.
    pub async fn end_session(&self, session: &str) -> Result<(), GateError> {
        if !self.speaks(2) {
            return Ok(());
        }
        self.send(&Request::EndSession(session.to_owned())).await
    }

    /// Waits until the health command succeeds in tries that begin from now on, which begin at once; what it said before
    /// does not count.
    pub async fn healthy_from_now(&self) -> Result<(), GateError> {
        let mut state = self.state();
        let mut round = 0; // an old gate knows of none: what it says holds
        if self.speaks(3) {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            round = since.map_or(1, |since| u64::try_from(since.as_micros()).unwrap_or(1)); // never one of before
            self.send(&Request::LookAgain(round)).await?;
        }
        let is_it = |health: &Health| health.round == round && health.state == HealthState::Healthy;
        let healthy = state.wait_for(|state| state.health.as_ref().is_some_and(is_it));
        healthy.await.map(drop).map_err(|_| GateError::Gone)
    }

    /// Has all in the log that it will have: nothing more is written after this.
    pub async fn end_log(&self) -> Result<(), GateError> {
        if !self.speaks(4) {
            return Ok(());
        }
        self.send(&Request::EndLog).await?;
        let mut state = self.state();
        let ended = state.wait_for(|state| state.log_ended).await;
        ended.map(drop).map_err(|_| GateError::Gone)
    }

    /// Has an anchor try to reach `target` until it answers or `timeout` is over; `Ok(Err(words))` says what the last
    /// try met. Dropping the future forgets the answer.
    pub async fn probe(
        &self,
        target: ProbeTarget,
        interval: Duration,
        timeout: Duration,
    ) -> Result<Result<(), String>, GateError> {
        let target = match target {
            ProbeTarget::Ask { addr, .. } if !self.speaks(5) => ProbeTarget::Tcp(addr),
            target => target,
        };
        let connection = self.connection.as_ref().ok_or(GateError::Gone)?;
        let id = connection.next_probe.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&connection.probes)
            .as_mut()
            .ok_or(GateError::Gone)?
            .insert(id, answer);
        let probe = Probe {
            id,
            target,
            interval_ms: millis(interval),
            timeout_ms: millis(timeout),
        };
        self.send(&Request::Probe(probe)).await?;
        answered.await.map_err(|_| GateError::Gone)
    }

    fn speaks(&self, version: u32) -> bool {
        self.state.borrow().version >= version
    }

    /// All that is known of the gate, now and whenever it changes.
    pub fn state(&self) -> watch::Receiver<GateState> {
        self.state.clone()
    }

    /// Waits until the child runs or is over; its start in microseconds since 1970.
    pub async fn started(&self) -> Result<i64, GateError> {
        let mut state = self.state();
        let settled = |state: &GateState| state.started_us.is_some() || state.phase == GatePhase::Lost;
        let state = state.wait_for(settled).await.map_err(|_| GateError::Gone)?;
        state.started_us.ok_or(GateError::Gone)
    }

    /// Waits for the end of the child. [`GateError::Gone`]: the gate went without leaving a status (killed container).
    pub async fn exited(&self) -> Result<ExitStatus, GateError> {
        let mut state = self.state();
        let over = |state: &GateState| matches!(state.phase, GatePhase::Exited(_) | GatePhase::Lost);
        let state = state.wait_for(over).await.map_err(|_| GateError::Gone)?;
        match &state.phase {
            GatePhase::Exited(status) => Ok(status.clone()),
            GatePhase::Idle | GatePhase::Running | GatePhase::Lost => Err(GateError::Gone),
        }
    }

    /// A client of a gate that is over.
    fn over(phase: GatePhase) -> GateClient {
        let mut state = GateState::default();
        state.end(phase);
        let (_, state) = watch::channel(state);
        GateClient {
            state,
            connection: None,
        }
    }

    /// A client with a task that reads.
    fn open(stream: UnixStream, directory: OwnedFd) -> GateClient {
        let (read, write) = stream.into_split();
        let (sender, state) = watch::channel(GateState::default());
        let probes: Probes = Arc::new(Mutex::new(Some(HashMap::new())));
        let task = tokio::spawn(follow(read, directory, sender, probes.clone()));
        let connection = Connection {
            writer: tokio::sync::Mutex::new(Writer {
                half: write,
                unsent: Vec::new(),
            }),
            probes,
            next_probe: AtomicU64::new(0),
            reader: task.abort_handle(),
        };
        GateClient {
            state,
            connection: Some(Arc::new(connection)),
        }
    }

    async fn send(&self, request: &Request) -> Result<(), GateError> {
        let connection = self.connection.as_ref().ok_or(GateError::Gone)?;
        let mut message = Vec::new();
        request.encode(&mut message);
        if message.len() > MAX_MESSAGE {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the script or the environment is too long").into());
        }
        let mut writer = connection.writer.lock().await;
        writer.unsent.extend_from_slice(&message);
        writer.flush().await.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected => GateError::Gone,
            _ => error.into(),
        })
    }
}

impl Writer {
    /// Safe to drop half-way.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let count = self.half.write(&self.unsent).await?;
            self.unsent.drain(..count);
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads until the gate is gone, then asks the status file.
async fn follow(read: OwnedReadHalf, directory: OwnedFd, state: watch::Sender<GateState>, probes: Probes) {
    if let Err(error) = read_events(read, &state, &probes).await {
        tracing::debug!(%error, "the gate's socket broke");
    }
    state.send_if_modified(|state| {
        if matches!(state.phase, GatePhase::Exited(_)) {
            return false;
        }
        state.end(status_in(&directory).map_or(GatePhase::Lost, GatePhase::Exited));
        true
    });
    *lock(&probes) = None;
}

async fn read_events(mut read: OwnedReadHalf, state: &watch::Sender<GateState>, probes: &Probes) -> io::Result<()> {
    let mut buffer = Vec::new();
    while read.read_buf(&mut buffer).await? > 0 {
        let malformed = |error| io::Error::new(ErrorKind::InvalidData, error);
        while let Some(message) = take_message(&mut buffer).map_err(malformed)? {
            match Event::decode(&message).map_err(malformed)? {
                Event::ProbeDone { id, ok, message } => {
                    if let Some(waiting) = lock(probes).as_mut().and_then(|probes| probes.remove(&id)) {
                        // Nobody may be waiting any more.
                        let _ = waiting.send(if ok { Ok(()) } else { Err(message) });
                    }
                }
                event => state.send_modify(|state| state.apply(event)),
            }
        }
    }
    Ok(())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
