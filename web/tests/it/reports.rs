//! Tests on pages: in words and shapes, failing ones first, and nothing of theirs is markup.

use web::pages;
use web::views::*;

use crate::html::tags;
use crate::samples;

#[test]
fn what_is_new_fixed_and_flaky_is_said_in_words() {
    let page = pages::build(&samples::frame(), &samples::build_page());
    let (_, section) = page.split_once("aria-label=\"Tests\"").expect("a section");
    let section = section.split("</section>").next().unwrap_or_default();
    for words in [
        "4 failed, 1 flaky, 1204 passed, 12 skipped",
        ">NEW</b>",
        ">FIXED</b>",
        ">FLAKY</b>",
        "in 3 jobs",
        "1 more failure",
        "drover tests 42 --failed",
        "not in it",
        "is not XML",
    ] {
        assert!(section.contains(words), "{words}: {section}");
    }
    let places = [
        "pool::reconnects",
        "uploads::two_at_once",
        "leases::take",
        "queue::priority",
    ];
    let found: Vec<Option<usize>> = places.iter().map(|name| section.find(name)).collect();
    assert!(found.is_sorted() && found.iter().all(Option::is_some), "{found:?}");
    let none = BuildPage {
        tests: None,
        ..samples::build_page()
    };
    assert!(!pages::build(&samples::frame(), &none).contains("aria-label=\"Tests\""));
}

#[test]
fn the_texts_of_tests_stay_text() {
    let evil = "\"'><script src=//evil></script><img src=x onerror=alert(1)>";
    let mut section = samples::tests();
    section.problems = vec![evil.into()];
    section.rows[0].name = evil.into();
    section.rows[0].suite = evil.into();
    section.rows[0].message = Some(evil.into());
    section.rows[0].jobs = vec![(evil.into(), evil.into())];
    section.grids[0].job = evil.into();
    section.grids[0].cells[0] = (evil.into(), evil.into());
    section.grids[0].rows[0].name = evil.into();
    let view = BuildPage {
        tests: Some(section),
        ..samples::build_page()
    };
    let page = pages::build(&samples::frame(), &view);
    assert!(!page.contains("<script src=//") && page.contains("script src=//evil"));
    assert!(tags(&page).iter().all(|tag| tag.get("onerror").is_none()));
}
