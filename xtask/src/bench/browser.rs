//! Print to visible: a step prints the time, a headless Chromium shows the job's page, and a script in the page notes
//! when each line was drawn. Both clocks are this machine's.

use super::samples::Samples;
use crate::http::Server;
use crate::keeper::Keeper;
use crate::process;
use crate::setup::{chromium, postgres::free_port};
use crate::stage::{self, Stage};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// High enough for every line of the measure.
const WINDOW: &str = "--window-size=1280,4000";

/// Prints `tick <milliseconds since 1970>` ten times a second, once the page had time to open.
const FILE: &str = r#"
on: [push, manual]
jobs:
  tick:
    image: debian:bookworm
    steps:
      - |
        sleep 4
        for i in $(seq TICKS); do echo "tick $(date +%s%3N)"; sleep 0.1; done
        sleep 1
"#;

/// Notes for each line when it was drawn: the task after the frame in which it stood inside the window.
const WATCH: &str = r"
window.ticks = new Map();
const isInside = (node) => {
    const place = node.getBoundingClientRect?.();
    return place && place.height > 0 && place.top < innerHeight && place.bottom > 0;
};
new MutationObserver((records) => {
    const nodes = records.flatMap((record) => [...record.addedNodes]);
    requestAnimationFrame(() => setTimeout(() => {
        const now = performance.timeOrigin + performance.now();
        for (const node of nodes.filter(isInside)) {
            for (const [, printed] of node.textContent.matchAll(/tick (\d{13})/g)) {
                if (!window.ticks.has(printed)) window.ticks.set(printed, now);
            }
        }
    }));
}).observe(document.body, {childList: true, subtree: true});
";

/// Measures `ticks` lines on a Drover that is up.
///
/// # Errors
/// When the browser does not start, or fewer than nine in ten lines are seen.
pub fn print_to_visible(stage: &Stage, ticks: usize) -> anyhow::Result<Samples> {
    let browser = Browser::open()?;
    browser.log_in(&stage.login_link()?)?;
    let clone = stage.repository("ticks")?;
    std::fs::write(clone.join(".drover.yml"), FILE.replace("TICKS", &ticks.to_string()))
        .context("write the job file")?;
    let newest = stage.json(&["build", "ls", "--json"])?[0]["number"]
        .as_i64()
        .unwrap_or(0);
    stage::push(&clone, "Tick", "main")?;
    let number = stage.build_after(newest)?.to_string();
    let job = job_of(stage, &number)?;
    browser.visit(&format!("{}/jobs/{job}", stage.url))?;
    browser.run(WATCH)?;
    process::output(&mut stage.drover(&["watch", &number, "--progress", "quiet"]))?;
    std::thread::sleep(Duration::from_secs(1));
    let seen = browser.run("return [...window.ticks.entries()]")?;
    let mut samples = Samples::default();
    for tick in seen.as_array().into_iter().flatten() {
        let printed: f64 = tick[0].as_str().context("read a tick")?.parse()?;
        samples.push(tick[1].as_f64().context("read when it was drawn")? - printed);
    }
    ensure!(
        samples.len() * 10 >= ticks * 9,
        "the page showed {} of {ticks} lines",
        samples.len()
    );
    Ok(samples)
}

/// The id of the build's job, once there is one.
fn job_of(stage: &Stage, number: &str) -> anyhow::Result<String> {
    let begin = Instant::now();
    loop {
        let build = stage.json(&["build", "show", number, "--json"])?;
        if let Some(id) = build["jobs"][0]["id"].as_str() {
            return Ok(id.to_owned());
        }
        ensure!(begin.elapsed() < LIMIT, "build {number} has no job");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A headless Chromium, driven over WebDriver.
struct Browser {
    driver: Server,
    session: String,
    _process: Keeper,
}

impl Browser {
    fn open() -> anyhow::Result<Browser> {
        let programs = chromium::find()?;
        let folder = tempfile::Builder::new().prefix("drover-browser-").tempdir()?.keep();
        let port = free_port()?;
        let mut command = Command::new(&programs.driver);
        command.arg(format!("--port={port}"));
        let log = process::scratch()?.join("chromedriver.log");
        let process = Keeper::start(&folder, &log, "TERM", &command)?;
        let driver = Server::new(&format!("http://127.0.0.1:{port}"), None);
        process.wait_until(LIMIT, || driver.answers("/status"))?;
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            WINDOW,
            &profile,
        ];
        let options = json!({"binary": programs.chromium, "args": arguments});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let session = driver.post("/session", &wanted).context("open the browser")?;
        Ok(Browser {
            driver,
            session: session["value"]["sessionId"]
                .as_str()
                .context("read the session's id")?
                .to_owned(),
            _process: process,
        })
    }

    fn visit(&self, url: &str) -> anyhow::Result<()> {
        let path = format!("/session/{}/url", self.session);
        self.driver
            .post(&path, &json!({"url": url}))
            .context("visit a page")
            .map(drop)
    }

    /// The link's page has a button, so that a mail program that looks at links does not use them up.
    fn log_in(&self, link: &str) -> anyhow::Result<()> {
        self.visit(link)?;
        self.run("document.querySelector('main form button')?.click()")?;
        let begin = Instant::now();
        while self.run("return location.pathname")? == "/login" {
            ensure!(begin.elapsed() < LIMIT, "the browser cannot log in");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn run(&self, script: &str) -> anyhow::Result<Value> {
        let path = format!("/session/{}/execute/sync", self.session);
        let answer = self.driver.post(&path, &json!({"script": script, "args": []}));
        Ok(answer.context("run a script in the page")?["value"].clone())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver is stopped next, and takes the browser along.
        let _ = self.driver.delete(&format!("/session/{}", self.session));
    }
}
