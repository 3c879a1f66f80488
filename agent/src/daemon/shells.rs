//! Shells that the coordinator asks for: the agent opens the socket back to it, finds the container, and lets a session
//! run between the two.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::ids::{AttemptId, StreamId};
use protocol::lease::LeaseRef;
use protocol::shell::{ShellCall, ShellMessage, ShellTarget};
use protocol::work::WorkId;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use super::records;
use super::work::{self, AgentContext};
use crate::attempt::AttemptInput;
use crate::attempt::folder::AttemptFolder;
use crate::attempt::report::job_log::JobLog;
use crate::coordinator::ShellSocket;
use crate::lock::lock;
use crate::logs::mask::Masker;
use crate::shell::session::Typed;
use crate::shell::{NoShellContainer, Session, SessionEnd, target};

/// The last output may take so long to be taken.
const LAST_BYTES: Duration = Duration::from_secs(5);
/// Pieces of input or output that wait at most; the peer waits with the rest.
const WAITING: usize = 16;

/// How often a container that is not there yet is looked for.
const LOOKS: u32 = 40;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Opens a shell, to its end.
pub async fn open(agent: AgentContext, call: ShellCall) {
    let mut socket = match agent.coordinator.shell(&call.id).await {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(work = %call.work, %error, "a shell cannot be brought to the coordinator");
            return;
        }
    };
    let last_word = match enter(&agent, &call).await {
        Ok((session, title)) => {
            tracing::info!(work = %call.work, by = call.by, title, "a shell is opened");
            send(&mut socket, &ShellMessage::Ready { title: title.clone() }).await;
            let end = carry(&agent, session, &mut socket).await;
            tracing::info!(work = %call.work, by = call.by, title, ?end, "a shell is closed");
            last_word(end)
        }
        Err(NoShellContainer(message)) => ShellMessage::Failed { message },
    };
    send(&mut socket, &last_word).await;
    // The coordinator may have closed it already.
    let _ = socket.close(None).await;
}

fn last_word(end: SessionEnd) -> ShellMessage {
    let message = match end {
        SessionEnd::Exited(code) => return ShellMessage::Exit { code },
        SessionEnd::Closed => "the shell was closed".to_owned(),
        SessionEnd::Idle => "the shell was closed: nothing happened in it for 30 minutes".to_owned(),
        SessionEnd::Broken(why) => format!("the shell broke off: {why}"),
    };
    ShellMessage::Failed { message }
}

/// Finds the container and starts the command; where that is, for people.
async fn enter(agent: &AgentContext, call: &ShellCall) -> Result<(Session, String), NoShellContainer> {
    let gone = || NoShellContainer("the job is over and nothing of it is left on its agent".into());
    let attempt = match &call.work {
        WorkId::Attempt(attempt) => attempt.clone(),
        WorkId::Stack(stack) => agent.context.retained.attempt_of(stack).ok_or_else(gone)?,
    };
    let folder = AttemptFolder::of(&agent.context.attempts, &attempt);
    let (epoch, leased) = records::read(&folder).ok_or_else(gone)?;
    let held = LeaseRef {
        attempt: attempt.clone(),
        epoch,
        resume: false,
    };
    let input: AttemptInput = work::input(agent, &held, leased);
    let masker = agent.masks.of(&attempt);
    for look in 1.. {
        let container = match target::find(&agent.context, &input, &call.target).await {
            Err(_) if folder.ended().is_some() && call.target == ShellTarget::Job && look < LOOKS => {
                sleep(PAUSE).await;
                continue;
            }
            found => found?,
        };
        let title = container.title.clone();
        let engine = &agent.context.engine;
        match Session::start(engine, container, &call.command, call.terminal, masker.clone()).await {
            Ok(session) => {
                note(&folder, call, &title);
                return Ok((session, title));
            }
            // The step is over and the container that is retained in its place is just being made; until it is there the
            // engine knows it in lists alone.
            Err(error) if (error.is_not_running() || error.is_gone()) && folder.ended().is_some() && look < LOOKS => {
                sleep(PAUSE).await
            }
            Err(error) => return Err(NoShellContainer(format!("{title} cannot be entered: {error}"))),
        }
    }
    Err(NoShellContainer("the job is over".into()))
}

/// Says in the job's log who came in.
fn note(folder: &AttemptFolder, call: &ShellCall, title: &str) {
    if folder.ended().is_some() {
        return;
    }
    let remark = format!("shell opened by {} in {title}", call.by);
    let written = JobLog::open(&folder.log(&StreamId::job())).map(|job_log| job_log.write_line(remark));
    if let Err(error) = written {
        tracing::warn!(%error, work = %call.work, "a shell cannot be noted in its job's log");
    }
}

/// Copies between the session and the socket until one of them ends.
async fn carry(agent: &AgentContext, session: Session, socket: &mut ShellSocket) -> SessionEnd {
    let (typed, hears) = mpsc::channel(WAITING);
    let (shown, mut shows) = mpsc::channel::<Bytes>(WAITING);
    let (mut to_person, mut from_person) = socket.split();
    let mut reads = pin!(async move {
        while let Some(Ok(message)) = from_person.next().await {
            if let Some(what) = typed_of(message)
                && typed.send(what).await.is_err()
            {
                return;
            }
        }
    });
    let mut prints = pin!(async move {
        while let Some(bytes) = shows.recv().await {
            if to_person.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
    });
    let mut run = pin!(session.run(hears, shown));
    let (mut is_read, mut is_printed) = (false, false);
    let end = loop {
        tokio::select! {
            end = &mut run => break end,
            () = &mut reads, if !is_read => is_read = true,
            () = &mut prints, if !is_printed => is_printed = true,
            () = agent.context.shutdown.cancelled() => break SessionEnd::Broken("the agent is stopped".into()),
        }
    };
    // What it printed last is still on its way.
    if !is_printed && tokio::time::timeout(LAST_BYTES, prints).await.is_err() {
        tracing::debug!("the last output of a shell was not taken");
    }
    end
}

fn typed_of(message: Message) -> Option<Typed> {
    match message {
        Message::Binary(bytes) => Some(Typed::Bytes(bytes)),
        Message::Text(text) => match serde_json::from_str(&text) {
            Ok(ShellMessage::Resize(size)) => Some(Typed::Size(size)),
            Ok(ShellMessage::Eof) => Some(Typed::Eof),
            // A newer coordinator's word.
            _ => None,
        },
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
    }
}

/// Whoever is not there any more need not hear it: the next read says so.
async fn send(socket: &mut ShellSocket, word: &ShellMessage) {
    let text = serde_json::to_string(word).expect("a word is plain data");
    if let Err(error) = socket.send(Message::text(text)).await {
        tracing::debug!(%error, "a word about a shell came too late");
    }
}

/// What hides the secrets of each attempt in hand; clones share it. After a restart those of held jobs are not known
/// any more: their containers have none.
#[derive(Clone, Default)]
pub struct Masks(Arc<Mutex<BTreeMap<AttemptId, Arc<Masker>>>>);

impl Masks {
    /// That attempt is in hand from now on.
    pub fn add(&self, attempt: &AttemptId, masker: Arc<Masker>) {
        lock(&self.0).insert(attempt.clone(), masker);
    }

    /// Nothing is left of it.
    pub fn remove(&self, attempt: &AttemptId) {
        lock(&self.0).remove(attempt);
    }

    fn of(&self, attempt: &AttemptId) -> Arc<Masker> {
        lock(&self.0).get(attempt).cloned().unwrap_or_default()
    }
}
