//! Access: one middleware at the root of all routes, deny by default. It finds out who calls, asks the table in
//! [`rules`] whether they may, checks the form token of a session's writes, and hands the [`Caller`] on.

pub(crate) mod cookies;
mod readers;
pub(crate) mod rules;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Form, FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::ids::AgentId;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::client;
use super::connections::Connection;
use super::error::ApiError;
use super::pages::refusal;
use crate::app::App;
use crate::store::access::Person;
use crate::store::{Actor, Change, access, agents};
use cookies::Scheme;
use rules::Rule;

/// What anybody may ask is quick; who sends it byte by byte wants something else.
const PUBLIC_LIMIT: Duration = Duration::from_secs(60);
/// How often to look whether the credential of something open has expired.
const EXPIRY_LOOK: Duration = Duration::from_secs(60);
/// Bytes of a login or an enrolment.
const PUBLIC_BODY: usize = 16 * 1024;

/// Who calls, as far as the route's rule asked.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// A public route does not ask.
    Anybody,
    /// A user, by session or API token.
    User(User),
    /// An agent, by its token.
    Agent(AgentId),
    /// Somebody who reads a public repository.
    Visitor,
}

/// A user who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// Id of the session or API token.
    pub id: String,
    /// How people call them.
    pub name: String,
    /// The session's form token; `None` with an API token, which no browser sends by itself.
    pub csrf: Option<String>,
}

impl User {
    /// Who they are to the store, for what they change.
    pub fn actor(&self) -> Actor {
        let person = Person {
            id: self.id.clone(),
            name: self.name.clone(),
        };
        match self.csrf {
            Some(_) => Actor::Session(person),
            None => Actor::Token(person),
        }
    }
}

/// The scheme by which people reach us.
pub(crate) fn scheme(app: &App) -> Scheme {
    Scheme::of(&app.url)
}

/// The middleware. Nothing is answered without passing it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_page = is_page(request.uri());
    match admit(&app, request).await {
        Ok(request) if is_anybody(&request) => {
            match tokio::time::timeout(PUBLIC_LIMIT, public(&app, request, next)).await {
                Ok(Ok(response)) => response,
                Ok(Err(refused)) => refused.into_response(),
                Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
            }
        }
        Ok(request) => next.run(request).await,
        Err(refused) => match (refused.error, is_page) {
            (ApiError::Unauthorized, true) => to_login(&refused.wanted),
            (error, true) => refusal(&error),
            (error, false) => error.into_response(),
        },
    }
}

/// Answers a public route. Its body is small and counted; a webhook's own handler reads it.
async fn public(app: &App, request: Request, next: Next) -> Result<Response, ApiError> {
    let is_hook = request.uri().path().starts_with("/hooks/");
    if is_hook || matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let client = client::of(&parts, &app.config);
    let body = app.public.whole(client, (&parts.headers, body), PUBLIC_BODY).await?;
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

fn is_anybody(request: &Request) -> bool {
    matches!(request.extensions().get::<Caller>(), Some(Caller::Anybody))
}

/// A request that is not let in.
struct Refused {
    error: ApiError,
    /// Where the caller wanted to go, if a login may help.
    wanted: String,
}

async fn admit(app: &App, request: Request) -> Result<Request, Refused> {
    let wanted = match *request.method() {
        Method::GET => request
            .uri()
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string),
        _ => "/".to_owned(),
    };
    let (mut parts, body) = request.into_parts();
    let refuse = |error| Refused { error, wanted };
    let caller = identify(app, &mut parts).await;
    let caller = match count(app, &parts, &caller).and(caller) {
        Ok(caller) => caller,
        Err(error) => return Err(refuse(error)),
    };
    let body = match check_form(app, &parts, body, &caller).await {
        Ok(body) => body,
        Err(error) => return Err(refuse(error)),
    };
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, body))
}

async fn identify(app: &App, parts: &mut Parts) -> Result<Caller, ApiError> {
    let matched = parts
        .extensions
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    match rules::of(&parts.method, matched.as_deref()) {
        Rule::Public => Ok(Caller::Anybody),
        Rule::Agent => agent(app, &parts.headers).await.map(Caller::Agent),
        Rule::User => user(app, &parts.headers)
            .await?
            .map(Caller::User)
            .ok_or(ApiError::Unauthorized),
        Rule::Readable(subject) => match user(app, &parts.headers).await? {
            Some(user) => Ok(Caller::User(user)),
            None if readers::is_public(app, subject, parts).await? => Ok(Caller::Visitor),
            None => Err(ApiError::Unauthorized),
        },
    }
}

/// Strangers are counted by address; a connection of an agent or a user is kept before all others.
fn count(app: &App, parts: &Parts, caller: &Result<Caller, ApiError>) -> Result<(), ApiError> {
    if !matches!(caller, Ok(Caller::User(_) | Caller::Agent(_))) {
        return Ok(app.public.request(client::of(parts, &app.config))?);
    }
    if let Some(connection) = parts.extensions.get::<Arc<Connection>>() {
        connection.is_known_caller();
    }
    Ok(())
}

async fn agent(app: &App, headers: &HeaderMap) -> Result<AgentId, ApiError> {
    let token = bearer(headers).ok_or(ApiError::Unauthorized)?;
    agents::authenticate(&app.store, token)
        .await?
        .ok_or(ApiError::Unauthorized)
}

/// The user by token or session; `None` without credentials or with a session that is over. A token that is wrong
/// or too old is an error: who sends one does not want to be a visitor.
async fn user(app: &App, headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        let token = bearer(headers).ok_or(ApiError::Unauthorized)?;
        let person = access::authenticate(&app.store, token)
            .await?
            .ok_or(ApiError::Unauthorized)?;
        return Ok(Some(User {
            id: person.id,
            name: person.name,
            csrf: None,
        }));
    }
    let Some(session) = scheme(app).session_of(headers) else {
        return Ok(None);
    };
    let person = access::session(&app.store, session).await?;
    Ok(person.map(|person| User {
        id: person.id,
        name: person.name,
        csrf: Some(cookies::csrf_token(session)),
    }))
}

/// Completes when the session or token of a user is revoked, or within a minute when its time is over: what was opened
/// with it ends then. Never for a visitor.
pub(crate) async fn revoked(app: &App, user: Option<&User>) {
    let Some(user) = user else {
        return std::future::pending().await;
    };
    // Before the look, so that nothing happens unseen in between.
    let mut changes = app.store.changes();
    // A database that does not answer revokes nothing.
    while access::is_valid(&app.store, &user.id).await.unwrap_or(true) {
        let changed = async {
            loop {
                match changes.recv().await {
                    Ok(Change::Access | Change::All) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(EXPIRY_LOOK) => {}
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[derive(Deserialize)]
struct FormToken {
    csrf: Option<String>,
}

/// Whatever a session writes carries its form token, as the header `X-Drover-Csrf` or the field `csrf`.
async fn check_form(app: &App, parts: &Parts, body: Body, caller: &Caller) -> Result<Body, ApiError> {
    let writes = !matches!(parts.method, Method::GET | Method::HEAD);
    let Caller::User(User { csrf: Some(_), .. }) = caller else {
        return Ok(body);
    };
    let Some(session) = scheme(app).session_of(&parts.headers).filter(|_| writes) else {
        return Ok(body);
    };
    let stale = || ApiError::Forbidden("this form is too old or came from elsewhere; reload the page".into());
    if let Some(given) = parts.headers.get("x-drover-csrf") {
        let given = given.to_str().unwrap_or_default();
        return if cookies::is_csrf_token(session, given) {
            Ok(body)
        } else {
            Err(stale())
        };
    }
    let limit = app.config.limits.request_bytes;
    let bytes = axum::body::to_bytes(body, limit)
        .await
        .map_err(|_| ApiError::TooLarge(limit))?;
    let copy = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let form = Form::<FormToken>::from_request(copy, &()).await.map_err(|_| stale())?;
    let given = form.0.csrf.unwrap_or_default();
    if cookies::is_csrf_token(session, &given) {
        Ok(Body::from(bytes))
    } else {
        Err(stale())
    }
}

/// What people with browsers go to; a script of ours that fetches a live part wants a status and not a login page.
fn is_page(uri: &Uri) -> bool {
    let is_part = uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "live=1"));
    let programs = [
        "/api/", "/agent/", "/hooks/", "/badge/", "/events", "/metrics", "/healthz", "/readyz", "/schema/", "/assets/",
    ];
    !is_part && !programs.iter().any(|prefix| uri.path().starts_with(prefix))
}

fn to_login(wanted: &str) -> Response {
    let login = match wanted {
        "/" => "/login".to_owned(),
        path => format!("/login?next={}", web::routes::encode(path)),
    };
    Redirect::to(&login).into_response()
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<User, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(user)) => Ok(user.clone()),
            _ => Err(ApiError::Unauthorized),
        }
    }
}

/// A user, as who changes something: the argument of every handler that writes for one.
#[derive(Debug, Clone)]
pub(crate) struct By(pub Actor);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<By, ApiError> {
        Ok(By(User::from_request_parts(parts, state).await?.actor()))
    }
}

/// Somebody who may read what the path names: a user, or a visitor of a public repository.
#[derive(Debug, Clone)]
pub(crate) struct Reader(pub Option<User>);

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Reader, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(user)) => Ok(Reader(Some(user.clone()))),
            Some(Caller::Visitor) => Ok(Reader(None)),
            _ => Err(ApiError::Unauthorized),
        }
    }
}

/// The agent that calls.
#[derive(Debug, Clone)]
pub(crate) struct AgentCaller(pub AgentId);

impl<S: Sync> FromRequestParts<S> for AgentCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<AgentCaller, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Agent(agent)) => Ok(AgentCaller(agent.clone())),
            _ => Err(ApiError::Unauthorized),
        }
    }
}
