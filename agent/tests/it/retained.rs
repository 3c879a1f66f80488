//! What stays after a failure, and people who look around in it.

use std::sync::Arc;
use std::time::Duration;

use agent::attempt::folder::AttemptFolder;
use agent::attempt::retained::{Decision, RetainedStack};
use agent::attempt::{self, AttemptEnd, AttemptInput, Outlet};
use agent::logs::mask::Masker;
use agent::shell::session::Typed;
use agent::shell::{Session, SessionEnd, target};
use job_specs::model::{JobSpec, StepSpec};
use protocol::attempt::Verdict;
use protocol::ids::{AttemptId, StackId};
use protocol::lease::Lease;
use protocol::shell::{ShellSize, ShellTarget};
use protocol::work::{StackSpec, StackWork, Work};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, env, job, secrets, service, step};

/// The lease of the stack that an attempt's leftovers are.
pub fn stack_of(attempt: &AttemptId) -> Lease {
    Lease {
        epoch: 1,
        work: Work::Stack(StackWork {
            stack: stack_id(attempt),
            spec: StackSpec::Retained {
                attempt: attempt.clone(),
            },
            expires_at: 0,
        }),
    }
}

/// What that stack is called.
pub fn stack_id(attempt: &AttemptId) -> StackId {
    StackId(format!("stack-{attempt}"))
}

/// A job that fails beside a server.
fn failing(secs: u64) -> JobSpec {
    let test = StepSpec {
        image: "redis:7".into(),
        env: env(&[("WHO", "step")]),
        secrets: vec!["TOKEN".into()],
        ..step("echo state > left-behind\nexit 3")
    };
    let mut spec = job(vec![step("echo before"), test, step("echo never")]);
    spec.services = vec![service("redis", "redis:7")];
    spec.hold_on_failure_secs = Some(secs);
    spec
}

fn input(stage: &Stage, secs: u64) -> AttemptInput {
    let mut input = stage.input(failing(secs));
    input.secrets = secrets(&[("TOKEN", "s3cr3t-t0ken")]);
    input
}

async fn run(stage: &Stage, input: &AttemptInput) -> AttemptEnd {
    let (events, _told) = mpsc::unbounded_channel();
    let (streams, _news) = mpsc::unbounded_channel();
    let outlet = Outlet { events, streams };
    let over = attempt::run(&stage.context, input.clone(), outlet, CancellationToken::new()).await;
    assert_eq!(over.result.verdict, Verdict::Failed);
    over
}

/// Decides that what is left stays for so many seconds at most.
fn retain(over: &mut AttemptEnd, secs: u64) -> StackId {
    let retain = over.retain.take().unwrap();
    let stack = StackId("stack-1".into());
    let retained = RetainedStack::new(stack.clone(), 1, Duration::from_secs(secs), "app");
    retain.decide(Decision::Retain(retained));
    stack
}

/// Waits until the job is retained and its container runs.
async fn entered(stage: &Stage, input: &AttemptInput, place: &ShellTarget) -> target::ShellContainer {
    loop {
        match target::find(&stage.context, input, place).await {
            Ok(target) if is_entered(stage, &target).await => return target,
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn is_entered(stage: &Stage, target: &target::ShellContainer) -> bool {
    let session = Session::start(
        &stage.context.engine,
        target.clone(),
        &["true".into()],
        None,
        Arc::default(),
    )
    .await;
    session.is_ok()
}

/// What a command says, and how it ends.
async fn says(
    stage: &Stage,
    target: &target::ShellContainer,
    script: &str,
    terminal: Option<ShellSize>,
) -> (String, SessionEnd) {
    let masker = Arc::new(Masker::new([("TOKEN", "s3cr3t-t0ken")]));
    let (typed, hears) = mpsc::channel(4);
    let (shown, mut shows) = mpsc::channel(4);
    let session = Session::start(&stage.context.engine, target.clone(), &[], terminal, masker)
        .await
        .unwrap();
    let running = tokio::spawn(session.run(hears, shown));
    typed.send(Typed::Bytes(format!("{script}\n").into())).await.unwrap();
    if terminal.is_none() {
        typed.send(Typed::Eof).await.unwrap();
    }
    let mut said = Vec::new();
    while let Some(bytes) = shows.recv().await {
        said.extend_from_slice(&bytes);
    }
    (String::from_utf8(said).unwrap(), running.await.unwrap())
}

// key: hold_on_failure
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_stays_for_people_to_look_around_in() {
    let stage = Stage::new(1).await;
    let input = input(&stage, 600);
    let mut over = run(&stage, &input).await;
    let stack = retain(&mut over, 600);

    // It is there with the result: an agent that is killed now leaves all of it.
    let held = target::find(&stage.context, &input, &ShellTarget::Job).await.unwrap();
    assert!(is_entered(&stage, &held).await);
    assert_eq!(held.title, "step 2 (echo state > left-behind)");
    let script = "cat left-behind; echo $WHO-$TOKEN; redis-cli -h redis ping; echo s3cr3t-t0ken; \
                  cat /.drover/run/script; exit 7";
    let (said, end) = says(&stage, &held, script, None).await;
    let expected = "state\nstep-\nPONG\n•••\necho state > left-behind\nexit 3";
    assert_eq!((said.as_str(), end), (expected, SessionEnd::Exited(7)));

    let place = ShellTarget::Service("redis".into());
    let service = target::find(&stage.context, &input, &place).await.unwrap();
    let size = ShellSize { cols: 132, rows: 43 };
    let (said, end) = says(&stage, &service, "stty size; redis-cli ping; exit", Some(size)).await;
    assert!(said.contains("43 132\r\n") && said.contains("PONG\r\n"), "{said}");
    assert_eq!(end, SessionEnd::Exited(0));

    let wrong = [
        ShellTarget::Step("1".into()),
        ShellTarget::Step("x".into()),
        ShellTarget::Service("db".into()),
    ];
    let mut sentences = Vec::new();
    for place in wrong {
        sentences.push(
            target::find(&stage.context, &input, &place)
                .await
                .unwrap_err()
                .to_string(),
        );
    }
    insta::assert_snapshot!(sentences.join("\n"), @"
    step `1` does not run just now; step 2 (echo state > left-behind) can be entered
    there is no step `x`; there are `echo before`, `echo state > left-behind`, `echo never`
    there is no service `db`; there are `redis`
    ");

    // The slot is free meanwhile.
    let story = stage.run(job(vec![step("echo beside it")])).await;
    assert_eq!(story.message(), "Passed");
    let there = stage.context.retained.list();
    assert_eq!(there[0].stack, stack);
    assert_eq!(stage.context.retained.attempt_of(&stack), Some(input.attempt.clone()));
    stage.context.retained.release(&stack);
    over.removal.await.unwrap();
    let folder = AttemptFolder::of(&stage.context.attempts, &input.attempt);
    assert_eq!((folder.stack(), stage.context.retained.list().len()), (None, 0));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_shell_outlives_who_opened_it() {
    let stage = Stage::new(1).await;
    let input = input(&stage, 600);
    let mut over = run(&stage, &input).await;
    let stack = retain(&mut over, 600);
    let held = entered(&stage, &input, &ShellTarget::Job).await;
    let masker = Arc::new(Masker::default());
    let (typed, hears) = mpsc::channel(4);
    let (shown, mut shows) = mpsc::channel(4);
    let size = Some(ShellSize { cols: 80, rows: 24 });
    let session = Session::start(&stage.context.engine, held.clone(), &[], size, masker)
        .await
        .unwrap();
    let running = tokio::spawn(session.run(hears, shown));
    let script = "(trap '' HUP TERM; exec sleep 54321) & echo be''gun\n";
    typed.send(Typed::Bytes(script.into())).await.unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("begun") {
        said.extend_from_slice(&shows.recv().await.unwrap());
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await; // until the program is the sleeping one
    drop(typed);
    assert_eq!(running.await.unwrap(), SessionEnd::Closed);
    // The gate is told to end them; a busy machine takes a moment.
    let mut said = String::from("54321");
    for _ in 0..100 {
        if !said.contains("54321") {
            break;
        }
        (said, _) = says(&stage, &held, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", None).await;
    }
    assert!(!said.contains("54321"), "{said}");
    stage.context.retained.release(&stack);
    over.removal.await.unwrap();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_to_stay_goes_and_so_does_what_nobody_ends() {
    let stage = Stage::new(1).await;
    let first = input(&stage, 600);
    let mut over = run(&stage, &first).await;
    over.retain.take().unwrap().decide(Decision::Remove);
    over.removal.await.unwrap();
    let second = input(&stage, 600);
    let mut over = run(&stage, &second).await;
    retain(&mut over, 1);
    over.removal.await.unwrap();
    assert_eq!(stage.context.retained.list(), []);
    stage.close().await;
}
