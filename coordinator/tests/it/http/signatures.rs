//! Webhooks: who may deliver, and how much.

use coordinator::forges::{self, Forge};
use reqwest::{Body, Method};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::support::{PASSING, TestApp, TestRepository};

/// A push of the commit to `main`, in the forge's words.
fn push(forge: &str, sha: &str) -> (&'static str, Value) {
    match forge {
        "gitlab" => (
            "Push Hook",
            json!({"object_kind": "push", "ref": "refs/heads/main", "after": sha}),
        ),
        "bitbucket" => {
            let branch = |name: &str| json!({"new": {"type": "branch", "name": name, "target": {"hash": sha}}});
            let changes = [branch("gone"), branch("main")];
            ("repo:push", json!({"push": {"changes": changes}}))
        }
        "bitbucket-dc" => {
            let change = |branch: &str| json!({"ref": {"id": branch}, "fromHash": "0".repeat(40), "toHash": sha});
            let changes = [change("refs/heads/gone"), change("refs/heads/main")];
            ("repo:refs_changed", json!({"changes": changes}))
        }
        _ => ("push", json!({"ref": "refs/heads/main", "after": sha})),
    }
}

#[tokio::test]
async fn each_forge_delivers_in_its_own_way() {
    let app = TestApp::start().await;
    for forge in Forge::ALL.map(Forge::word) {
        let mut repository = TestRepository::new(forge);
        let sha = repository.commit("main", &[(".drover.yml", PASSING)]);
        app.add_as(&mut repository, forge).await;
        let (event, body) = push(forge, &sha);
        let request = app.webhook(&repository, event, body.to_string());
        let answer = app.send(request).await.expect(202).json();
        assert_eq!(answer["ignored"], json!(null), "{forge}: {answer}");
        // Of several parts the one about `main` is the last.
        let parts = answer["deliveries"].as_array().map(|all| all.len());
        let id = match parts {
            Some(parts) => answer["deliveries"][parts - 1].clone(),
            None => answer["delivery"].clone(),
        };
        assert_eq!(parts.is_some(), forge.starts_with("bitbucket"), "{forge}: {answer}");
        let delivery = app.delivery_over(id.as_str().unwrap()).await;
        assert!(delivery["build"].is_i64(), "{forge}: {delivery}");
        assert_eq!(
            (&delivery["meaning"]["event"], &delivery["meaning"]["sha"]),
            (&json!("push"), &json!(sha)),
            "{forge}: {delivery}"
        );
        let page = format!("/repositories/{forge}/deliveries/{}", id.as_str().unwrap());
        let page = app.get(&page).await.expect(200).text;
        assert!(page.contains(&sha) && page.contains("Redeliver"), "{forge}: {page}");
    }
}

#[tokio::test]
async fn what_starts_no_build_is_said_at_once() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add_as(&mut repository, "github").await;
    for (event, body, ignored) in [
        (
            "ping",
            r#"{"zen":"Keep it logically awesome."}"#,
            "ping: the webhook works",
        ),
        ("star", r#"{"action":"created"}"#, "`star` events start no build"),
        (
            "push",
            "{}",
            "the body is no github push delivery: missing field `ref` at line 1 column 2",
        ),
    ] {
        let request = app.webhook(&repository, event, body.to_owned());
        let answer = app.send(request).await.expect(202).json();
        assert_eq!(answer["ignored"], json!(ignored));
        let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
        assert_eq!(delivery["message"], json!(ignored));
    }
}

#[tokio::test]
async fn two_secrets_count_while_one_is_exchanged() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    repository.commit("main", &[(".drover.yml", PASSING)]);
    app.add(&mut repository).await;
    let body = r#"{"ref":"refs/heads/main"}"#;
    let send = async |secret: &str| {
        let signed = forges::sign(&SecretString::from(secret), body.as_bytes());
        let request = app.anonymous(Method::POST, &repository.hook).body(body);
        app.send(request.header("x-drover-signature-256", signed)).await
    };
    let rotate = async |how: &str| {
        let path = format!("/api/v1/repositories/app/hook/rotate{how}");
        app.post(&path, json!({})).await.expect(200).json()
    };
    let first = repository.secret.clone();
    let hook = rotate("").await;
    let second = hook["secret"].as_str().unwrap().to_owned();
    assert!(hook["before_until"].is_i64(), "{hook}");
    send(&first).await.expect(202);
    send(&second).await.expect(202);
    let hook = rotate("?now=true").await;
    assert_eq!(hook["before_until"], json!(null));
    let third = hook["secret"].as_str().unwrap().to_owned();
    send(&third).await.expect(202);
    send(&first).await.expect(401);
    send(&second).await.expect(401);
}

#[tokio::test]
async fn who_cannot_sign_learns_nothing_and_leaves_only_a_count() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let body = r#"{"ref":"refs/heads/main"}"#;
    let wrong = forges::sign(&SecretString::from("guess"), body.as_bytes());
    let right = forges::sign(&SecretString::from(repository.secret.as_str()), body.as_bytes());
    let attempts = [
        ("/hooks/generic/app", None),
        ("/hooks/generic/app", Some(wrong.as_str())),
        ("/hooks/generic/app", Some("sha256=")),
        ("/hooks/github/app", Some(right.as_str())),
        ("/hooks/generic/nothing-here", Some(right.as_str())),
        ("/hooks/nowhere/app", Some(right.as_str())),
    ];
    let mut reported = Vec::new();
    for (path, signature) in attempts {
        let mut request = app.anonymous(Method::POST, path).body(body);
        if let Some(signature) = signature {
            request = request.header("x-drover-signature-256", signature);
        }
        reported.push(app.send(request).await.expect(401).text);
    }
    reported.dedup();
    assert_eq!(
        reported,
        [r#"{"code":"unsigned","message":"wrong or missing signature"}"#]
    );
    let deliveries = app.get("/api/v1/repositories/app/deliveries").await.json();
    assert_eq!(deliveries, json!([]), "nothing was stored");
    let page = app.get("/repositories/app").await.expect(200).text;
    assert!(page.contains("3 refused so far"), "{page}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_unread() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let large = vec![b'x'; 5 * 1024 * 1024 + 1];
    let signed = || {
        let signature = format!("sha256={}", "0".repeat(64));
        app.anonymous(Method::POST, &repository.hook)
            .header("x-drover-signature-256", signature)
    };
    let announced = signed().body(large.clone());
    let answer = app.send(announced).await.expect(413);
    assert_eq!(answer.json()["code"], "too_large");
    let pieces = large
        .chunks(64 * 1024)
        .map(|piece| std::io::Result::Ok(piece.to_vec()))
        .collect::<Vec<_>>();
    let unannounced = Body::wrap_stream(futures_util::stream::iter(pieces));
    app.send(signed().body(unannounced)).await.expect(413);
    let fits = json!({"ref": "refs/tags/v1", "after": "0".repeat(40), "filler": "x".repeat(5 * 1024 * 1024 - 200)});
    app.deliver(&repository, &fits).await.expect(202);
}
