//! The calls to the coordinator, and what their failures mean. It retries nothing: who calls knows how long to go on.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ids::{AttemptId, StreamId};
use protocol::lease::{Enrol, Enrolled, ErrorBody, Events, Finish, Finished, LeaseRef, LogAnswer, Poll, PollAnswer};
use protocol::reports::TestUpload;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

/// A call that the coordinator need not think about may take this long.
pub(crate) const CALL_TAKES: Duration = Duration::from_secs(30);
/// A poll may come back so much later than it was to be held.
const POLL_SLACK: Duration = Duration::from_secs(10);
/// A connection that is not there by then is not there.
const CONNECT_TAKES: Duration = Duration::from_secs(10);

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The attempt is not this agent's any more; all work on it is to stop.
    #[error("the attempt is not ours any more: {0}")]
    Stale(String),
    /// The coordinator has another number of bytes of this log.
    #[error("the coordinator has {expected} bytes of this log")]
    WrongOffset {
        /// Send from here.
        expected: u64,
    },
    /// The token is not good.
    #[error("the coordinator refuses this agent's token: {0}")]
    Unauthorized(String),
    /// It says that the call is wrong; saying it again will not help.
    #[error("the coordinator refuses the call ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It does not answer, or has trouble itself: try again later.
    #[error("the coordinator does not answer: {0}")]
    Away(String),
}

/// The coordinator, with the agent's token. Clones share connections.
#[derive(Clone)]
pub struct Coordinator {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

/// The way between a shell and the coordinator.
pub type ShellSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A part of a log.
#[derive(Debug)]
pub struct LogPart<'a> {
    /// Of which log.
    pub stream: &'a StreamId,
    /// Bytes of records before it.
    pub offset: u64,
    /// It is the last.
    pub eof: bool,
    /// The records, compressed.
    pub body: Vec<u8>,
}

impl Coordinator {
    /// At that address; a token that is not given yet is the empty text.
    pub fn new(url: &str, token: SecretString) -> anyhow::Result<Coordinator> {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TAKES)
            // It would lead the token and what jobs wrote to somewhere that nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Coordinator {
            http,
            url: url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Trades a one-time code for a token.
    pub async fn enrol(
        &self,
        code: &SecretString,
        (name, labels): (&str, &BTreeMap<String, String>),
    ) -> Result<Enrolled, CallError> {
        let enrol = Enrol {
            code: code.expose_secret().to_owned(),
            name: name.to_owned(),
            labels: Some(labels.clone()),
        };
        let request = self.http.post(format!("{}/agent/v1/enrol", self.url)).json(&enrol);
        read(send(request.timeout(CALL_TAKES)).await?).await
    }

    /// Asks for work and renews what is held; may take as long as it is held.
    pub async fn poll(&self, poll: &Poll) -> Result<PollAnswer, CallError> {
        let held = Duration::from_secs(poll.hold_secs.unwrap_or(protocol::POLL_SECS));
        let request = self.request(Method::POST, "poll").json(poll).timeout(held + POLL_SLACK);
        let answer = send(request).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(PollAnswer::default());
        }
        read(answer).await
    }

    /// Reports events.
    pub async fn events(&self, attempt: &AttemptId, events: &Events) -> Result<(), CallError> {
        self.post(&format!("attempts/{attempt}/events"), events).await
    }

    /// Reports the end; what the coordinator makes of what is left.
    pub async fn finish(&self, attempt: &AttemptId, finish: &Finish) -> Result<Finished, CallError> {
        let request = self.request(Method::POST, &format!("attempts/{attempt}/finish"));
        read(send(request.json(finish).timeout(CALL_TAKES)).await?).await
    }

    /// Sends a part of a log; how many bytes the coordinator has then.
    pub async fn log(&self, held: &LeaseRef, part: LogPart<'_>) -> Result<u64, CallError> {
        let LogPart {
            stream,
            offset,
            eof,
            body,
        } = part;
        let (attempt, epoch, eof) = (&held.attempt, held.epoch, u8::from(eof));
        let path = format!("attempts/{attempt}/logs/{stream}?offset={offset}&epoch={epoch}&eof={eof}");
        let request = self.request(Method::PATCH, &path);
        let request = request
            .header(header::CONTENT_TYPE, "application/zstd")
            .body(body)
            .timeout(CALL_TAKES);
        let answer: LogAnswer = read(send(request).await?).await?;
        Ok(answer.next_offset)
    }

    /// Opens the way between a shell and whoever asked for it.
    pub async fn shell(&self, id: &str) -> Result<ShellSocket, CallError> {
        let url = format!("{}/agent/v1/shells/{id}", self.url);
        let url = url.replacen("http", "ws", 1);
        let broken = |error: &dyn std::fmt::Display| CallError::Away(error.to_string());
        let mut request = url.into_client_request().map_err(|error| broken(&error))?;
        let token = format!("Bearer {}", self.token.expose_secret());
        let token = header::HeaderValue::try_from(token).map_err(|error| broken(&error))?;
        request.headers_mut().insert(header::AUTHORIZATION, token);
        match tokio::time::timeout(CONNECT_TAKES, tokio_tungstenite::connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                Err(refusal(answer.status(), answer.body().as_deref().unwrap_or_default()))
            }
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(CallError::Away("it does not take the connection".into())),
        }
    }

    /// Reports a part of what the test reports said.
    pub async fn tests(&self, held: &LeaseRef, part: &TestUpload) -> Result<(), CallError> {
        let json = serde_json::to_vec(part).map_err(|error| CallError::Away(error.to_string()))?;
        let body = zstd::encode_all(&json[..], 1).map_err(|error| CallError::Away(error.to_string()))?;
        let path = format!("attempts/{}/tests?epoch={}", held.attempt, held.epoch);
        let request = self.request(Method::PUT, &path);
        let request = request.header(header::CONTENT_TYPE, "application/zstd").body(body);
        let answer = request.timeout(CALL_TAKES).send().await.map_err(away)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            // A coordinator of the version before has no such call; the attempt is still ours.
            status @ (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => Err(CallError::Refused {
                status: status.as_u16(),
                message: "it keeps no test reports; update it".to_owned(),
            }),
            status => Err(refusal(status, &answer.bytes().await.map_err(away)?)),
        }
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<(), CallError> {
        send(self.request(Method::POST, path).json(body).timeout(CALL_TAKES))
            .await
            .map(drop)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/agent/v1/{path}", self.url));
        request.bearer_auth(self.token.expose_secret())
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Result<Response, CallError> {
    let answer = request.send().await.map_err(away)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await.map_err(away)?;
    Err(refusal(status, &body))
}

pub(crate) async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, CallError> {
    let body = answer.bytes().await.map_err(away)?;
    serde_json::from_slice(&body).map_err(|error| CallError::Refused {
        status: 200,
        message: format!("its answer cannot be read: {error}"),
    })
}

/// What an answer that is no success means.
fn refusal(status: StatusCode, body: &[u8]) -> CallError {
    let message: Option<ErrorBody> = serde_json::from_slice(body).ok();
    let message = message.map_or_else(|| status.to_string(), |message| message.message);
    match status {
        StatusCode::CONFLICT => match serde_json::from_slice::<LogAnswer>(body) {
            Ok(answer) => CallError::WrongOffset {
                expected: answer.next_offset,
            },
            Err(_) => CallError::Stale(message),
        },
        StatusCode::NOT_FOUND | StatusCode::GONE => CallError::Stale(message),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallError::Unauthorized(message),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => CallError::Away(message),
        _ if status.is_client_error() => CallError::Refused {
            status: status.as_u16(),
            message,
        },
        _ => CallError::Away(message),
    }
}

/// The whole chain of causes: "connection refused" is the last of it.
fn away(error: reqwest::Error) -> CallError {
    let error = anyhow::Error::new(error.without_url());
    CallError::Away(format!("{error:#}"))
}

/// Text as one part of a path.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_an_offset_or_the_end_of_the_lease() {
        let stale = br#"{"code":"stale_epoch","message":"epoch 1 is over"}"#;
        assert_eq!(
            refusal(StatusCode::CONFLICT, stale),
            CallError::Stale("epoch 1 is over".into())
        );
        let offset = br#"{"next_offset":42}"#;
        assert_eq!(
            refusal(StatusCode::CONFLICT, offset),
            CallError::WrongOffset { expected: 42 }
        );
        assert!(matches!(
            refusal(StatusCode::BAD_GATEWAY, b"<html>"),
            CallError::Away(_)
        ));
        assert!(matches!(
            refusal(StatusCode::UNAUTHORIZED, b""),
            CallError::Unauthorized(_)
        ));
        assert!(matches!(
            refusal(StatusCode::PAYLOAD_TOO_LARGE, b""),
            CallError::Refused { status: 413, .. }
        ));
    }
}
