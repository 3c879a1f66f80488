//! The engine keeps what an image was built from, for the next build. Tests take it away again.

use std::process::Command;

/// An image and what it was built from, without its base.
pub struct Layers(Vec<String>);

impl Layers {
    /// Of an image that was built here from busybox.
    pub fn of(image: &str) -> Layers {
        let history = |image: &str| -> Vec<String> {
            let message = docker(&["history", "-q", "--no-trunc", image]);
            message
                .lines()
                .filter(|id| id.starts_with("sha256:"))
                .map(String::from)
                .collect()
        };
        let base = history("busybox");
        Layers(history(image).into_iter().filter(|id| !base.contains(id)).collect())
    }

    /// Removes these names and all layers; what is gone already is fine.
    pub fn remove(self, names: &[&str]) {
        for image in names.iter().copied().chain(self.0.iter().map(String::as_str)) {
            let _ = Command::new("docker").args(["rmi", image]).output();
        }
    }
}

/// What `docker` prints; it must succeed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
