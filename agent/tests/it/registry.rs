//! A registry with one image, small enough to be written out: it counts what it is asked for and holds the layer back
//! until the test lets it go. The container engine pulls from it as from any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub struct Registry {
    /// `127.0.0.1:5000`
    pub address: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    /// Path to content type and bytes.
    files: BTreeMap<String, (&'static str, Vec<u8>)>,
    layer: String,
    let_go: watch::Sender<bool>,
    resolved: AtomicUsize,
}

impl Registry {
    /// Serves the image `app:1`; `locked` is refused, everything else unknown.
    pub async fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::with_image());
        let serving = shared.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move { shared.serve(stream).await.unwrap_or_default() });
            }
        });
        Registry {
            address,
            shared,
            server,
        }
    }

    /// From now on layers are sent.
    pub fn let_go(&self) {
        self.shared.let_go.send_replace(true);
    }

    /// How often somebody asked what `app:1` is.
    pub fn resolved(&self) -> usize {
        self.shared.resolved.load(Ordering::SeqCst)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn with_image() -> Shared {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        let unique = uuid::Uuid::now_v7().to_string(); // else the engine has the layer already
        header.set_size(unique.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "hello", unique.as_bytes()).unwrap();
        let layer = tar.into_inner().unwrap();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["/hello"], "ExposedPorts": {"80/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                "size": config.len(), "digest": digest(&config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": layer.len(), "digest": digest(&layer)}],
        });
        let manifest = manifest.to_string().into_bytes();
        let layer_path = format!("/v2/app/blobs/{}", digest(&layer));
        let files = [
            ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
            ("/v2/app/manifests/1".to_owned(), (MANIFEST, manifest.clone())),
            (format!("/v2/app/manifests/{}", digest(&manifest)), (MANIFEST, manifest)),
            (
                format!("/v2/app/blobs/{}", digest(&config)),
                ("application/octet-stream", config),
            ),
            (layer_path.clone(), ("application/octet-stream", layer)),
        ];
        Shared {
            files: files.into(),
            layer: layer_path,
            let_go: watch::Sender::new(false),
            resolved: AtomicUsize::new(0),
        }
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut request = String::new();
            if stream.read_line(&mut request).await? == 0 {
                return Ok(());
            }
            let mut header = request.clone();
            while header.trim() != "" {
                header.clear();
                stream.read_line(&mut header).await?;
            }
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if path == self.layer {
                let mut let_go = self.let_go.subscribe();
                let _ = let_go.wait_for(|let_go| *let_go).await;
            }
            if path.ends_with("/manifests/1") {
                self.resolved.fetch_add(1, Ordering::SeqCst);
            }
            let answer = self.answer(path);
            let end = answer
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap_or_default()
                + 4;
            let sent = if method == "HEAD" { &answer[..end] } else { &answer };
            stream.get_mut().write_all(sent).await?;
        }
    }

    fn answer(&self, path: &str) -> Vec<u8> {
        let error = |code: &str| json!({"errors": [{"code": code, "message": code.to_lowercase()}]}).to_string();
        let (status, (kind, body)) = match self.files.get(path) {
            Some(file) => ("200 OK", file.clone()),
            None if path.starts_with("/v2/locked/") => (
                "401 Unauthorized",
                ("application/json", error("UNAUTHORIZED").into_bytes()),
            ),
            None => (
                "404 Not Found",
                ("application/json", error("MANIFEST_UNKNOWN").into_bytes()),
            ),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\
             Docker-Distribution-Api-Version: registry/2.0\r\n\r\n",
            body.len(),
            digest(&body)
        )
        .into_bytes();
        answer.extend(body);
        answer
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
