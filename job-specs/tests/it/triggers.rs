//! Which builds a file wants, and why not the others.

use job_specs::triggers::{Concurrency, ConcurrencyMode, Missed, check_inputs, default_inputs};
use job_specs::{Facts, SourceFile, builtin_env, expand, parse};

use crate::story::{brief, checked, push};

const JOB: &str = "jobs: {t: {image: a, steps: [x]}}\n";

/// What a file with this `on` says to a build.
fn wants(on: &str, facts: &Facts) -> String {
    let text = format!("on: {on}\n{JOB}");
    match checked(&text).wants(facts) {
        Ok(()) => "yes".to_owned(),
        Err(why) => why,
    }
}

fn branch(name: &str) -> Facts {
    Facts {
        branch: Some(name.into()),
        reference: format!("refs/heads/{name}"),
        ..push()
    }
}

fn tag(name: &str) -> Facts {
    Facts {
        event: "tag".into(),
        branch: None,
        tag: Some(name.into()),
        ..push()
    }
}

fn pull_request(base: &str) -> Facts {
    Facts {
        event: "pull_request".into(),
        branch: Some("fix".into()),
        base: Some(base.into()),
        pull_request: Some(12),
        ..push()
    }
}

fn changed(paths: &[&str]) -> Facts {
    Facts {
        changed: Some(paths.iter().map(|path| (*path).to_owned()).collect()),
        ..push()
    }
}

#[test]
fn an_event_is_wanted_by_its_name() {
    assert_eq!(wants("push", &push()), "yes");
    assert_eq!(wants("[push, tag]", &tag("v1")), "yes");
    assert_eq!(wants("{push: {}, tag:}", &tag("v1")), "yes");
    assert_eq!(wants("tag", &push()), "the job file is not for push events");
    assert_eq!(checked(JOB).wants(&pull_request("main")), Ok(()));
}

#[test]
fn branches_are_globs_and_the_last_match_counts() {
    let on = "{push: {branches: [main, \"release/**\", \"!release/old/**\"]}}";
    assert_eq!(wants(on, &branch("main")), "yes");
    assert_eq!(wants(on, &branch("release/1/x")), "yes");
    let none = "is none of `main`, `release/**`, `!release/old/**`";
    assert_eq!(
        wants(on, &branch("release/old/x")),
        format!("branch `release/old/x` {none}")
    );
    assert_eq!(wants(on, &branch("mainly")), format!("branch `mainly` {none}"));
    let on = "{push: {branches: \"*\", branches_ignore: [\"wip*\"]}}";
    assert_eq!(wants(on, &branch("fix/it")), "branch `fix/it` is not `*`");
    assert_eq!(wants(on, &branch("wip-1")), "branch `wip-1` is ignored by `wip*`");
    assert_eq!(wants(on, &branch("x")), "yes");
}

#[test]
fn a_pull_request_is_wanted_by_the_branch_that_it_goes_into() {
    let on = "{pull_request: {branches: [main]}}";
    assert_eq!(wants(on, &pull_request("main")), "yes");
    assert_eq!(wants(on, &pull_request("dev")), "base branch `dev` is not `main`");
    let unknown = Facts {
        base: None,
        ..pull_request("")
    };
    assert_eq!(wants(on, &unknown), "there is no base branch to match `main`");
}

#[test]
fn tags_stand_under_tag_or_under_push() {
    assert_eq!(wants("{tag: {tags: \"v*\"}}", &tag("v1")), "yes");
    assert_eq!(wants("{tag: {tags: \"v*\"}}", &tag("x")), "tag `x` is not `v*`");
    assert_eq!(wants("{push: {tags: \"v*\"}}", &tag("v1")), "yes");
    assert_eq!(
        wants("{push: {tags: \"v*\"}}", &push()),
        "the job file is not for push events"
    );
    assert_eq!(wants("{push: {tags: \"v*\", branches: main}}", &push()), "yes");
}

#[test]
fn paths_are_what_a_push_changes() {
    let on = "{push: {paths: [\"src/**\", Cargo.toml]}}";
    assert_eq!(wants(on, &changed(&["docs/a.md", "src/a/b.rs"])), "yes");
    assert_eq!(
        wants(on, &changed(&["docs/a.md"])),
        "no changed path matches `src/**`, `Cargo.toml`"
    );
    assert_eq!(wants(on, &push()), "yes", "nothing to compare with counts as changed");
    let on = "{push: {paths_ignore: [\"docs/**\", \"*.md\"]}}";
    assert_eq!(
        wants(on, &changed(&["docs/a", "b.md"])),
        "every changed path is ignored by `docs/**`, `*.md`"
    );
    assert_eq!(wants(on, &changed(&["docs/a", "b.rs"])), "yes");
    let on = "{push: {paths: [\"**/*.rs\"], paths_ignore: gen/**}}";
    assert_eq!(
        wants(on, &changed(&["gen/a.rs", "b.md"])),
        "no changed path matches `**/*.rs`"
    );
    assert_eq!(
        wants("{push: {paths: [\"!docs/**\"]}}", &changed(&["docs/a", "b"])),
        "yes"
    );
}

#[test]
fn one_of_several_files_is_enough() {
    let two = |first: &str, second: &str| {
        let file = |name: &str, on: &str, job: &str| SourceFile {
            name: name.into(),
            text: format!("on: {on}\njobs: {{{job}: {{image: a, steps: [x]}}}}\n"),
        };
        let parsed = parse(&[file("a.yml", first, "a"), file("b.yml", second, "b")]);
        assert_eq!(brief(&parsed), Vec::<String>::new());
        parsed.file.unwrap()
    };
    let file = two("{push: {branches: main}}", "{push: {branches: dev}}");
    let names = |facts: &Facts| {
        let jobs = expand(&file, facts).unwrap().jobs;
        jobs.into_iter().map(|job| job.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&branch("dev")), ["b"]);
    assert_eq!(names(&branch("x")), ["a", "b"]);
    assert_eq!(
        file.wants(&branch("x")),
        Err("branch `x` is not `main`, and branch `x` is not `dev`".into())
    );
    let file = two("tag", "{push: {branches: dev}}");
    assert_eq!(file.wants(&branch("x")), Err("branch `x` is not `dev`".into()));
}

#[test]
fn a_job_needs_one_that_runs_whenever_it_does() {
    let file = |name: &str, text: &str| SourceFile {
        name: name.into(),
        text: text.into(),
    };
    let found = parse(&[
        file("a.yml", "on: push\njobs: {a: {image: a, needs: b, steps: [x]}}\n"),
        file(
            "b.yml",
            "on: {push: {paths: \"b/**\"}}\njobs: {b: {image: a, steps: [x]}}\n",
        ),
    ]);
    assert_eq!(
        brief(&found),
        ["DRV0135 2:29 job `a` runs on push, but `b`, which it needs, only on some of it"]
    );
}

#[test]
fn changed_paths_are_asked_for_only_when_something_needs_them() {
    let needs = |text: &str| checked(text).needs_changed_paths();
    assert!(!needs(JOB));
    assert!(needs(&format!("on: {{push: {{paths_ignore: a}}}}\n{JOB}")));
    assert!(needs("jobs: {t: {image: a, when: {paths: a}, steps: [x]}}\n"));
    assert!(needs(
        "jobs: {t: {image: a, steps: [{run: x, when: [{branch: b}, {paths: a}]}]}}\n"
    ));
}

#[test]
fn schedules_have_a_clock_and_a_rule_for_missed_times() {
    let file = checked(&format!(
        "\
on:
  manual: {{inputs: {{level: {{options: [quick, full]}}}}}}
  schedule:
    - {{cron: \"0 2 * * MON-FRI\", timezone: Europe/Paris, missed: skip, inputs: {{level: full}}}}
    - {{cron: \"*/15 * * * *\"}}
{JOB}"
    ));
    let schedules = file.schedules();
    assert_eq!(
        (
            schedules[0].cron.as_str(),
            schedules[0].timezone.as_str(),
            schedules[0].missed
        ),
        ("0 2 * * MON-FRI", "Europe/Paris", Missed::Skip)
    );
    assert_eq!(schedules[0].inputs["level"], "full");
    assert_eq!(
        (schedules[1].timezone.as_str(), schedules[1].missed),
        ("UTC", Missed::RunOnce)
    );
}

#[test]
fn inputs_have_types_and_reach_fields_and_environment() {
    let file = checked(
        "\
on:
  push:
  manual:
    inputs:
      where: {options: [test, live], default: test, description: which one}
      dry-run: {type: flag, required: true}
      note:
jobs: {t: {image: a, env: {WHERE: \"${{ inputs.where }}\", SAME: \"${{ env.DROVER_INPUT_WHERE }}\"}, steps: [x]}}
",
    );
    let given = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        check_inputs(&file.inputs(), &pairs.collect())
    };
    assert_eq!(
        given(&[("where", "prod"), ("other", "x")]).unwrap_err(),
        [
            "`other` is no input of the job file; those are: where, dry-run, note",
            "input `where`: `prod` is none of test, live",
            "input `dry-run` must be given",
        ]
    );
    let facts = Facts {
        event: "manual".into(),
        inputs: given(&[("where", "live"), ("dry-run", "true")]).unwrap(),
        ..push()
    };
    let job = &expand(&file, &facts).unwrap().jobs[0];
    assert_eq!((job.env["WHERE"].as_str(), job.env["SAME"].as_str()), ("live", "live"));
    assert_eq!(builtin_env(&facts)["DROVER_INPUT_DRY_RUN"], "true");
    let job = &expand(&file, &push()).unwrap().jobs[0];
    assert_eq!(job.env["WHERE"], "test", "other events have the defaults");
    assert_eq!(default_inputs(&file.inputs())["where"], "test");
}

#[test]
fn builds_of_one_group_share_the_road() {
    let of = |concurrency: &str, facts: &Facts| {
        let file = checked(&format!("env: {{NAME: app}}\nconcurrency: {concurrency}\n{JOB}"));
        expand(&file, facts).unwrap().concurrency
    };
    let group = |group: &str, mode| {
        let group = group.to_owned();
        Some(Concurrency { group, mode })
    };
    assert_eq!(of("deploy", &push()), group("deploy", ConcurrencyMode::Queue));
    assert_eq!(
        of("{group: \"${{ env.NAME }}-${{ git.branch }}\", mode: cancel}", &push()),
        group("app-main", ConcurrencyMode::Cancel)
    );
    assert_eq!(
        of("{group: x, mode: latest}", &push()),
        group("x", ConcurrencyMode::Latest)
    );
    assert_eq!(of("\"${{ git.branch }}\"", &tag("v1")), None, "a tag has no branch");
    assert_eq!(expand(&checked(JOB), &push()).unwrap().concurrency, None);
}

#[test]
fn facts_of_a_pull_request_have_names() {
    let file = checked("jobs: {t: {image: a, env: {A: \"${{ git.base }}#${{ git.pull_request }}\"}, steps: [x]}}\n");
    let job = &expand(&file, &pull_request("main")).unwrap().jobs[0];
    assert_eq!(job.env["A"], "main#12");
    assert_eq!(builtin_env(&pull_request("main"))["DROVER_BASE"], "main");
}

#[test]
fn two_files_do_not_contradict_each_other() {
    let parsed = parse(&[
        SourceFile {
            name: "a.yml".into(),
            text: format!("on: {{manual: {{inputs: {{x: {{}}}}}}}}\nconcurrency: a\n{JOB}"),
        },
        SourceFile {
            name: "b.yml".into(),
            text: "on: {manual: {inputs: {x: {}}}}\nconcurrency: b\njobs: {u: {image: a, steps: [x]}}\n".into(),
        },
    ]);
    assert_eq!(
        brief(&parsed),
        [
            "DRV0106 1:24 input `x` is declared twice",
            "DRV0106 2:14 two files say how builds for manual share the road",
        ]
    );
}
