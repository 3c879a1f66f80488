//! HTTP for the bench: JSON of a server on this machine (Drover's API, the browser's driver).

use anyhow::{Context, ensure};
use serde_json::Value;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server at `127.0.0.1:port`, with the token it wants, if any.
pub struct Server {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Server {
    /// `http://127.0.0.1:4711`, asked with this token.
    pub fn new(url: &str, token: Option<String>) -> Server {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // The bench measures answers to those who come anew.
            .max_idle_connections(0)
            .proxy(None);
        Server {
            agent: config.build().into(),
            url: url.trim_end_matches('/').to_owned(),
            token,
        }
    }

    /// GETs a path and reads its JSON.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.authorized(self.agent.get(self.address(path)));
        read(request.call()).with_context(|| format!("GET {path}"))
    }

    /// POSTs JSON to a path and reads the JSON that comes back.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.authorized(self.agent.post(self.address(path)));
        read(request.send_json(body)).with_context(|| format!("POST {path}"))
    }

    /// DELETEs a path.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.authorized(self.agent.delete(self.address(path)));
        read(request.call()).with_context(|| format!("DELETE {path}"))
    }

    /// Whether a GET is answered with 200.
    pub fn answers(&self, path: &str) -> bool {
        let answer = self.agent.get(self.address(path)).call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

fn read(answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Value> {
    let mut answer = answer?;
    let (status, text) = (answer.status(), answer.body_mut().read_to_string()?);
    ensure!(status == 200, "answered with {status}: {}", text.trim());
    serde_json::from_str(&text).context("read the answer")
}
