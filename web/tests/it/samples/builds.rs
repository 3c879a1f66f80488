//! Builds, their jobs and job files.

use job_specs::diagnostics::{Diagnostic, Label, Severity, Span};
use job_specs::status::JobStatus;
use web::views::*;

use super::*;

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
        notes: Vec::new(),
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
        tests: Some(tests()),
        diagnosis: Diagnosis::default(),
        artifacts: Vec::new(),
        actions: BuildActions {
            approve: false,
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
        approve: true,
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
        notes: Vec::new(),
        tests: None,
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
        fixes: Vec::new(),
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
        tests: None,
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
