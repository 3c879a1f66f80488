//! The services of a job: its stack, and what is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::attempt::{EventKind, ServiceState};
use protocol::ids::StreamId;
use tokio::sync::{mpsc, oneshot};

use super::job::Job;
use super::words;
use crate::engine::labels;
use crate::sandbox::Sandbox;
use crate::stack::{Stack, StackEvent, StackFailure, StackSpec};

/// The services of a job, running.
pub struct Services {
    /// Their stack.
    pub stack: Stack,
    flush: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Services {
    /// Starts them, or goes on with those of an earlier life. `None`: the job has none.
    pub async fn start(job: &Arc<Job>, sandbox: &Sandbox) -> Option<Services> {
        let specs = &job.input.spec.services;
        if specs.is_empty() {
            return None;
        }
        let (observer, states) = mpsc::unbounded_channel();
        let (flush, flushes) = mpsc::unbounded_channel();
        job.context.tasks.spawn(forward(job.clone(), states, flushes));
        let engine = &job.context.engine;
        let stack = if job.resumed {
            Stack::resume(engine, sandbox, spec(job), observer).await
        } else {
            Stack::start(engine, sandbox, spec(job), observer)
        };
        Some(Services { stack, flush })
    }

    /// Waits until what the stack has told so far is in the journal.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.flush.send(done).is_ok() && flushed.await.is_err() {
            tracing::debug!("the stack's events ended before they were asked for");
        }
    }
}

fn spec(job: &Arc<Job>) -> StackSpec {
    let services = job.input.spec.services.clone();
    let images: BTreeMap<String, String> = services
        .iter()
        .map(|service| (service.name.clone(), service.image.clone()))
        .collect();
    let attempt = job.input.attempt.as_str();
    let (pulls, masker) = (job.pulls.clone(), job.masker.clone());
    let mut spec = StackSpec::new(attempt, services, job.folder.path().to_owned());
    spec.labels = [
        (labels::ATTEMPT.to_owned(), attempt.to_owned()),
        (labels::EXPIRES.to_owned(), job.expires().to_string()),
    ]
    .into();
    spec.mask = Some(Arc::new(move |line| masker.mask(line)));
    spec.on_pull = Some(Arc::new(move |service, progress| {
        if let Some(image) = images.get(service) {
            pulls.note(image, progress);
        }
    }));
    spec
}

/// Puts the stack's states into the journal, and words about them into the job's log.
async fn forward(
    job: Arc<Job>,
    mut states: mpsc::UnboundedReceiver<StackEvent>,
    mut flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    loop {
        tokio::select! {
            biased;
            state = states.recv() => match state {
                Some(event) => note(&job, event),
                None => return,
            },
            // Biased: everything that was told before the flush has been taken by now. Whoever asked may be gone.
            Some(done) = flushes.recv() => drop(done.send(())),
        }
    }
}

fn note(job: &Job, event: StackEvent) {
    let name = &event.service;
    if !matches!(event.state, ServiceState::Pulling | ServiceState::Starting) {
        job.streams.open(&StreamId::service(name));
    }
    let image = job
        .input
        .spec
        .services
        .iter()
        .find(|service| service.name == *name)
        .map(|service| &service.image);
    match &event.state {
        ServiceState::Ready { after_ms, probe } => {
            let after = words::span(std::time::Duration::from_millis(*after_ms));
            job.voice
                .say(format!("service {name} is ready after {after} ({probe})"));
        }
        ServiceState::Unhealthy { output } => {
            job.voice.say(format!("service {name} is unhealthy: {}", output.trim()));
        }
        ServiceState::Exited { .. } | ServiceState::Pulling | ServiceState::Stopped => {}
        ServiceState::Starting | ServiceState::Running => {
            if let Some(image) = image {
                job.pulls.done(image, true);
            }
        }
    }
    let (service, state) = (event.service, event.state);
    job.journal.tell(event.at, EventKind::Service { service, state });
}

/// Says in the job's log what a service died of, with the last lines of its own.
pub fn tell_death(job: &Job, failure: &StackFailure) {
    job.voice.say(failure.sentence());
    for line in &failure.last_lines {
        job.voice.say(format!("  {} | {line}", failure.service));
    }
}

/// The job is over: services that still run are stopped by us.
pub fn tell_stopped(job: &Job) {
    for service in &job.input.spec.services {
        job.journal.tell_now(EventKind::Service {
            service: service.name.clone(),
            state: ServiceState::Stopped,
        });
    }
}
