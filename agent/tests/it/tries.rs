//! What a step hands on, what it is given in secret, how often it is tried, and what is said when its time is over.

use job_specs::model::{Retry, RetryOn, SecretInto, SecretUse, StepSpec};
use protocol::attempt::{EventKind, StepStatus};
use protocol::ids::StreamId;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, after_failure, job, secrets, step};

#[tokio::test(flavor = "multi_thread")]
async fn what_steps_hand_on_is_reported_with_the_result() {
    let stage = Stage::new(1).await;
    let mut input = stage.input(job(vec![
        StepSpec {
            secrets: vec!["TOKEN".into()],
            ..step(
                "echo A=1 > $DROVER_OUTPUT\necho B=first >> $DROVER_OUTPUT\necho nonsense >> $DROVER_OUTPUT\n\
                 echo LEAK=x-$TOKEN >> $DROVER_OUTPUT",
            )
        },
        StepSpec {
            user: Some("1000:1000".into()),
            ..step("test ! -e $DROVER_OUTPUT\nprintf 'B<<E\\ntwo\\nlines\\nE\\n' > $DROVER_OUTPUT")
        },
        step("ln -s /etc/passwd $DROVER_OUTPUT"),
    ]));
    input.secrets = secrets(&[("TOKEN", "s3cr3t-t0ken")]);
    let story = stage.run_input(input, CancellationToken::new()).await;
    assert_eq!(story.message(), "Passed");
    let outputs: Vec<String> = story
        .outputs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(outputs, ["A=1", "B=two\nlines"]);
    let log = story.log(&StreamId::job()).join("\n");
    for line in [
        "outputs of step `echo A=1 > $DROVER_OUTPUT`, line 3: it is neither",
        "output `LEAK` of step `echo A=1 > $DROVER_OUTPUT` holds a secret and is not kept",
        "outputs of step `ln -s /etc/passwd $DROVER_OUTPUT` are not taken",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    stage.close().await;
}

// key: steps.when
#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_when_does_not_hold_is_shown_as_skipped_with_the_reason() {
    let stage = Stage::new(1).await;
    let skipped = StepSpec {
        skip: Some("the branch is `dev`, not `main`".into()),
        image: "127.0.0.1:1/never-asked-for".into(),
        secrets: vec!["NOBODY_HAS_IT".into()],
        ..step("./deploy")
    };
    let story = stage.run(job(vec![skipped, step("echo on")])).await;
    assert_eq!(story.message(), "Passed");
    assert_eq!(story.steps(), [(0, StepStatus::Skipped), (1, StepStatus::Passed)]);
    let reason = story.outcome(0).reason.clone();
    assert_eq!(reason.as_deref(), Some("the branch is `dev`, not `main`"));
    let line = "step 1 of 2: ./deploy: skipped, the branch is `dev`, not `main`";
    assert!(story.log(&StreamId::job()).contains(&line));
    stage.close().await;
}

// key: steps.secrets
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_file_is_the_steps_users_alone_and_in_memory() {
    let stage = Stage::new(1).await;
    let file = |path: &str| SecretUse {
        name: "KEY".into(),
        into: SecretInto::File(path.into()),
    };
    let script = "cat /run/secrets/deploy/key\nstat -L -c '%a %u' /run/secrets/deploy/key\n\
                  df /.drover/secrets | tail -1 | cut -d' ' -f1\nenv | grep -c '^KEY=' || true";
    let user = |user: &str| StepSpec {
        user: Some(user.into()),
        secrets: vec![file("/run/secrets/deploy/key")],
        ..step(script)
    };
    let other = step("ls /run/secrets /.drover/secrets 2>&1 | wc -l");
    let mut input = stage.input(job(vec![user("1234:1234"), user("0"), other]));
    input.secrets = secrets(&[("KEY", "line one of it\nline two of it\n")]);
    let story = stage.run_input(input.clone(), CancellationToken::new()).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.step(0));
    assert_eq!(story.step(0), ["•••", "•••", "400 1234", "tmpfs", "0"]);
    assert_eq!(story.step(1), ["•••", "•••", "400 0", "tmpfs", "0"]);
    assert_eq!(story.step(2), ["2"], "neither folder is there");
    for (place, text) in stage.kept(&input) {
        assert!(!text.contains("line one of it"), "a secret stands in {place}");
    }
    stage.close().await;
}

// key: steps.retry
#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_tried_again_in_a_fresh_container_of_the_same_workspace() {
    let stage = Stage::new(1).await;
    let flaky = StepSpec {
        retry: Retry {
            max: 2,
            on: vec![RetryOn::Exit(75)],
        },
        ..step(
            "echo n >> tries\ntest ! -e /tmp/here && touch /tmp/here\necho try $(wc -l < tries)\n\
             test $(wc -l < tries) -ge 2 || exit 75",
        )
    };
    let story = stage.run(job(vec![flaky.clone(), step("echo after")])).await;
    assert_eq!(story.message(), "Passed");
    assert_eq!(
        story.step(0),
        ["try 1", "try 2 of 3: step `echo n >> tries` exited with 75", "try 2"]
    );
    assert_eq!(story.outcome(0).tries, 2);
    let retried = story.events.iter().filter_map(|event| match &event.kind {
        EventKind::StepRetried { step, number, reason } => Some((*step, *number, reason.as_str())),
        _ => None,
    });
    assert_eq!(
        retried.collect::<Vec<_>>(),
        [(0, 2, "step `echo n >> tries` exited with 75")]
    );
    let log = story.log(&StreamId::job()).join("\n");
    assert!(log.contains("step 1 passed at try 2 in "), "{log}");

    let never = StepSpec {
        retry: Retry { max: 1, on: Vec::new() },
        ..step("exit 4")
    };
    let story = stage.run(job(vec![never])).await;
    assert_eq!(story.message(), "Failed StepFailed: step `exit 4` exited with 4");
    assert_eq!(story.outcome(0).tries, 2);
    assert_eq!(story.result.reason.unwrap().exit_code, Some(4));
    let other_code = StepSpec {
        name: "other".into(),
        ..flaky
    };
    let other_code = StepSpec {
        action: step("exit 3").action,
        ..other_code
    };
    assert_eq!(stage.run(job(vec![other_code])).await.outcome(0).tries, 1);
    stage.close().await;
}

// key: steps.timeout
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_names_the_command_that_ran() {
    let stage = Stage::new(1).await;
    let slow = StepSpec {
        timeout_secs: Some(1),
        retry: Retry {
            max: 1,
            on: vec![RetryOn::Timeout],
        },
        ..step("echo on\n(echo; sleep 1234; true)\necho never")
    };
    let story = stage.run(job(vec![slow, after_failure("echo after")])).await;
    assert_eq!(
        story.message(),
        "TimedOut Timeout: step `echo on` ran longer than its timeout of 1s and was stopped; running then: `sleep 1234`"
    );
    assert_eq!(story.outcome(0).tries, 2);
    stage.close().await;
}
