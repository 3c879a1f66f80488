//! GitHub's own examples of its webhooks, all of them: each is read, and means what stands in it.

use coordinator::forges::Forge;
use serde_json::Value;

fn examples() -> Vec<(String, Value)> {
    let path = std::env::var("DROVER_TEST_WEBHOOKS").expect(
        "this test needs the examples of @octokit/webhooks-examples from npm: name their `api.github.com/index.json` in \
         DROVER_TEST_WEBHOOKS (`cargo xtask test` does)",
    );
    let all: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let of_event = |event: &Value| {
        let name = event["name"].as_str().unwrap().to_owned();
        let bodies = event["examples"].as_array().unwrap().clone();
        bodies.into_iter().map(move |body| (name.clone(), body))
    };
    all.iter().flat_map(of_event).collect()
}

/// What the body of a push or a pull request says, found in it without our types.
fn expected(event: &str, body: &Value) -> Vec<(&'static str, Value)> {
    let commit = |path: &str| match body.pointer(path) {
        Some(Value::String(id)) if id.bytes().any(|digit| digit != b'0') => Value::from(id.as_str()),
        _ => Value::Null,
    };
    let at = |path: &str| body.pointer(path).cloned().unwrap_or_default();
    match event {
        "push" => {
            let is_tag = at("/ref").as_str().unwrap().starts_with("refs/tags/");
            vec![
                ("event", if is_tag { "tag" } else { "push" }.into()),
                ("ref", at("/ref")),
                ("before", commit("/before")),
                ("sha", commit("/after")),
                ("sender", at("/sender/login")),
                ("number", Value::Null),
                ("fork", Value::Null),
            ]
        }
        "pull_request" => vec![
            ("event", event.into()),
            ("number", at("/number")),
            ("ref", format!("refs/pull/{}/head", at("/number")).into()),
            ("before", at("/before")),
            ("sha", at("/pull_request/head/sha")),
            ("head", at("/pull_request/head/ref")),
            ("base", at("/pull_request/base/ref")),
            ("head_repository", at("/pull_request/head/repo/full_name")),
            (
                "fork",
                (at("/pull_request/head/repo/id") != at("/pull_request/base/repo/id")).into(),
            ),
            ("sender", at("/sender/login")),
        ],
        "release" => vec![
            (
                "ref",
                format!("refs/tags/{}", at("/release/tag_name").as_str().unwrap()).into(),
            ),
            ("action", at("/action")),
        ],
        "issue_comment" => vec![
            ("event", "comment".into()),
            (
                "number",
                match at("/issue/pull_request").is_null() {
                    true => Value::Null,
                    false => at("/issue/number"),
                },
            ),
        ],
        _ => Vec::new(),
    }
}

#[test]
fn every_example_of_github_is_read() {
    let examples = examples();
    assert!(examples.len() > 250, "{} examples", examples.len());
    let mut builds = 0;
    for (event, body) in &examples {
        let text = body.to_string();
        let messages = Forge::Github.parse(event, text.as_bytes());
        let messages = messages.unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(messages.len(), 1);
        let meaning = serde_json::to_value(messages[0].meaning()).unwrap();
        for (name, value) in expected(event, body) {
            assert_eq!(meaning[name], value, "{name} of {event}: {text}");
        }
        let is_wanted = messages[0].ignored().is_none();
        assert!(
            !is_wanted || ["push", "pull_request"].contains(&event.as_str()),
            "{event}"
        );
        builds += usize::from(is_wanted);
    }
    assert!(builds >= 5, "{builds} start builds");
}
