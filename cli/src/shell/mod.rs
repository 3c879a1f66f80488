//! A terminal here for a command elsewhere: keys out, bytes in, the size when it changes. Works without a terminal too:
//! then standard input is piped through.

pub mod local;
mod terminal;

use std::io::{Read, Write};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use protocol::shell::{ShellMessage, ShellRequest, ShellSize};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::exit::{Exit, Stop};

pub use terminal::{Raw, size};

/// The WebSocket of a shell.
pub type ShellSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Input that waits at most; the keyboard, or whoever writes the pipe, waits with the rest.
const WAITING: usize = 16;

/// What comes from this side.
enum Here {
    Bytes(Bytes),
    Size(ShellSize),
    Eof,
}

/// Enters by that socket; returns when the command is over, as it does.
pub async fn enter(mut socket: ShellSocket, request: ShellRequest) -> anyhow::Result<Exit> {
    let with_terminal = request.terminal.is_some();
    send_message(&mut socket, &request).await?;
    let mut raw = None;
    let mut here: Option<mpsc::Receiver<Here>> = None;
    loop {
        tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(Message::Binary(bytes))) => show(&bytes)?,
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(ShellMessage::Ready { title }) => {
                        // What is typed before there is a command is for nobody.
                        here = Some(listen(with_terminal)?);
                        if with_terminal {
                            anstream::eprintln!("in {title}; Ctrl-D or `exit` leaves it");
                            raw = Some(Raw::enter()?);
                        }
                    }
                    Ok(ShellMessage::Exit { code }) => return Ok(Exit::Command(u8::try_from(code).unwrap_or(u8::MAX))),
                    Ok(ShellMessage::Failed { message }) => {
                        drop(raw);
                        let exit = if here.is_some() { Exit::Infrastructure } else { Exit::NotFound };
                        return Err(Stop::new(exit, message).into());
                    }
                    // Words that are for the other side, or of a newer one.
                    Ok(ShellMessage::Resize(_) | ShellMessage::Eof) | Err(_) => {}
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    drop(raw);
                    return Err(Stop::new(Exit::Unreachable, "the connection to the coordinator broke off").into());
                }
            },
            Some(what) = typed(&mut here) => send(&mut socket, what).await?,
        }
    }
}

async fn typed(here: &mut Option<mpsc::Receiver<Here>>) -> Option<Here> {
    match here {
        Some(here) => here.recv().await,
        None => None,
    }
}

async fn send(socket: &mut ShellSocket, what: Here) -> anyhow::Result<()> {
    match what {
        Here::Bytes(bytes) => socket.send(Message::Binary(bytes)).await.context("send what was typed"),
        Here::Size(size) => send_message(socket, &ShellMessage::Resize(size)).await,
        Here::Eof => send_message(socket, &ShellMessage::Eof).await,
    }
}

async fn send_message(socket: &mut ShellSocket, word: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(word).context("write JSON")?;
    socket
        .send(Message::text(text))
        .await
        .context("speak to the coordinator")
}

/// Whoever reads our output may have seen enough.
fn show(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .context("print the output")
}

/// Follows standard input, and the size of the terminal if there is one.
fn listen(with_terminal: bool) -> anyhow::Result<mpsc::Receiver<Here>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let typing = sender.clone();
    // Such a read cannot be broken off; the process does not wait for it.
    tokio::task::spawn_blocking(move || {
        let mut input = std::io::stdin().lock();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = input.read(&mut buffer) {
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            if typing.blocking_send(Here::Bytes(bytes)).is_err() {
                return;
            }
        }
        // The command may go on: only its input ends. Nobody may listen any more.
        let _ = typing.blocking_send(Here::Eof);
    });
    if with_terminal {
        let mut changes = signal(SignalKind::window_change()).context("follow the terminal's size")?;
        tokio::spawn(async move {
            while changes.recv().await.is_some() {
                if let Some(size) = size()
                    && sender.send(Here::Size(size)).await.is_err()
                {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}
