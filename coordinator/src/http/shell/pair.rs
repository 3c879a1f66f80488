//! Two ends of a shell, copied frame by frame: a slow reader holds the other end's writer, nothing is kept in between.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use protocol::shell::ShellMessage;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// An agent hears of a shell within a poll's answer; it is there by then, or it is not there at all.
pub(super) const AGENT_COMES: Duration = Duration::from_secs(20);
/// Frames that are kept until the agent is there; the person waits with the rest.
const EARLY: usize = 16;
/// Proxies drop a connection that is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// Copies until one end closes, or until it must end and why; `early` is what the person said before.
pub(super) async fn copy(
    person: WebSocket,
    mut agent: WebSocket,
    early: Vec<Message>,
    must_end: impl Future<Output = &'static str>,
) {
    for message in early {
        if agent.send(message).await.is_err() {
            break; // the reader below finds out
        }
    }
    let (mut to_person, from_person) = person.split();
    let (mut to_agent, from_agent) = agent.split();
    let (mut last, mut of_person) = (None, None);
    let message = tokio::select! {
        () = forward(from_agent, &mut to_person, &mut last) => "the agent is gone",
        () = forward(from_person, &mut to_agent, &mut of_person) => "the agent is gone",
        why = must_end => why,
    };
    if !last.as_deref().is_some_and(is_last_word) {
        let word = ShellMessage::Failed {
            message: message.to_owned(),
        };
        // Whoever has gone does not hear it.
        let _ = to_person.send(text(&word)).await;
    }
    let _ = to_person.send(bye()).await;
    let _ = to_agent.send(bye()).await;
}

/// Copies frames one way until that way ends; `last` is the last text.
async fn forward(mut from: SplitStream<WebSocket>, to: &mut SplitSink<WebSocket, Message>, last: &mut Option<String>) {
    let mut heart = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            _ = heart.tick() => Message::Ping(Bytes::new()),
            received = from.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    *last = Some(text.as_str().to_owned());
                    Message::Text(text)
                }
                Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        if to.send(message).await.is_err() {
            return;
        }
    }
}

fn is_last_word(text: &str) -> bool {
    matches!(
        serde_json::from_str(text),
        Ok(ShellMessage::Exit { .. } | ShellMessage::Failed { .. })
    )
}

/// Waits until the person closes; keeps what they type before there is a shell.
pub(super) async fn gone(person: &mut WebSocket, early: &mut Vec<Message>) {
    while early.len() < EARLY {
        match person.recv().await {
            Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => early.push(message),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        }
    }
    std::future::pending().await
}

/// Says the last word and closes.
pub(super) async fn end(person: &mut WebSocket, word: &ShellMessage) {
    // Whoever has gone does not hear it.
    let _ = person.send(text(word)).await;
    let _ = person.send(bye()).await;
}

fn text(word: &ShellMessage) -> Message {
    Message::Text(serde_json::to_string(word).unwrap_or_default().into())
}

fn bye() -> Message {
    Message::Close(Some(CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    }))
}
