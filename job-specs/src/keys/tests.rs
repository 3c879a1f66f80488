//! Tests that the tables and the reader agree: every key of a table is really read, takes what its shape says, and
//! refuses something else.

use super::*;
use crate::diagnostics::Severity;
use crate::repository::Repository;
use crate::{SourceFile, parse_with};

/// A map of the file with a hole for one more key.
struct Hole {
    table: &'static Table,
    /// The file around the map.
    around: (&'static str, &'static str),
    /// What the map needs to be valid without the key.
    base: &'static [(&'static str, &'static str)],
}

const JOB_BASE: &[(&str, &str)] = &[("image", "i"), ("steps", "[x]")];
const SERVICE_START: &str =
    "jobs: {other: {image: i, steps: [x]}, t: {image: i, steps: [x], services: {other: {image: i}, s: {image: i, ";
const SERVICE_END: &str = "}}}}\n";

const FILE_START: &str = "jobs: {other: {image: i, steps: [x]}}\n";

fn holes() -> Vec<Hole> {
    let mut holes = of_the_file();
    holes.extend(of_jobs());
    holes.extend(of_services());
    holes
}

fn hole(
    table: &'static Table,
    around: (&'static str, &'static str),
    base: &'static [(&'static str, &'static str)],
) -> Hole {
    Hole { table, around, base }
}

fn of_the_file() -> Vec<Hole> {
    vec![
        hole(&FILE, ("{", "}\n"), &[("jobs", "{other: {image: i, steps: [x]}}")]),
        hole(&ON, ("on: {", "}\n"), &[]),
        hole(&PUSH, ("on: {push: {", "}}\n"), &[]),
        hole(&PULL_REQUEST, ("on: {pull_request: {", "}}\n"), &[]),
        hole(&TAG, ("on: {tag: {", "}}\n"), &[]),
        hole(
            &SCHEDULE,
            ("on: {manual: {inputs: {name: {}}}, schedule: [{", "}]}\n"),
            &[("cron", "0 2 * * *")],
        ),
        hole(&MANUAL, ("on: {manual: {", "}}\n"), &[]),
        hole(&INPUT, ("on: {manual: {inputs: {name: {", "}}}}\n"), &[]),
        hole(&CONCURRENCY, ("concurrency: {", "}\n"), &[("group", "a")]),
    ]
}

fn of_jobs() -> Vec<Hole> {
    let job = ("jobs: {other: {image: i, steps: [x]}, t: {", "}}\n");
    vec![
        hole(&JOB, job, JOB_BASE),
        hole(
            &NEED,
            (
                "jobs: {other: {image: i, steps: [x], matrix: {axis: [a]}, artifacts: [{name: a, paths: [a]}]}, \
                 t: {image: i, steps: [x], needs: [{",
                "}]}}\n",
            ),
            &[("job", "other")],
        ),
        hole(
            &MATRIX,
            ("jobs: {t: {image: i, steps: [x], matrix: {", "}}}\n"),
            &[("axis", "[a, b]")],
        ),
        hole(
            &RESOURCES,
            ("jobs: {t: {image: i, steps: [x], resources: {", "}}}\n"),
            &[],
        ),
        hole(
            &CACHE,
            ("jobs: {t: {image: i, steps: [x], cache: [{", "}]}}\n"),
            &[("key", "a"), ("paths", "[a]")],
        ),
        hole(
            &ARTIFACT,
            ("jobs: {t: {image: i, steps: [x], artifacts: [{", "}]}}\n"),
            &[("name", "a"), ("paths", "[a]")],
        ),
        hole(&REPORTS, ("jobs: {t: {image: i, steps: [x], reports: {", "}}}\n"), &[]),
        hole(
            &RETRY,
            ("jobs: {t: {image: i, steps: [x], retry: {", "}}}\n"),
            &[("max", "1")],
        ),
        hole(&STEP, ("jobs: {t: {image: i, steps: [{", "}]}}\n"), &[("run", "x")]),
        hole(
            &WHEN,
            (
                "jobs: {t: {image: i, matrix: {axis: [a]}, steps: [{run: x, when: {",
                "}}]}}\n",
            ),
            &[],
        ),
        hole(
            &SECRET,
            ("jobs: {t: {image: i, steps: [{run: x, secrets: [{", "}]}]}}\n"),
            &[("name", "A")],
        ),
        hole(
            &IMAGE,
            ("jobs: {t: {steps: [{image: {", "}}]}}\n"),
            &[("build", "."), ("tags", "[a]")],
        ),
        hole(
            &LOGIN,
            ("jobs: {t: {steps: [{image: {build: ., tags: a, login: {", "}}}]}}\n"),
            &[("user", "a"), ("secret", "A")],
        ),
    ]
}

fn of_services() -> Vec<Hole> {
    vec![
        hole(
            &SERVICE,
            (
                "jobs: {t: {image: i, steps: [x], services: {other: {image: i}, s: {",
                "}}}}\n",
            ),
            &[("image", "i")],
        ),
        hole(&HEALTHCHECK, (SERVICE_START, SERVICE_END), &[("test", "x")]),
        hole(&DEPENDENCY, (SERVICE_START, SERVICE_END), &[]),
        hole(&READY, (SERVICE_START, SERVICE_END), &[]),
        hole(&BUILD, (SERVICE_START, SERVICE_END), &[]),
        hole(&ENV_FILE, (SERVICE_START, SERVICE_END), &[("path", "a")]),
        hole(&NETWORK, (SERVICE_START, SERVICE_END), &[]),
        hole(&PORT, (SERVICE_START, SERVICE_END), &[("target", "1")]),
        hole(&VOLUME, (SERVICE_START, SERVICE_END), &[("target", "/x")]),
        hole(&TMPFS, (SERVICE_START, SERVICE_END), &[]),
        hole(&VOLUME_OPTIONS, (SERVICE_START, SERVICE_END), &[]),
        hole(&FILE_MOUNT, (SERVICE_START, SERVICE_END), &[("source", "a")]),
        hole(&ULIMIT, (SERVICE_START, SERVICE_END), &[("soft", "-1"), ("hard", "-1")]),
        hole(&DEPLOY, (SERVICE_START, SERVICE_END), &[]),
        hole(&DEPLOY_RESOURCES, (SERVICE_START, SERVICE_END), &[]),
        hole(&LIMITS, (SERVICE_START, SERVICE_END), &[]),
        hole(
            &COMPOSE,
            ("jobs: {t: {image: i, steps: [x], compose: {", "}}}\n"),
            &[("file", "a")],
        ),
        hole(&HTTP, (SERVICE_START, SERVICE_END), &[("port", "80")]),
    ]
}

/// The file with `key: value` in the hole.
fn filled(hole: &Hole, key: &str, value: &str) -> String {
    let replaces = |base: &str| base == key || (hole.table.what == "step" && base == "run" && key == "entrypoint");
    let mut entries: Vec<String> = hole
        .base
        .iter()
        .filter(|(base, _)| !replaces(base))
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    if hole.table.what == "`ready`" && key == "timeout" {
        entries.push("tcp: 1".to_owned());
    }
    entries.push(format!("{key}: {value}"));
    let map = entries.join(", ");
    let map = match hole.table.what {
        "`healthcheck`" => format!("healthcheck: {{{map}}}"),
        "`depends_on`" => format!("depends_on: {{other: {{{map}}}}}"),
        "`ready`" => format!("ready: {{{map}}}"),
        "`http`" => format!("ready: {{http: {{{map}}}}}"),
        "`build`" => format!("build: {{{map}}}"),
        "`env_file`" => format!("env_file: [{{{map}}}]"),
        "`networks`" => format!("networks: {{n: {{{map}}}}}"),
        "`ports`" => format!("ports: [{{{map}}}]"),
        "`volumes`" => format!("volumes: [{{{map}}}]"),
        "`tmpfs`" => format!("volumes: [{{type: tmpfs, target: /x, tmpfs: {{{map}}}}}]"),
        "`volume`" => format!("volumes: [{{target: /x, volume: {{{map}}}}}]"),
        "`configs` or `secrets`" => format!("secrets: [{{{map}}}]"),
        "`ulimits`" => format!("ulimits: {{nofile: {{{map}}}}}"),
        "`deploy`" => format!("deploy: {{{map}}}"),
        "`resources`" if hole.around.0 == SERVICE_START => format!("deploy: {{resources: {{{map}}}}}"),
        "`limits`" => format!("deploy: {{resources: {{limits: {{{map}}}}}}}"),
        _ => map,
    };
    let jobs = if hole.around.0.contains("on: {") || hole.around.0.starts_with("concurrency") {
        FILE_START
    } else {
        ""
    };
    format!("{jobs}{}{map}{}", hole.around.0, hole.around.1)
}

/// A value that fits a key: by its name where only some texts do, else by its shape.
fn sample(table: &Table, key: &Key) -> String {
    match key.name {
        "needs" | "depends_on" | "links" => "[other]".to_owned(),
        "jobs" => "{other: {image: i, steps: [x]}}".to_owned(),
        "job" => "other".to_owned(),
        "matrix" if table.what != "job" => "{axis: a}".to_owned(),
        "cron" => "0 2 * * *".to_owned(),
        "timezone" => "Europe/Paris".to_owned(),
        "expires" => "2h".to_owned(),
        "on" if table.what == "`retry`" => "any".to_owned(),
        "file" if table.what == SECRET.what => "/run/secrets/a".to_owned(),
        "include" | "exclude" => "[{axis: a}]".to_owned(),
        "tmpfs" if matches!(key.shape, Shape::Object(_)) => "{size: 1m}".to_owned(),
        "tmpfs" | "working_dir" => "/x".to_owned(),
        "path" if key.about.starts_with("The path.") => "/x".to_owned(),
        "target" if matches!(key.shape, Shape::Text) => "/x".to_owned(),
        "volumes" => "[/x]".to_owned(),
        "cap_add" | "cap_drop" => "[NET_RAW]".to_owned(),
        "security_opt" => "[no-new-privileges]".to_owned(),
        "stop_signal" => "SIGTERM".to_owned(),
        "ulimits" => "{nofile: 1}".to_owned(),
        "sysctls" => "{net.core.somaxconn: 1}".to_owned(),
        "extra_hosts" => "[a=1.1.1.1]".to_owned(),
        "dns" => "1.1.1.1".to_owned(),
        "pull_policy" | "restart" => "always".to_owned(),
        "soft" | "hard" => "-1".to_owned(),
        "configs" if matches!(key.shape, Shape::List(_)) => "[]".to_owned(),
        "configs" | "secrets" if matches!(key.shape, Shape::Map(_)) => "{a: {content: x}}".to_owned(),
        "services" if matches!(key.shape, Shape::Map(_)) => "{a: {image: i}}".to_owned(),
        "matrix" => "{axis: [a]}".to_owned(),
        "healthcheck" => "{test: x}".to_owned(),
        "ready" => "{tcp: 1}".to_owned(),
        _ => of_shape(&key.shape),
    }
}

fn of_shape(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Name | Shape::Script => "a".to_owned(),
        Shape::Scalar | Shape::Number => "1".to_owned(),
        Shape::Flag => "true".to_owned(),
        Shape::Switch => "off".to_owned(),
        Shape::Whole(min, _) => min.to_string(),
        Shape::Duration => "10s".to_owned(),
        Shape::Size => "64m".to_owned(),
        Shape::Choice(words) => words[0].to_owned(),
        Shape::Empty => "{}".to_owned(),
        Shape::List(item) => format!("[{}]", of_shape(item)),
        Shape::OneOrMany(one) => of_shape(one),
        Shape::Map(value) => format!("{{name: {}}}", of_shape(value)),
        Shape::Object(table) => {
            let required = table.keys.iter().filter(|key| key.required);
            let entries: Vec<String> = required
                .map(|key| format!("{}: {}", key.name, sample(table, key)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Shape::AnyOf(shapes) => of_shape(&shapes[0]),
    }
}

/// A repository in which every file is there.
struct Everything;

impl Repository for Everything {
    fn read(&self, _: &str) -> Result<Option<std::sync::Arc<str>>, String> {
        Ok(Some("services: {a: {image: i}}\n".into()))
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

fn errors(text: &str) -> Vec<String> {
    let file = SourceFile {
        name: "f".to_owned(),
        text: text.to_owned(),
    };
    let found = parse_with(&[file], &Everything)
        .diagnostics
        .into_iter()
        .filter(|found| found.severity == Severity::Error);
    found.map(|found| format!("{} {}", found.code, found.message)).collect()
}

#[test]
fn every_key_takes_what_its_shape_says() {
    for hole in holes() {
        for key in hole.table.keys {
            let text = filled(&hole, key.name, &sample(hole.table, key));
            assert_eq!(errors(&text), Vec::<String>::new(), "{text}");
        }
    }
}

#[test]
fn every_key_refuses_what_no_shape_allows() {
    for hole in holes() {
        for key in hole.table.keys {
            let text = filled(&hole, key.name, "[[[no]]]");
            assert!(!errors(&text).is_empty(), "{text}");
        }
    }
}

#[test]
fn a_key_that_is_in_no_table_is_refused() {
    for hole in holes()
        .iter()
        .filter(|hole| !matches!(hole.table.others, Others::Taken(_)))
    {
        let text = filled(hole, "zzz", "1");
        assert!(
            errors(&text)
                .iter()
                .any(|error| error.starts_with("DRV0101 unknown key `zzz`")),
            "{text}"
        );
    }
}

#[test]
fn no_key_is_both_ours_and_foreign() {
    for hole in holes() {
        let table = hole.table;
        for (name, verdict) in table.foreign {
            assert!(table.key(name).is_none(), "{} {name}", table.what);
            if let Foreign::Means(ours) = verdict {
                assert!(table.key(ours).is_some(), "{} {name} -> {ours}", table.what);
            }
        }
    }
}
