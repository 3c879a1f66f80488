//! The pages that do not change while one looks at them: repositories, login, tokens, errors.

use askama::Template;
use job_specs::triggers::{Input, InputKind};

use super::frame::{Head, Section};
use crate::views::{
    DeliveryPage, ErrorPage, Frame, LoginPage, LoginState, Micros, Polling, RepositoryList, RepositoryPage, TokensPage,
};
use crate::{format, look, routes, ui};

/// `/repositories`
#[derive(Template)]
#[template(path = "repository_list.html")]
pub struct Repositories<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a RepositoryList,
}

impl<'a> Repositories<'a> {
    pub fn new(frame: &'a Frame, view: &'a RepositoryList) -> Repositories<'a> {
        Repositories {
            frame,
            head: Head::new("Repositories", Section::Repositories),
            view,
        }
    }
}

/// `/repositories/{name}/deliveries/{id}`
#[derive(Template)]
#[template(path = "delivery.html")]
pub struct Delivery<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a DeliveryPage,
}

impl<'a> Delivery<'a> {
    pub fn new(frame: &'a Frame, view: &'a DeliveryPage) -> Delivery<'a> {
        let title = format!("{} · {}", view.delivery.event, view.repository);
        let head = Head::new(title, Section::Repositories)
            .under(&view.repository, routes::repository(&view.repository))
            .here("delivery");
        Delivery { frame, head, view }
    }
}

/// `/repositories/{name}`
#[derive(Template)]
#[template(path = "repository.html")]
pub struct Repository<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a RepositoryPage,
}

impl<'a> Repository<'a> {
    pub fn new(frame: &'a Frame, view: &'a RepositoryPage) -> Repository<'a> {
        let head = Head::new(&view.name, Section::Repositories).here(&view.name);
        Repository { frame, head, view }
    }

    fn badge(&self) -> String {
        format!("/badge/{}.svg", routes::encode(&self.view.name))
    }

    /// `2026-11-22 02:00 UTC`
    fn at(&self, at: &Micros) -> String {
        let text = format::utc(*at);
        let minute: String = text.chars().take(16).collect();
        format!("{} UTC", minute.replace('T', " "))
    }

    /// `5m`
    fn every(&self, polling: &Polling) -> String {
        format::micros(u64::from(polling.interval_secs) * 1_000_000)
    }

    fn default_of<'i>(&self, input: &'i Input) -> &'i str {
        input.default.as_deref().unwrap_or_default()
    }

    fn is_default(&self, input: &Input, value: &str) -> bool {
        self.default_of(input) == value
    }
}

/// `/login`
#[derive(Template)]
#[template(path = "login.html")]
pub struct Login<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a LoginPage,
}

impl<'a> Login<'a> {
    pub fn new(frame: &'a Frame, view: &'a LoginPage) -> Login<'a> {
        Login {
            frame,
            head: Head::new("Log in", Section::None),
            view,
        }
    }
}

/// `/tokens`
#[derive(Template)]
#[template(path = "tokens.html")]
pub struct Tokens<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a TokensPage,
}

impl<'a> Tokens<'a> {
    pub fn new(frame: &'a Frame, view: &'a TokensPage) -> Tokens<'a> {
        Tokens {
            frame,
            head: Head::new("Tokens and sessions", Section::None),
            view,
        }
    }

    /// `2026-11-22`, or that it is over.
    fn expiry(&self, at: &Micros) -> String {
        match *at <= self.frame.now {
            true => "expired".to_owned(),
            false => format::utc(*at).chars().take(10).collect(),
        }
    }

    fn has_others(&self) -> bool {
        self.view.sessions.iter().any(|session| !session.is_current)
    }
}

/// Any error.
#[derive(Template)]
#[template(path = "error.html")]
pub struct Error<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a ErrorPage,
    heading: &'static str,
    sentence: &'a str,
}

impl<'a> Error<'a> {
    pub fn new(frame: &'a Frame, view: &'a ErrorPage) -> Error<'a> {
        let (heading, usual) = match view.status {
            400 => ("That request makes no sense to us", "Go back and try again."),
            401 => ("Please log in first", "This page is for people who are logged in."),
            403 => (
                "You may not do that",
                "You are logged in, but this is not yours to see or do. Forms that were open for long expire: load the page again.",
            ),
            404 => (
                "There is nothing here",
                "The address is wrong, or what was here is gone. Logs and builds are removed when they are old.",
            ),
            409 => (
                "It has moved on",
                "Somebody or something was faster. Load the page again to see how things stand.",
            ),
            413 => ("That is too much", "What was sent is larger than we take."),
            429 => ("Too fast", "Wait a moment, then try again."),
            503 => (
                "Not ready yet",
                "The coordinator is starting or stopping. Load the page again in a moment.",
            ),
            _ => (
                "Something broke on our side",
                "It is not your job's fault. The coordinator's log has the details.",
            ),
        };
        let sentence = view.sentence.as_deref().unwrap_or(usual);
        Error {
            frame,
            head: Head::new(heading, Section::None),
            view,
            heading,
            sentence,
        }
    }
}
