//! Cookies: the session's token, and one word about what was just done. Under https the names carry `__Host-`, so
//! that no other site of the domain can set them; under http the port, since browsers keep one jar for all servers of
//! a host.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a browser stays logged in.
pub(crate) const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// A notice that no page has shown by then is not shown.
const NOTICE_SECS: u64 = 60;

/// The scheme by which people reach us decides what cookies may insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Cookies go over https only.
    Https,
    /// A loopback address, or a network that somebody trusts; with the port.
    Http(u16),
}

impl Scheme {
    /// Of the address that people use.
    pub fn of(url: &str) -> Scheme {
        let Some(rest) = url.strip_prefix("http://") else {
            return Scheme::Https;
        };
        let host = rest.split('/').next().unwrap_or_default();
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Scheme::Http(port.unwrap_or(80))
    }

    fn name(self, name: &str) -> String {
        match self {
            Scheme::Https => format!("__Host-{name}"),
            Scheme::Http(port) => format!("{name}_{port}"),
        }
    }

    fn cookie(self, name: &str, value: &str, secs: u64) -> HeaderValue {
        let cookie = Cookie::build((self.name(name), value))
            .path("/")
            .max_age(cookie::time::Duration::seconds(secs.cast_signed()))
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self == Scheme::Https);
        HeaderValue::from_str(&cookie.to_string()).expect("tokens and words are ASCII")
    }

    /// The cookie that logs a browser in.
    pub fn session(self, token: &str) -> HeaderValue {
        self.cookie("drover_session", token, SESSION.as_secs())
    }

    /// The cookie that logs a browser out.
    pub fn no_session(self) -> HeaderValue {
        self.cookie("drover_session", "", 0)
    }

    /// The cookie that makes the next page say `word` (see `pages::notice`).
    pub fn notice(self, word: &str) -> HeaderValue {
        self.cookie("drover_notice", word, NOTICE_SECS)
    }

    /// The cookie that ends a notice.
    pub fn no_notice(self) -> HeaderValue {
        self.cookie("drover_notice", "", 0)
    }

    /// The session's token that a browser sent.
    pub fn session_of(self, headers: &HeaderMap) -> Option<&str> {
        find(headers, &self.name("drover_session"))
    }

    /// The notice that a browser was given.
    pub fn notice_of(self, headers: &HeaderMap) -> Option<&str> {
        find(headers, &self.name("drover_notice"))
    }
}

fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(Cookie::split_parse)
        .flatten();
    cookies
        .find(|cookie| cookie.name() == name)?
        .value_raw()
        .filter(|value| !value.is_empty())
}

/// What every form of a session carries: made from the session's token, which only its browser and we know.
pub(crate) fn csrf_token(session: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(session.as_bytes()).expect("HMAC takes any key length");
    mac.update(b"drover form");
    hex::encode(&mac.finalize().into_bytes()[..16])
}

/// Whether a form's token is the session's, in constant time.
pub(crate) fn is_csrf_token(session: &str, given: &str) -> bool {
    csrf_token(session).as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_cookie_is_as_strict_as_the_scheme_allows() {
        let https = Scheme::Https.session("abc");
        insta::assert_snapshot!(https.to_str().unwrap(), @"__Host-drover_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000");
        let http = Scheme::Http(7878).session("abc");
        insta::assert_snapshot!(http.to_str().unwrap(), @"drover_session_7878=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; drover_session_7878=abc".parse().unwrap());
        headers.append(header::COOKIE, "drover_notice_7878=cancelled.4".parse().unwrap());
        let http = Scheme::Http(7878);
        assert_eq!(http.session_of(&headers), Some("abc"));
        assert_eq!(http.notice_of(&headers), Some("cancelled.4"));
        assert_eq!(
            Scheme::Http(8080).session_of(&headers),
            None,
            "another server of this host"
        );
        assert_eq!(Scheme::Https.session_of(&headers), None, "another name under https");
    }

    #[test]
    fn the_address_says_which_cookies() {
        assert_eq!(Scheme::of("https://ci.example:8443"), Scheme::Https);
        assert_eq!(Scheme::of("http://127.0.0.1:7878"), Scheme::Http(7878));
        assert_eq!(Scheme::of("http://[::1]:7878"), Scheme::Http(7878));
        assert_eq!(Scheme::of("http://ci.internal/drover"), Scheme::Http(80));
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        assert!(is_csrf_token("abc", &csrf_token("abc")));
        assert!(!is_csrf_token("abd", &csrf_token("abc")));
        assert!(!is_csrf_token("abc", ""));
    }
}
