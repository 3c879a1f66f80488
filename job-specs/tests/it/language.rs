//! What correct files mean.

use job_specs::model::{ReadyProbe, SecretUse, Shell, StepAction, WhenStatus};
use job_specs::{Facts, expand, parse};

use crate::story::{brief, file, findings, job, jobs, push, texts};

// key: env
#[test]
fn environment_is_merged_from_the_file_to_the_job() {
    let job = job("\
env: {A: file, B: file, BRANCH: \"${{ git.branch }}\"}
jobs:
  t:
    image: i
    matrix: {node-version: [20]}
    env: {B: job, C: \"${{ env.A }}/${{ env.BRANCH }}/${{ matrix.node-version }}\", N: 3.10, T: true}
    steps:
      - {run: x, env: {D: \"${{ env.C }}+${{ env.DROVER_SHA }}+${{ env.MATRIX_NODE_VERSION }}\"}}
");
    let env: Vec<String> = job.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env,
        [
            "A=file",
            "B=job",
            "BRANCH=main",
            "C=file/main/20",
            "MATRIX_NODE_VERSION=20",
            "N=3.10",
            "T=true"
        ]
    );
    assert_eq!(
        job.steps[0].env["D"],
        "file/main/20+0123456789abcdef0123456789abcdef01234567+20"
    );
}

// key: job.services, job.resources, services.ready, ready.tcp, resources.cpus, resources.memory
#[test]
fn every_cell_is_a_job_with_its_own_values() {
    let jobs = jobs(
        "\
jobs:
  t:
    image: rust:${{ matrix.rust }}
    allow_failure: ${{ matrix.nightly }}
    timeout: ${{ matrix.time }}m
    resources: {cpus: \"${{ matrix.cpus }}\", memory: \"${{ matrix.cpus }}g\"}
    matrix:
      rust: [\"1.90\", \"1.91\"]
      include:
        - {nightly: false, time: 10, cpus: 2}
        - {rust: nightly, nightly: true, time: 20, cpus: 0.5}
    services:
      db: {image: redis, ready: {tcp: \"63${{ matrix.time }}\"}}
    steps: [x]
",
    );
    let seen: Vec<String> = jobs
        .iter()
        .map(|job| {
            format!(
                "{} {} {} {:?}",
                job.title(),
                job.image,
                job.timeout_secs,
                job.resources.cpu_millis
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "t (rust=1.90, nightly=false, time=10, cpus=2) rust:1.90 600 Some(2000)",
            "t (rust=1.91, nightly=false, time=10, cpus=2) rust:1.91 600 Some(2000)",
            "t (rust=nightly, nightly=true, time=20, cpus=0.5) rust:nightly 1200 Some(500)",
        ]
    );
    assert_eq!(
        jobs.iter().map(|job| job.allow_failure).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(jobs[2].services[0].ready.as_ref().unwrap().probe, ReadyProbe::Tcp(6320));
}

#[test]
fn a_wrong_value_of_one_cell_is_found_before_any_build() {
    let text = "\
jobs:
  t:
    image: i
    matrix: {time: [10m, soon, later]}
    timeout: ${{ matrix.time }}
    steps: [x]
";
    let parsed = parse(&file(text));
    assert_eq!(brief(&parsed), ["DRV0124 5:14 `soon` is not a duration"]);
    assert_eq!(parsed.diagnostics[0].notes, ["in the cell time=soon"]);
}

#[test]
fn a_wrong_value_of_a_build_is_found_when_it_is_made() {
    let parsed = parse(&file("jobs: {t: {image: \"app:${{ git.branch }}\", steps: [x]}}\n"));
    let file = parsed.file.unwrap();
    assert_eq!(expand(&file, &push()).unwrap().jobs[0].image, "app:main");
    let facts = Facts {
        branch: Some("fix/it".into()),
        ..push()
    };
    let found = expand(&file, &facts).unwrap_err();
    assert_eq!(found[0].message, "`app:fix/it` is not an image's name");
}

#[test]
fn a_branch_that_is_not_known_is_empty() {
    let parsed = parse(&file(
        "jobs: {t: {image: i, env: {B: \"<${{ git.branch }}>\"}, steps: [x]}}\n",
    ));
    let facts = Facts {
        event: "tag".into(),
        tag: Some("v1".into()),
        ..Facts::default()
    };
    assert_eq!(expand(&parsed.file.unwrap(), &facts).unwrap().jobs[0].env["B"], "<>");
}

// key: step.entrypoint, step.workdir, step.secrets, step.shell
#[test]
fn steps_are_texts_or_maps() {
    let job = job("\
jobs:
  t:
    image: rust
    steps:
      - cargo test
      - run: |

          # set up
          make
        shell: bash
        secrets: [TOKEN]
        user: 1000
        workdir: sub/folder
        timeout: 90s
        when: {status: [success, failure]}
        allow_failure: true
      - {entrypoint: \"say --words 'two words'\", image: busybox, when: [{status: failure}]}
      - {name: \"on ${{ git.branch }}\", run: x}
");
    let [first, second, third, fourth] = &job.steps[..] else {
        panic!()
    };
    assert_eq!((first.name.as_str(), first.image.as_str()), ("cargo test", "rust"));
    assert_eq!(second.name, "# set up");
    assert!(matches!(&second.action, StepAction::Run { shell: Shell::Bash, script } if script == "\n# set up\nmake\n"));
    assert_eq!(
        (second.user.as_deref(), second.workdir.as_deref()),
        (Some("1000"), Some("sub/folder"))
    );
    assert_eq!((second.timeout_secs, second.allow_failure), (Some(90), true));
    assert_eq!(second.secrets, [SecretUse::env("TOKEN")]);
    let always = WhenStatus {
        success: true,
        failure: true,
    };
    assert_eq!(second.when, always);
    assert_eq!(
        third.action,
        StepAction::Entrypoint(texts(&["say", "--words", "two words"]))
    );
    assert_eq!(
        (third.image.as_str(), third.when.success, third.when.failure),
        ("busybox", false, true)
    );
    assert_eq!(fourth.name, "on main");
}

#[test]
fn a_structural_value_must_be_written_out() {
    let found = findings(
        "\
on: \"${{ git.event }}\"
jobs:
  t:
    image: i
    needs: [\"${{ git.branch }}\"]
    matrix: {a: [\"${{ git.branch }}\"]}
    steps: [{run: x, secrets: [\"${{ matrix.a }}\"]}]
",
    );
    assert_eq!(
        found.iter().filter(|finding| finding.starts_with("DRV0115")).count(),
        4,
        "{found:?}"
    );
}

#[test]
fn names_that_are_almost_right_are_suggested() {
    let label = |text: &str| parse(&file(text)).diagnostics[0].label.clone().unwrap_or_default();
    let env = |value: &str| format!("jobs: {{t: {{image: i, env: {{A: b, C: \"{value}\"}}, steps: [x]}}}}\n");
    assert_eq!(label(&env("${{ git.brunch }}")), "did you mean `branch`?");
    assert_eq!(label(&env("${{ github.ref_name }}")), "did you mean `git.branch`?");
    assert_eq!(label(&env("${{ env.DROVER_SHAA }}")), "did you mean `DROVER_SHA`?");
    assert_eq!(
        label("jobs: {t: {image: i, steps: [{run: x, when: {status: failre}}]}}\n"),
        "did you mean `failure`?"
    );
}

#[test]
fn a_value_that_a_cell_lacks_counts_as_not_written() {
    let jobs = jobs(
        "\
jobs:
  t:
    image: i
    matrix: {rust: [stable], include: [{rust: nightly, may_fail: true, time: 5m}]}
    allow_failure: ${{ matrix.may_fail }}
    timeout: ${{ matrix.time }}
    steps: [x]
",
    );
    let seen: Vec<_> = jobs.iter().map(|job| (job.allow_failure, job.timeout_secs)).collect();
    assert_eq!(seen, [(false, 3600), (true, 300)]);
}

#[test]
fn names_of_variables_are_checked() {
    let text = "jobs: {t: {image: i, env: {1A: x, A-B: y, DROVER_SHA: z, C:}, steps: [{run: x, secrets: [a b]}]}}\n";
    assert_eq!(
        findings(text),
        [
            "DRV0123 1:28 `1A` is not a name for an environment variable",
            "DRV0123 1:35 `A-B` is not a name for an environment variable",
            "DRV0123 1:43 `DROVER_SHA` is set by Drover itself",
            "DRV0111 1:58 `C` has no value",
            "DRV0123 1:90 `a b` is not a name for an environment variable",
        ]
    );
}

#[test]
fn the_file_of_the_reference_is_read_whole() {
    let jobs = jobs(
        r#"
on:
  push: {branches: [main, "release/**"], paths: ["src/**"]}
  pull_request: {}
  schedule: [{cron: "0 2 * * *", timezone: Europe/Paris}]
concurrency: {group: "${{ git.branch }}", mode: cancel}
env: {RUST_LOG: info}

jobs:
  lint: {image: rust:1.90, steps: [cargo fmt --check, cargo clippy]}
  test:
    needs: [lint]
    image: rust:1.90
    matrix:
      postgres: ["15", "17"]
      kafka: ["3.7.0", "3.9.0"]
      exclude: [{postgres: "15", kafka: "3.9.0"}]
      include: [{postgres: "18", kafka: "3.9.0", allow_failure: true}]
      fail_fast: false
    services:
      db:
        image: postgres:${{ matrix.postgres }}
        environment: {POSTGRES_PASSWORD: test}
        healthcheck: {test: ["CMD", "pg_isready", "-U", "postgres"], interval: 500ms}
      kafka:
        image: apache/kafka:${{ matrix.kafka }}
        ready: {tcp: 9092, timeout: 60s}
      seed: {image: ours/kafka-data, depends_on: {kafka: {condition: service_healthy}}, run_once: true}
    steps:
      - cargo test
      - name: integration
        run: ./it.sh
        env: {DATABASE_URL: "postgres://postgres:test@db/postgres"}
        secrets: [API_TOKEN]
        timeout: 10m
        retry: 2
        when: {status: [success, failure]}
    cache: [{key: "cargo-${{ hash('Cargo.lock') }}", fallback: ["cargo-"], paths: [/usr/local/cargo/registry, target]}]
    artifacts: [{name: binary, paths: [target/release/app], expires: 30d}]
    reports: {junit: "target/**/junit.xml"}
    timeout: 1h
    retry: {max: 2, on: [infrastructure, "exit:75"]}
    hold_on_failure: 10m
    resources: {cpus: 2, memory: 4g, pids: 1024}
    runs_on: {arch: amd64}
"#,
    );
    let titles: Vec<String> = jobs.iter().map(job_specs::JobSpec::title).collect();
    assert_eq!(
        titles,
        [
            "lint",
            "test (postgres=15, kafka=3.7.0)",
            "test (postgres=17, kafka=3.7.0)",
            "test (postgres=17, kafka=3.9.0)",
            "test (postgres=18, kafka=3.9.0)",
        ]
    );
}
