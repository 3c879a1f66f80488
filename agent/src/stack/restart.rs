//! `restart`: whether a service that ended is started again, and after how long. Pure.

use std::time::{Duration, Instant};

use job_specs::model::{Restart, ServiceSpec};

use super::body::ServiceExit;
use super::launch::Role;

/// Before the first time; each time doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// It is never longer.
const LONGEST: Duration = Duration::from_secs(5);

/// How often a service was started again.
pub(super) struct Restarts {
    policy: Restart,
    done: u32,
    /// In a row, without being ready in between.
    in_a_row: u32,
    /// Since when it is to be ready.
    awaited: Option<Instant>,
}

impl Restarts {
    /// None yet; a task is never started again.
    pub(super) fn of(service: &ServiceSpec, role: Role) -> Restarts {
        Restarts {
            policy: match role {
                Role::Server => service.restart,
                Role::Task => Restart::No,
            },
            done: 0,
            in_a_row: 0,
            awaited: None,
        }
    }

    /// What is left of the time in which it must be ready: it begins with its first run, or the first after it was.
    pub(super) fn rest_of(&mut self, timeout: Duration) -> Duration {
        timeout.saturating_sub(self.awaited.get_or_insert_with(Instant::now).elapsed())
    }

    /// How often it was.
    pub(super) fn done(&self) -> u32 {
        self.done
    }

    /// It became ready.
    pub(super) fn is_ready(&mut self) {
        self.in_a_row = 0;
        self.awaited = None;
    }

    /// The pause after which it is to be started again; `None`: this end is its last.
    pub(super) fn after(&mut self, ended: &ServiceExit) -> Option<Duration> {
        let again = match self.policy {
            Restart::No => false,
            Restart::Always => true,
            Restart::OnFailure(most) => ended.code != Some(0) && most.is_none_or(|most| self.done < most),
        };
        if !again || ended.ours {
            return None;
        }
        let pause = FIRST.saturating_mul(1 << self.in_a_row.min(10)).min(LONGEST);
        self.done += 1;
        self.in_a_row += 1;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32) -> ServiceExit {
        ServiceExit {
            at: 0,
            code: Some(code),
            oom: false,
            error: None,
            ours: false,
        }
    }

    fn restarts(restart: Restart, role: Role) -> Restarts {
        let service = ServiceSpec {
            restart,
            ..ServiceSpec::default()
        };
        Restarts::of(&service, role)
    }

    #[test]
    fn a_service_is_started_again_as_often_as_it_says() {
        let mut twice = restarts(Restart::OnFailure(Some(2)), Role::Server);
        let pauses: Vec<_> = [3, 3, 3].map(|code| twice.after(&ended(code))).into();
        assert_eq!(
            pauses,
            [Some(FIRST), Some(FIRST * 2), None],
            "each pause is longer, and two are all"
        );
        assert_eq!(
            restarts(Restart::OnFailure(None), Role::Server).after(&ended(0)),
            None,
            "that was no failure"
        );
        let mut always = restarts(Restart::Always, Role::Server);
        let longest = (0..50).filter_map(|_| always.after(&ended(0))).max();
        assert_eq!((longest, always.done()), (Some(LONGEST), 50));
        always.is_ready();
        assert_eq!(always.after(&ended(0)), Some(FIRST), "it was well in between");
        assert_eq!(restarts(Restart::Always, Role::Task).after(&ended(1)), None);
    }
}
