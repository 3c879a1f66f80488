//! A data folder without room, made of memory: it is called what it is, by everybody who asks, and nothing is broken by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use super::support::{TestApp, TestRepository};

/// A small disk at a folder; gone at the end.
struct Disk(PathBuf);

impl Disk {
    fn at(folder: &Path) -> Disk {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"])
            .arg(folder)
            .status()
            .unwrap();
        assert!(mounted.success(), "this test needs root, as the engine's do");
        Disk(folder.to_owned())
    }

    /// Takes all room there is.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for piece in [1 << 16, 1] {
            let zeros = vec![0; piece];
            while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_called_so_and_work_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::at(folder.path());
    let app = TestApp::over(folder.path()).await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    app.send(app.anonymous(Method::GET, "/readyz")).await.expect(200);

    let filler = disk.fill();
    let ready = app.send(app.anonymous(Method::GET, "/readyz")).await.expect(503).text;
    assert_eq!(ready, "not ready: the disk of the coordinator is full (0 B free)\n");
    app.send(app.anonymous(Method::GET, "/healthz")).await.expect(200);
    // Some writes still fit into what the database has; not many.
    let set = async || {
        let body = json!({"value": "x".repeat(60_000)});
        let path = "/api/v1/repositories/app/secrets/TOKEN";
        app.send(app.request(Method::PUT, path).json(&body)).await
    };
    let refused = app
        .until(async || Some(set().await).filter(|answer| answer.status != 204))
        .await;
    let refused = refused.expect(507).json();
    assert_eq!(refused["code"], "disk_full");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("the disk of the coordinator is full")
    );

    std::fs::remove_file(filler).unwrap();
    set().await.expect(204);
    app.send(app.anonymous(Method::GET, "/readyz")).await.expect(200);
}
