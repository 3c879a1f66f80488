//! Stacks of services on a real engine: what the tests stand on.

mod builds;
mod failing;
mod keys;
mod life;
mod many;
mod ready;
mod serving;
mod share;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent::engine::ContainerPlan;
use agent::logs::lines::LineAssembler;
use agent::sandbox::{Pool, Reuse, Sandbox};
use agent::stack::{Stack, StackEvent, StackFailure, StackSpec};
use job_specs::model::{Dependency, DependencyCondition, HealthTest, Healthcheck, Ready, ReadyProbe, ServiceSpec};
use protocol::attempt::ServiceState;
use tokio::sync::mpsc;

use crate::stage::texts;
use crate::world::{World, soon, text, want};

/// A stack in a sandbox, and what it has told.
struct Running {
    world: World,
    pool: Pool,
    sandbox: Sandbox,
    stack: Stack,
    events: mpsc::UnboundedReceiver<StackEvent>,
}

async fn start(services: Vec<ServiceSpec>) -> Running {
    let world = World::new().await;
    let spec = StackSpec::new(world.agent.clone(), services, world.data().join("stack"));
    start_in(world, spec).await
}

async fn start_in(world: World, spec: StackSpec) -> Running {
    let pool = world.pool(1, 0).await;
    let sandbox = pool.take(&want("t1", "app")).await.unwrap();
    let (observer, events) = mpsc::unbounded_channel();
    let stack = Stack::start(&world.engine, &sandbox, spec, observer);
    Running {
        world,
        pool,
        sandbox,
        stack,
        events,
    }
}

impl Running {
    /// Waits until the service is in a state that `is_it` likes.
    async fn until(&mut self, service: &str, is_it: impl Fn(&ServiceState) -> bool) -> ServiceState {
        loop {
            let event = soon(self.events.recv()).await.expect("the stack still runs");
            if event.service == service && is_it(&event.state) {
                return event.state;
            }
        }
    }

    async fn ready(&self) {
        soon(self.stack.ready()).await.unwrap();
    }

    async fn failed(&self) -> StackFailure {
        soon(self.stack.ready()).await.expect_err("a service fails")
    }

    /// The lines of a service's log so far.
    fn log(&self, service: &str) -> Vec<String> {
        lines(&self.log_file(service))
    }

    fn log_file(&self, service: &str) -> PathBuf {
        self.world.data().join(format!("stack/service-{service}/log"))
    }

    /// Connects to port 81 of a service, as a step would.
    async fn knock(&self, service: &str) {
        let engine = &self.world.engine;
        let plan = ContainerPlan {
            entrypoint: Some(text(&[
                "sh",
                "-c",
                "until nc $0 81 -e true; do usleep 10000; done",
                service,
            ])),
            network: self.sandbox.join(),
            labels: self.sandbox.labels(BTreeMap::new()),
            ..ContainerPlan::of("busybox")
        };
        let knocker = engine.create(&plan).await.unwrap();
        engine.start(&knocker).await.unwrap();
        assert_eq!(soon(engine.wait_exit(&knocker)).await.unwrap().code, Some(0));
        engine.remove_forced(&knocker).await.unwrap();
    }

    /// Ends everything; what the services went through, in order.
    async fn close(mut self) -> BTreeMap<String, String> {
        self.stack.stop().await;
        self.pool.put_back(self.sandbox, Reuse::Allowed);
        self.pool.stop().await;
        let mut message: BTreeMap<String, String> = BTreeMap::new();
        while let Ok(event) = self.events.try_recv() {
            let line = message.entry(event.service).or_default();
            let word = match event.state {
                ServiceState::Pulling => "pulling".to_owned(),
                ServiceState::Starting => "starting".to_owned(),
                ServiceState::Running => "running".to_owned(),
                ServiceState::Ready { probe, .. } => format!("ready({probe})"),
                ServiceState::Unhealthy { .. } => "unhealthy".to_owned(),
                ServiceState::Exited { code, oom, .. } => format!("exited({code:?}{})", if oom { " oom" } else { "" }),
                ServiceState::Stopped => "stopped".to_owned(),
            };
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        self.world.close().await;
        message
    }
}

fn lines(log: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut assembler = LineAssembler::new(Default::default());
    assembler.push(&std::fs::read(log).unwrap_or_default(), &mut lines);
    assembler.finish(&mut lines);
    texts(&lines)
}

fn service(name: &str, image: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        image: image.into(),
        environment: BTreeMap::new(),
        ..ServiceSpec::default()
    }
}

fn shell(name: &str, script: &str) -> ServiceSpec {
    ServiceSpec {
        entrypoint: Some(text(&["sh", "-c", script])),
        ..service(name, "busybox")
    }
}

fn after(service: &str, condition: DependencyCondition) -> Dependency {
    Dependency {
        service: service.into(),
        condition,
        required: true,
    }
}

fn ready(probe: ReadyProbe, timeout_ms: u64) -> Option<Ready> {
    Some(Ready {
        probe,
        timeout_ms,
        own_timeout: true,
    })
}

fn healthcheck(test: HealthTest) -> Option<Healthcheck> {
    Some(Healthcheck {
        test: Some(test),
        interval_ms: 500,
        timeout_ms: 5000,
        retries: 20,
        ..Healthcheck::default()
    })
}
