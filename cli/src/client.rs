//! The coordinator's API as this command sees it: one place that turns HTTP and network errors into exit codes and
//! plain words.

pub use agent::coordinator::segment;
use anyhow::Context;
use protocol::lease::ErrorBody;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::exit::{Exit, Stop};
use crate::settings::Access;
use crate::shell::ShellSocket;

/// A coordinator that can be asked.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    access: Access,
}

impl Client {
    /// Speaks to that coordinator; nothing is sent yet.
    pub fn new(access: Access) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder()
            .connect_timeout(std::time::Duration::from_secs(5))
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("set up the HTTP client")?;
        Ok(Client { http, access })
    }

    /// The coordinator's address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.access.url
    }

    /// Reads `/api/v1{path}`.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.json(self.request(Method::GET, path)).await
    }

    /// Reads `/api/v1{path}` with these query parameters.
    pub async fn query<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    /// Posts `body` to `/api/v1{path}` and reads the answer.
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> anyhow::Result<T> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// Sends `body` to `/api/v1{path}` and drops the answer.
    pub async fn call<B: Serialize>(&self, method: Method, path: &str, body: &B) -> anyhow::Result<()> {
        self.send(self.request(method, path).json(body)).await.map(drop)
    }

    /// Deletes `/api/v1{path}`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Deletes `/api/v1{path}` and reads the answer.
    pub async fn delete_for<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// A response that goes on for as long as there is something to say.
    pub async fn stream(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Response> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// Opens the WebSocket of a shell in that job.
    pub async fn shell(&self, job: &str) -> anyhow::Result<ShellSocket> {
        let url = format!("{}/api/v1/jobs/{}/shell", self.access.url, segment(job)).replacen("http", "ws", 1);
        let mut request = url.into_client_request().context("read the coordinator's address")?;
        if let Some(token) = &self.access.token {
            let token = HeaderValue::try_from(format!("Bearer {token}")).context("read the token")?;
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer
                    .body()
                    .as_deref()
                    .and_then(|body| serde_json::from_slice(body).ok());
                let is_closed = matches!(answer.status(), StatusCode::CONFLICT | StatusCode::GONE);
                let mut stop = self.refused(answer.status(), body);
                if is_closed {
                    stop.exit = Exit::NotFound;
                }
                Err(stop.into())
            }
            Err(error) => {
                let message = format!("no answer from the coordinator at {}: {error}", self.access.url);
                Err(Stop::new(Exit::Unreachable, message).into())
            }
        }
    }

    /// The page's event stream, `/events`, from `last` on.
    pub async fn events(&self, query: &[(&str, String)], last: Option<&str>) -> anyhow::Result<Response> {
        let mut request = self.http.get(format!("{}/events", self.access.url)).query(query);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.send(self.authorised(request)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.authorised(self.http.request(method, format!("{}/api/v1{path}", self.access.url)))
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.access.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = self.send(request).await?;
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "read the answer of {} (is it a Drover coordinator of this version?)",
                self.access.url
            )
        })
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body: Option<ErrorBody> = response.json().await.ok();
        Err(self.refused(status, body).into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> Stop {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Stop::new(
            Exit::Unreachable,
            format!("no answer from the coordinator at {}: {cause}", self.access.url),
        )
        .help("is it running? `drover doctor` looks further")
    }

    fn refused(&self, status: StatusCode, body: Option<ErrorBody>) -> Stop {
        let message = match body {
            Some(body) => body.message,
            None => format!("{} answered {status}", self.access.url),
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Stop::new(Exit::Auth, message).help(
                "set DROVER_TOKEN, or use `drover login`; on the coordinator's machine the token is in DIR/admin.token",
            ),
            StatusCode::NOT_FOUND => Stop::new(Exit::NotFound, message),
            status if status.is_client_error() => Stop::new(Exit::Usage, message),
            _ => Stop::new(Exit::Infrastructure, message),
        }
    }
}
