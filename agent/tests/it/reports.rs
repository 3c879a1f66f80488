//! Test reports of real jobs: read after the steps, whatever became of them, and told before the end.

use agent::attempt::folder::AttemptFolder;
use agent::attempt::{self, Outlet};
use job_specs::model::{JobSpec, ReportFormat, ReportSpec};
use protocol::ids::StreamId;
use protocol::reports::TestStatus;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::daemon::Site;
use crate::stage::{Stage, job, message, secrets, step};

const SCRIPT: &str = "mkdir -p target/a; cat > target/a/junit.xml <<'END'
<testsuite name='pool'><testcase name='gives' time='0.5'/>
<testcase name='takes'><failure message='the key is s3cr3t-value'>at pool.c:7</failure></testcase></testsuite>
END
echo 'no report at all' > target/broken.xml
exit 1";

fn reporting(script: &str) -> JobSpec {
    JobSpec {
        reports: vec![ReportSpec {
            format: ReportFormat::Junit,
            paths: vec!["target/**/*.xml".into(), "nothing/*.xml".into()],
        }],
        ..job(vec![step(script)])
    }
}

// key: reports
#[tokio::test(flavor = "multi_thread")]
async fn reports_of_a_failed_step_are_read_without_its_secrets() {
    let stage = Stage::new(1).await;
    let mut input = stage.input(reporting(SCRIPT));
    input.secrets = secrets(&[("KEY", "s3cr3t-value")]);
    let folder = AttemptFolder::of(&stage.context.attempts, &input.attempt);
    let (events, _told) = mpsc::unbounded_channel();
    let (streams, _news) = mpsc::unbounded_channel();
    let outlet = Outlet { events, streams };
    let over = attempt::run(&stage.context, input, outlet, CancellationToken::new()).await;
    over.removal.await.unwrap();
    assert_eq!(over.result.failed_tests, Some(1));
    let report = folder.tests().unwrap();
    let names: Vec<(&str, TestStatus)> = report
        .cases
        .iter()
        .map(|case| (case.name.as_str(), case.status))
        .collect();
    assert_eq!(names, [("gives", TestStatus::Passed), ("takes", TestStatus::Failed)]);
    assert_eq!(report.cases[1].message.as_deref(), Some("the key is •••\nat pool.c:7"));
    assert_eq!(
        report.problems,
        [
            "reports: `nothing/*.xml` matches no file",
            "report target/broken.xml:1:1 is not XML: it has no element",
        ]
    );
    stage.close().await;
}

// key: reports
#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_has_the_tests_before_the_end() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(reporting(&SCRIPT.replace("exit 1", "true")));
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(
        (message(&result).as_str(), result.failed_tests),
        ("Passed", Some(1)),
        "a report fails no job"
    );
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        let parts = &truth.tests[&attempt];
        assert_eq!(parts.len(), 1);
        assert_eq!(
            (parts[0].last, parts[0].cases.len(), parts[0].problems.len()),
            (true, 2, 2)
        );
        let said = truth.lines(&attempt, &StreamId::job());
        assert!(said.iter().any(|line| line == "reports: 2 tests, 1 failed"), "{said:?}");
        assert!(
            said.iter().any(|line| line.contains("`nothing/*.xml` matches no file")),
            "{said:?}"
        );
    }
    site.assert_clean().await;
}
