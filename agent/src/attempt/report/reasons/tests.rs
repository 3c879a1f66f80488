//! Every way a step can end, and the sentence for it.

use super::*;

fn step(action: StepAction) -> StepSpec {
    StepSpec {
        name: "test".into(),
        action,
        image: "scratch-tool:1".into(),
        ..StepSpec::default()
    }
}

fn script(shell: Shell) -> StepSpec {
    step(StepAction::Run {
        script: "cargo test".into(),
        shell,
    })
}

fn message(step: &StepSpec, status: ExitStatus, limit: Option<u64>) -> String {
    let end = of_exit(step, &status, limit);
    let failure = end.failure.expect("it failed");
    let reason = failure.reason.expect("with a reason");
    assert_eq!(end.outcome.reason.as_deref(), Some(reason.sentence.as_str()));
    format!("{:?} {:?}: {}", failure.verdict, reason.code, reason.sentence)
}

fn exited(code: i32) -> ExitStatus {
    ExitStatus {
        exit_code: Some(code),
        started_us: 1_000,
        ended_us: 4_500,
        ..ExitStatus::default()
    }
}

fn refused(code: i32, error: &str) -> ExitStatus {
    ExitStatus {
        error: Some(error.into()),
        ..exited(code)
    }
}

#[test]
fn every_way_to_fail_has_its_own_sentence() {
    let sh = script(Shell::Sh);
    let killed = ExitStatus {
        exit_code: None,
        signal: Some(9),
        ..exited(0)
    };
    let oom = ExitStatus {
        oom: true,
        peak_memory_bytes: 64 << 20,
        ..killed.clone()
    };
    let argv = step(StepAction::Entrypoint(vec!["tool".into()]));
    let sentences = [
        message(&sh, exited(101), None),
        message(&sh, exited(127), None),
        message(&sh, exited(126), None),
        message(&sh, killed, None),
        message(&sh, oom.clone(), Some(64 << 20)),
        message(&sh, oom, None),
        message(&sh, refused(127, "`sh` was not found"), None),
        message(&script(Shell::Bash), refused(127, "`bash` was not found"), None),
        message(&argv, refused(127, "`tool` was not found"), None),
        message(&argv, refused(126, "`tool` is not a program for this machine"), None),
        message(&argv, refused(125, "no space left"), None),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @"
    Failed StepFailed: step `test` exited with 101
    Failed CommandNotFound: step `test` exited with 127: a command that it calls is not in the image `scratch-tool:1` (the end of its log says which)
    Failed StepFailed: step `test` exited with 126: a command that it calls cannot be run (is it executable?)
    Failed StepFailed: step `test` was ended by signal 9 (SIGKILL)
    Failed OutOfMemory: step `test` ran out of memory: it was ended after using 64 MiB; its limit is 64 MiB (`resources: {memory: …}`)
    Failed OutOfMemory: step `test` ran out of memory: it was ended after using 64 MiB; the machine had no more
    Failed CommandNotFound: step `test` cannot run: the image `scratch-tool:1` has no `sh`; use an image that has it, or `entrypoint: [program, argument]` instead of `run`
    Failed CommandNotFound: step `test` cannot run: the image `scratch-tool:1` has no `bash`; use `shell: sh`, an image that has it, or `entrypoint: [program, argument]` instead of `run`
    Failed CommandNotFound: step `test` cannot run in the image `scratch-tool:1`: `tool` was not found
    Failed StepFailed: step `test` could not be started: `tool` is not a program for this machine
    Errored Infrastructure: step `test` could not be run: no space left
    ");
}

#[test]
fn a_good_end_keeps_its_figures() {
    let end = of_exit(&script(Shell::Sh), &exited(0), None);
    assert_eq!(
        (end.outcome.status, end.outcome.duration_us, end.failure),
        (StepStatus::Passed, 3_500, None)
    );
}

#[test]
fn limits_and_stops_name_the_step() {
    let test = script(Shell::Sh);
    let results = [
        step_timeout(&test, Duration::from_secs(90), Some("cargo test --all")).1,
        job_timeout(" in step `test`", Duration::from_secs(3600), Some("make")),
        job_timeout(" before its first step", Duration::from_secs(5), None),
        cancelled(" in step `test`"),
        secrets_missing(&[("deploy", "TOKEN"), ("deploy", "KEY")]),
    ];
    let sentences: Vec<_> = results.map(|result| result.reason.unwrap().sentence).into();
    insta::assert_snapshot!(sentences.join("\n"), @"
    step `test` ran longer than its timeout of 1m 30s and was stopped; running then: `cargo test --all`
    the job ran longer than its timeout of 1h and was stopped in step `test`; running then: `make`
    the job ran longer than its timeout of 5s and was stopped before its first step
    cancelled in step `test`
    the secrets `TOKEN` (step `deploy`), `KEY` (step `deploy`) do not exist; set them with `drover secret set`
    ");
}
