//! A disk without room, made of memory: it is called what it is, and nothing hangs on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{Stage, job, step};

/// A small disk at a folder; gone at the end.
struct Disk(PathBuf);

impl Disk {
    fn at(folder: &Path, size: &str) -> Disk {
        std::fs::create_dir_all(folder).unwrap();
        let options = format!("size={size},mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder)
            .status()
            .unwrap();
        assert!(mounted.success(), "this test needs root, as the engine does");
        Disk(folder.to_owned())
    }

    /// Removes what attempts have left, as an agent does once a result is told.
    fn clear(&self) {
        for left in std::fs::read_dir(&self.0).unwrap() {
            std::fs::remove_dir_all(left.unwrap().path()).unwrap();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fills_the_disk_is_called_so_and_never_waits_for_room() {
    let stage = Stage::new(1).await;
    let disk = Disk::at(&stage.context.attempts, "8m");
    let story = stage
        .run(job(vec![step("head -c 7800000 /dev/zero > big; exit 7")]))
        .await;
    let message = story.message();
    assert!(
        message.starts_with("Failed StepFailed: ") && message.contains(" exited with 7; the disk of agent "),
        "{message}"
    );
    assert!(
        message.contains(" is full (") && message.contains(" free in "),
        "{message}"
    );
    disk.clear();

    // What it says has no room either: the gate waits for some, and with it the step.
    let story = stage.run(job(vec![step("cat /dev/zero > big || yes")])).await;
    let message = story.message();
    assert!(
        message.contains("was stopped: the disk of agent ") && message.starts_with("Errored"),
        "{message}"
    );
    disk.clear();

    let story = stage.run(job(vec![step("echo there is room again")])).await;
    assert_eq!(
        (story.message().as_str(), story.step(0)),
        ("Passed", vec!["there is room again"])
    );
    stage.close().await;
}
