//! What correct files mean.

use job_specs::model::{DependencyCondition, HealthTest, ReadyProbe, Shell, StepAction, WhenStatus};
use job_specs::{Facts, SourceFile, expand, parse};

use crate::story::{brief, file, findings, job, jobs, push};

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn a_file_says_which_events_it_wants() {
    let wants = |on: &str| {
        let parsed = parse(&file(&format!("{on}\njobs: {{t: {{image: i, steps: [x]}}}}\n")));
        let file = parsed.file.unwrap();
        ["push", "pull_request", "tag", "schedule", "manual"].map(|event| file.wants(event))
    };
    assert_eq!(wants(""), [true, true, true, false, true]);
    assert_eq!(wants("on: push"), [true, false, false, false, false]);
    assert_eq!(wants("on: [tag, manual]"), [false, false, true, false, true]);
    assert_eq!(
        wants("on: {pull_request: {}, schedule:}"),
        [false, true, false, true, false]
    );
}

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
    assert_eq!(expand(&file, &push()).unwrap()[0].image, "app:main");
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
    assert_eq!(expand(&parsed.file.unwrap(), &facts).unwrap()[0].env["B"], "<>");
}

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
    assert_eq!(second.secrets, ["TOKEN"]);
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
fn services_are_read_as_compose_reads_them() {
    let job = job("\
jobs:
  t:
    image: i
    services:
      db:
        image: postgres:17
        environment: [A=b=c, \"EMPTY=\"]
        command: postgres -c 'log_statement=all'
        entrypoint: [\"/bin/entry\", \"-x\"]
        tmpfs: [/tmp, \"/data:size=64m\"]
        user: 70:70
        mem_limit: 512m
        x-note: kept for nobody
        healthcheck:
          test: [CMD, pg_isready]
          interval: 1m30s
          timeout: 5s
          retries: 7
          start_period: 0s
      web:
        image: busybox
        environment: {A: 1, B: true, C: 1e3}
        depends_on: [db]
        healthcheck: {test: \"wget -q localhost || exit 1\"}
        ready: {http: 8080/health, timeout: 5s}
        gate: off
      seed:
        image: busybox
        depends_on: {db: {condition: service_healthy}}
        healthcheck: {test: [NONE]}
        run_once: true
      last:
        image: busybox
        depends_on: {seed: {condition: service_completed_successfully}}
        healthcheck: {disable: true}
        ready: {cmd: [test, -f, /ready]}
        allow_failure: true
    steps: [x]
");
    let [db, web, seed, last] = &job.services[..] else {
        panic!()
    };
    assert_eq!(
        db.environment
            .iter()
            .map(|(k, v)| format!("{k}:{v}"))
            .collect::<Vec<_>>(),
        ["A:b=c", "EMPTY:"]
    );
    assert_eq!(db.command, Some(texts(&["postgres", "-c", "log_statement=all"])));
    assert_eq!(db.entrypoint, Some(texts(&["/bin/entry", "-x"])));
    assert_eq!(
        (db.tmpfs["/tmp"].as_str(), db.tmpfs["/data"].as_str()),
        ("", "size=64m")
    );
    assert_eq!(
        (db.user.as_deref(), db.mem_limit_bytes),
        (Some("70:70"), Some(512 << 20))
    );
    let check = db.healthcheck.as_ref().unwrap();
    assert_eq!(check.test, Some(HealthTest::Exec(texts(&["pg_isready"]))));
    assert_eq!(
        (
            check.interval_ms,
            check.timeout_ms,
            check.retries,
            check.start_period_ms
        ),
        (90_000, 5_000, 7, 0)
    );
    assert_eq!(web.environment["C"], "1e3");
    assert_eq!(web.depends_on[0].condition, DependencyCondition::ServiceStarted);
    let check = web.healthcheck.as_ref().unwrap();
    assert_eq!(
        check.test,
        Some(HealthTest::Shell("wget -q localhost || exit 1".into()))
    );
    assert_eq!((check.interval_ms, check.retries), (30_000, 3));
    let ready = web.ready.as_ref().unwrap();
    let health = ReadyProbe::Http {
        port: 8080,
        path: "/health".into(),
    };
    assert_eq!((&ready.probe, ready.timeout_ms), (&health, 5_000));
    assert!(!web.gate && db.gate);
    assert_eq!(seed.healthcheck.as_ref().unwrap().test, None);
    assert!(seed.run_once);
    assert_eq!(last.healthcheck.as_ref().unwrap().test, None);
    assert_eq!(
        last.ready.as_ref().unwrap().probe,
        ReadyProbe::Cmd(HealthTest::Exec(texts(&["test", "-f", "/ready"])))
    );
    assert_eq!(
        last.depends_on[0].condition,
        DependencyCondition::ServiceCompletedSuccessfully
    );
}

#[test]
fn readiness_has_five_forms() {
    let probe = |ready: &str| {
        let text =
            format!("jobs: {{t: {{image: i, services: {{s: {{image: i, ready: {{{ready}}}}}}}, steps: [x]}}}}\n");
        job(&text).services[0].ready.clone().unwrap()
    };
    let http = |port, path: &str| ReadyProbe::Http {
        port,
        path: path.into(),
    };
    assert_eq!(probe("tcp: 9092, timeout: 60s").probe, ReadyProbe::Tcp(9092));
    assert_eq!(probe("tcp: 9092").timeout_ms, 60_000);
    assert_eq!(probe("http: 80").probe, http(80, "/"));
    assert_eq!(probe("http: \":80/x?y=1\"").probe, http(80, "/x?y=1"));
    assert_eq!(probe("http: \"http://localhost:80/x\"").probe, http(80, "/x"));
    assert_eq!(probe("http: {port: 80, path: /y}").probe, http(80, "/y"));
    assert_eq!(
        probe("log: 'ready to (accept|serve)'").probe,
        ReadyProbe::Log("ready to (accept|serve)".into())
    );
    assert_eq!(
        probe("cmd: \"test -f /x\"").probe,
        ReadyProbe::Cmd(HealthTest::Shell("test -f /x".into()))
    );
    assert_eq!(probe("docker: true").probe, ReadyProbe::Docker);
}

#[test]
fn wrong_readiness_is_said() {
    let found = |ready: &str| {
        let text = format!("jobs: {{t: {{image: i, services: {{s: {{image: i, ready: {ready}}}}}, steps: [x]}}}}\n");
        findings(&text)
            .iter()
            .map(|finding| finding.split_once(' ').unwrap().0.to_owned())
            .collect::<Vec<_>>()
    };
    for (ready, code) in [
        ("{}", "DRV0112"),
        ("{tcp: 1, log: x}", "DRV0112"),
        ("{tcp: 70000}", "DRV0112"),
        ("{http: x}", "DRV0112"),
        ("{http: \"80/a b\"}", "DRV0112"),
        ("{log: '('}", "DRV0134"),
        ("{docker: false}", "DRV0112"),
        ("{tcp: 1, timeout: 0s}", "DRV0124"),
        ("{port: 1}", "DRV0101"),
        ("9092", "DRV0111"),
    ] {
        assert!(found(ready).contains(&code.to_owned()), "{ready}: {:?}", found(ready));
    }
}

#[test]
fn anchors_and_merge_keys_save_repetition() {
    let jobs = jobs(
        "\
x-base: &base {image: rust, timeout: 5m, env: &env {A: b}}
x-more: &more {timeout: 7m, allow_failure: true}
jobs:
  a: {<<: *base, timeout: 6m, steps: [x]}
  b:
    <<: [*base, *more]
    env: {<<: *env, C: d}
    steps: [x]
",
    );
    assert_eq!((jobs[0].image.as_str(), jobs[0].timeout_secs), ("rust", 360));
    assert_eq!((jobs[1].timeout_secs, jobs[1].allow_failure), (300, true));
    assert_eq!(jobs[1].env.keys().collect::<Vec<_>>(), ["A", "C"]);
}

#[test]
fn an_error_behind_an_alias_is_shown_once_and_where_it_is_written() {
    let text = "\
x-base: &base {image: rust, imagee: y, timeout: 5}
jobs:
  a: {<<: *base, steps: [x]}
  b: {<<: *base, steps: [x]}
";
    let found = findings(text);
    assert_eq!(found[0], "DRV0101 1:29 unknown key `imagee` in job `a`");
    assert_eq!(
        found
            .iter()
            .filter(|finding| finding.contains("1:49 `5` is not a duration"))
            .count(),
        1
    );
}

#[test]
fn several_files_are_read_as_one() {
    let files = |second: &str| {
        let make = |name: &str, text: &str| SourceFile {
            name: name.into(),
            text: text.into(),
        };
        vec![
            make(
                ".drover/a.yml",
                "on: [push, tag]\nenv: {A: b}\njobs: {test: {image: i, steps: [x]}}\n",
            ),
            make(".drover/b.yml", second),
        ]
    };
    let parsed = parse(&files(
        "on: push\njobs: {deploy: {image: i, needs: test, steps: [x]}}\n",
    ));
    let file = parsed.file.unwrap();
    let titles = |event: &str| {
        let facts = Facts {
            event: event.into(),
            ..push()
        };
        expand(&file, &facts)
            .unwrap()
            .iter()
            .map(|job| job.title())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles("push"), ["test", "deploy"]);
    assert_eq!(titles("tag"), ["test"]);
    assert_eq!(titles("manual"), ["test", "deploy"]);
    assert!(expand(&file, &push()).unwrap()[1].env.is_empty());

    let twice = parse(&files("jobs: {test: {image: i, steps: [x]}}\n"));
    assert_eq!(brief(&twice), ["DRV0106 1:8 job `test` is declared twice"]);
    assert_eq!(twice.diagnostics[0].file, ".drover/b.yml");
    assert_eq!(twice.diagnostics[0].notes, ["first here: .drover/a.yml:3:8"]);

    let other_events = parse(&files(
        "on: manual\njobs: {deploy: {image: i, needs: test, steps: [x]}}\n",
    ));
    assert_eq!(
        brief(&other_events),
        ["DRV0135 2:34 job `deploy` runs on manual, but `test`, which it needs, does not"]
    );
}

#[test]
fn windows_line_ends_and_byte_order_marks_are_read() {
    let text =
        "\u{feff}jobs:\r\n  t:\r\n    image: i\r\n    steps:\r\n      - run: |\r\n          one\r\n          two\r\n";
    let job = job(text);
    assert!(matches!(&job.steps[0].action, StepAction::Run { script, .. } if script == "one\ntwo\n"));
}

#[test]
fn yaml_1_1_booleans_are_texts_and_say_so() {
    let text = "jobs: {t: {image: i, env: {A: yes, B: on, C: 010}, steps: [{run: x, allow_failure: yes}]}}\n";
    assert_eq!(
        findings(text),
        ["DRV0111 1:84 `allow_failure` takes true or false, found `yes`"]
    );
    let job = job(&text.replace(", allow_failure: yes", ""));
    assert_eq!(job.env.values().collect::<Vec<_>>(), ["yes", "on", "010"]);
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
fn all_errors_come_at_once_in_the_order_of_the_file() {
    let found = findings(
        "\
on: psuh
jobs:
  a: {imag: x, steps: []}
  b: {image: X, needs: c, steps: [\"${{ x }}\"], timeout: 1x}
  b: {image: y, steps: [z]}
",
    );
    let lines: Vec<&str> = found.iter().map(|finding| finding.split(' ').nth(1).unwrap()).collect();
    let mut sorted = lines.clone();
    sorted.sort_by_key(|place| {
        let (line, column) = place.split_once(':').unwrap();
        (line.parse::<u32>().unwrap(), column.parse::<u32>().unwrap())
    });
    assert_eq!(lines, sorted);
    assert_eq!(found.len(), 8, "{found:#?}");
}
