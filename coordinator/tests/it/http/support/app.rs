//! A coordinator on a free port over a temporary folder, and a client that is logged in.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use coordinator::forges;
use coordinator::{Config, Running};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Live, TestRepository};

/// A test that waits longer than this waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A coordinator and its administrator.
pub struct TestApp {
    pub running: Running,
    pub url: String,
    pub token: String,
    pub client: Client,
    pub data: Option<TempDir>,
}

/// A status and a body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// Fails instead of waiting for ever.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A form as a browser posts it.
pub fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", web::routes::encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

fn client() -> Client {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl TestApp {
    pub async fn start() -> TestApp {
        let data = tempfile::tempdir().unwrap();
        let mut app = TestApp::over(data.path()).await;
        app.data = Some(data);
        app
    }

    /// Over a folder that outlives it.
    pub async fn over(data: &Path) -> TestApp {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: data.to_owned(),
            ..Config::default()
        };
        TestApp::with(config).await
    }

    pub async fn with(config: Config) -> TestApp {
        let running = coordinator::start(config).await.unwrap();
        let token = std::fs::read_to_string(&running.admin_token_file)
            .unwrap()
            .trim()
            .to_owned();
        TestApp {
            url: format!("http://{}", running.address),
            running,
            token,
            client: client(),
            data: None,
        }
    }

    /// A request with the administrator's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A request without credentials.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = within("an answer", request.send()).await.unwrap();
        Answer {
            status: response.status(),
            text: within("a body", response.text()).await.unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Adds a repository and remembers its hook.
    pub async fn add(&self, repository: &mut TestRepository) {
        self.add_as(repository, "generic").await;
    }

    pub async fn add_as(&self, repository: &mut TestRepository, forge: &str) {
        let new = json!({"name": repository.name, "git": repository.address, "forge": forge});
        let added = self.post("/api/v1/repositories", new).await.expect(201).json();
        repository.secret = added["hook"]["secret"].as_str().unwrap().to_owned();
        repository.hook = format!("/hooks/{forge}/{}", repository.name);
    }

    /// Sends a signed generic delivery.
    pub async fn deliver(&self, repository: &TestRepository, body: &Value) -> Answer {
        self.send(self.delivery(repository, body)).await
    }

    pub fn delivery(&self, repository: &TestRepository, body: &Value) -> RequestBuilder {
        self.delivery_of(repository, body.to_string().into_bytes())
    }

    /// A signed delivery of any bytes.
    pub fn delivery_of(&self, repository: &TestRepository, body: Vec<u8>) -> RequestBuilder {
        let signature = forges::sign(&SecretString::from(repository.secret.as_str()), &body);
        let request = self.anonymous(Method::POST, &repository.hook);
        request.header("x-drover-signature-256", signature).body(body)
    }

    /// Commits, tells the coordinator as a forge would, and waits for the build.
    pub async fn push(&self, repository: &TestRepository, files: &[(&str, &str)]) -> Value {
        self.push_to(repository, "main", files).await
    }

    /// The same on any branch.
    pub async fn push_to(&self, repository: &TestRepository, branch: &str, files: &[(&str, &str)]) -> Value {
        let sha = repository.commit(branch, files);
        let body = json!({"ref": format!("refs/heads/{branch}"), "after": sha});
        let delivery = self.deliver(repository, &body).await.expect(202).json();
        let delivery = self.delivery_over(delivery["delivery"].as_str().unwrap()).await;
        let number = delivery["build"]
            .as_i64()
            .unwrap_or_else(|| panic!("no build: {delivery}"));
        self.build(number).await
    }

    pub async fn build(&self, number: i64) -> Value {
        self.get(&format!("/api/v1/builds/{number}")).await.expect(200).json()
    }

    /// Waits until a delivery was processed, or waits for its next try.
    pub async fn delivery_over(&self, id: &str) -> Value {
        let path = format!("/api/v1/deliveries/{id}");
        self.until(async || {
            let delivery = self.get(&path).await.expect(200).json();
            let untouched = delivery["status"] == "pending" && delivery["message"].is_null();
            (!untouched).then_some(delivery)
        })
        .await
    }

    /// Looks again at every wake-up of the coordinator, until there is something.
    pub async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let mut live = Live::open(self, "/events?page=queue").await;
        within("something to happen", async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                live.next_named("change").await;
            }
        })
        .await
    }

    pub async fn until_status(&self, number: i64, status: &str) -> Value {
        self.until(async || {
            let build = self.build(number).await;
            (build["status"] == status).then_some(build)
        })
        .await
    }
}
