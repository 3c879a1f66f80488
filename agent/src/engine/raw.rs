//! Requests by our own hand. Those that carry logins: the client library writes them in an alphabet in which engines do
//! not read them as soon as a password has the wrong letters (`~`, `?`, anything beyond ASCII). And what it reads in the
//! form of one version of the engine only.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::auth::DockerCredentials;
use bollard::errors::Error as ClientError;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::{Body, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

/// Talks to the engine's socket.
pub(crate) struct Raw(Client);

/// The header for one registry, or for several.
pub(crate) enum Credentials {
    Nobody,
    One(DockerCredentials),
    Several(HashMap<String, DockerCredentials>),
}

/// What an answer's lines say beside their own fields.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trouble {
    error: Option<String>,
    error_detail: Option<Detail>,
    message: Option<String>,
}

#[derive(serde::Deserialize)]
struct Detail {
    message: Option<String>,
}

impl Raw {
    pub(crate) fn new(socket: &Path) -> Result<Raw, String> {
        // Whoever was first is fine: nothing is encrypted on this way.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().unix_socket(socket.to_owned()).no_proxy().build();
        client.map(Raw).map_err(|error| error.to_string())
    }

    /// What the engine answers to a question for which the client library has another form than some engines.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.0.get(format!("http://engine{path}"));
        let bytes = begin(request).await?.bytes().await.map_err(broken)?;
        serde_json::from_slice(&bytes).map_err(ClientError::from)
    }

    /// Posts, and reads the answer line by line as it comes. Dropping the stream gives the request up.
    pub(crate) fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &impl Serialize,
        credentials: &Credentials,
        body: Option<Body>,
    ) -> BoxStream<'static, Result<T, ClientError>> {
        let mut request = self.0.post(format!("http://engine{path}")).query(query);
        if let Some((name, value)) = credentials.header() {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/x-tar").body(body);
        }
        stream::once(begin(request)).flat_map(lines).boxed()
    }
}

/// `Err`: what the engine says instead.
async fn begin(request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
    let response = request.send().await.map_err(broken)?;
    let status_code = response.status().as_u16();
    if response.status().is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let said: Option<Trouble> = serde_json::from_str(&text).ok();
    let message = said.and_then(|said| said.message).unwrap_or(text);
    Err(ClientError::DockerResponseServerError { status_code, message })
}

/// The lines of an answer, each for itself; a refused request is one of them.
fn lines<T: DeserializeOwned + Send + 'static>(
    answer: Result<reqwest::Response, ClientError>,
) -> BoxStream<'static, Result<T, ClientError>> {
    let response = match answer {
        Ok(response) => response,
        Err(error) => return stream::iter([Err(error)]).boxed(),
    };
    let bytes = StreamReader::new(response.bytes_stream().map_err(io::Error::other));
    let lines = stream::try_unfold(bytes.split(b'\n'), async |mut lines| {
        let line = lines.next_segment().await?;
        Ok(line.map(|line| (line, lines)))
    });
    lines
        .filter_map(|line| async move {
            match line {
                Ok(line) if line.trim_ascii().is_empty() => None,
                Ok(line) => Some(read(&line)),
                Err(err) => Some(Err(ClientError::IOError { err })),
            }
        })
        .boxed()
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, ClientError> {
    if let Ok(trouble) = serde_json::from_slice::<Trouble>(line) {
        let detail = trouble.error_detail.and_then(|detail| detail.message);
        if let Some(error) = detail.or(trouble.error) {
            return Err(ClientError::DockerStreamError { error });
        }
    }
    serde_json::from_slice(line).map_err(|err| ClientError::JsonSerdeError { err })
}

fn broken(error: reqwest::Error) -> ClientError {
    ClientError::IOError {
        err: std::io::Error::other(error),
    }
}

impl Credentials {
    fn header(&self) -> Option<(&'static str, String)> {
        let encoded = |json: Result<Vec<u8>, serde_json::Error>| URL_SAFE.encode(json.unwrap_or_default());
        match self {
            Credentials::Nobody => None,
            Credentials::One(one) => Some(("X-Registry-Auth", encoded(serde_json::to_vec(one)))),
            Credentials::Several(several) => Some(("X-Registry-Config", encoded(serde_json::to_vec(several)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_any_letters_reaches_the_engine_in_its_alphabet() {
        let one = |password: &str| {
            Credentials::One(DockerCredentials {
                username: Some("ci".into()),
                password: Some(password.into()),
                ..DockerCredentials::default()
            })
        };
        for password in ["~~~", "???", ">>>", "ÿÿÿ", "x~?>ÿ"] {
            let (_, value) = one(password).header().unwrap();
            assert!(!value.contains(['+', '/']), "{value}");
            let read: DockerCredentials = serde_json::from_slice(&URL_SAFE.decode(value).unwrap()).unwrap();
            assert_eq!(read.password.as_deref(), Some(password));
        }
    }

    #[test]
    fn an_error_among_the_lines_is_one() {
        let read = |line: &str| read::<serde_json::Value>(line.as_bytes()).map_err(|error| error.to_string());
        assert!(read(r#"{"status":"Pushed"}"#).is_ok());
        let error = read(r#"{"errorDetail":{"message":"denied"},"error":"denied"}"#).unwrap_err();
        assert!(error.ends_with("denied"), "{error}");
    }
}
