//! Draws every page from sample data into a folder, to be looked at: `cargo run -p web --example gallery -- FOLDER`,
//! then serve the folder (`python3 -m http.server --bind 127.0.0.1`). `FOLDER/dark` is the same in dark.

#[path = "../tests/it/samples/mod.rs"]
mod samples;

use std::path::Path;

use job_specs::status::JobStatus;
use web::views::*;
use web::{assets, badge, pages};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".into());
    let folder = Path::new(&folder);
    for (name, html) in drawn() {
        write(&folder.join(format!("{name}.html")), html.as_bytes())?;
        let dark = html.replacen("<html lang=\"en\"", "<html lang=\"en\" data-theme=\"dark\"", 1);
        write(&folder.join(format!("dark/{name}.html")), dark.as_bytes())?;
    }
    for name in assets::names() {
        let asset = assets::get(name).expect("it was just named");
        let address = assets::url(name);
        write(&folder.join(address.trim_start_matches('/')), asset.bytes)?;
    }
    let badge = badge::svg("warehouse", Some(JobStatus::Passed));
    write(&folder.join("badge/warehouse.svg"), badge.as_bytes())
}

fn drawn() -> Vec<(&'static str, String)> {
    let frame = samples::frame();
    let visitor = Frame {
        user: None,
        notice: None,
        ..samples::frame()
    };
    let noticed = Frame {
        notice: Some("Build 42 runs again as build 43.".into()),
        ..samples::frame()
    };
    let error = |status| ErrorPage {
        status,
        sentence: None,
        request_id: Some("01j8f".into()),
    };
    let login = |state| LoginPage { state, next: None };
    vec![
        ("builds", pages::build_list(&frame, &samples::build_list())),
        ("builds-empty", pages::build_list(&frame, &BuildList::default())),
        ("build", pages::build(&noticed, &samples::build_page())),
        ("build-3axes", pages::build(&frame, &samples::three_axes())),
        ("build-invalid", pages::build(&frame, &samples::invalid_build())),
        ("job", pages::job(&frame, &samples::job_page())),
        ("job-running", pages::job(&frame, &samples::running_job())),
        ("job-running-live", pages::job_live(&frame, &samples::running_job())),
        ("job-waiting", pages::job(&frame, &samples::waiting_job())),
        ("artifact", pages::artifact(&frame, &samples::artifact())),
        ("shell", pages::shell(&frame, &samples::shell())),
        ("agents", pages::agents(&frame, &samples::agents())),
        ("agents-empty", pages::agents(&frame, &AgentsPage::default())),
        ("repositories", pages::repository_list(&frame, &samples::repositories())),
        ("repository", pages::repository(&frame, &samples::repository())),
        ("delivery", pages::delivery(&frame, &samples::delivery())),
        ("login", pages::login(&visitor, &login(LoginState::NoCode))),
        (
            "login-confirm",
            pages::login(&visitor, &login(LoginState::Confirm { code: "x".into() })),
        ),
        ("404", pages::error(&visitor, &error(404))),
        ("500", pages::error(&frame, &error(500))),
        ("tokens", pages::tokens(&frame, &samples::tokens())),
    ]
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}
