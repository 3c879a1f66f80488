//! Polling of real repositories, over HTTP.

mod answers;
mod moves;

use std::path::Path;
use std::time::Duration;

use coordinator::store::{Store, StoreConfig, testing};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{TestApp, TestRepository, within};

const APP: &str = "/api/v1/repositories/app";

/// A coordinator and the repository `app`, which it polls when it is told to.
struct Polled {
    app: TestApp,
    store: Store,
    /// Deliveries that were looked at.
    looked_at: usize,
}

async fn store_of(data: &Path) -> Store {
    let config = StoreConfig {
        url: format!("sqlite:{}", data.join("drover.db").display()),
        key_file: data.join("secrets.key"),
    };
    Store::open(config).await.unwrap()
}

impl Polled {
    /// Nothing of the repository was seen before.
    async fn start(repository: &mut TestRepository, forge: &str) -> Polled {
        let app = TestApp::start().await;
        app.add_as(repository, forge).await;
        Polled::over(app).await
    }

    async fn over(app: TestApp) -> Polled {
        let store = store_of(app.data.as_ref().unwrap().path()).await;
        let mut polled = Polled {
            app,
            store,
            looked_at: 0,
        };
        polled.looked_at = polled.deliveries().await.len();
        polled.set(json!({"poll_secs": 3_600})).await;
        polled.asked().await;
        assert_eq!(
            polled.deliveries().await.len(),
            polled.looked_at,
            "the first look builds nothing"
        );
        polled
    }

    async fn set(&self, change: Value) -> Value {
        let request = self.app.request(Method::PATCH, APP).json(&change);
        self.app.send(request).await.expect(200).json()
    }

    /// Newest first.
    async fn deliveries(&self) -> Vec<Value> {
        let all = self.app.get(&format!("{APP}/deliveries?limit=500")).await.expect(200);
        serde_json::from_str(&all.text).unwrap()
    }

    /// Makes a poll due and waits for it; the repository as it is then.
    async fn asked(&self) -> Value {
        let before = self.app.get(APP).await.json()["polled_at"].clone();
        testing::make_polls_due(&self.store).await.unwrap();
        asked_since(&self.app, &before).await
    }

    /// What a poll finds, a line for each reference, and the builds that there are of it.
    async fn found(&mut self) -> (Vec<String>, Vec<Value>) {
        let repository = self.asked().await;
        assert_eq!(repository["poll_problem"], Value::Null);
        self.processed().await
    }

    async fn processed(&mut self) -> (Vec<String>, Vec<Value>) {
        let (mut lines, mut builds) = (Vec::new(), Vec::new());
        let mut new = self.deliveries().await;
        new.truncate(new.len() - self.looked_at);
        for delivery in new.into_iter().rev() {
            let delivery = self.app.delivery_over(delivery["id"].as_str().unwrap()).await;
            let meaning = &delivery["meaning"];
            let message = delivery["message"].as_str();
            let line = [meaning["action"].as_str(), meaning["ref"].as_str(), message];
            lines.push(line.into_iter().flatten().collect::<Vec<_>>().join(" "));
            if let Some(number) = delivery["build"].as_i64() {
                builds.push(self.app.build(number).await);
            }
            self.looked_at += 1;
        }
        (lines, builds)
    }

    async fn count(&self) -> usize {
        self.app.get("/api/v1/builds").await.json().as_array().unwrap().len()
    }
}

/// Waits until the repository `app` was asked again.
async fn asked_since(app: &TestApp, before: &Value) -> Value {
    within("a poll", async {
        loop {
            let repository = app.get(APP).await.expect(200).json();
            if repository["polled_at"] != *before {
                return repository;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

fn commits(builds: &[Value]) -> Vec<&str> {
    builds.iter().map(|build| build["commit"].as_str().unwrap()).collect()
}
