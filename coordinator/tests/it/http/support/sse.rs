//! A reader of `/events`, as a browser is one.

use reqwest::{Method, RequestBuilder, Response};

use super::{TestApp, within};

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
}

impl SseEvent {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// An open stream of events.
pub struct Live {
    response: Response,
    text: String,
}

impl Live {
    pub async fn open(app: &TestApp, path: &str) -> Live {
        Live::resume(app, path, None).await
    }

    pub async fn resume(app: &TestApp, path: &str, last: Option<&str>) -> Live {
        let mut request = app.request(Method::GET, path);
        if let Some(id) = last {
            request = request.header("last-event-id", id);
        }
        Live::of(request).await
    }

    /// Of any caller.
    pub async fn of(request: RequestBuilder) -> Live {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Live {
            response,
            text: String::new(),
        }
    }

    /// The next event that has a name. `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = parse(event);
                self.text = rest.to_owned();
                if event.name.is_empty() {
                    continue;
                }
                return Some(event);
            }
            let chunk = within("an event", self.response.chunk()).await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub async fn next_named(&mut self, name: &str) -> SseEvent {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name {
                return event;
            }
        }
    }
}

fn parse(text: &str) -> SseEvent {
    let mut event = SseEvent::default();
    for line in text.lines() {
        match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
            Some(("event", value)) => event.name = value.to_owned(),
            Some(("id", value)) => event.id = Some(value.to_owned()),
            Some(("data", value)) => event.data.push_str(value),
            _ => {}
        }
    }
    event
}
