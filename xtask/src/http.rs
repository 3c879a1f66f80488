//! Just enough of HTTP for the bench: one request over one connection to a server on this machine (Drover's API, the
//! browser's driver).

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server at `127.0.0.1:port`, with the token it wants, if any.
pub struct Server {
    address: String,
    token: Option<String>,
}

impl Server {
    /// `http://127.0.0.1:4711`, asked with this token.
    pub fn new(url: &str, token: Option<String>) -> Server {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Server { address, token }
    }

    /// GETs a path and reads its JSON.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, None)
    }

    /// POSTs JSON to a path and reads the JSON that comes back.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, Some(body))
    }

    /// DELETEs a path.
    ///
    /// # Errors
    /// When the server does not answer, or with another status than 200.
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call("DELETE", path, None)
    }

    /// Whether a GET is answered with 200.
    pub fn answers(&self, path: &str) -> bool {
        self.exchange("GET", path, None).is_ok_and(|(status, _)| status == 200)
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, text) = self
            .exchange(method, path, body)
            .with_context(|| format!("{method} {path}"))?;
        if status != 200 {
            bail!("{method} {path} was answered with {status}: {}", text.trim());
        }
        serde_json::from_str(&text).with_context(|| format!("read the answer of {method} {path}"))
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).context("connect")?;
        stream.set_read_timeout(Some(PATIENCE)).context("set a timeout")?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self
            .token
            .as_ref()
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n{token}\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body.as_bytes()))
            .context("send")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("receive")?;
        parse(&String::from_utf8_lossy(&answer)).context("the answer is no HTTP")
    }
}

/// Status and body; a chunked body is put together.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Some((status, body.to_owned()));
    }
    let mut whole = String::new();
    let mut rest = body;
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some((status, whole));
        }
        whole.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_kinds_of_body_are_read() {
        let plain = parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(plain, Some((200, "hi".to_owned())));
        let chunked =
            parse("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
        assert_eq!(chunked, Some((404, "abcd".to_owned())));
        assert_eq!(parse("nonsense"), None);
    }
}
