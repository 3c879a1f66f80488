//! The HTTP client of forges: one request, its answer whole, within limits. Separate from `outbox`, because not all that a
//! forge is asked is something to tell it.

mod answer;

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use reqwest::Url;
use reqwest::redirect::Policy;
use serde_json::Value;

use answer::Answer;
pub(crate) use answer::no_answer;

use crate::forges::{Api, ApiRequest};
use crate::store::connections::Connection;
use crate::store::outbox::Outcome;

/// A connection takes at most this long, and a request with its answer.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 4 << 20;
/// Renamed projects are redirected; more than this is a circle.
const REDIRECTS: usize = 5;

/// Speaks to forges. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct ForgeClient(reqwest::Client);

impl ForgeClient {
    /// With the system's certificates.
    ///
    /// # Errors
    /// When those cannot be read.
    pub(crate) fn new() -> anyhow::Result<ForgeClient> {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            // It would make a GET of what moved, and lead the token to somewhere that nobody named.
            .redirect(Policy::none())
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(ForgeClient(http))
    }

    /// Sends the request; the answer's JSON, or what it comes to that there is none. A renamed project is followed.
    pub(crate) async fn call(&self, (api, of): (&Api, &Connection), request: ApiRequest) -> Result<Value, Outcome> {
        let whole = format!("{}{}", of.location.api, request.path);
        let mut url = Url::parse(&whole).map_err(|error| Outcome::Failed(format!("`{whole}`: {error}")))?;
        for _ in 0..=REDIRECTS {
            let mut http = self.0.request(request.method.clone(), url.clone());
            for (name, value) in api.headers(&of.token) {
                http = http.header(name, value);
            }
            if !request.body.is_null() {
                http = http.json(&request.body);
            }
            let (status, headers, body) = read(http).await?;
            if let Some(moved) = moved(&url, status, &headers) {
                url = moved;
                continue;
            }
            let answer = Answer {
                status,
                headers: &headers,
                body: &body,
            };
            return answer.judge(&of.token, jiff::Timestamp::now().as_second());
        }
        Err(Outcome::Failed("it redirects in a circle".to_owned()))
    }
}

/// Where the same is to be sent instead; only to the same scheme, host and port.
fn moved(from: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Url> {
    if !matches!(status.as_u16(), 301 | 302 | 307 | 308) {
        return None;
    }
    let to = from.join(headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    (to.origin() == from.origin()).then_some(to)
}

async fn read(request: reqwest::RequestBuilder) -> Result<(StatusCode, HeaderMap, Vec<u8>), Outcome> {
    let broken = |error: reqwest::Error| no_answer(&said(error));
    let mut answer = request.send().await.map_err(broken)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(broken)? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST {
            return Err(Outcome::Failed("its answer is too large".to_owned()));
        }
    }
    Ok((answer.status(), answer.headers().clone(), body))
}

/// What is at the bottom of it: `Connection refused (os error 111)`.
fn said(error: reqwest::Error) -> String {
    format!("it cannot be reached: {}", anyhow::Error::new(error).root_cause())
}
