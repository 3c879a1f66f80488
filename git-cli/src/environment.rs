//! How the git program is closed in: no prompt, no hook, no configuration but ours, a list of transports.

/// What of our own environment git and its helpers need: to be found, to find ssh keys, to pass proxies, to trust.
pub const KEPT: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Settings of every run, given by `-c`.
pub const SETTINGS: [&str; 9] = [
    "protocol.version=2",
    "core.hooksPath=/dev/null",
    "core.askPass=false",
    "core.fsmonitor=false",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.followRedirects=false",
    "fetch.writeCommitGraph=false",
];

/// The global configuration of every run, as a file: `-c` does not reach the `git upload-pack` that reads a repository
/// on this machine. That repository may belong to another user; an administrator named it.
pub const GLOBAL_CONFIG: &str = "[safe]\n\tdirectory = *\n";

/// The transports that are allowed where nobody says which: none that runs a program.
pub const PROTOCOLS: [&str; 5] = ["file", "https", "http", "ssh", "git"];

/// Variables of every run; `global` is the path of a file with [`GLOBAL_CONFIG`].
pub fn environment<'a>(protocols: &str, global: &'a str) -> [(&'static str, std::borrow::Cow<'a, str>); 8] {
    [
        ("LC_ALL", "C".into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("GIT_ASKPASS", "false".into()),
        ("SSH_ASKPASS", "false".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", global.into()),
        ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=20".into()),
        ("GIT_ALLOW_PROTOCOL", protocols.to_owned().into()),
    ]
}
