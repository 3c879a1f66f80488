//! Rich sample views: what the tests check and what `cargo run -p web --example gallery` draws.

use job_specs::diagnostics::{Diagnostic, Label, Severity, Span};
use job_specs::model::AxisValue;
use job_specs::status::JobStatus;
use web::views::*;

/// 2026-11-20, 12:05:00 UTC.
pub const NOW: Micros = 1_795_176_300_000_000;
const S: i64 = 1_000_000;

pub fn frame() -> Frame {
    Frame {
        user: Some("admin".into()),
        csrf: "c5rf".into(),
        now: NOW,
        notice: None,
        url: "http://127.0.0.1:4000".into(),
        version: "0.1.0".into(),
    }
}

pub fn cell(parts: &[(&str, &str)]) -> Vec<AxisValue> {
    let part = |(axis, value): &(&str, &str)| AxisValue {
        axis: (*axis).into(),
        value: (*value).into(),
    };
    parts.iter().map(part).collect()
}

pub fn build(number: i64, status: JobStatus, title: &str) -> BuildSummary {
    let age = (43 - number) * 700 * S;
    BuildSummary {
        number,
        repository: "warehouse".into(),
        status,
        event: "push".into(),
        branch: Some("main".into()),
        tag: None,
        commit: format!(
            "{:08x}77d1c0ffee{:022x}",
            0x3f2a_9c1b_i64 * number % 0xffff_ffff,
            number
        ),
        title: title.into(),
        author: "Ada Lovelace".into(),
        created_at: NOW - age - 134 * S,
        started_at: (status != JobStatus::Queued).then_some(NOW - age - 133 * S),
        finished_at: status.is_final().then_some(NOW - age),
        jobs: vec![status; 3],
    }
}

pub fn builds() -> Vec<BuildSummary> {
    use JobStatus as S;
    let mut builds = vec![
        BuildSummary {
            jobs: vec![
                S::Passed,
                S::Passed,
                S::Failed,
                S::Running,
                S::Running,
                S::Queued,
                S::Waiting,
            ],
            ..build(42, S::Running, "Retry the pool's connection when the server resets it")
        },
        BuildSummary {
            jobs: vec![S::Passed, S::Failed, S::Failed, S::Skipped],
            branch: Some("feature/very-long-branch-name-that-somebody-made-in-a-hurry".into()),
            ..build(
                41,
                S::Failed,
                "Move the migration of the orders table behind a flag, so that the nightly import does not wait for it",
            )
        },
        BuildSummary {
            event: "tag".into(),
            tag: Some("v2.4.0".into()),
            branch: None,
            author: "Grace Hopper".into(),
            ..build(40, S::Passed, "Release 2.4.0")
        },
        BuildSummary {
            event: "schedule".into(),
            ..build(39, S::Errored, "Fix the flaky upload test")
        },
        BuildSummary {
            repository: "site".into(),
            ..build(38, S::Cancelled, "Try another font")
        },
        BuildSummary {
            event: "manual".into(),
            author: String::new(),
            ..build(37, S::TimedOut, "")
        },
        BuildSummary {
            ..build(36, S::Queued, "Wait for a free slot")
        },
        BuildSummary {
            event: "pull_request".into(),
            ..build(35, S::Skipped, "Only documentation")
        },
    ];
    builds.extend(
        (20..35)
            .rev()
            .map(|number| build(number, S::Passed, "Keep the lights on")),
    );
    builds
}

pub fn build_list() -> BuildList {
    BuildList {
        builds: builds(),
        filter: Filter::default(),
        repositories: vec!["site".into(), "warehouse".into()],
        agents_online: 2,
        older_than: Some(20),
    }
}

pub fn job(id: &str, name: &str, parts: &[(&str, &str)], status: JobStatus) -> JobRow {
    let offset = i64::try_from(id.len() + name.len() + parts.len()).unwrap_or(0) * S;
    let started = !matches!(status, JobStatus::Waiting | JobStatus::Queued | JobStatus::Skipped);
    let number: i64 = id.bytes().map(i64::from).sum();
    JobRow {
        id: id.into(),
        name: name.into(),
        cell: cell(parts),
        status,
        reason: match status {
            JobStatus::Failed => Some("Step `integration` exited with 101.".into()),
            JobStatus::Errored => Some("The agent was lost and no attempt is left.".into()),
            JobStatus::Queued => Some("All 2 matching agents are busy; agent-2 is free next.".into()),
            JobStatus::Waiting => Some("It waits for job test.".into()),
            JobStatus::Skipped => Some("Job test did not pass.".into()),
            _ => None,
        },
        needs: Vec::new(),
        allow_failure: false,
        attempts: 1,
        agent: started.then(|| "agent-2".into()),
        queued_at: (status != JobStatus::Waiting).then_some(NOW - 834 * S),
        started_at: started.then_some(NOW - 832 * S + offset / 2),
        finished_at: (status.is_final() && started).then_some(NOW - 780 * S + offset + number % 60 * S),
    }
}

pub fn matrix_jobs() -> Vec<JobRow> {
    use JobStatus as S;
    let mut jobs = vec![job("lint", "lint", &[], S::Passed)];
    for (i, postgres) in ["13", "15", "17"].into_iter().enumerate() {
        for (j, redis) in ["6", "7", "8"].into_iter().enumerate() {
            if (i, j) == (0, 2) {
                continue;
            }
            let status = if postgres == "17" { S::Failed } else { S::Passed };
            let mut row = job(
                &format!("t{i}{j}"),
                "test",
                &[("postgres", postgres), ("redis", redis)],
                status,
            );
            row.allow_failure = (i, j) == (2, 2);
            row.attempts = if (i, j) == (1, 1) { 2 } else { 1 };
            jobs.push(row);
        }
    }
    jobs.push(job("doc-stable", "docs", &[("channel", "stable")], S::Passed));
    jobs.push(job("doc-nightly", "docs", &[("channel", "nightly")], S::Cancelled));
    jobs.push(job("package", "package", &[], S::Skipped));
    jobs
}

pub fn build_page() -> BuildPage {
    let jobs = matrix_jobs();
    let statuses = jobs.iter().map(|job| job.status).collect();
    BuildPage {
        build: BuildSummary {
            jobs: statuses,
            ..build(
                42,
                JobStatus::Failed,
                "Retry the pool's connection when the server resets it",
            )
        },
        sentence: None,
        jobs,
        exclusions: vec![Exclusion {
            job: "test".into(),
            cell: cell(&[("postgres", "13"), ("redis", "8")]),
            rule: "postgres: 13, redis: 8".into(),
        }],
        failure: Some(Failure {
            job: "t20".into(),
            title: "test (postgres=17, redis=6)".into(),
            status: JobStatus::Failed,
            culprit: Some("integration".into()),
            exit_code: Some(101),
            sentence: "Step `integration` exited with 101.".into(),
            stream: "step-1".into(),
            lines: failing_lines().split_off(8),
            others: 2,
        }),
        diagnosis: Diagnosis::default(),
        actions: BuildActions {
            cancel: false,
            rerun: true,
            rerun_failed: true,
        },
    }
}

pub fn three_axes() -> BuildPage {
    let mut jobs = Vec::new();
    for os in ["linux", "windows"] {
        for db in ["postgres:15", "postgres:17", "mysql:8", "sqlite"] {
            for n in 0..14 {
                let status = if db == "mysql:8" {
                    JobStatus::Failed
                } else {
                    JobStatus::Passed
                };
                jobs.push(job(
                    &format!("{os}{db}{n}"),
                    "test",
                    &[("os", os), ("db", db), ("shard", &n.to_string())],
                    status,
                ));
            }
        }
    }
    let actions = BuildActions {
        cancel: true,
        rerun: false,
        rerun_failed: false,
    };
    let build = BuildSummary {
        finished_at: None,
        status: JobStatus::Running,
        ..build_page().build
    };
    BuildPage {
        build,
        jobs,
        failure: None,
        exclusions: Vec::new(),
        actions,
        ..build_page()
    }
}

pub const JOB_FILE: &str = "on: [push]\n\njobs:\n  lint:\n    image: rust:1.90\n    steps: [cargo fmt --check]\n  test:\n    imgae: rust:1.90\n    needs: [lnit]\n    matrix:\n      python: [3.9, 3.10, 3.11]\n    steps:\n      - run: echo ${{ git.branch }}\n";

fn span_of(word: &str) -> Span {
    let start = JOB_FILE.find(word).unwrap_or(0);
    let before = &JOB_FILE[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Span {
        line,
        column,
        start,
        end: start + word.len(),
    }
}

pub fn diagnostic(code: &str, message: &str, word: &str) -> Diagnostic {
    Diagnostic {
        code: code.into(),
        severity: Severity::Error,
        message: message.into(),
        file: ".drover.yml".into(),
        span: Some(span_of(word)),
        label: None,
        related: Vec::new(),
        notes: Vec::new(),
        help: None,
    }
}

pub fn invalid_build() -> BuildPage {
    let diagnostics = vec![
        Diagnostic {
            label: Some("did you mean `image`?".into()),
            help: Some("write `image: rust:1.90`".into()),
            ..diagnostic("DRV0101", "unknown key `imgae` in job `test`", "imgae")
        },
        Diagnostic {
            label: Some("jobs here: lint, test".into()),
            help: Some("did you mean `lint`?".into()),
            related: vec![Label {
                span: span_of("lint:"),
                text: "this one?".into(),
            }],
            ..diagnostic("DRV0104", "job `test` needs `lnit`, which does not exist", "lnit")
        },
        Diagnostic {
            severity: Severity::Warning,
            label: Some("read as 3.1".into()),
            help: Some("quote versions: [\"3.9\", \"3.10\", \"3.11\"]".into()),
            ..diagnostic("DRV0110", "`3.10` is the number 3.1", "3.10")
        },
        Diagnostic {
            notes: vec!["a branch name could become code".into()],
            help: Some("use the variable $DROVER_BRANCH".into()),
            ..diagnostic("DRV0120", "`${{` does not work inside `run`", "${{ git.branch }}")
        },
    ];
    BuildPage {
        build: BuildSummary {
            started_at: None,
            jobs: Vec::new(),
            ..build_page().build
        },
        sentence: Some("The job file is not valid, so nothing ran: 3 errors and 1 warning.".into()),
        jobs: Vec::new(),
        failure: None,
        diagnosis: Diagnosis {
            diagnostics,
            files: vec![SourceText {
                name: ".drover.yml".into(),
                text: JOB_FILE.into(),
            }],
        },
        ..build_page()
    }
}

pub fn line(n: u64, s: LogSource, text: &str) -> LogLine {
    LogLine {
        n,
        t: NOW - 60 * S + i64::try_from(n).unwrap_or(0) * 137_000,
        s,
        text: text.into(),
    }
}

pub fn failing_lines() -> Vec<LogLine> {
    use LogSource::{Stderr, Stdout};
    let texts = [
        (Stdout, "\x1b[1mwaiting for db:5432\x1b[0m … \x1b[32mready\x1b[0m"),
        (
            Stderr,
            "\x1b[1m\x1b[32m   Compiling\x1b[0m warehouse v2.4.0 (/workspace)",
        ),
        (
            Stderr,
            "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused variable: `retries`\x1b[0m",
        ),
        (Stderr, "  \x1b[1m\x1b[34m-->\x1b[0m src/pool.rs:88:9"),
        (
            Stderr,
            "\x1b[1m\x1b[32m    Finished\x1b[0m `test` profile [unoptimized + debuginfo] target(s) in 12.41s",
        ),
        (
            Stderr,
            "\x1b[1m\x1b[32m     Running\x1b[0m tests/pool.rs (target/debug/deps/pool-4b1d)",
        ),
        (Stdout, ""),
        (Stdout, "running 14 tests"),
        (Stdout, "test pool::opens_lazily ... \x1b[32mok\x1b[0m"),
        (Stdout, "test pool::keeps_at_most_ten ... \x1b[32mok\x1b[0m"),
        (Stdout, "test pool::survives_a_reset ... \x1b[31mFAILED\x1b[0m"),
        (
            Stdout,
            "test orders::a_long_name_that_wraps_on_a_small_screen_because_it_tells_the_whole_story_of_the_test ... \x1b[32mok\x1b[0m",
        ),
        (Stdout, ""),
        (Stdout, "---- pool::survives_a_reset stdout ----"),
        (
            Stderr,
            "thread 'pool::survives_a_reset' panicked at tests/pool.rs:88:9:",
        ),
        (Stderr, "assertion `left == right` failed"),
        (Stderr, "  left: \x1b[38;5;208mClosed\x1b[0m"),
        (Stderr, " right: \x1b[38;2;120;200;255mOpen\x1b[0m"),
        (
            Stdout,
            "see \x1b]8;;https://example.org/runbook\x1b\\the runbook\x1b]8;;\x1b\\ for <b>bold</b> moves",
        ),
        (
            Stdout,
            "test result: \x1b[31mFAILED\x1b[0m. 13 passed; 1 failed; 0 ignored; finished in 3.21s",
        ),
    ];
    (1..)
        .zip(texts)
        .map(|(n, (source, text))| line(n, source, text))
        .collect()
}

pub fn log(stream: &str, lines: Vec<LogLine>, errors: &[u64]) -> LogView {
    let last = lines.last().map_or(0, |line| line.n);
    let bytes = lines.iter().map(|line| line.text.len() as u64).sum();
    LogView {
        stream: stream.into(),
        lines: last,
        bytes,
        eof: true,
        errors: errors.to_vec(),
        shown: lines,
    }
}

fn moment(at: i64, phase: ServicePhase, detail: &str) -> ServiceMoment {
    ServiceMoment {
        at: NOW - 90 * S + at * 100_000,
        phase,
        detail: detail.into(),
    }
}

fn services() -> Vec<ServiceView> {
    use ServicePhase as P;
    let postgres = (1..40)
        .map(|n| {
            line(
                n,
                if n % 3 == 0 {
                    LogSource::Stderr
                } else {
                    LogSource::Stdout
                },
                "LOG:  checkpoint complete: wrote 44 buffers (0.3%)",
            )
        })
        .collect();
    vec![
        ServiceView {
            name: "db".into(),
            image: "postgres:17".into(),
            moments: vec![
                moment(14, P::Pulling, ""),
                moment(50, P::Starting, ""),
                moment(53, P::Running, ""),
                moment(94, P::Ready, "healthcheck pg_isready -U postgres"),
                moment(780, P::Stopped, ""),
            ],
            ready_after_ms: Some(4100),
            sentence: None,
            log: log("service-db", postgres, &[]),
        },
        ServiceView {
            name: "cache".into(),
            image: "redis:6".into(),
            moments: vec![
                moment(14, P::Starting, ""),
                moment(16, P::Running, ""),
                moment(19, P::Ready, "tcp 6379"),
                moment(600, P::Unhealthy, "Could not connect"),
                moment(690, P::Exited, "exit 137, out of memory"),
            ],
            ready_after_ms: Some(310),
            sentence: Some("Service `cache` ran out of memory: it used 64 MiB, its limit (exit 137).".into()),
            log: log(
                "service-cache",
                vec![
                    line(1, LogSource::Stdout, "Ready to accept connections tcp"),
                    line(2, LogSource::Stderr, "Killed"),
                ],
                &[2],
            ),
        },
    ]
}

fn step(index: usize, name: &str, state: StepState, script: &str) -> StepView {
    StepView {
        name: name.into(),
        state,
        image: "rust:1.90".into(),
        script: script.into(),
        allow_failure: false,
        started_at: None,
        duration_us: None,
        exit_code: None,
        sentence: None,
        peak_memory_bytes: 0,
        cpu_us: 0,
        log: LogView::empty(format!("step-{index}")),
    }
}

fn steps() -> Vec<StepView> {
    let build = (1..=60)
        .map(|n| {
            line(
                n,
                LogSource::Stderr,
                &format!("\x1b[32m   Compiling\x1b[0m crate-{n} v1.{n}.0"),
            )
        })
        .collect();
    vec![
        StepView {
            started_at: Some(NOW - 80 * S),
            duration_us: Some(31_200_000),
            exit_code: Some(0),
            peak_memory_bytes: 734_003_200,
            cpu_us: 58_400_000,
            log: log("step-0", build, &[]),
            ..step(0, "cargo build --locked", StepState::Passed, "cargo build --locked")
        },
        StepView {
            started_at: Some(NOW - 48 * S),
            duration_us: Some(36_100_000),
            exit_code: Some(101),
            sentence: Some("Step `integration` exited with 101.".into()),
            peak_memory_bytes: 268_435_456,
            cpu_us: 21_000_000,
            log: log("step-1", failing_lines(), &[11, 15]),
            ..step(
                1,
                "integration",
                StepState::Failed,
                "./wait-for.sh db:5432\ncargo test --test pool",
            )
        },
        step(2, "upload coverage", StepState::Skipped, "./coverage.sh"),
    ]
}

pub fn job_page() -> JobPage {
    let row = JobRow {
        attempts: 2,
        ..job("t20", "test", &[("postgres", "17"), ("redis", "6")], JobStatus::Failed)
    };
    let agent_words = vec![
        line(1, LogSource::System, "pulled postgres:17 in 3.6s (124 MB)"),
        line(2, LogSource::System, "checked out 3f2a9c1 from the mirror in 84ms"),
    ];
    JobPage {
        build: build_page().build,
        job: row,
        siblings: matrix_jobs(),
        attempts: vec![
            AttemptLink {
                number: 1,
                status: JobStatus::Errored,
            },
            AttemptLink {
                number: 2,
                status: JobStatus::Failed,
            },
        ],
        attempt: Some(AttemptView {
            id: "0193a1".into(),
            number: 2,
            status: JobStatus::Failed,
            sentence: Some("Step `integration` exited with 101.".into()),
            agent: Some("agent-2".into()),
            queued_at: NOW - 90 * S,
            assigned_at: Some(NOW - 89 * S),
            started_at: Some(NOW - 89 * S),
            finished_at: Some(NOW - 11 * S),
            phases: vec![
                PhaseSpan {
                    name: "sandbox".into(),
                    from: NOW - 89 * S,
                    to: Some(NOW - 89 * S + 40_000),
                },
                PhaseSpan {
                    name: "checkout".into(),
                    from: NOW - 89 * S + 40_000,
                    to: Some(NOW - 88 * S),
                },
                PhaseSpan {
                    name: "pull".into(),
                    from: NOW - 88 * S,
                    to: Some(NOW - 84 * S),
                },
                PhaseSpan {
                    name: "services".into(),
                    from: NOW - 84 * S,
                    to: Some(NOW - 80 * S),
                },
                PhaseSpan {
                    name: "steps".into(),
                    from: NOW - 80 * S,
                    to: Some(NOW - 11 * S),
                },
            ],
            services: services(),
            steps: steps(),
            log: Some(log("job", agent_words, &[])),
            cursor: "job:2,service-db:39,step-0:60,step-1:20".into(),
        }),
        actions: JobActions {
            cancel: false,
            rerun: true,
        },
    }
}

/// The same job while its second step runs.
pub fn running_job() -> JobPage {
    let mut page = job_page();
    page.build.status = JobStatus::Running;
    page.build.finished_at = None;
    page.job = JobRow {
        finished_at: None,
        reason: None,
        status: JobStatus::Running,
        ..page.job
    };
    page.attempts = vec![AttemptLink {
        number: 1,
        status: JobStatus::Running,
    }];
    if let Some(attempt) = &mut page.attempt {
        attempt.number = 1;
        attempt.status = JobStatus::Running;
        attempt.finished_at = None;
        attempt.sentence = None;
        attempt.services[1].moments.truncate(3);
        attempt.services[1].sentence = None;
        attempt.services[0].moments.truncate(4);
        attempt.phases[4].to = None;
        let step = &mut attempt.steps[1];
        (step.state, step.exit_code, step.duration_us, step.sentence) = (StepState::Running, None, None, None);
        step.log.eof = false;
        step.log.errors = Vec::new();
        step.log.shown.truncate(10);
        step.log.lines = 10;
        attempt.steps[2].state = StepState::Waiting;
        for log in attempt.services.iter_mut().map(|service| &mut service.log) {
            log.eof = false;
        }
        attempt.cursor = "service-db:39,step-0:60,step-1:10".into();
    }
    page.actions = JobActions {
        cancel: true,
        rerun: false,
    };
    page
}

pub fn waiting_job() -> JobPage {
    let job = job("t20", "test", &[("postgres", "17"), ("redis", "6")], JobStatus::Queued);
    JobPage {
        job: JobRow { attempts: 0, ..job },
        attempts: Vec::new(),
        attempt: None,
        actions: JobActions {
            cancel: true,
            rerun: false,
        },
        ..job_page()
    }
}

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
                last_used_at: Some(NOW - 40 * S),
            },
            TokenRow {
                id: "2".into(),
                name: "nightly script".into(),
                created_at: NOW - 90 * 86_400 * S,
                last_used_at: None,
            },
        ],
        fresh: Some("drv_4f1e0b7c".into()),
    }
}
