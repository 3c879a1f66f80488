//! Text from outside stays text, wherever it is shown.

use job_specs::status::JobStatus;
use web::views::*;
use web::{badge, pages};

use crate::html::tags;
use crate::samples::{self, cell};

const EVIL: &str = "\"'><script src=//evil></script><img src=x onerror=alert(1)>{{7*7}}";

fn evil() -> String {
    EVIL.into()
}

/// The page is as well formed as ever, and nothing in it is a tag of the text's.
fn assert_harmless(name: &str, html: &str) {
    for tag in tags(html) {
        assert!(tag.get("onerror").is_none(), "{name}: {tag:?}");
        let source = tag.get("src").unwrap_or("/");
        assert!(source.starts_with('/') && !source.starts_with("//"), "{name}: {tag:?}");
        let href = tag.get("href").unwrap_or("/");
        assert!(
            ["/", "#", "?", "http"].iter().any(|begin| href.starts_with(begin)),
            "{name}: {tag:?}"
        );
    }
    assert!(!html.contains("<script src=//"), "{name}");
    assert!(
        html.contains("script src=//evil") || html.contains("script%20src"),
        "{name}: the text itself is shown"
    );
}

fn evil_frame() -> Frame {
    Frame {
        user: Some(evil()),
        csrf: evil(),
        notice: Some(evil()),
        url: evil(),
        version: evil(),
        ..samples::frame()
    }
}

fn evil_build() -> BuildSummary {
    let build = samples::build(42, JobStatus::Failed, EVIL);
    BuildSummary {
        repository: evil(),
        event: evil(),
        branch: Some(evil()),
        commit: evil(),
        author: evil(),
        ..build
    }
}

fn evil_row(id: &str) -> JobRow {
    JobRow {
        id: format!("{id}{EVIL}"),
        name: evil(),
        reason: Some(evil()),
        agent: Some(evil()),
        ..samples::job("x", "x", &[], JobStatus::Failed)
    }
}

fn evil_lines() -> Vec<LogLine> {
    let texts = [
        evil(),
        format!("\x1b[31m{EVIL}\x1b[0m"),
        format!("\x1b]8;;https://example.org/{EVIL}\x1b\\{EVIL}"),
        "\x1b]8;;javascript:alert(1)\x1b\\x".into(),
    ];
    (1..)
        .zip(texts)
        .map(|(n, text)| samples::line(n, LogSource::Stderr, &text))
        .collect()
}

#[test]
fn frames_and_lists() {
    let frame = evil_frame();
    let filter = Filter {
        repository: Some(evil()),
        branch: Some(evil()),
        status: None,
    };
    let list = BuildList {
        builds: vec![evil_build()],
        filter,
        repositories: vec![evil()],
        agents_online: 0,
        older_than: Some(1),
    };
    assert_harmless("builds", &pages::build_list(&frame, &list));
    let empty = BuildList {
        repositories: vec![evil()],
        ..BuildList::default()
    };
    assert_harmless("no builds", &pages::build_list(&frame, &empty));
    let row = RepositoryRow {
        name: evil(),
        public: true,
        latest: Some(evil_build()),
    };
    assert_harmless(
        "repositories",
        &pages::repository_list(
            &frame,
            &RepositoryList {
                repositories: vec![row],
            },
        ),
    );
}

#[test]
fn builds() {
    let parts = [(EVIL, EVIL), ("b", EVIL)];
    let jobs = [EVIL, "2"]
        .map(|value| JobRow {
            cell: cell(&[(EVIL, EVIL), ("b", value)]),
            ..evil_row(value)
        })
        .to_vec();
    let failure = Failure {
        job: evil(),
        title: evil(),
        culprit: Some(evil()),
        sentence: evil(),
        stream: evil(),
        lines: evil_lines(),
        ..samples::build_page().failure.expect("the sample has one")
    };
    let exclusion = Exclusion {
        job: evil(),
        cell: cell(&parts),
        rule: evil(),
    };
    let view = BuildPage {
        build: evil_build(),
        sentence: Some(evil()),
        jobs,
        notes: Vec::new(),
        exclusions: vec![exclusion],
        failure: Some(failure),
        ..samples::build_page()
    };
    assert_harmless("build", &pages::build(&evil_frame(), &view));
}

#[test]
fn job_files() {
    let mut view = samples::invalid_build();
    let file = &mut view.diagnosis.files[0];
    file.name = evil();
    file.text = file.text.replace("rust:1.90", EVIL);
    for diagnostic in &mut view.diagnosis.diagnostics {
        diagnostic.file = evil();
        (diagnostic.code, diagnostic.message) = (evil(), format!("`{EVIL}`"));
        (diagnostic.label, diagnostic.help, diagnostic.notes) = (Some(evil()), Some(evil()), vec![evil()]);
        diagnostic.related.iter_mut().for_each(|label| label.text = evil());
    }
    assert_harmless("invalid", &pages::build(&evil_frame(), &view));
}

#[test]
fn jobs() {
    let mut view = samples::job_page();
    view.build = evil_build();
    view.job = JobRow {
        cell: cell(&[(EVIL, EVIL)]),
        ..evil_row("a")
    };
    view.siblings = vec![evil_row("a"), evil_row("b")];
    let attempt = view.attempt.as_mut().expect("the sample has one");
    (attempt.id, attempt.cursor, attempt.agent, attempt.sentence) = (evil(), evil(), Some(evil()), Some(evil()));
    attempt.phases.iter_mut().for_each(|phase| phase.name = evil());
    for (index, step) in attempt.steps.iter_mut().enumerate() {
        (step.name, step.image, step.script, step.sentence) = (
            evil(),
            evil(),
            format!("{EVIL}\n{EVIL}"),
            Some(format!("{index}{EVIL}")),
        );
        step.log = LogView {
            stream: format!("{index}{EVIL}"),
            ..samples::log("", evil_lines(), &[1])
        };
    }
    for (index, service) in attempt.services.iter_mut().enumerate() {
        (service.name, service.image, service.sentence) = (format!("{index}{EVIL}"), evil(), Some(evil()));
        service.moments.iter_mut().for_each(|moment| moment.detail = evil());
        service.log = LogView {
            stream: format!("s{index}{EVIL}"),
            ..samples::log("", evil_lines(), &[])
        };
    }
    attempt.log = None;
    assert_harmless("job", &pages::job(&evil_frame(), &view));
}

#[test]
fn agents_and_repositories() {
    let frame = evil_frame();
    let link = || JobLink {
        id: evil(),
        title: evil(),
        build: 1,
        repository: evil(),
    };
    let mut view = samples::agents();
    view.agents.truncate(1);
    view.agents[0] = AgentRow {
        id: evil(),
        name: evil(),
        labels: [(evil(), evil())].into(),
        asked_labels: Some([(evil(), evil())].into()),
        running: vec![link()],
        version: evil(),
        ..view.agents[0].clone()
    };
    view.queue = vec![QueueRow {
        job: JobLink {
            id: "q".into(),
            ..link()
        },
        since: 0,
        reason: evil(),
    }];
    view.enrolment_code = Some(evil());
    assert_harmless("agents", &pages::agents(&frame, &view));

    let mut view = samples::repository();
    (view.name, view.git, view.forge, view.trigger_reference) = (evil(), evil(), evil(), evil());
    view.builds = vec![evil_build()];
    view.hook = Some(Hook {
        url: evil(),
        refused: 1,
    });
    let connection = view.connection.as_mut().unwrap();
    (connection.api, connection.project) = (evil(), evil());
    (connection.open[0].what, connection.open[0].sentence) = (evil(), Some(evil()));
    for delivery in &mut view.deliveries {
        (delivery.id, delivery.event, delivery.reference, delivery.sentence) = (evil(), evil(), evil(), Some(evil()));
    }
    view.secrets[0].name = evil();
    assert_harmless("repository", &pages::repository(&frame, &view));
}

#[test]
fn the_rest() {
    let frame = evil_frame();
    let login = LoginPage {
        state: LoginState::Confirm { code: evil() },
        next: Some(evil()),
    };
    assert_harmless("login", &pages::login(&frame, &login));
    let error = ErrorPage {
        status: 404,
        sentence: Some(evil()),
        request_id: Some(evil()),
    };
    assert_harmless("error", &pages::error(&frame, &error));
    let token = TokenRow {
        id: evil(),
        name: evil(),
        created_at: 0,
        expires_at: None,
        last_used_at: None,
    };
    let session = SessionRow {
        id: evil(),
        created_at: 0,
        expires_at: None,
        last_used_at: None,
        is_current: false,
    };
    assert_harmless(
        "tokens",
        &pages::tokens(
            &frame,
            &TokensPage {
                tokens: vec![token],
                sessions: vec![session],
                fresh: Some(evil()),
            },
        ),
    );
    let badge = badge::svg(EVIL, None);
    assert_eq!(
        tags(&badge)
            .iter()
            .filter(|tag| tag.name == "script" || tag.name == "img")
            .count(),
        0
    );
}
