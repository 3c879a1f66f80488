//! What is around every page: who looks, when, and what was just done.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use web::views::Frame;

use super::{Part, Render, notice};
use crate::app::App;
use crate::http::access::{self, Caller};

/// The frame without anybody in it.
pub(super) fn bare() -> Frame {
    Frame {
        now: jiff::Timestamp::now().as_microsecond(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Frame::default()
    }
}

/// The frame of a request.
#[derive(Debug)]
pub(super) struct Framed {
    frame: Frame,
    /// The cookie that ends a notice.
    over: HeaderValue,
}

impl Framed {
    /// A user looks, and not a visitor.
    pub fn has_user(&self) -> bool {
        self.frame.user.is_some()
    }

    /// Renders a page; a notice that is on it is over.
    pub fn render<V>(self, view: &V, whole: Render<V>) -> Response {
        let mut response = Html(whole(&self.frame, view)).into_response();
        if self.frame.notice.is_some() {
            response.headers_mut().append(header::SET_COOKIE, self.over);
        }
        response
    }

    /// Renders a page, or its live part alone, which shows no notice.
    pub fn render_part<V>(self, part: Part, view: &V, (whole, live): (Render<V>, Render<V>)) -> Response {
        if part.is_live() {
            Html(live(&self.frame, view)).into_response()
        } else {
            self.render(view, whole)
        }
    }
}

impl FromRequestParts<App> for Framed {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Framed, Self::Rejection> {
        let (name, csrf) = match parts.extensions.get::<Caller>() {
            Some(Caller::User(user)) => (Some(user.name.clone()), user.csrf.clone()),
            _ => (None, None),
        };
        let notice = access::scheme(app).notice_of(&parts.headers).and_then(notice::sentence);
        let frame = Frame {
            user: name,
            csrf: csrf.unwrap_or_default(),
            notice,
            url: app.url.to_string(),
            ..bare()
        };
        Ok(Framed {
            frame,
            over: notice::over(app),
        })
    }
}
