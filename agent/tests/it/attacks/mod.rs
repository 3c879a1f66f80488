//! What code that is not trusted, or another repository, tries against the agent's machine: each test is the attack.

mod builds;
mod images;
mod limits;
mod network;
mod rights;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agent::attempt::AttemptInput;
use job_specs::model::{BuildSpec, ImageBuild, JobSpec, StepAction, StepSpec};
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, Story};

/// A job of that repository's trusted code.
fn trusted(stage: &Stage, repository: &str, spec: JobSpec) -> AttemptInput {
    AttemptInput {
        repository: repository.into(),
        ..stage.input(spec)
    }
}

/// A pull request from a fork of that repository.
fn fork(stage: &Stage, repository: &str, spec: JobSpec) -> AttemptInput {
    AttemptInput {
        trusted: false,
        ..trusted(stage, repository, spec)
    }
}

async fn run(stage: &Stage, input: AttemptInput) -> Story {
    stage.run_input(input, CancellationToken::new()).await
}

/// A step that builds an image.
fn building(dockerfile: &str, tags: &[&str], push: bool) -> StepSpec {
    let image = ImageBuild {
        build: inline(dockerfile),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        push,
        login: None,
    };
    StepSpec {
        name: "build".into(),
        action: StepAction::Image(Box::new(image)),
        ..StepSpec::default()
    }
}

fn inline(dockerfile: &str) -> BuildSpec {
    BuildSpec {
        context: ".".into(),
        dockerfile_inline: Some(dockerfile.into()),
        ..BuildSpec::default()
    }
}

/// A server of the agent's machine that counts who comes.
struct Victim {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Victim {
    fn listen(address: &str) -> Victim {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = visits.clone();
        std::thread::spawn(move || {
            while listener.accept().is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Victim { port, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}
