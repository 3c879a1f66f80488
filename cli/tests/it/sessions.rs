//! Tokens and sessions, as an administrator sees them in a terminal. Nothing here needs an engine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::private::{Coordinator, drover};

/// What a command says on stdout and stderr, and how it exits.
fn said(home: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = drover(home).args(arguments).output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code(),
    )
}

/// Logs a browser in.
fn log_in(home: &Path) {
    let (link, _, _) = said(home, &["login-link"]);
    let (host, code) = link
        .trim()
        .strip_prefix("http://")
        .unwrap()
        .split_once("/login?code=")
        .unwrap();
    let body = format!("code={code}");
    let mut browser = TcpStream::connect(host).unwrap();
    write!(
        browser,
        "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    browser.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
}

#[test]
fn sessions_are_listed_and_ended() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let _coordinator = Coordinator::start(home);
    for _ in 0..3 {
        log_in(home);
    }
    let (list, _, _) = said(home, &["session", "ls", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list[1]["id"].as_str().unwrap();
    let (shown, _, _) = said(home, &["session", "ls"]);
    assert!(shown.starts_with("LOGGED IN  EXPIRES"), "{shown}");
    assert!(shown.lines().count() == 4 && shown.contains(id), "{shown}");
    let (_, message, exit) = said(home, &["session", "rm", id]);
    assert_eq!((message.trim(), exit), (&*format!("{id}: logged out"), Some(0)));
    let (_, message, exit) = said(home, &["session", "rm", id]);
    assert!(exit == Some(5) && message.contains("no such session"), "{message}");
    for usage in [&["session", "rm"][..], &["session", "rm", id, "--all"]] {
        assert_eq!(said(home, usage).2, Some(2));
    }
    let (_, message, _) = said(home, &["session", "rm", "--all"]);
    assert_eq!(message.trim(), "2 sessions ended");
    assert_eq!(said(home, &["session", "ls", "--json"]).0.trim(), "[]");
}

#[test]
fn the_audit_says_who_changed_what() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let _coordinator = Coordinator::start(home);
    for name in ["laptop", "nightly"] {
        said(home, &["token", "add", name]);
    }
    log_in(home);
    let (shown, _, _) = said(home, &["audit"]);
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = shown.lines().map(columns).collect();
    assert_eq!(
        lines[0],
        ["WHEN", "WHO", "BY", "WHAT", "SUBJECT", "REPOSITORY", "BUILD"]
    );
    let message: Vec<_> = lines[1..].iter().map(|line| line[2..].join(" ")).collect();
    assert_eq!(
        message,
        [
            "administrator session session.open administrator",
            "administrator token login_link.create administrator",
            "administrator token token.create nightly",
            "administrator token token.create laptop",
            "console console token.create administrator",
        ]
    );
    let (newest, _, _) = said(home, &["audit", "--limit", "2", "--json"]);
    let newest: Value = serde_json::from_str(&newest).unwrap();
    assert_eq!(newest.as_array().unwrap().len(), 2);
    assert_eq!(newest[0]["action"], "session.open");
    assert_eq!(said(home, &["audit", "--limit", "all"]).2, Some(2));
}

#[test]
fn a_token_says_when_it_expires() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let _coordinator = Coordinator::start(home);
    let expiry = |arguments: &[&str]| {
        let (token, message, exit) = said(home, &[&["token", "add", "x"], arguments].concat());
        assert!(exit == Some(0) && token.starts_with("drv_"), "{message}");
        message.split_once("expires: ").unwrap().1.trim().to_owned()
    };
    let day = |days: i64| {
        let at = jiff::Zoned::now().checked_add(jiff::Span::new().days(days)).unwrap();
        at.strftime("%Y-%m-").to_string()
    };
    for (arguments, days) in [(&[][..], 90), (&["--days", "365"], 365)] {
        let before = day(days);
        let said = expiry(arguments);
        assert!(said.starts_with(&before) || said.starts_with(&day(days)), "{said}");
    }
    assert_eq!(expiry(&["--no-expiry"]), "never");
    for usage in [&["--days", "0"][..], &["--days", "7", "--no-expiry"]] {
        assert_eq!(said(home, &[&["token", "add", "x"], usage].concat()).2, Some(2));
    }
    let (shown, _, _) = said(home, &["token", "ls"]);
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("NAME") && first.contains("EXPIRES"), "{shown}");
    assert!(
        shown.lines().last().unwrap().contains("never"),
        "the administrator's: {shown}"
    );
}
