//! What every page has: well-formed HTML, no inline script or style, landmarks, names for its parts, forms that carry
//! the token, and links that the coordinator answers.

use web::views::*;
use web::{assets, pages};

use crate::html::{Tag, tags};
use crate::samples;

/// Every page that there is, by name, with and without the sample's data.
pub fn all(frame: &Frame) -> Vec<(&'static str, String)> {
    let login = |state| {
        pages::login(
            frame,
            &LoginPage {
                state,
                next: Some("/builds/42".into()),
            },
        )
    };
    let error = |status| {
        pages::error(
            frame,
            &ErrorPage {
                status,
                sentence: None,
                request_id: None,
            },
        )
    };
    let code = AgentsPage {
        enrolment_code: Some("k3y".into()),
        ..samples::agents()
    };
    vec![
        ("builds", pages::build_list(frame, &samples::build_list())),
        ("builds, empty", pages::build_list(frame, &BuildList::default())),
        ("build", pages::build(frame, &samples::build_page())),
        ("build, three axes", pages::build(frame, &samples::three_axes())),
        ("build, invalid", pages::build(frame, &samples::invalid_build())),
        ("job", pages::job(frame, &samples::job_page())),
        ("job, running", pages::job(frame, &samples::running_job())),
        ("job, waiting", pages::job(frame, &samples::waiting_job())),
        ("artifact", pages::artifact(frame, &samples::artifact())),
        ("shell", pages::shell(frame, &samples::shell())),
        ("agents", pages::agents(frame, &code)),
        ("agents, empty", pages::agents(frame, &AgentsPage::default())),
        ("repositories", pages::repository_list(frame, &samples::repositories())),
        (
            "repositories, empty",
            pages::repository_list(frame, &RepositoryList::default()),
        ),
        ("repository", pages::repository(frame, &samples::repository())),
        ("delivery", pages::delivery(frame, &samples::delivery())),
        ("login", login(LoginState::NoCode)),
        ("login, bad code", login(LoginState::BadCode)),
        ("login, code", login(LoginState::Confirm { code: "0n3".into() })),
        ("tokens", pages::tokens(frame, &samples::tokens())),
        ("403", error(403)),
        ("404", error(404)),
        ("500", error(500)),
    ]
}

#[test]
fn every_page_is_well_formed_and_has_one_main_and_one_heading() {
    for (name, html) in all(&samples::frame()) {
        let tags = tags(&html);
        let count = |wanted: &str| tags.iter().filter(|tag| tag.name == wanted).count();
        assert_eq!((count("main"), count("body"), count("footer")), (1, 1, 1), "{name}");
        assert!(count("h1") >= 1, "{name} has a heading");
        let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
        let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: an id is there twice");
    }
}

#[test]
fn no_page_needs_inline_script_or_style() {
    for (name, html) in all(&samples::frame()) {
        for tag in tags(&html) {
            assert!(tag.get("style").is_none() && tag.name != "style", "{name}: {tag:?}");
            assert!(
                tag.attributes
                    .iter()
                    .all(|(key, _)| !key.starts_with("on") || key == "on"),
                "{name}: {tag:?}"
            );
            if tag.name == "script" {
                let source = tag.get("src").and_then(|src| src.strip_prefix("/assets/"));
                assert!(source.and_then(assets::get).is_some(), "{name}: {tag:?}");
            }
        }
    }
}

#[test]
fn what_a_page_loads_is_embedded() {
    for (name, html) in all(&samples::frame()) {
        for part in html.split("/assets/").skip(1) {
            let path = part.split('"').next().unwrap_or_default();
            assert!(assets::get(path).is_some(), "{name}: {path}");
        }
    }
}

#[test]
fn every_form_that_acts_carries_the_token_and_visitors_see_none() {
    let acts = |tag: &&Tag| tag.name == "form" && tag.get("method") == Some("post");
    for (name, html) in all(&samples::frame()) {
        let tags = tags(&html);
        let forms = tags
            .iter()
            .filter(acts)
            .filter(|form| form.get("action") != Some("/login"))
            .count();
        let tokens = tags
            .iter()
            .filter(|tag| tag.get("name") == Some("csrf") && tag.get("value") == Some("c5rf"));
        assert_eq!(forms, tokens.count(), "{name}");
    }
    let visitor = Frame {
        user: None,
        ..samples::frame()
    };
    for page in [
        pages::build(&visitor, &samples::build_page()),
        pages::job(&visitor, &samples::job_page()),
        pages::agents(&visitor, &samples::agents()),
    ] {
        assert_eq!(tags(&page).iter().filter(acts).count(), 0);
    }
}

#[test]
fn a_live_fragment_is_what_the_page_contains() {
    let frame = samples::frame();
    let pairs = [
        (
            pages::build_list(&frame, &samples::build_list()),
            pages::build_list_live(&frame, &samples::build_list()),
        ),
        (
            pages::build(&frame, &samples::build_page()),
            pages::build_live(&frame, &samples::build_page()),
        ),
        (
            pages::job(&frame, &samples::job_page()),
            pages::job_live(&frame, &samples::job_page()),
        ),
        (
            pages::agents(&frame, &samples::agents()),
            pages::agents_live(&frame, &samples::agents()),
        ),
    ];
    for (page, fragment) in pairs {
        assert!(page.contains(fragment.trim()));
        assert!(
            tags(&page)
                .iter()
                .any(|tag| tag.name == "live-region" && tag.get("src").is_some_and(|src| src.ends_with("live=1")))
        );
    }
}

#[test]
fn a_code_that_is_shown_once_outlives_the_live_part() {
    let frame = samples::frame();
    let view = AgentsPage {
        enrolment_code: Some("k3y".into()),
        ..samples::agents()
    };
    assert!(pages::agents(&frame, &view).contains("echo k3y"));
    assert!(
        !pages::agents_live(&frame, &view).contains("k3y"),
        "it stands outside of what is refetched"
    );
}

#[test]
fn a_page_says_in_words_what_it_shows_in_shapes() {
    let page = pages::agents(&samples::frame(), &samples::agents());
    for words in [
        "3 of 4 slots in use",
        "offline",
        "draining",
        "last seen <time",
        "No agent has label gpu=true",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let page = pages::build_list(&samples::frame(), &BuildList::default());
    assert!(page.contains("drover repo add") && page.contains("No agent is online"));
}
