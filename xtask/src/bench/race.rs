//! The race: every workload by hand, by `drover run`, and through a warm coordinator and agent, one after the other in
//! every round, so that a machine that drifts drifts for all.

use super::samples::Samples;
use super::workloads::{WORKLOADS, Workload, in_order};
use crate::http::Server;
use crate::stage::{self, Stage};
use crate::{leftovers, process, say};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SETTLED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(150);
/// So many looks without a change are rest.
const CALM: u32 = 3;
/// Labels of what goes away by itself: of a job that runs, of a `drover run`.
const BUSY: [&str; 2] = ["drover.attempt=", "drover.agent=local-"];

/// What was measured of one workload, in milliseconds.
#[derive(Default)]
pub struct Times {
    /// The whole script, everything it made removed.
    pub script: Samples,
    /// The script until its last exit code is known.
    pub script_known: Samples,
    /// `drover run`, the whole process.
    pub run: Samples,
    /// From queued to result known, by the coordinator's clock.
    pub warm: Samples,
    /// From `drover trigger` to the end of `drover watch`.
    pub end_to_end: Samples,
}

/// What the race brings.
#[derive(Default)]
pub struct Race {
    /// In the order of `WORKLOADS`.
    pub times: [Times; 4],
    /// From the end of a step to the begin of the next, by the gates' clocks, in milliseconds.
    pub gaps: Samples,
}

/// Everything that the rounds need.
struct Track<'a> {
    stage: &'a Stage,
    api: Server,
}

/// Runs `rounds` rounds on a Drover that is up, after one that does not count.
///
/// # Errors
/// When a workload does not end well or loses a line.
pub fn run(stage: &Stage, rounds: usize) -> anyhow::Result<Race> {
    let track = Track::prepare(stage)?;
    let mut race = Race::default();
    say::timed("a round to warm up", || track.round(&mut Race::default()))?;
    for number in 1..=rounds {
        say::timed(format_args!("round {number} of {rounds}"), || track.round(&mut race))?;
    }
    Ok(race)
}

impl Track<'_> {
    /// A branch for each workload in a repository, and a folder for each `drover run`.
    fn prepare(stage: &Stage) -> anyhow::Result<Track<'_>> {
        let clone = stage.repository("bench")?;
        for (number, workload) in WORKLOADS.iter().enumerate() {
            std::fs::write(clone.join(".drover.yml"), workload.file).context("write the job file")?;
            stage::push(&clone, workload.says, &format!("refs/heads/{}", workload.name))?;
            let build = stage.build_after(i64::try_from(number)?)?.to_string();
            let watch = process::output(&mut stage.drover(&["watch", &build, "--progress", "quiet"]));
            watch.with_context(|| format!("run {} for the first time", workload.name))?;
            let folder = stage.folder().join(workload.name);
            std::fs::create_dir_all(&folder).context("make a folder")?;
            std::fs::write(folder.join(".drover.yml"), workload.file).context("write the job file")?;
        }
        let token = std::fs::read_to_string(stage.folder().join("data/admin.token")).context("read the token")?;
        let track = Track {
            stage,
            api: Server::new(&stage.url, Some(token.trim().to_owned())),
        };
        track.settle()?;
        Ok(track)
    }

    fn round(&self, race: &mut Race) -> anyhow::Result<()> {
        for (workload, times) in WORKLOADS.iter().zip(&mut race.times) {
            self.by_hand(workload, times)
                .with_context(|| format!("{} by hand", workload.name))?;
            self.settle()?;
            self.cold(workload, times)
                .with_context(|| format!("{} by `drover run`", workload.name))?;
            self.settle()?;
            let warm = self.warm(workload, times);
            let build = warm.with_context(|| format!("{} through the coordinator", workload.name))?;
            if workload.name == "w1" {
                self.gaps(&build, &mut race.gaps)?;
            }
            self.settle()?;
        }
        Ok(())
    }

    fn by_hand(&self, workload: &Workload, times: &mut Times) -> anyhow::Result<()> {
        let known = self.stage.folder().join("known");
        let mut script = Command::new("sh");
        script.args(["-e", "-c", workload.script]).env("KNOWN", &known);
        let begin = SystemTime::now();
        let printed = process::output(&mut script)?;
        times.script.push_duration(begin.elapsed()?);
        let nanos: u128 = std::fs::read_to_string(&known)
            .context("read when the result was known")?
            .trim()
            .parse()?;
        times
            .script_known
            .push((nanos - begin.duration_since(UNIX_EPOCH)?.as_nanos()) as f64 / 1e6);
        whole(workload, &printed)
    }

    fn cold(&self, workload: &Workload, times: &mut Times) -> anyhow::Result<()> {
        let mut run = self.stage.drover(&["run", "--progress", "plain"]);
        run.current_dir(self.stage.folder().join(workload.name))
            .stdin(Stdio::null());
        let begin = Instant::now();
        let printed = process::output(&mut run)?;
        times.run.push_duration(begin.elapsed());
        whole(workload, &printed)
    }

    /// Gives the build, as `drover build show --json` tells it.
    fn warm(&self, workload: &Workload, times: &mut Times) -> anyhow::Result<Value> {
        let begin = Instant::now();
        let made = self
            .stage
            .json(&["trigger", "bench", "--ref", workload.name, "--json"])?;
        let number = made["number"].as_i64().context("read the build's number")?.to_string();
        process::output(&mut self.stage.drover(&["watch", &number, "--progress", "quiet"]))?;
        times.end_to_end.push_duration(begin.elapsed());
        let build = self.stage.json(&["build", "show", &number, "--json"])?;
        times.warm.push(queued_to_known(&build)?);
        if workload.lines > 0 {
            let logs = process::output(&mut self.stage.drover(&["logs", &number, "--raw"]))?;
            whole(workload, &logs)?;
        }
        Ok(build)
    }

    /// The time between two steps of the same attempt.
    fn gaps(&self, build: &Value, gaps: &mut Samples) -> anyhow::Result<()> {
        let attempt = build["jobs"][0]["attempts"][0]["id"]
            .as_str()
            .context("read the attempt's id")?;
        let events = self.api.get(&format!("/api/v1/attempts/{attempt}/events"))?;
        let mut ended = None;
        for event in events.as_array().into_iter().flatten() {
            match (event["type"].as_str(), event["at"].as_f64(), ended) {
                (Some("step_started"), Some(at), Some(before)) => gaps.push((at - before) / 1000.0),
                (Some("step_finished"), at, _) => ended = at,
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until nothing runs and nothing is being made or removed, so that one way does not pay for another.
    fn settle(&self) -> anyhow::Result<()> {
        let begin = Instant::now();
        let (mut before, mut calm) = (leftovers::look()?, 0);
        while calm < CALM && begin.elapsed() < SETTLED {
            std::thread::sleep(LOOK);
            let now = leftovers::look()?;
            let works = now
                .iter()
                .any(|thing| BUSY.iter().any(|label| thing.labels.contains(label)));
            calm = if now == before && !works { calm + 1 } else { 0 };
            before = now;
        }
        if calm < CALM {
            say::line("note: the engine does not come to rest; is something else using it?");
        }
        Ok(())
    }
}

/// Every line that the workload prints is there.
fn whole(workload: &Workload, printed: &str) -> anyhow::Result<()> {
    if workload.lines == 0 {
        return Ok(());
    }
    in_order(printed, workload.lines)
}

/// From the first job's queueing to the last job's end, milliseconds.
fn queued_to_known(build: &Value) -> anyhow::Result<f64> {
    ensure!(
        build["status"] == "passed",
        "the build is {}, not passed",
        build["status"]
    );
    let jobs = build["jobs"].as_array().context("read the jobs")?;
    let queued = jobs.iter().filter_map(|job| job["queued_at"].as_i64()).min();
    let known = jobs.iter().filter_map(|job| job["finished_at"].as_i64()).max();
    let (queued, known) = queued.zip(known).context("read when jobs were queued and ended")?;
    Ok((known - queued) as f64 / 1000.0)
}
