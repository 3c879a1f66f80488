//! What a maintainer sees: lines appear in a real browser while the step and its service still run.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use thirtyfour::prelude::*;

use crate::stage::{PATIENCE, Stage};

/// A browser with its driver; ends both when dropped, also by a failed assertion.
struct Browser {
    driver: WebDriver,
    process: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn open() -> Browser {
        // The driver is spoken to over plain HTTP, but its client wants a provider before it is made.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            // The browser inherits it, and would hold the pipe of whoever reads this test's output.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver tells its port").unwrap();
            if let Some(rest) = line.split("successfully on port ").nth(1) {
                break rest.trim_end_matches('.').parse::<u16>().unwrap();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut wants = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            wants.add_arg(argument).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wants).await.unwrap();
        Browser {
            driver,
            process,
            _profile: profile,
        }
    }

    /// Waits until the page's text has all of `words`.
    async fn sees(&self, words: &[&str]) -> String {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let text = match self.driver.find(By::Tag("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if words.iter().all(|word| text.contains(word)) {
                return text;
            }
            assert!(std::time::Instant::now() < until, "{words:?} are not all in:\n{text}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_appear_while_the_step_and_the_service_run() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        r#"
jobs:
  talk:
    image: redis:7
    services:
      cache: {image: "redis:7", ready: {tcp: 6379}}
    steps:
      - name: wait for the word
        run: |
          echo "the step speaks"
          echo "and complains" >&2
          until [ "$(redis-cli -h cache get word)" = now ]; do sleep 0.1; done
          echo "the word came"
"#,
    );
    let browser = Browser::open().await;
    let page = &browser.driver;
    page.goto(format!("{}/", stage.url())).await.unwrap();
    browser.sees(&["Log in"]).await;
    page.goto(stage.login_link()).await.unwrap();
    page.find(By::Css("main form button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.sees(&["app"]).await;
    copy.push("Talk");
    let build = stage.build(1);
    assert_eq!(build["number"], 1);
    page.goto(format!("{}/builds/1", stage.url())).await.unwrap();
    browser.sees(&["Talk", "talk", "running"]).await;
    page.find(By::LinkText("talk")).await.unwrap().click().await.unwrap();
    page.find(By::Css("#sec-service-cache summary"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let ready = "Ready to accept connections";
    browser.sees(&["the step speaks", "and complains", ready]).await;
    let status = stage.json(&["build", "show", "1", "--json"])["status"].clone();
    assert_eq!(status, "running", "the lines were seen while it ran");

    stage.set_in_service("cache", &["redis-cli", "set", "word", "now"]);
    browser.sees(&["the word came", "passed"]).await;
    let stderr = page
        .find_all(By::Css("[data-source=stderr], .stderr, .e"))
        .await
        .unwrap();
    assert!(!stderr.is_empty(), "standard error is told apart");
    browser.driver.clone().quit().await.unwrap();
    drop(browser);
    assert_eq!(stage.watch(1).0, 0);
    stage.stop();
    stage.nothing_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_is_entered_by_its_terminal_page() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        r#"
jobs:
  test:
    image: debian:bookworm
    hold_on_failure: 10m
    services:
      redis: {image: "redis:7", ready: {tcp: 6379}}
    steps: ["echo left > behind; exit 3"]
"#,
    );
    copy.push("It breaks");
    stage.build(1);
    assert_eq!(stage.watch(1).0, 1);
    let browser = Browser::open().await;
    let page = &browser.driver;
    page.goto(stage.login_link()).await.unwrap();
    let log_in = page.find(By::Css("main form button")).await.unwrap();
    log_in.click().await.unwrap();
    browser.sees(&["app"]).await;
    page.goto(format!("{}/builds/1", stage.url())).await.unwrap();
    page.find(By::LinkText("test")).await.unwrap().click().await.unwrap();
    browser.sees(&["retained until", "drover shell 1 --job test"]).await;
    page.find(By::LinkText("Terminal"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.sees(&["In step 1", "/workspace"]).await;
    let keys = page.find(By::Css("drover-terminal textarea")).await.unwrap();
    keys.send_keys("ls --color=always / && cat behind && echo $((40 + 2))" + Key::Enter)
        .await
        .unwrap();
    browser.sees(&["left\n42"]).await;
    if let Some(file) = std::env::var_os("DROVER_SCREENSHOT") {
        page.screenshot(std::path::Path::new(&file)).await.unwrap();
    }
    keys.send_keys("exit 7" + Key::Enter).await.unwrap();
    browser.sees(&["The shell ended with 7.", "Open again"]).await;
    page.find(By::LinkText("redis")).await.unwrap().click().await.unwrap();
    browser.sees(&["In service redis."]).await;
    page.find(By::XPath("//button[text()='Remove']"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.sees(&["are being removed"]).await;
    stage.let_go();
    browser.driver.clone().quit().await.unwrap();
    drop(browser);
    stage.stop();
    stage.nothing_left();
}
