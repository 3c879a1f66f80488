//! One job: failed, running, waiting.

use job_specs::status::JobStatus;
use web::views::*;

use super::*;

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
        tries: 1,
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
        tests: Some(TestSection {
            grids: Vec::new(),
            ..tests()
        }),
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
        artifacts: Vec::new(),
        not_kept: vec!["artifact `report`: not kept, because the job failed".into()],
        actions: JobActions {
            cancel: false,
            rerun: true,
            enter: false,
        },
        retained: None,
    }
}

/// The same job while its second step runs.
pub fn running_job() -> JobPage {
    let mut page = job_page();
    page.build.status = JobStatus::Running;
    page.build.finished_at = None;
    page.tests = None;
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
        enter: true,
    };
    page
}

pub fn waiting_job() -> JobPage {
    let job = job("t20", "test", &[("postgres", "17"), ("redis", "6")], JobStatus::Queued);
    JobPage {
        job: JobRow { attempts: 0, ..job },
        attempts: Vec::new(),
        tests: None,
        attempt: None,
        artifacts: Vec::new(),
        not_kept: Vec::new(),
        actions: JobActions {
            cancel: true,
            ..JobActions::default()
        },
        ..job_page()
    }
}
