//! What a maintainer sees: lines appear in a real browser while the step and its service still run.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use thirtyfour::prelude::*;

use crate::stage::{PATIENCE, Stage};

/// A browser with its driver; ends both when dropped.
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
            .stdout(Stdio::piped())
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

    async fn close(self) {
        let Browser {
            driver,
            mut process,
            _profile,
        } = self;
        driver.quit().await.unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
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
    browser.close().await;
    assert_eq!(stage.watch(1).0, 0);
    stage.stop();
    stage.nothing_left();
}
