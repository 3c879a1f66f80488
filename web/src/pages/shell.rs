//! The terminal's page.

use askama::Template;

use super::frame::{Head, Section};
use crate::views::{Frame, ShellPage};
use crate::{format, routes, ui};

/// `/jobs/{id}/shell`
#[derive(Template)]
#[template(path = "shell.html")]
pub struct Shell<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a ShellPage,
}

impl<'a> Shell<'a> {
    pub fn new(frame: &'a Frame, view: &'a ShellPage) -> Shell<'a> {
        let head = Head::new(format!("Terminal in {}", view.title), Section::Builds)
            .under(format!("#{}", view.build), routes::build(view.build))
            .under(&view.title, routes::job(&view.job))
            .here("Terminal");
        Shell { frame, head, view }
    }

    fn socket(&self) -> String {
        format!("/api/v1/jobs/{}/shell", routes::encode(&self.view.job))
    }

    /// What to enter, as the first frame of the socket says it.
    fn wish(&self) -> String {
        match &self.view.service {
            Some(service) => serde_json::json!({"place": {"service": service}}).to_string(),
            None => serde_json::json!({"place": "job"}).to_string(),
        }
    }

    fn command(&self) -> String {
        command(self.view.build, &self.view.title, self.view.service.as_deref())
    }
}

/// The same by the command line.
pub fn command(build: i64, title: &str, service: Option<&str>) -> String {
    let quoted = |text: &str| {
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if is_plain {
            text.to_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    let service = service.map_or_else(String::new, |service| format!(" --service {}", quoted(service)));
    format!("drover shell {build} --job {}{service}", quoted(title))
}
