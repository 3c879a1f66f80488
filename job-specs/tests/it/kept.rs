//! What a job keeps, where it runs, how often it is tried, and what its steps receive.

use job_specs::model::{
    ArtifactSpec, CacheSpec, ReportFormat, ReportSpec, Retry, RetryOn, SecretInto, SecretUse, StepAction, WhenStatus,
};

use crate::story::{findings, job, jobs, texts};

const ALWAYS: WhenStatus = WhenStatus {
    success: true,
    failure: true,
};

// key: job.cache, job.artifacts, job.reports
#[test]
fn a_job_keeps_caches_artifacts_and_reports() {
    let job = job("\
jobs:
  t:
    image: rust
    cache:
      - {key: cargo, fallback: cargo-, paths: [/usr/local/cargo/registry, ./target/, /workspace/node_modules]}
    artifacts:
      - {name: app, paths: target/release/app, expires: 30d}
      - {name: the log, paths: [\"**/*.log\", \"!x.log\"], when: always}
    reports: {go_json: a.json, junit: [\"target/**/junit.xml\", b.xml]}
    steps: [x]
");
    let cache = CacheSpec {
        key: "cargo".into(),
        fallback: texts(&["cargo-"]),
        paths: texts(&["/usr/local/cargo/registry", "target", "node_modules"]),
    };
    assert_eq!(job.caches, [cache]);
    let app = ArtifactSpec {
        name: "app".into(),
        paths: texts(&["target/release/app"]),
        expires_secs: Some(30 * 24 * 3600),
        when: WhenStatus::default(),
    };
    let log = ArtifactSpec {
        name: "the log".into(),
        paths: texts(&["**/*.log", "!x.log"]),
        expires_secs: None,
        when: ALWAYS,
    };
    assert_eq!(job.artifacts, [app, log]);
    let reports = [
        ReportSpec {
            format: ReportFormat::Junit,
            paths: texts(&["target/**/junit.xml", "b.xml"]),
        },
        ReportSpec {
            format: ReportFormat::GoJson,
            paths: texts(&["a.json"]),
        },
    ];
    assert_eq!(job.reports, reports);
}

// key: job.hold_on_failure, job.runs_on, job.idempotent, job.network, job.retry
#[test]
fn a_job_says_where_and_how_often_it_runs() {
    let job = job("\
jobs:
  t:
    image: rust
    retry: {max: 2, on: [infrastructure, \"exit:75\", test, timeout, any, test]}
    hold_on_failure: 10m
    runs_on: {arch: amd64, disks: 2}
    idempotent: false
    network: none
    steps: [{run: x, retry: 3}]
");
    let on = [
        RetryOn::Infrastructure,
        RetryOn::Exit(75),
        RetryOn::Test,
        RetryOn::Timeout,
        RetryOn::Any,
    ];
    assert_eq!(job.retry, Retry { max: 2, on: on.into() });
    assert_eq!(job.steps[0].retry, Retry { max: 3, on: vec![] });
    assert_eq!(job.hold_on_failure_secs, Some(600));
    let labels: Vec<String> = job
        .runs_on
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(labels, ["arch=amd64", "disks=2"]);
    assert!(!job.idempotent && job.network_none);
}

// key: step.secrets
#[test]
fn a_step_receives_secrets_as_variables_and_as_files() {
    let job = job("\
jobs:
  t:
    image: a
    steps:
      - run: x
        secrets: [A, {name: B}, {name: C, env: TOKEN}, {name: D, file: /run/secrets/d.pem}, A]
");
    let into = |name: &str, into| SecretUse {
        name: name.into(),
        into,
    };
    let expected = [
        SecretUse::env("A"),
        SecretUse::env("B"),
        into("C", SecretInto::Env("TOKEN".into())),
        into("D", SecretInto::File("/run/secrets/d.pem".into())),
    ];
    assert_eq!(job.steps[0].secrets, expected);
    assert_eq!(job.secret_names().into_iter().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
}

#[test]
fn an_id_token_is_asked_for_by_its_audience() {
    let text = "jobs: {t: {image: a, steps: [{run: x, secrets: [ITEMS]}]}}\n";
    let one = job(&text.replace("ITEMS", "{id_token: https://cloud.example}"));
    let name = "ID token for https://cloud.example";
    let expected = SecretUse {
        name: name.into(),
        into: SecretInto::Env("DROVER_OIDC_TOKEN".into()),
    };
    assert_eq!(one.steps[0].secrets, [expected]);
    assert_eq!(SecretUse::audience(name), Some("https://cloud.example"));
    assert_eq!(SecretUse::audience("TOKEN"), None);
    let two = job(&text.replace("ITEMS", "{id_token: a, env: A}, {id_token: b, file: /run/b}"));
    assert_eq!(two.secret_names().len(), 2);
    for (wrong, says) in [
        (
            "{id_token: a}, {id_token: b}",
            "the variable `DROVER_OIDC_TOKEN` would have two secrets",
        ),
        ("{id_token: a, name: B}", "an item is a secret or an ID token, not both"),
        ("{env: A}", "has no `name`"),
        ("{id_token: \"a b\"}", "an audience has 1 to 200 letters"),
        ("{id_token: \"\"}", ""),
    ] {
        let found = findings(&text.replace("ITEMS", wrong)).join("\n");
        assert!(found.contains(says) && !found.is_empty(), "{wrong}: {found}");
    }
}

// key: job.timeout
#[test]
fn a_step_builds_an_image_without_a_container_of_its_own() {
    let job = job("\
jobs:
  t:
    matrix: {base: [slim]}
    steps:
      - name: build and push
        image:
          build: {context: app, dockerfile: docker/App, args: {BASE: \"${{ matrix.base }}\", N: 1}, target: run, pull: true}
          tags: [\"registry.example/app:${{ git.short_sha }}\", registry.example/app:latest]
          push: true
          login: {user: bot, secret: REGISTRY_TOKEN}
        when: {branch: main}
        timeout: 10m
      - image: {build: ., tags: app}
      - {image: busybox, run: x}
");
    assert_eq!(job.image, "");
    let StepAction::Image(image) = &job.steps[0].action else {
        panic!()
    };
    insta::assert_snapshot!(serde_json::to_string_pretty(image).unwrap());
    assert_eq!(
        (job.steps[0].name.as_str(), job.steps[0].timeout_secs),
        ("build and push", Some(600))
    );
    assert_eq!(job.steps[1].name, "image app");
    assert_eq!(job.secret_names().into_iter().collect::<Vec<_>>(), ["REGISTRY_TOKEN"]);
}

// key: job.cache, job.artifacts, job.runs_on, job.retry, matrix.include
#[test]
fn values_of_a_cell_reach_what_is_kept() {
    let jobs = jobs(
        "\
jobs:
  t:
    image: a
    matrix: {pg: [\"15\", \"17\"], include: [{tries: 2}]}
    cache: [{key: \"db-${{ matrix.pg }}\", paths: [\"data/${{ matrix.pg }}\"]}]
    artifacts: {name: \"dump-${{ matrix.pg }}\", paths: \"${{ matrix.pg }}/*.sql\"}
    retry: ${{ matrix.tries }}
    runs_on: {disk: \"${{ matrix.pg }}\"}
    steps: [x]
",
    );
    let seen: Vec<String> = jobs
        .iter()
        .map(|job| {
            let (cache, artifact) = (&job.caches[0], &job.artifacts[0]);
            format!(
                "{} {:?} {} {:?} {} {:?}",
                cache.key, cache.paths, artifact.name, artifact.paths, job.retry.max, job.runs_on
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            r#"db-15 ["data/15"] dump-15 ["15/*.sql"] 2 {"disk": "15"}"#,
            r#"db-17 ["data/17"] dump-17 ["17/*.sql"] 2 {"disk": "17"}"#,
        ]
    );
}

#[test]
fn a_job_without_an_image_needs_one_in_every_step() {
    assert_eq!(
        findings("jobs: {t: {steps: [{run: x, image: a}, {image: {build: ., tags: b}}]}}\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        findings("jobs: {t: {steps: [{run: x, image: a}, y]}}\n"),
        ["DRV0113 1:8 job `t` has no `image`"]
    );
}
