//! A step that builds an image, names it for its job and perhaps pushes it: the engine does it, no container of the
//! step's own.

use std::io;
use std::path::Path;
use std::time::Duration;

use job_specs::model::{ImageBuild, StepAction, StepSpec};
use protocol::attempt::{AttemptResult, EventKind, Micros, ReasonCode, StepOutcome, StepStatus, Verdict};
use protocol::ids::StreamId;
use protocol::record::Source;

use super::outputs;
use super::step::StepRun;
use crate::attempt::images::{built, logins};
use crate::attempt::interrupt::Interrupts;
use crate::attempt::job::Job;
use crate::attempt::plan;
use crate::attempt::report::activity;
use crate::attempt::report::reasons::{self, StepEnd};
use crate::build::built::Builder;
use crate::build::{Build, BuildError};
use crate::engine::labels::{self, Labels};
use crate::engine::login::registry_of;
use crate::engine::pull::name_and_tag;
use crate::engine::{EngineError, Network, Pushed};
use crate::gate;
use crate::logs::writer::LogWriter;
use crate::stack::Stack;

/// Lets the step run to its end. Notes its start in the journal, as [`super::step::run`] does.
pub async fn run(job: &Job, index: usize, network: Network, interrupts: &Interrupts, stack: Option<&Stack>) -> StepRun {
    let step = job.step(index);
    let started = crate::clock::now();
    job.journal.record(started, EventKind::StepStarted { step: index });
    let limit = step.timeout_secs.map(Duration::from_secs);
    let end = tokio::select! {
        biased;
        interrupt = interrupts.next(stack) => Err(interrupt),
        made = make(job, index, network) => Ok(made.map_err(|trouble| trouble.result(step))),
        limit = time_out(limit) => Ok(Err(reasons::step_timeout(step, limit, None).1)),
    };
    outputs::take(job, index);
    match end {
        Ok(made) => {
            let failure = made.err();
            let outcome = outcome(started, failure.as_ref());
            StepRun::Ended(StepEnd { outcome, failure }, crate::clock::now())
        }
        Err(interrupt) => {
            let mut outcome = outcome(started, Some(&interrupt.result(&activity::in_step(step))));
            outcome.tries = job.journal.tries(index);
            job.finish_step(index, crate::clock::now(), outcome);
            StepRun::Interrupted(interrupt)
        }
    }
}

/// Ends when the limit is over; never without one.
async fn time_out(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

fn outcome(started: Micros, failure: Option<&AttemptResult>) -> StepOutcome {
    let status = match failure.map(|failure| failure.verdict) {
        None => StepStatus::Passed,
        Some(Verdict::TimedOut) => StepStatus::TimedOut,
        Some(Verdict::Cancelled) => StepStatus::Cancelled,
        Some(_) => StepStatus::Failed,
    };
    let reason = failure.and_then(|failure| failure.reason.as_ref());
    StepOutcome {
        duration_us: u64::try_from(crate::clock::now() - started).unwrap_or(0),
        ..reasons::without_run(status, reason.map(|reason| reason.sentence.clone()))
    }
}

/// Why there is no image, or it is not where it should be.
enum Trouble {
    /// Its secret does not exist.
    Secret(String),
    /// The code is not trusted, and it would push.
    Untrusted,
    /// It cannot be built.
    Build(BuildError),
    /// It cannot be named so, or not be pushed.
    Push { tag: String, error: EngineError },
    /// The step's folder cannot be used.
    Disk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Disk(error)
    }
}

/// Builds, names, pushes; what came of it goes to the step's outputs.
async fn make(job: &Job, index: usize, network: Network) -> Result<(), Trouble> {
    let StepAction::Image(image) = &job.step(index).action else {
        return Ok(());
    };
    let folder = match job.journal.tries(index) {
        1 => job.folder.create_step(index)?,
        _ => job.folder.renew_step(index)?,
    };
    let stream = StreamId::step(index);
    let log = LogWriter::limited(&job.folder.log(&stream), job.context.engine.log_limit())?;
    job.streams.open(&stream);
    if image.push && !job.input.trusted {
        return Err(Trouble::Untrusted);
    }
    if let Some(login) = &image.login
        && !job.input.secrets.contains_key(&login.secret)
    {
        return Err(Trouble::Secret(login.secret.clone()));
    }
    let id = build(job, index, image, network, &log).await.map_err(Trouble::Build)?;
    job.built.set(Builder::Step(index), &id);
    log.write_line(&format!("named {} for this job", image.tags.join(", ")))?;
    let mut outputs = vec![format!("{}={id}", built::IMAGE_ID)];
    for tag in image.tags.iter().filter(|_| image.push) {
        let pushed = push(job, &id, tag, &log).await?;
        if outputs.len() == 1 {
            let (name, _) = name_and_tag(tag);
            outputs.push(format!("DIGEST={}", pushed.digest));
            outputs.push(format!("IMAGE={name}@{}", pushed.digest));
        }
    }
    write_outputs(&folder, &outputs)?;
    Ok(())
}

async fn build(
    job: &Job,
    index: usize,
    image: &ImageBuild,
    network: Network,
    log: &LogWriter,
) -> Result<String, BuildError> {
    let workspace = job.folder.workspace();
    // that of trusted code is the user's: it goes out, and must not say whose agent made it
    let owner = match job.input.trusted {
        true => Labels::new(),
        false => Labels::from([
            (labels::ATTEMPT.to_owned(), job.input.attempt.0.clone()),
            (labels::EXPIRES.to_owned(), job.expires().to_string()),
        ]),
    };
    let build = Build {
        spec: &image.build,
        workspace: &workspace,
        owner,
        network,
        logins: logins(&job.input),
        who: job.input.who(),
        own: built::before(&job.input.spec, index, &job.built),
        limits: plan::limits(&job.input.spec.resources),
    };
    let built = build.run(&job.context.engine, |output| {
        if let Err(error) = log.append(Source::Stdout, output.as_bytes()) {
            tracing::warn!(%error, "a build's log cannot be written");
        }
    });
    built.await
}

async fn push(job: &Job, id: &str, tag: &str, log: &LogWriter) -> Result<Pushed, Trouble> {
    log.write_line(&format!("pushing {tag}"))?;
    let logins = logins(&job.input);
    let pushed = job.context.engine.push_as(id, tag, logins.of(tag)).await;
    let pushed = pushed.map_err(|error| Trouble::Push {
        tag: tag.to_owned(),
        error,
    })?;
    let Pushed { digest, sent, there } = &pushed;
    log.write_line(&format!(
        "pushed {tag}: {sent} layers sent, {there} were there already; digest {digest}"
    ))?;
    Ok(pushed)
}

/// In the form of `$DROVER_OUTPUT`, in its place.
fn write_outputs(folder: &Path, outputs: &[String]) -> io::Result<()> {
    std::fs::write(folder.join(gate::OUTPUTS), outputs.join("\n") + "\n")
}

impl Trouble {
    fn result(self, step: &StepSpec) -> AttemptResult {
        let name = &step.name;
        let failed = |sentence: String| AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, sentence);
        match self {
            Trouble::Secret(secret) => reasons::secrets_missing(&[(name, &secret)]),
            Trouble::Untrusted => failed(format!(
                "step `{name}`: a build of code that is not trusted (a pull request from a fork) pushes no image; leave the \
                 step out there: `when: {{event: [push, tag]}}`"
            )),
            Trouble::Build(BuildError::Failed(why)) => {
                failed(format!("step `{name}`: the image cannot be built: {why}"))
            }
            Trouble::Build(BuildError::Engine(error)) => reasons::of_engine(step, &error),
            Trouble::Push { tag, error } => match refusal(step, &tag, &error) {
                Some(sentence) => failed(sentence),
                None => reasons::broken(format!("step `{name}`: `{tag}` cannot be pushed: {}", detail(&error))),
            },
            Trouble::Disk(error) => reasons::broken(format!("step `{name}`: its log cannot be written: {error}")),
        }
    }
}

/// Without what a pull would say.
fn detail(error: &EngineError) -> String {
    match error {
        EngineError::Registry { detail, .. } => detail.clone(),
        other => other.to_string(),
    }
}

/// The registry's no in words; `None`: it is no such thing.
fn refusal(step: &StepSpec, tag: &str, error: &EngineError) -> Option<String> {
    let (name, registry) = (&step.name, registry_of(tag));
    let login = match &step.action {
        StepAction::Image(image) => image.login.as_ref(),
        StepAction::Run { .. } | StepAction::Entrypoint(_) => None,
    };
    let advice = match login {
        Some(login) => format!("check user `{}` and the secret `{}`", login.user, login.secret),
        None => "give the step a `login` with a user and a secret".to_owned(),
    };
    match error {
        EngineError::ImageRefused { detail, .. } | EngineError::ImageNotFound { detail, .. } => Some(format!(
            "step `{name}`: the registry `{registry}` refuses `{tag}`: {detail}; {advice}"
        )),
        EngineError::NotAllowed { detail } => Some(format!("step `{name}`: {detail}")),
        EngineError::CannotStart { detail } | EngineError::BuildFailed { detail } => {
            Some(format!("step `{name}`: the image cannot be named `{tag}`: {detail}"))
        }
        _ => None,
    }
}
