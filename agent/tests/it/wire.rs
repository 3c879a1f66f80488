//! A wire to the container engine that a test can cut: a socket whose connections lead to the real one.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

pub struct Wire {
    folder: TempDir,
    whole: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

impl Wire {
    pub fn new() -> Wire {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_in(folder.path())).unwrap();
        let whole = watch::Sender::new(true);
        let state = whole.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut state = state.subscribe();
                if *state.borrow() {
                    tokio::spawn(async move {
                        tokio::select! {
                            () = lead(stream) => {}
                            _ = state.wait_for(|whole| !whole) => {} // both ends are closed
                        }
                    });
                }
            }
        });
        Wire { folder, whole, server }
    }

    pub fn socket(&self) -> PathBuf {
        socket_in(self.folder.path())
    }

    /// Every connection breaks, and none can be made.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("engine.sock")
}

async fn lead(mut stream: UnixStream) {
    if let Ok(mut engine) = UnixStream::connect("/var/run/docker.sock").await {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut engine).await;
    }
}
