//! How jobs become tables.

use job_specs::status::JobStatus;
use web::pages;
use web::views::{BuildPage, Exclusion, JobRow};

use crate::html::tags;
use crate::samples::{self, cell, job};

/// The tables of a build page as text: one row a line, `*` before headers, `/` for places that were left out.
fn tables(jobs: Vec<JobRow>, exclusions: Vec<Exclusion>) -> String {
    let view = BuildPage {
        jobs,
        exclusions,
        failure: None,
        tests: None,
        ..samples::build_page()
    };
    let page = pages::build(&samples::frame(), &view);
    let mut out = String::new();
    for table in page.split("<table").skip(1) {
        let table = table.split("</table>").next().unwrap_or_default();
        if let Some((_, caption)) = table.split_once("<caption>") {
            out += &format!("[{}]\n", caption.split('<').next().unwrap_or_default());
        }
        for row in table.split("<tr>").skip(1) {
            let places: Vec<String> = row
                .split_inclusive("</t")
                .map(place)
                .filter(|place| !place.is_empty())
                .collect();
            out += &format!("{}\n", places.join(" | "));
        }
    }
    out
}

fn place(html: &str) -> String {
    let text = |html: &str| html.split('<').next().unwrap_or_default().trim().to_owned();
    if let Some((_, head)) = html.split_once("<th scope=\"") {
        let (scope, head) = head.split_once("\">").unwrap_or_default();
        let failed = head
            .split_once("num\">")
            .map(|(_, failed)| text(failed))
            .unwrap_or_default();
        format!("*{} {scope} {}", text(head), failed.trim_end_matches(" failed"))
    } else if html.contains("class=\"excluded\"") {
        "/".into()
    } else if let Some((_, words)) = html.split_once("</svg><span>") {
        text(words)
    } else {
        String::new()
    }
}

/// A cell, as pairs of axis and value.
type Parts<'a> = &'a [(&'a str, &'a str)];

fn cells(parts: &[(Parts, JobStatus)]) -> Vec<JobRow> {
    let numbered = parts.iter().enumerate();
    numbered
        .map(|(i, (parts, status))| job(&format!("j{i}"), "test", parts, *status))
        .collect()
}

#[test]
fn two_axes_span_a_table_with_headers_that_count() {
    insta::assert_snapshot!(tables(samples::matrix_jobs(), Vec::new()), @r##"
    *6 col 1/3 | *7 col 1/3 | *8 col 1/2
    *13 row 0/2 | passed | passed | /
    *15 row 0/3 | passed | passed | passed
    *17 row 3/3 | failed | failed | failed
    "##);
}

#[test]
fn one_axis_is_a_list() {
    let jobs = cells(&[(&[("db", "a")], JobStatus::Passed), (&[("db", "b")], JobStatus::Failed)]);
    assert_eq!(tables(jobs, Vec::new()), "");
}

#[test]
fn of_three_axes_the_two_largest_span_tables_and_the_third_makes_facets() {
    use JobStatus as S;
    let mut jobs = Vec::new();
    for (os, db, shard) in [
        ("linux", "a", "1"),
        ("linux", "b", "2"),
        ("mac", "a", "1"),
        ("mac", "c", "3"),
    ] {
        jobs.push((
            vec![("os", os), ("db", db), ("shard", shard)],
            if os == "mac" { S::Failed } else { S::Passed },
        ));
    }
    let borrowed: Vec<(Parts, S)> = jobs.iter().map(|(parts, status)| (parts.as_slice(), *status)).collect();
    insta::assert_snapshot!(tables(cells(&borrowed), Vec::new()), @r##"
    [os=linux]
    *1 col 0/1 | *2 col 0/1 | *3 col 0/0
    *a row 0/1 | passed | / | /
    *b row 0/1 | / | passed | /
    *c row 0/0 | / | / | /
    [os=mac]
    *1 col 1/1 | *2 col 0/0 | *3 col 1/1
    *a row 1/1 | failed | / | /
    *b row 0/0 | / | / | /
    *c row 1/1 | / | / | failed
    "##);
}

#[test]
fn a_cell_without_an_axis_has_its_own_place() {
    let jobs = cells(&[
        (&[("db", "a"), ("arch", "x")], JobStatus::Passed),
        (&[("db", "b"), ("arch", "x")], JobStatus::Running),
        (&[("db", "c")], JobStatus::Queued),
    ]);
    insta::assert_snapshot!(tables(jobs, Vec::new()), @r##"
    *x col 0/2 | *— col 0/1
    *a row 0/1 | passed | /
    *b row 0/1 | running | /
    *c row 0/1 | / | queued
    "##);
}

#[test]
fn an_excluded_place_names_its_rule() {
    let exclusion = Exclusion {
        job: "test".into(),
        cell: cell(&[("postgres", "13"), ("redis", "8")]),
        rule: "postgres: 13".into(),
    };
    let view = BuildPage {
        exclusions: vec![exclusion],
        tests: None,
        ..samples::build_page()
    };
    let page = pages::build(&samples::frame(), &view);
    let excluded: Vec<_> = tags(&page)
        .into_iter()
        .filter(|tag| tag.get("class") == Some("excluded"))
        .collect();
    assert_eq!(excluded.len(), 1);
    assert_eq!(excluded[0].get("title"), Some("excluded by postgres: 13"));
}

#[test]
fn what_all_failures_share_is_said_and_nothing_is_made_up() {
    use JobStatus as S;
    let says = |jobs: Vec<JobRow>| {
        let view = BuildPage {
            jobs,
            exclusions: Vec::new(),
            failure: None,
            ..samples::build_page()
        };
        let page = pages::build(&samples::frame(), &view);
        let (_, after) = page.split_once("class=\"pattern\"")?;
        let (_, sentence) = after.split_once("</svg> ")?;
        sentence.split("</p>").next().map(str::to_owned)
    };
    let grid = |failed: &[(&str, &str)]| {
        let mut jobs = Vec::new();
        for db in ["a", "b"] {
            for os in ["x", "y", "z"] {
                let status = if failed.contains(&(db, os)) {
                    S::Failed
                } else {
                    S::Passed
                };
                jobs.push(job(&format!("{db}{os}"), "test", &[("db", db), ("os", os)], status));
            }
        }
        jobs
    };
    assert_eq!(
        says(grid(&[("a", "x"), ("a", "y"), ("a", "z")])).as_deref(),
        Some("All 3 failures have db=a, and no job with it passed.")
    );
    assert_eq!(
        says(grid(&[("a", "x"), ("a", "y")])),
        None,
        "a job with the same value passed"
    );
    assert_eq!(says(grid(&[("a", "x"), ("b", "y")])), None, "nothing in common");
    assert_eq!(says(grid(&[("a", "x")])), None, "one failure is no pattern");
    assert_eq!(says(grid(&[])), None);
}
