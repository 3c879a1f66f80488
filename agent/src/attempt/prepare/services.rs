//! The services of a job: its stack, and what is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use job_specs::model::ServiceSpec;
use job_specs::units::duration;
use protocol::attempt::{EventKind, ServiceState};
use protocol::ids::StreamId;
use tokio::sync::{mpsc, oneshot};

use crate::attempt::images::logins;
use crate::attempt::job::Job;
use crate::engine::labels;
use crate::gate::{self, GateClient};
use crate::sandbox::Sandbox;
use crate::stack::{Stack, StackEvent, StackFailure, StackSpec, Workspace};

/// A gate writes the end of its log in milliseconds.
const ENDS_LOG: Duration = Duration::from_secs(5);

/// The services of a job, running.
pub struct Services {
    /// Their stack.
    pub stack: Stack,
    flush: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// Capabilities by which a container changes how a network behaves for others in it.
const OF_NETWORKS: [&str; 4] = ["ALL", "NET_ADMIN", "NET_RAW", "SYS_ADMIN"];

fn changes_network(service: &ServiceSpec) -> bool {
    service.cap_add.iter().any(|cap| OF_NETWORKS.contains(&cap.as_str()))
}

impl Services {
    /// Starts them, or goes on with those from before a restart. `None`: the job has none.
    /// `code` says where the workspace is once it is complete.
    pub async fn start(job: &Arc<Job>, sandbox: &Sandbox, code: Workspace) -> Option<Services> {
        let specs = &job.input.spec.services;
        if specs.is_empty() {
            return None;
        }
        if specs.iter().any(changes_network) {
            sandbox.taint();
        }
        let (observer, states) = mpsc::unbounded_channel();
        let (flush, flushes) = mpsc::unbounded_channel();
        job.context.tasks.spawn(forward(job.clone(), states, flushes));
        let engine = &job.context.engine;
        let spec = spec(job, code);
        let stack = if job.resumed {
            Stack::resume(engine, sandbox, spec, observer).await
        } else {
            Stack::start(engine, sandbox, spec, observer)
        };
        Some(Services { stack, flush })
    }

    /// Waits until what the stack has said so far is in the journal.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.flush.send(done).is_ok() && flushed.await.is_err() {
            tracing::debug!("the stack's events ended before they were asked for");
        }
    }
}

/// Has every log that is full end with what its gate has held back: no more of it counts.
pub async fn end_full_logs(job: &Job) {
    let limit = job.context.engine.log_limit();
    let names = job.input.spec.services.iter().flat_map(ServiceSpec::replicas);
    let full = names
        .map(|name| StreamId::service(&name))
        .filter(|stream| gate::is_full(limit, job.folder.log_len(stream)));
    for stream in full {
        let ended = async {
            let gate = GateClient::connect(&job.folder.run_of(&stream), ENDS_LOG).await?;
            gate.end_log().await
        };
        if !matches!(tokio::time::timeout(ENDS_LOG, ended).await, Ok(Ok(()))) {
            tracing::warn!(attempt.id = %job.input.attempt, %stream, "the end of a service's log is lost");
        }
    }
}

fn spec(job: &Arc<Job>, code: Workspace) -> StackSpec {
    let services = job.input.spec.services.clone();
    let images = images(&services);
    let attempt = job.input.attempt.as_str();
    let (pulls, masker) = (job.pulls.clone(), job.masker.clone());
    let mut spec = StackSpec::new(attempt, services, job.folder.path().to_owned());
    spec.labels = [
        (labels::ATTEMPT.to_owned(), attempt.to_owned()),
        (labels::EXPIRES.to_owned(), job.expires().to_string()),
    ]
    .into();
    spec.secrets = job.input.secrets.clone();
    spec.logins = logins(&job.input);
    spec.who = job.input.who();
    spec.built = job.built.clone();
    spec.workspace = Some(code);
    spec.mask = Some(Arc::new(move |line| masker.mask(line)));
    spec.on_pull = Some(Arc::new(move |service, progress| {
        if let Some(image) = images.get(service) {
            pulls.note(image, progress);
        }
    }));
    spec
}

/// The image of each replica.
fn images(services: &[ServiceSpec]) -> BTreeMap<String, String> {
    let of = |service: &ServiceSpec| {
        let image = service.image.clone();
        service.replicas().into_iter().map(move |name| (name, image.clone()))
    };
    services.iter().flat_map(of).collect()
}

/// The service of the job that a replica is one of.
fn service_of<'a>(job: &'a Job, replica: &str) -> Option<&'a ServiceSpec> {
    let mut services = job.input.spec.services.iter();
    services.find(|service| service.replicas().iter().any(|name| name == replica))
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
    let service = service_of(job, name);
    let is_built = service.is_some_and(|service| service.build.is_some());
    let speaks = match event.state {
        ServiceState::Starting => false,
        ServiceState::Pulling => is_built, // the build's output comes first
        _ => true,
    };
    if speaks {
        job.streams.open(&StreamId::service(name));
    }
    let image = service.map(|service| &service.image);
    match &event.state {
        ServiceState::Ready {
            after_ms,
            probe,
            warning,
        } => {
            let after = duration(Duration::from_millis(*after_ms));
            job.job_log
                .write_line(format!("service {name} is ready after {after} ({probe})"));
            if let Some(warning) = warning {
                job.job_log.write_line(format!("warning: service {name}: {warning}"));
            }
        }
        ServiceState::Unhealthy { output } => {
            job.job_log
                .write_line(format!("service {name} is unhealthy: {}", output.trim()));
        }
        ServiceState::Pulling if is_built => job.job_log.write_line(format!("building the image of service {name}")),
        ServiceState::Exited {
            warning: Some(warning), ..
        } => job.job_log.write_line(format!("warning: service {name}: {warning}")),
        ServiceState::Exited { .. } | ServiceState::Pulling | ServiceState::Stopped => {}
        ServiceState::Starting | ServiceState::Running => {
            if let Some(image) = image {
                job.pulls.done(image, true);
            }
        }
    }
    let (service, state) = (event.service, event.state);
    job.journal.record(event.at, EventKind::Service { service, state });
}

/// Says in the job's log what a service died of, with the last lines of its own.
pub fn log_death(job: &Job, failure: &StackFailure) {
    job.job_log.write_line(failure.sentence());
    for line in &failure.last_lines {
        job.job_log.write_line(format!("  {} | {line}", failure.service));
    }
}

/// The job is over: services that still run are stopped by us.
pub fn record_stopped(job: &Job) {
    for service in job.input.spec.services.iter().flat_map(ServiceSpec::replicas) {
        job.journal.record_now(EventKind::Service {
            service,
            state: ServiceState::Stopped,
        });
    }
}
