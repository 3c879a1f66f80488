//! A forge's API on loopback: every request is checked against the forge's own description where it publishes one, and
//! answered as it says; faults are made on purpose.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use coordinator::forges::Forge;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::description::Description;

/// A token with nothing in it that stands elsewhere by chance.
pub const TOKEN: &str = "t0ken-of-the-forge";

/// What a forge was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What it answers instead.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, headers and body.
    Says(u16, Vec<(&'static str, String)>, String),
    /// A body that ends before its length.
    Truncated,
    /// Nothing.
    HangsUp,
}

struct Inner {
    forge: Forge,
    description: Option<Description>,
    asked: Mutex<Vec<Asked>>,
    wrong: Mutex<Vec<String>>,
    faults: Mutex<VecDeque<Fault>>,
    webhooks: Mutex<Vec<Value>>,
    writers: Mutex<Vec<String>>,
}

/// A forge that listens until it is stopped.
pub struct TestForge {
    inner: Arc<Inner>,
    pub address: SocketAddr,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl TestForge {
    pub async fn start(forge: Forge) -> TestForge {
        let description = match forge {
            Forge::Github => Some(Description::named_by("DROVER_TEST_GITHUB_API")),
            Forge::Gitea | Forge::Forgejo => Some(Description::named_by("DROVER_TEST_FORGEJO_API")),
            _ => None,
        };
        let inner = Arc::new(Inner {
            forge,
            description,
            asked: Mutex::default(),
            wrong: Mutex::default(),
            faults: Mutex::default(),
            webhooks: Mutex::default(),
            writers: Mutex::default(),
        });
        let mut started = TestForge {
            inner,
            address: "127.0.0.1:0".parse().unwrap(),
            stop: CancellationToken::new(),
            served: None,
        };
        started.listen().await;
        started
    }

    /// Where its API is.
    pub fn api(&self) -> String {
        let below = match self.inner.forge {
            Forge::Gitea | Forge::Forgejo => "/api/v1",
            Forge::Gitlab => "/api/v4",
            Forge::Bitbucket => "/2.0",
            Forge::BitbucketDc => "/rest",
            Forge::Github | Forge::Generic => "",
        };
        format!("http://{}{below}", self.address)
    }

    /// Answers again where it answered before.
    pub async fn listen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        self.stop = CancellationToken::new();
        let router = Router::new().fallback(answer).with_state(self.inner.clone());
        let stop = self.stop.clone();
        self.served = Some(tokio::spawn(async move {
            let serve = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            serve.await.unwrap();
        }));
    }

    /// Answers nobody any more.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(served) = self.served.take() {
            served.abort();
            let _ = served.await;
        }
    }

    /// Breaks the next answers in this way, one after the other.
    pub fn breaks(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner.faults.lock().unwrap().extend(faults);
    }

    /// Lets the account of that id write to every project.
    pub fn lets_write(&self, id: &str) {
        self.inner.writers.lock().unwrap().push(id.to_owned());
    }

    /// What it was asked, oldest first; nothing of it may be wrong.
    pub fn asked(&self) -> Vec<Asked> {
        let wrong = self.inner.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.inner.asked.lock().unwrap().clone()
    }

    /// The commit statuses that it was told and took, oldest first.
    pub fn statuses(&self) -> Vec<Asked> {
        let is_status = |asked: &Asked| asked.path.contains("/statuses/") || asked.path.ends_with("/builds");
        self.asked().into_iter().filter(is_status).collect()
    }

    /// The webhooks that it has.
    pub fn webhooks(&self) -> Vec<Value> {
        self.inner.webhooks.lock().unwrap().clone()
    }
}

async fn answer(State(forge): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let fault = forge.faults.lock().unwrap().pop_front();
    if let Some(fault) = fault {
        return broken(fault);
    }
    let what_is_wrong = forge.description.as_ref();
    let what_is_wrong = what_is_wrong.and_then(|known| known.fault(&asked.method, &asked.path, &asked.body));
    if let Some(wrong) = what_is_wrong {
        forge.wrong.lock().unwrap().push(wrong.clone());
        return said(422, &json!({"message": wrong}));
    }
    forge.asked.lock().unwrap().push(asked.clone());
    let asks_permission = [
        "/permission",
        "/members/all/",
        "/permissions-config/",
        "/permissions/users",
    ];
    if asks_permission.iter().any(|part| asked.path.contains(part)) {
        return permission(&forge);
    }
    let hooks = ["/hooks", "/webhooks"]
        .iter()
        .find_map(|word| asked.path.split_once(word));
    match (hooks, &forge.description) {
        (Some((_, id)), _) => webhooks(&forge, &asked, id.trim_start_matches('/')),
        (None, Some(known)) => {
            let (status, body) = known.answer(&asked.method, &asked.path);
            said(status, &body)
        }
        (None, None) => said(201, &json!({"id": 1})),
    }
}

/// What the last one that may write may do; nobody else is known.
fn permission(forge: &Inner) -> Response {
    let writers = forge.writers.lock().unwrap();
    let Some(id) = writers.last() else {
        return said(404, &json!({"message": "404 Not found"}));
    };
    let number: i64 = id.parse().unwrap_or_default();
    let body = match forge.forge {
        Forge::Gitlab => json!({"id": number, "access_level": 30}),
        Forge::Bitbucket => json!({"user": {"uuid": id}, "permission": "write"}),
        Forge::BitbucketDc => json!({"values": [
            {"user": {"name": "octo-too", "id": 99}, "permission": "REPO_ADMIN"},
            {"user": {"name": "octo", "id": number}, "permission": "REPO_WRITE"},
        ]}),
        _ => json!({"permission": "write", "role_name": "write", "user": {"id": number}}),
    };
    said(200, &body)
}

/// A forge's webhooks: what the description says of one, with what was told of it.
fn webhooks(forge: &Inner, asked: &Asked, id: &str) -> Response {
    let mut all = forge.webhooks.lock().unwrap();
    let known = forge
        .description
        .as_ref()
        .map(|known| known.answer(&asked.method, &asked.path).1);
    match (&asked.method, id) {
        (&Method::GET, "") => match forge.forge {
            Forge::Bitbucket | Forge::BitbucketDc => said(200, &json!({"values": *all})),
            _ => said(200, &Value::Array(all.clone())),
        },
        (&Method::POST, "") => {
            let mut hook = known.unwrap_or_else(|| json!({}));
            merge(&mut hook, &asked.body);
            match forge.forge {
                Forge::Bitbucket => hook["uuid"] = json!("{0a1b}"),
                _ => hook["id"] = json!(all.len() + 41),
            }
            all.push(hook.clone());
            said(201, &hook)
        }
        (_, id) => {
            let id = id.replace("%7B", "{").replace("%7D", "}");
            let is_it = |hook: &&mut Value| hook["uuid"] == id.as_str() || hook["id"].as_u64() == id.parse().ok();
            let hook = all.iter_mut().find(is_it).expect("there is such a webhook");
            merge(hook, &asked.body);
            said(200, hook)
        }
    }
}

fn merge(into: &mut Value, body: &Value) {
    for (key, value) in body.as_object().unwrap() {
        into[key] = value.clone();
    }
}

fn said(status: u16, body: &Value) -> Response {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

fn broken(fault: Fault) -> Response {
    match fault {
        Fault::Says(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Fault::Truncated => {
            let part = futures_util::stream::iter([Ok(r#"{"id": "#), Err(std::io::Error::other("cut"))]);
            Response::builder()
                .status(201)
                .header("content-length", "100")
                .body(Body::from_stream(part))
                .unwrap()
        }
        Fault::HangsUp => {
            let nothing = futures_util::stream::iter([Err::<&str, _>(std::io::Error::other("cut"))]);
            Response::new(Body::from_stream(nothing))
        }
    }
}
