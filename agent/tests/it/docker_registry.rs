//! A real registry in a process of its own, on a free port of this machine, for one user with a password.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub struct DockerRegistry {
    /// `127.0.0.1:5000`
    pub address: String,
    process: Child,
    _folder: TempDir,
}

impl DockerRegistry {
    /// Waits until it answers.
    pub fn start(user: &str, password: &str) -> DockerRegistry {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let made = Command::new("htpasswd")
            .args(["-nbB", user, password])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::write(path("users"), made.stdout).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '{address}'}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            path("data"),
            path("users")
        );
        std::fs::write(path("config.yml"), config).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("docker-registry is installed (`cargo xtask setup`)");
        while TcpStream::connect(&address).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        DockerRegistry {
            address,
            process,
            _folder: folder,
        }
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
