//! Just enough of HTTP for the bench: one request over one connection to a server on this machine (Drover's API, the
//! browser's driver).

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
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
        receive(&mut BufReader::new(stream)).context("receive")
    }
}

/// Status and body. Not every server closes the connection, so the end is where the head says.
fn receive(stream: &mut impl BufRead) -> anyhow::Result<(u16, String)> {
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let status = first
        .split_whitespace()
        .nth(1)
        .context("the answer is no HTTP")?
        .parse()?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse()?,
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    let body = if chunked {
        chunks(stream)?
    } else {
        exactly(stream, length)?
    };
    Ok((status, String::from_utf8(body)?))
}

fn chunks(stream: &mut impl BufRead) -> anyhow::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        whole.extend(exactly(stream, size)?);
        exactly(stream, 2)?;
        if size == 0 {
            return Ok(whole);
        }
    }
}

fn exactly(stream: &mut impl BufRead, length: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::receive;

    fn read(answer: &str) -> Option<(u16, String)> {
        receive(&mut answer.as_bytes()).ok()
    }

    #[test]
    fn both_kinds_of_body_are_read() {
        let plain = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more");
        assert_eq!(plain, Some((200, "hi".to_owned())));
        let chunked =
            read("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
        assert_eq!(chunked, Some((404, "abcd".to_owned())));
        assert_eq!(read("nonsense"), None);
    }
}
