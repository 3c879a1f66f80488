//! How the services of a stack stand: each writes its own place, others wait for it, the owner waits for all or for
//! the first failure that counts.

use std::collections::BTreeMap;

use job_specs::model::{Dependency, DependencyCondition, ServiceSpec};
use tokio::sync::watch;

use super::failure::{FailureKind, StackFailure};

/// How a service stands, as far as others care.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its process does not run yet.
    #[default]
    Pending,
    /// Its process runs.
    Running,
    /// It is ready.
    Ready,
    /// It was to exit with 0, and did.
    Completed,
    /// It failed.
    Down,
}

impl Progress {
    fn is_ready(self) -> bool {
        match self {
            Progress::Ready | Progress::Completed => true,
            Progress::Pending | Progress::Running | Progress::Down => false,
        }
    }

    /// `None`: not yet; `Some(false)`: never.
    fn satisfies(self, condition: DependencyCondition) -> Option<bool> {
        use DependencyCondition as C;
        match (self, condition) {
            (Progress::Down, _) => Some(false),
            (Progress::Completed, _) => Some(true),
            (Progress::Running | Progress::Ready, C::ServiceStarted) => Some(true),
            (Progress::Ready, C::ServiceHealthy) => Some(true),
            (Progress::Pending, _)
            | (Progress::Running, C::ServiceHealthy)
            | (Progress::Running | Progress::Ready, C::ServiceCompletedSuccessfully) => None,
        }
    }
}

/// Where each service of one stack stands.
pub(super) struct ServiceStates {
    services: BTreeMap<String, ServiceState>,
    failure: watch::Sender<Option<StackFailure>>,
}

struct ServiceState {
    progress: watch::Sender<Progress>,
    may_fail: bool,
}

impl ServiceState {
    /// Waits until it is known whether a condition is met.
    async fn settles(&self, condition: DependencyCondition) -> bool {
        let mut progress = self.progress.subscribe();
        let settled = progress
            .wait_for(|progress| progress.satisfies(condition).is_some())
            .await;
        settled.is_ok_and(|progress| progress.satisfies(condition) == Some(true))
    }
}

impl ServiceStates {
    pub(super) fn new(services: &[ServiceSpec]) -> ServiceStates {
        let new = |service: &ServiceSpec| ServiceState {
            progress: watch::Sender::default(),
            may_fail: service.allow_failure,
        };
        ServiceStates {
            services: services
                .iter()
                .map(|service| (service.name.clone(), new(service)))
                .collect(),
            failure: watch::Sender::default(),
        }
    }

    pub(super) fn set(&self, service: &str, progress: Progress) {
        if let Some(service) = self.services.get(service) {
            service.progress.send_replace(progress);
        }
    }

    /// Its process runs, as far as is known.
    pub(super) fn is_up(&self, service: &str) -> bool {
        let progress = self.services.get(service).map(|service| *service.progress.borrow());
        matches!(progress, Some(Progress::Running | Progress::Ready))
    }

    /// The service is down; unless it may fail, and unless another was first, so is the stack.
    pub(super) fn fail(&self, failure: StackFailure) {
        let may_fail = self
            .services
            .get(&failure.service)
            .is_some_and(|service| service.may_fail);
        let service = failure.service.clone();
        if !may_fail {
            self.failure.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(failure);
                is_first
            });
        }
        self.set(&service, Progress::Down);
    }

    /// Some failure counts already.
    pub(super) fn has_failed(&self) -> Option<String> {
        let failure = self.failure.borrow();
        failure.as_ref().map(|failure| failure.service.clone())
    }

    /// Waits until everything is as `dependencies` want it, or will never be and need not.
    pub(super) async fn wait_for(&self, dependencies: &[Dependency]) -> Result<(), FailureKind> {
        for dependency in dependencies {
            let satisfied = match self.services.get(&dependency.service) {
                Some(service) => service.settles(dependency.condition).await,
                None => false,
            };
            if !satisfied && dependency.required {
                return Err(FailureKind::Dependency {
                    on: dependency.service.clone(),
                });
            }
        }
        Ok(())
    }

    /// Waits until every service is ready (or is down and may be).
    pub(super) async fn all_ready(&self) {
        for service in self.services.values() {
            let mut progress = service.progress.subscribe();
            let settled = |progress: &Progress| progress.is_ready() || service.may_fail && *progress == Progress::Down;
            if progress.wait_for(settled).await.is_err() {
                return; // the sender lives as long as `self`
            }
        }
    }

    /// Waits for the first failure that counts.
    pub(super) async fn first_failure(&self) -> StackFailure {
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(failure) = failure.borrow_and_update().clone() {
                return failure;
            }
            if failure.changed().await.is_err() {
                std::future::pending::<()>().await; // the sender lives as long as `self`
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DependencyCondition as C;

    #[test]
    fn a_condition_is_met_or_hopeless_or_open() {
        let table: Vec<String> = [
            Progress::Pending,
            Progress::Running,
            Progress::Ready,
            Progress::Completed,
            Progress::Down,
        ]
        .into_iter()
        .map(|progress| {
            let answers =
                [C::ServiceStarted, C::ServiceHealthy, C::ServiceCompletedSuccessfully].map(|condition| match progress
                    .satisfies(condition)
                {
                    None => "open",
                    Some(true) => "met",
                    Some(false) => "hopeless",
                });
            format!("{progress:?}: {}", answers.join(" "))
        })
        .collect();
        insta::assert_snapshot!(table.join("\n"), @r#"
        Pending: open open open
        Running: met open open
        Ready: met met open
        Completed: met met met
        Down: hopeless hopeless hopeless
        "#);
    }
}
