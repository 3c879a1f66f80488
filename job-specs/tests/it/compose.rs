//! Compose files of the repository as services: what is taken, what is said, and what bounds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use job_specs::model::{FileContent, VolumeSource};
use job_specs::{Facts, JobSpec, Look, Parsed, Repository, SourceFile, expand, parse_with, render};

use crate::story::push;

/// Files by path.
pub struct Files(BTreeMap<String, String>);

impl Files {
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Files {
        Files(
            files
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }
}

impl Repository for Files {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        if path == "unreadable" {
            return Err("it is not text".to_owned());
        }
        Ok(self.0.get(path).map(|text| text.as_str().into()))
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

pub fn read(job: &str, files: &Files) -> Parsed {
    let file = SourceFile {
        name: ".drover.yml".into(),
        text: job.into(),
    };
    parse_with(&[file], files)
}

/// A job with more keys, one on each line.
fn job(keys: &str) -> String {
    format!(
        "jobs:\n  t:\n    image: i\n    steps: [x]\n    {}\n",
        keys.trim_end().replace('\n', "\n    ")
    )
}

/// `CODE file:line:column message` of every finding.
fn findings(keys: &str, files: &[(&str, &str)]) -> Vec<String> {
    let parsed = read(&job(keys), &Files::new(files.iter().copied()));
    let line = |found: &job_specs::Diagnostic| {
        let place = found
            .span
            .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
        format!("{} {}{place} {}", found.code, found.file, found.message)
    };
    parsed.diagnostics.iter().map(line).collect()
}

fn spec_with(keys: &str, files: &[(&str, &str)], facts: &Facts) -> JobSpec {
    let parsed = read(&job(keys), &Files::new(files.iter().copied()));
    let errors: Vec<_> = parsed.diagnostics.iter().map(|found| &found.message).collect();
    let file = parsed.file.unwrap_or_else(|| panic!("{errors:?}"));
    expand(&file, facts).unwrap().jobs.remove(0)
}

fn spec(keys: &str, files: &[(&str, &str)]) -> JobSpec {
    spec_with(keys, files, &push())
}

#[test]
fn mistakes_are_said_with_the_file_that_they_are_in() {
    let cases: &[(&str, &[(&str, &str)], &str)] = &[
        (
            "compose: c.yml",
            &[],
            "DRV0321 .drover.yml:5:14 there is no file `c.yml` in the repository",
        ),
        (
            "compose: unreadable",
            &[],
            "DRV0321 .drover.yml:5:14 the file `unreadable` cannot be read: it is not text",
        ),
        (
            "compose: /etc/x.yml",
            &[],
            "DRV0322 .drover.yml:5:14 `/etc/x.yml` is a path of the agent's host",
        ),
        (
            "compose: ../x.yml",
            &[],
            "DRV0322 .drover.yml:5:14 `../x.yml` is outside of the repository",
        ),
        ("compose: []", &[], "DRV0112 .drover.yml:5:14 `compose` names no file"),
        (
            "compose: {profiles: [a]}",
            &[],
            "DRV0113 .drover.yml:5:14 `compose` of job `t` has no `file`",
        ),
        (
            "compose: \"${{ git.branch }}.yml\"",
            &[],
            "DRV0323 .drover.yml:5:14 `compose` must be known before there is a build",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "")],
            "DRV0321 c.yml the Compose file is empty",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "[a]")],
            "DRV0111 c.yml:1:1 a Compose file is a map with `services`, found a list",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: [a]")],
            "DRV0111 c.yml:1:11 `services` takes a map, found a list",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "servces: {}")],
            "DRV0101 c.yml:1:1 unknown key `servces` in the Compose file `c.yml`",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services:\n  db: {imag: x}")],
            "DRV0101 c.yml:2:8 unknown key `imag` in service `db` of job `t`",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: \"a:${X\"}}")],
            "DRV0325 c.yml:1:27 `${X` is not a variable of Compose",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: i, command: \"awk '{print $1}'\"}}")],
            "DRV0325 c.yml:1:49 `$1` is not a variable of Compose",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: \"a:${X:?say which}\"}}")],
            "DRV0327 c.yml:1:29 variable `X` must have a value",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: \"a:${X}1\"}}")],
            "DRV0326 c.yml:1:29 variable `X` is not set, so it is empty here",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: \"a:${{ matrix.x }}\"}}")],
            "DRV0328 c.yml:1:27 `${{ }}` cannot be used in a Compose file",
        ),
        (
            "compose: c.yml",
            &[(
                "c.yml",
                "services: {db: {image: a, healthcheck: {test: \"x $DROVER_BRANCH\"}}}",
            )],
            "DRV0114 c.yml:1:51 `$DROVER_BRANCH` in a text that a shell runs",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {db: {image: a, env_file: \"$DROVER_BRANCH\"}}")],
            "DRV0323 c.yml:1:37 an item of `env_file` must be known before there is a build",
        ),
        (
            "compose: c.yml",
            &[
                ("c.yml", "services: {a: {image: i, extends: {file: d.yml, service: x}}}"),
                ("d.yml", "services: {y: {image: i}}"),
            ],
            "DRV0329 c.yml:1:42 there is no service `x` in `d.yml`",
        ),
        (
            "compose: c.yml",
            &[
                ("c.yml", "services: {a: {image: i, extends: {file: d.yml, service: x}}}"),
                ("d.yml", "services: {x: {extends: {file: c.yml, service: a}}}"),
            ],
            "DRV0329 c.yml:1:35 services extend each other: a → x → a",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "include: [d.yml]"), ("d.yml", "include: [c.yml]")],
            "DRV0330 d.yml:1:11 Compose files include each other: c.yml → d.yml → c.yml",
        ),
        (
            "compose: c.yml",
            &[
                ("c.yml", "include: [d.yml]\nservices: {a: {image: x}}"),
                ("d.yml", "services: {a: {image: y}}"),
            ],
            "DRV0331 c.yml:2:12 service `a` is also defined by an included file",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "include: [../d.yml]")],
            "DRV0322 c.yml:1:11 `../d.yml` is outside of the repository",
        ),
        (
            "compose: {file: c.yml, services: [dv]}",
            &[("c.yml", "services: {db: {image: x}}")],
            "DRV0335 .drover.yml:5:39 the Compose files have no service `dv`",
        ),
        (
            "compose: c.yml",
            &[(
                "c.yml",
                "services: {a: {image: x, depends_on: [b]}, b: {image: x, profiles: [p]}}",
            )],
            "DRV0335 c.yml:1:39 service `a` depends on `b`, which is not chosen",
        ),
        (
            "compose: [c.yml, d.yml]",
            &[
                ("c.yml", "services: {a: {image: x, volumes: [\"v:/x\"]}}"),
                ("d.yml", "services: {a: {volumes: {x: y}}}"),
            ],
            "DRV0336 d.yml:1:25 `volumes` is a list here, and a map where it is overridden",
        ),
        (
            "compose: c.yml",
            &[(
                "c.yml",
                "services: {a: {image: x, secrets: [s]}}\nsecrets: {t: {file: x}}",
            )],
            "DRV0334 c.yml:1:36 the secret `s` is not defined",
        ),
        (
            "compose: c.yml",
            &[(
                "c.yml",
                "services: {a: {image: x, configs: [s]}}\nconfigs: {s: {external: true}}",
            )],
            "DRV0118 c.yml:2:11 the external config `s` is refused",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {a: {image: x, configs: [s]}}\nconfigs: {s: {}}")],
            "DRV0113 c.yml:2:11 config `s` has no content",
        ),
        (
            "compose: c.yml",
            &[(
                "c.yml",
                "services: {a: {image: x, volumes: [\"v:/x\"]}}\nvolumes: {v: {external: true}}",
            )],
            "DRV0118 c.yml:2:15 the external volume `v` is refused",
        ),
        (
            "compose: c.yml",
            &[
                ("c.yml", "services: {a: {image: x, env_file: e}}"),
                ("e", "A=1\nB\nC D\n"),
            ],
            "DRV0333 e:3:1 a line of an env file cannot be read",
        ),
        (
            "compose: c.yml",
            &[("c.yml", "services: {a: !new {image: x}}")],
            "DRV0132 c.yml:1:15 the tag `!new` means nothing here",
        ),
        (
            "secrets: [API]",
            &[],
            "DRV0111 .drover.yml:5:14 `secrets` of a job takes a map, found a list",
        ),
    ];
    for (keys, files, expected) in cases {
        let found = findings(keys, files);
        assert!(
            found.iter().any(|found| found == expected),
            "{keys} {files:?}\n{found:#?}\nexpected {expected}"
        );
    }
}

#[test]
fn a_mistake_in_a_compose_file_is_shown_with_its_line() {
    let files = Files::new([(
        "deploy/compose.yml",
        "services:\n  db:\n    image: postgres:${VERSION}\n    privileged: true\n    ports: [\"5432:5432\"]\n",
    )]);
    let parsed = read(&job("compose: deploy/compose.yml"), &files);
    let look = Look {
        colour: false,
        width: 80,
    };
    insta::assert_snapshot!(render(&parsed.diagnostics, &parsed.sources, look));
}

#[test]
fn values_of_a_build_become_neither_code_nor_words() {
    let compose = "
services:
  app:
    image: app
    command: serve --branch $DROVER_BRANCH --copy=${COPY}
    environment: {BRANCH: \"$COPY\", OTHER: \"${DROVER_TAG:-none}\"}
    configs: [c]
configs: {c: {content: \"on ${DROVER_BRANCH}\"}}
";
    let facts = Facts {
        branch: Some("a b; rm -rf $HOME ${{ git.sha }}".into()),
        ..push()
    };
    let job = spec_with(
        "env: {COPY: \"${{ git.branch }}\"}\ncompose: c.yml",
        &[("c.yml", compose)],
        &facts,
    );
    let branch = facts.branch.unwrap();
    let app = &job.services[0];
    assert_eq!(
        app.command.as_deref().unwrap(),
        ["serve", "--branch", &branch, "--copy", &branch].map(str::to_owned)[..3]
            .iter()
            .cloned()
            .chain([format!("--copy={branch}")])
            .collect::<Vec<_>>()
    );
    assert_eq!(app.environment["BRANCH"], branch);
    assert_eq!(app.environment["OTHER"], "none");
    assert_eq!(app.files[0].content, FileContent::Text(format!("on {branch}")));
}

#[test]
fn variables_of_env_files_never_hide_a_value_of_the_build() {
    let files = [
        (".env", "NAME=release-$DROVER_BRANCH\nFIXED='a$b'\nJOB=from-file\n"),
        (
            "c.yml",
            "services: {a: {image: \"i:$NAME\", environment: {F: \"$FIXED\", J: \"$JOB\"}, healthcheck: {test: \"x $NAME\"}}}",
        ),
    ];
    let found = findings("compose: c.yml", &files);
    assert!(found[0].starts_with("DRV0114 c.yml"), "{found:?}");
    let files = [
        files[0],
        (
            "c.yml",
            "services: {a: {image: \"i:$NAME\", environment: {F: \"$FIXED\", J: \"$JOB\"}}}",
        ),
    ];
    let job = spec("env: {JOB: from-job}\ncompose: c.yml", &files);
    assert_eq!(job.services[0].image, "i:release-main");
    assert_eq!(job.services[0].environment["F"], "a$b");
    assert_eq!(job.services[0].environment["J"], "from-job");
}

#[test]
fn the_jobs_own_services_go_over_those_of_the_file() {
    let compose = "
services:
  db: {image: \"postgres:15\", environment: [A=1, B=2], ports: [\"5432:5432\"], volumes: [\"data:/data\"]}
  web: {image: web, depends_on: [db]}
";
    let own = "
compose: c.yml
services:
  db: {image: \"postgres:17\", environment: {B: \"3\"}, run_once: false, ready: {tcp: 5432}, volumes: [\"./x:/data\"]}
  extra: {image: extra, depends_on: [web]}
  web: {scale: 0}
";
    let job = spec(own.trim(), &[("c.yml", compose)]);
    let [db, web, extra] = &job.services[..] else { panic!() };
    assert_eq!(
        (db.image.as_str(), &db.environment["A"][..], &db.environment["B"][..]),
        ("postgres:17", "1", "3")
    );
    assert_eq!(db.volumes[0].source, VolumeSource::Workspace("x".into()));
    assert!(db.ready.is_some() && db.expose == [5432]);
    assert_eq!((web.scale, extra.depends_on[0].service.as_str()), (0, "web"));
}

#[test]
fn what_compose_files_can_grow_to_is_bounded() {
    let deep: Vec<(String, String)> = (0..40)
        .map(|at| (format!("f{at}.yml"), format!("include: [f{}.yml]\n", at + 1)))
        .collect();
    let wide: Vec<(String, String)> = (0..30)
        .map(|at| {
            let next = format!("{{path: f{}.yml, project_directory: d}}", at + 1);
            (format!("f{at}.yml"), format!("include: [{next}, {next}]\n"))
        })
        .collect();
    let many: Vec<(String, String)> = (0..200)
        .map(|at| (format!("f{at}.yml"), "services: {}\n".to_owned()))
        .chain([(
            "f0.yml".into(),
            format!(
                "include: [{}]\n",
                (1..200).map(|at| format!("f{at}.yml")).collect::<Vec<_>>().join(", ")
            ),
        )])
        .collect();
    let chain: Vec<String> = (0..3000)
        .map(|at| format!("  s{at}: {{extends: s{}}}\n", at + 1))
        .collect();
    let chain = vec![("f0.yml".to_owned(), format!("services:\n{}", chain.concat()))];
    let big = "x".repeat(200);
    let base: Vec<String> = (0..800).map(|at| format!("K{at}: {big}")).collect();
    let fan: Vec<String> = (0..2000)
        .map(|at| format!("  s{at}: {{extends: base, environment: {{A: b}}}}\n"))
        .collect();
    let fan = vec![(
        "f0.yml".to_owned(),
        format!(
            "services:\n  base: {{image: i, environment: {{{}}}}}\n{}",
            base.join(", "),
            fan.concat()
        ),
    )];
    let blow = vec![
        (
            "f0.yml".to_owned(),
            format!("services: {{a: {{image: i, command: \"{}\"}}}}", "$A".repeat(20_000)),
        ),
        (".env".to_owned(), format!("A={}", "x".repeat(200_000))),
    ];
    let doubling: Vec<String> = (0..60).map(|at| format!("A{}=$A{at}$A{at}\n", at + 1)).collect();
    let doubling = vec![
        (
            "f0.yml".to_owned(),
            "services: {a: {image: i, environment: {X: $A60}}}".to_owned(),
        ),
        (".env".to_owned(), format!("A0=xx\n{}", doubling.concat())),
    ];
    for (what, files) in [
        ("deep", deep),
        ("wide", wide),
        ("many", many),
        ("chain", chain),
        ("fan", fan),
        ("blow", blow),
        ("doubling", doubling),
    ] {
        let files = Files::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let text = "jobs:\n  t:\n    image: i\n    steps: [x]\n    compose: f0.yml\n    matrix: {a: [\"1\", \"2\", \"3\"], b: [\"1\", \"2\", \"3\"]}\n";
        let parsed = read(text, &files);
        assert!(parsed.file.is_none() && !parsed.diagnostics.is_empty(), "{what}");
        let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code.as_str()).collect();
        let bound = ["DRV0006", "DRV0321", "DRV0329", "DRV0330", "DRV0332"];
        assert!(codes.iter().any(|code| bound.contains(code)), "{what}: {codes:?}");
    }
}

#[test]
fn a_build_sees_what_was_read_when_the_file_was_checked() {
    let parsed = {
        let files = Files::new([
            (
                "c.yml",
                "services: {a: {image: \"i:${MATRIX_A}\", env_file: [e, {path: none, required: false}]}}",
            ),
            ("e", "A=$MATRIX_A\n"),
        ]);
        read(&job("matrix: {a: [\"1\", \"2\"]}\ncompose: c.yml"), &files)
    };
    let names: Vec<&str> = parsed.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, [".drover.yml", "c.yml", "e"]);
    let jobs = expand(&parsed.file.unwrap(), &push()).unwrap().jobs;
    let seen: Vec<(&str, &str)> = jobs
        .iter()
        .map(|job| {
            (
                job.services[0].image.as_str(),
                job.services[0].environment["A"].as_str(),
            )
        })
        .collect();
    assert_eq!(seen, [("i:1", "1"), ("i:2", "2")]);
}
