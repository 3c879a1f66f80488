//! Attempts on a real engine: how jobs pass, fail and are stopped.

use agent::attempt::StreamNews;
use job_specs::model::{Resources, StepAction, StepSpec};
use protocol::attempt::{EventKind, StepStatus, Verdict};
use protocol::ids::StreamId;
use tokio_util::sync::CancellationToken;

use crate::stage::{EmptyImage, Stage, after_failure, env, job, secrets, step};

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_order_on_one_workspace() {
    let stage = Stage::new(1).await;
    let story = stage
        .run(job(vec![
            step("cat hello; echo one > file"),
            StepSpec {
                user: Some("1000:1000".into()),
                env: env(&[("WHO", "me")]),
                ..step("cat file; echo $WHO $DROVER $DROVER_STEP > mine\nid -u")
            },
            StepSpec {
                workdir: Some("/tmp".into()),
                ..step("cat /workspace/mine; pwd")
            },
        ]))
        .await;
    assert_eq!(story.message(), "Passed");
    assert_eq!(story.step(0), ["hello from the tree"]);
    assert_eq!(story.step(1), ["one", "1000"]);
    let second = "me true cat file; echo $WHO $DROVER $DROVER_STEP > mine";
    assert_eq!(story.step(2), [second, "/tmp"]);
    let seqs: Vec<u64> = story.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_reported_and_steps_for_it_run() {
    let stage = Stage::new(1).await;
    let story = stage
        .run(job(vec![
            StepSpec {
                allow_failure: true,
                ..step("exit 9")
            },
            step("echo before; exit 3"),
            step("echo never"),
            after_failure("echo cleaning up"),
        ]))
        .await;
    assert_eq!(
        story.message(),
        "Failed StepFailed: step `echo before; exit 3` exited with 3"
    );
    use StepStatus as S;
    assert_eq!(
        story.steps(),
        [(0, S::Failed), (1, S::Failed), (2, S::Skipped), (3, S::Passed)]
    );
    assert_eq!(story.step(3), ["cleaning up"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_step_has_its_own_sentence() {
    let stage = Stage::new(1).await;
    let empty = EmptyImage::new();
    let no_shell = StepSpec {
        image: empty.name.clone(),
        ..step("echo hi")
    };
    let argv = |words: &[&str]| StepAction::Entrypoint(words.iter().map(|&word| word.to_owned()).collect());
    let mut message = Vec::new();
    for bad in [
        step("no-such-command"),
        no_shell,
        StepSpec {
            action: argv(&["no-such-program", "x"]),
            ..step("tool")
        },
        StepSpec {
            image: "127.0.0.1:1/nothing-here".into(),
            ..step("unreachable")
        },
        StepSpec {
            image: "Not An Image".into(),
            ..step("echo hi")
        },
        StepSpec {
            user: Some("nobody-of-that-name".into()),
            ..step("whoami")
        },
        StepSpec {
            workdir: Some("nowhere".into()),
            ..step("pwd")
        },
        step("kill -9 $$"),
    ] {
        message.push(stage.run(job(vec![bad])).await.message());
    }
    insta::assert_snapshot!(message.join("\n").replace(&empty.name, "EMPTY"), @r#"
    Failed CommandNotFound: step `no-such-command` exited with 127: a command that it calls is not in the image `busybox` (the end of its log says which)
    Failed CommandNotFound: step `echo hi` cannot run: the image `EMPTY` has no `sh`; use an image that has it, or `entrypoint: [program, argument]` instead of `run`
    Failed CommandNotFound: step `tool` cannot run in the image `busybox`: `no-such-program` was not found in the image (PATH is /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    Errored Infrastructure: step `unreachable`: image `127.0.0.1:1/nothing-here` cannot be pulled: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused
    Failed ImageNotFound: step `echo hi`: image `Not An Image` does not exist: no such image: Not An Image: invalid reference format: repository name must be lowercase
    Failed StepFailed: step `whoami` cannot be started: unable to find user nobody-of-that-name: no matching entries in passwd file
    Failed StepFailed: step `pwd` could not be started: the working directory `/workspace/nowhere` does not exist in the image
    Failed StepFailed: step `kill -9 $$` was ended by signal 9 (SIGKILL)
    "#);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_memory_than_allowed_is_reported_with_the_limit() {
    let stage = Stage::new(1).await;
    let mut hungry = job(vec![step("tail /dev/zero")]);
    hungry.resources = Resources {
        memory_bytes: Some(16 << 20),
        ..Resources::default()
    };
    let message = stage.run(hungry).await.message();
    assert!(
        message.starts_with("Failed OutOfMemory: step `tail /dev/zero` ran out of memory"),
        "{message}"
    );
    assert!(message.contains("its limit is 16 MiB"), "{message}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_is_stopped_and_named() {
    let stage = Stage::new(1).await;
    let slow = StepSpec {
        timeout_secs: Some(1),
        ..step("trap 'echo asked to stop; exit 0' TERM\nsleep 1000 & wait")
    };
    let story = stage
        .run(job(vec![slow, step("echo never"), after_failure("echo after")]))
        .await;
    let name = "trap 'echo asked to stop; exit 0' TERM";
    assert_eq!(
        story.message(),
        format!(
            "TimedOut Timeout: step `{name}` ran longer than its timeout of 1s and was stopped; running then: `sleep 1000`"
        )
    );
    assert_eq!(story.step(0), ["asked to stop"]);
    assert_eq!(story.step(2), ["after"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_is_stopped_whole() {
    let stage = Stage::new(1).await;
    let mut slow = job(vec![step("sleep 1000"), after_failure("echo never")]);
    slow.timeout_secs = 5;
    let story = stage.run(slow).await;
    assert_eq!(
        story.message(),
        "TimedOut Timeout: the job ran longer than its timeout of 5s and was stopped in step `sleep 1000`; running then: `sleep 1000`"
    );
    assert_eq!(story.steps(), [(0, StepStatus::TimedOut), (1, StepStatus::Skipped)]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_a_step_that_does_not_listen() {
    let stage = Stage::new(1).await;
    let deaf = job(vec![
        step("trap '' TERM\necho begun\nwhile true; do sleep 1; done"),
        after_failure("echo no"),
    ]);
    let input = stage.input(deaf);
    let cancel = CancellationToken::new();
    let (story, ()) = tokio::join!(stage.run_input(input.clone(), cancel.clone()), async {
        stage.said(&input, &StreamId::step(0), "begun").await;
        cancel.cancel();
    });
    assert_eq!(story.result.verdict, Verdict::Cancelled);
    assert_eq!(story.steps(), [(0, StepStatus::Cancelled), (1, StepStatus::Skipped)]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_where_they_are_named_and_nowhere_else() {
    let stage = Stage::new(1).await;
    let named = StepSpec {
        secrets: vec!["TOKEN".into()],
        ..step("echo the token is $TOKEN, and $(echo -n $TOKEN | base64)\necho $OTHER")
    };
    let mut input = stage.input(job(vec![named.clone(), step("echo none: $TOKEN$OTHER")]));
    input.secrets = secrets(&[("TOKEN", "s3cr3t-t0ken"), ("OTHER", "an0ther")]);
    let story = stage.run_input(input.clone(), CancellationToken::new()).await;
    assert_eq!(story.message(), "Passed");
    assert_eq!(story.step(0), ["the token is •••, and •••", ""]);
    assert_eq!(story.step(1), ["none:"]);
    for (place, text) in stage.kept(&input) {
        assert!(!text.contains("an0ther"), "a secret stands in {place}");
    }

    input = stage.input(job(vec![named]));
    let story = stage.run_input(input, CancellationToken::new()).await;
    let expected =
        "the secret `TOKEN` (step `echo the token is $TOKEN, and $(echo -n $TOKEN | base64)`) does not exist";
    assert!(
        story
            .message()
            .starts_with(&format!("Failed SecretMissing: {expected}")),
        "{}",
        story.message()
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_come_whole_and_in_order() {
    let stage = Stage::new(1).await;
    let story = stage.run(job(vec![step("seq 1 20000"), step("printf 'no end'")])).await;
    let expected: Vec<String> = (1..=20_000).map(|n| n.to_string()).collect();
    assert_eq!(story.step(0), expected);
    assert_eq!(story.step(1), ["no end"]);
    let closed = |wanted: &StreamId| {
        story
            .news
            .iter()
            .filter(|news| matches!(news, StreamNews::Closed { stream, .. } if stream == wanted))
            .count()
    };
    assert_eq!((closed(&StreamId::step(0)), closed(&StreamId::job())), (1, 1));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_a_repository_inside_the_step() {
    let stage = Stage::new(1).await;
    let source = crate::checkout::Repository::new(stage.folder.path()).source();
    let mut input = stage.input(job(vec![step(
        "cat code; cat .git/HEAD; ls /.drover/objects | grep pack",
    )]));
    input.code = agent::attempt::Code::Git(source.clone());
    let story = stage.run_input(input, CancellationToken::new()).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.step(0));
    assert_eq!(story.step(0), ["first", &source.commit, "pack"]);
    let begin = story.at(|kind| matches!(kind, EventKind::Phase { phase, begin: true } if phase == "checkout"));
    assert!(begin > 0);
    stage.close().await;
}
