//! Fixtures for tests and the bench: small builds, agents that need no HTTP. Not part of the API.

use std::time::Duration;

use job_specs::model::{Env, JobSpec, Resources, Shell, StepAction, StepSpec, WhenStatus};
use protocol::ids::{AgentId, RepositoryId};

use super::builds::{Cause, NewBuild, NewJob};
use super::repositories::{Forge, NewRepository};
use super::{Store, StoreError, agents, repositories};

/// A job of one step.
pub fn spec(name: &str) -> JobSpec {
    let step = StepSpec {
        name: "true".into(),
        action: StepAction::Run {
            script: "true".into(),
            shell: Shell::Sh,
        },
        image: "busybox".into(),
        env: Env::new(),
        secrets: Vec::new(),
        workdir: None,
        user: None,
        timeout_secs: None,
        when: WhenStatus::default(),
        allow_failure: false,
    };
    JobSpec {
        name: name.into(),
        matrix: Vec::new(),
        needs: Vec::new(),
        image: "busybox".into(),
        env: Env::new(),
        services: Vec::new(),
        steps: vec![step],
        timeout_secs: 60,
        resources: Resources::default(),
        allow_failure: false,
        max_parallel: None,
        fail_fast: false,
    }
}

/// A build of a push to `main`.
pub fn build(repository: &RepositoryId, jobs: Vec<NewJob>) -> NewBuild {
    let cause = Cause {
        event: "push".into(),
        branch: Some("main".into()),
        reference: "refs/heads/main".into(),
        commit: "5a1d6fb0c2".repeat(4),
        title: "say hello".into(),
        author: "Ada".into(),
        trusted: true,
        tag: None,
    };
    NewBuild {
        repository: repository.clone(),
        number: None,
        delivery: None,
        cause,
        diagnostics: Vec::new(),
        message: None,
        jobs,
    }
}

/// A repository of that name.
///
/// # Errors
/// As [`repositories::add`].
pub async fn repository(store: &Store, name: &str) -> Result<RepositoryId, StoreError> {
    let new = NewRepository {
        name: name.into(),
        git: format!("/srv/git/{name}"),
        forge: Forge::Generic,
    };
    Ok(repositories::add(store, new).await?.id)
}

/// An agent of that name, which has just polled with `slots` slots.
///
/// # Errors
/// As [`agents::enrol`].
pub async fn agent(store: &Store, name: &str, slots: u32) -> Result<AgentId, StoreError> {
    let code = agents::enrol_code(store, Duration::from_secs(60)).await?;
    let agent = agents::enrol(store, &code, name).await?.agent;
    let seen = agents::Seen {
        slots,
        version: protocol::VERSION,
        ..agents::Seen::default()
    };
    agents::seen(store, &agent, &seen).await?;
    Ok(agent)
}
