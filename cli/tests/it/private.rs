//! What nobody else may see or hear: files of a data folder that somebody else made, a login link in a log, a token on
//! a line without TLS, a password in the arguments. Nothing here needs an engine.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A `drover coordinator` over a folder, ended when it is dropped.
pub struct Coordinator {
    process: Child,
    /// `None`: nobody reads its log any more.
    said: Option<BufReader<std::process::ChildStderr>>,
    /// Every line until it was ready.
    lines: Vec<String>,
}

pub fn drover(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
    for name in ["DROVER_URL", "DROVER_TOKEN", "DROVER_DATABASE", "DROVER_LOG"] {
        command.env_remove(name);
    }
    command
        .env("DROVER_DATA", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .stdin(Stdio::null());
    command
}

impl Coordinator {
    pub fn start(home: &Path) -> Coordinator {
        let config = home.join("coordinator.toml");
        let data = home.join("data");
        std::fs::write(
            &config,
            format!("listen = \"127.0.0.1:0\"\ndata = {:?}\n", data.to_str().unwrap()),
        )
        .unwrap();
        // Whatever the shell says.
        let mut process = Command::new("sh")
            .args(["-c", "umask 000 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_drover")])
            .args(["coordinator", "--config", config.to_str().unwrap()])
            .env_remove("DROVER_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.starts_with("log in")) {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended: {lines:?}");
            lines.push(line);
        }
        let said = Some(said);
        Coordinator { process, said, lines }
    }

    /// Who read its log is gone.
    pub fn unread(&mut self) {
        self.said = None;
    }

    /// A calm end by SIGTERM; what it said.
    pub fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        if let Some(said) = &mut self.said {
            said.read_to_string(&mut rest).unwrap();
        }
        self.process.wait().unwrap();
        format!("{}{rest}", self.lines.concat())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every file and folder below that the group or others have any right to.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = std::fs::symlink_metadata(&path).unwrap();
        if found.permissions().mode() & 0o077 != 0 {
            open.push(path.clone());
        }
        if found.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nobody_reads_a_data_folder_that_somebody_else_made() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    set_mode(&data, 0o755);
    Coordinator::start(home.path()).stop();
    assert!(data.join("drover.db").exists());
    assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());

    // As an earlier version left it.
    std::fs::create_dir_all(data.join("logs/attempt")).unwrap();
    std::fs::write(data.join("logs/attempt/step-0"), "secret").unwrap();
    for (name, mode) in [
        ("drover.db", 0o644),
        ("logs", 0o755),
        ("logs/attempt", 0o755),
        ("logs/attempt/step-0", 0o644),
    ] {
        set_mode(&data.join(name), mode);
    }
    let said = Coordinator::start(home.path()).stop();
    assert!(
        said.contains("others could read this") && said.contains("drover.db"),
        "{said}"
    );
    assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());

    set_mode(&data, 0o777);
    let config = home.path().join("coordinator.toml");
    let refused = drover(home.path())
        .args(["coordinator", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("chmod o-w"), "{said}");
}

#[test]
fn a_log_has_no_login_link_and_the_machine_makes_one() {
    let home = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(home.path());
    let link = drover(home.path()).arg("login-link").output().unwrap();
    let link = String::from_utf8(link.stdout).unwrap();
    assert!(link.contains("/login?code="), "{link}");
    let said = coordinator.stop();
    assert!(said.contains("drover login-link") && !said.contains("code="), "{said}");
}

#[test]
fn an_agent_keeps_its_token_off_a_line_without_tls() {
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    std::fs::write(&token, "drva_secret").unwrap();
    // An address that is for documentation: nothing is sent there.
    let mut agent = drover(home.path());
    agent
        .args(["agent", "--coordinator", "http://192.0.2.1:7878", "--token-file"])
        .arg(&token);
    let refused = agent.output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("could be read on the way") && said.contains("--insecure-http"),
        "{said}"
    );
}

#[test]
fn a_password_in_the_arguments_is_said() {
    let home = tempfile::tempdir().unwrap();
    // Nothing listens on port 1.
    let url = "postgres://drover:hunter2@127.0.0.1:1/drover";
    let file = home.path().join("database");
    std::fs::write(&file, url).unwrap();
    let up = |arguments: &[&str]| {
        let mut up = drover(home.path());
        let ended = up
            .args(["up", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let said = up(&["--database", url]);
    assert!(said.contains("--database-file") && !said.contains("hunter2"), "{said}");
    let said = up(&["--database-file", file.to_str().unwrap()]);
    assert!(
        !said.contains("stands in the arguments") && !said.contains("hunter2"),
        "{said}"
    );
}
