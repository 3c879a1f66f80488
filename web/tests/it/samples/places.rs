//! Agents, repositories, tokens.

use job_specs::triggers::{Input, InputKind};
use web::views::*;

use super::*;

pub fn link(id: &str, title: &str) -> JobLink {
    JobLink {
        id: id.into(),
        title: title.into(),
        build: 42,
        repository: "warehouse".into(),
    }
}

pub fn agents() -> AgentsPage {
    let agent = |name: &str| AgentRow {
        id: name.into(),
        name: name.into(),
        labels: [("arch".to_owned(), "amd64".to_owned())].into(),
        asked_labels: None,
        slots: 4,
        running: Vec::new(),
        last_seen_at: Some(NOW - 2 * S),
        online: true,
        draining: false,
        version: "0.1.0".into(),
    };
    AgentsPage {
        agents: vec![
            AgentRow {
                running: vec![
                    link("t20", "test (postgres=17, redis=6)"),
                    link("t21", "test (postgres=17, redis=7)"),
                    link("lint", "lint"),
                ],
                ..agent("agent-1")
            },
            agent("agent-2"),
            AgentRow {
                labels: [("arch".into(), "arm64".into()), ("gpu".into(), "true".into())].into(),
                draining: true,
                slots: 2,
                running: vec![link("t22", "package")],
                ..agent("build-arm")
            },
            AgentRow {
                online: false,
                asked_labels: Some([("pool".into(), "secrets".into())].into()),
                last_seen_at: Some(NOW - 4000 * S),
                version: "0.0.9".into(),
                ..agent("old-laptop")
            },
        ],
        queue: vec![
            QueueRow {
                job: link("q1", "gpu-test"),
                since: NOW - 190 * S,
                reason: "No agent has label gpu=true (closest: agent-1, missing gpu).".into(),
            },
            QueueRow {
                job: link("q2", "test (postgres=13, redis=6)"),
                since: NOW - 42 * S,
                reason: "All 2 matching agents are busy; agent-2 is free next.".into(),
            },
            QueueRow {
                job: link("q3", "package"),
                since: NOW - 42 * S,
                reason: "It waits for job test.".into(),
            },
        ],
        enrolment_code: None,
    }
}

pub fn delivery() -> DeliveryPage {
    let pairs = |pairs: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    };
    DeliveryPage {
        repository: "warehouse".into(),
        delivery: DeliveryRow {
            id: "d9".into(),
            event: "Merge Request Hook".into(),
            reference: "pull request 7".into(),
            received_at: NOW - 500 * S,
            state: DeliveryState::Ignored,
            sentence: Some("pull request 7 was labelled: only new commits are built".into()),
            build: None,
        },
        meaning: pairs(&[
            ("event", "pull_request"),
            ("action", "labelled"),
            ("number", "7"),
            ("base", "main"),
            (
                "head",
                "feature/a-long-name-that-somebody-gave-to-a-branch-and-that-has-no-blank-in-it-anywhere",
            ),
            ("fork", "true"),
        ]),
        headers: pairs(&[("x-gitlab-event", "Merge Request Hook")]),
        body: "{\n  \"object_kind\": \"merge_request\"\n}".into(),
        more: 12_345,
    }
}

fn connection() -> Connection {
    Connection {
        api: "https://git.example.org/api/v1".into(),
        project: "team/warehouse".into(),
        held_until: Some(NOW + 40 * S),
        open: vec![
            OutboxRow {
                what: "webhook".into(),
                build: None,
                state: DeliveryState::Failed,
                sentence: Some(
                    "it answered 403 Forbidden. The token may not do that: connect with one that may".into(),
                ),
                changed_at: NOW - 3_600 * S,
            },
            OutboxRow {
                what: "9f2c1e7a0b3d4c5e6f708192a3b4c5d6e7f80912 drover/push".into(),
                build: Some(42),
                state: DeliveryState::Retrying,
                sentence: Some("it cannot be reached: connection refused".into()),
                changed_at: NOW - 60 * S,
            },
        ],
    }
}

pub fn repository() -> RepositoryPage {
    let delivery = |id: &str, state, build, sentence: Option<&str>| DeliveryRow {
        id: id.into(),
        event: "push".into(),
        reference: "main".into(),
        received_at: NOW - 500 * S,
        state,
        sentence: sentence.map(Into::into),
        build,
    };
    RepositoryPage {
        name: "warehouse".into(),
        git: "https://git.example.org/team/warehouse.git".into(),
        forge: "gitea".into(),
        public: true,
        builds: builds().into_iter().take(4).collect(),
        hook: Some(Hook {
            url: "https://ci.example.org/hooks/gitea/warehouse".into(),
            refused: 3,
        }),
        connection: Some(connection()),
        polling: Some(Polling {
            interval_secs: 300,
            polled_at: Some(NOW - 200 * S),
            next_at: NOW + 400 * S,
            problem: Some("the repository did not answer within 45 seconds".into()),
        }),
        deliveries: vec![
            delivery("d1", DeliveryState::Pending, None, None),
            delivery("d2", DeliveryState::Done, Some(42), None),
            DeliveryRow {
                event: "ping".into(),
                reference: String::new(),
                ..delivery("d3", DeliveryState::Ignored, None, Some("A ping: the hook works."))
            },
            delivery(
                "d4",
                DeliveryState::Retrying,
                None,
                Some("The repository could not be reached: connection refused. The next try is in 40 s."),
            ),
            delivery(
                "d5",
                DeliveryState::Failed,
                None,
                Some("The branch does not exist any more."),
            ),
        ],
        secrets: vec![SecretRow {
            name: "API_TOKEN".into(),
            updated_at: NOW - 86_400 * 3 * S,
        }],
        schedules: vec![ScheduleRow {
            cron: "0 2 * * *".into(),
            timezone: "Europe/Paris".into(),
            next_at: Some(NOW + 3_600 * S),
            build: Some(40),
            sentence: None,
        }],
        inputs: vec![Input {
            name: "target".into(),
            kind: InputKind::Choice(vec!["staging".into(), "production".into()]),
            default: Some("staging".into()),
            required: false,
            description: "where to".into(),
        }],
        flaky: vec![FlakyRow {
            suite: "store::it".into(),
            name: "uploads::two_at_once".into(),
            times: 3,
            build: 39,
            at: NOW - 4000 * S,
        }],
        slowest: vec![SlowRow {
            suite: "store::it".into(),
            name: "crowd::ten_thousand_jobs".into(),
            mean_us: 41_300_000,
        }],
        trigger_reference: "main".into(),
    }
}

pub fn repositories() -> RepositoryList {
    let row = |name: &str, latest| RepositoryRow {
        name: name.into(),
        public: name == "site",
        latest,
    };
    RepositoryList {
        repositories: vec![
            row("empty", None),
            row("site", Some(builds()[4].clone())),
            row("warehouse", Some(builds()[0].clone())),
        ],
    }
}

pub fn tokens() -> TokensPage {
    TokensPage {
        tokens: vec![
            TokenRow {
                id: "1".into(),
                name: "my laptop".into(),
                created_at: NOW - 9 * 86_400 * S,
                expires_at: Some(NOW + 81 * 86_400 * S),
                last_used_at: Some(NOW - 40 * S),
            },
            TokenRow {
                id: "2".into(),
                name: "nightly script".into(),
                created_at: NOW - 90 * 86_400 * S,
                expires_at: None,
                last_used_at: None,
            },
        ],
        sessions: vec![
            SessionRow {
                id: "3".into(),
                created_at: NOW - 3_600 * S,
                expires_at: Some(NOW + 30 * 86_400 * S),
                last_used_at: Some(NOW),
                is_current: true,
            },
            SessionRow {
                id: "4".into(),
                created_at: NOW - 20 * 86_400 * S,
                expires_at: Some(NOW + 10 * 86_400 * S),
                last_used_at: None,
                is_current: false,
            },
        ],
        fresh: Some("drv_4f1e0b7c".into()),
    }
}
