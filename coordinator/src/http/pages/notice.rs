//! What a form did, said once on the next page. The word travels in a cookie; what it says is decided here, so a
//! cookie can never put other words on a page.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::http::access;

/// What a form did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    BuildApproved(i64),
    BuildCancelled(i64),
    JobCancelled,
    JobReleased,
    BuildAgain(i64),
    Triggered(i64),
    Redelivered,
    Draining,
    TakesWork,
    AgentRemoved,
    Labelled,
    TokenRevoked,
    SessionRevoked,
    SessionsRevoked,
    LoggedIn,
}

impl Notice {
    fn word(self) -> String {
        match self {
            Notice::BuildApproved(number) => format!("approved.{number}"),
            Notice::BuildCancelled(number) => format!("cancelled.{number}"),
            Notice::JobCancelled => "job-cancelled".into(),
            Notice::JobReleased => "job-released".into(),
            Notice::BuildAgain(number) => format!("again.{number}"),
            Notice::Triggered(number) => format!("triggered.{number}"),
            Notice::Redelivered => "redelivered".into(),
            Notice::Draining => "draining".into(),
            Notice::TakesWork => "takes-work".into(),
            Notice::AgentRemoved => "agent-removed".into(),
            Notice::Labelled => "labelled".into(),
            Notice::TokenRevoked => "token-revoked".into(),
            Notice::SessionRevoked => "session-revoked".into(),
            Notice::SessionsRevoked => "sessions-revoked".into(),
            Notice::LoggedIn => "logged-in".into(),
        }
    }
}

/// What a word says. `None`: it is none of ours.
pub(super) fn sentence(word: &str) -> Option<String> {
    let (kind, number) = word.split_once('.').unwrap_or((word, "0"));
    let number: i64 = number.parse().ok()?;
    Some(match kind {
        "approved" => format!("Build {number} may run."),
        "cancelled" => format!("Build {number} is being cancelled."),
        "job-cancelled" => "The job is being cancelled.".into(),
        "job-released" => "The job's containers are being removed.".into(),
        "again" => format!("This is build {number}: the same commit again."),
        "triggered" => format!("Build {number} has begun."),
        "redelivered" => "The delivery is being processed again.".into(),
        "draining" => "The agent finishes what it has and takes nothing new.".into(),
        "takes-work" => "The agent takes work again.".into(),
        "agent-removed" => "The agent was removed; its token is worth nothing any more.".into(),
        "labelled" => "The agent has these labels now.".into(),
        "token-revoked" => "The token is worth nothing any more.".into(),
        "session-revoked" => "That browser is logged out.".into(),
        "sessions-revoked" => "All other browsers are logged out.".into(),
        "logged-in" => "You are logged in.".into(),
        _ => return None,
    })
}

/// Sends the browser on, and has the next page say what was done.
pub(super) fn go(app: &App, to: &str, notice: Notice) -> Response {
    let mut response = Redirect::to(to).into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, access::scheme(app).notice(&notice.word()));
    response
}

/// The cookie that ends a notice, for the page that showed it.
pub(super) fn over(app: &App) -> HeaderValue {
    access::scheme(app).no_notice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_says_something_and_nothing_else_does() {
        for notice in [
            Notice::BuildCancelled(4),
            Notice::JobCancelled,
            Notice::JobReleased,
            Notice::BuildAgain(4),
            Notice::Triggered(4),
            Notice::Redelivered,
            Notice::Draining,
            Notice::TakesWork,
            Notice::AgentRemoved,
            Notice::Labelled,
            Notice::TokenRevoked,
            Notice::SessionRevoked,
            Notice::SessionsRevoked,
            Notice::LoggedIn,
        ] {
            assert!(sentence(&notice.word()).is_some(), "{notice:?}");
        }
        assert_eq!(sentence("<b>hi</b>"), None);
        assert_eq!(sentence("cancelled.<b>"), None);
    }
}
