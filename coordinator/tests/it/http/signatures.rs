//! Webhooks: who may deliver, and how much.

use coordinator::forges;
use reqwest::{Body, Method};
use secrecy::SecretString;
use serde_json::json;

use super::support::{PASSING, TestApp, TestRepository};

#[tokio::test]
async fn each_forge_delivers_with_its_own_headers() {
    let app = TestApp::start().await;
    let headers = [
        ("generic", "x-drover-signature-256", "sha256=", "x-drover-event"),
        ("github", "x-hub-signature-256", "sha256=", "x-github-event"),
        ("gitea", "x-gitea-signature", "", "x-gitea-event"),
        ("forgejo", "x-forgejo-signature", "", "x-forgejo-event"),
    ];
    for (forge, signature, prefix, event) in headers {
        let mut repository = TestRepository::new(forge);
        let sha = repository.commit("main", &[(".drover.yml", PASSING)]);
        app.add_as(&mut repository, forge).await;
        let body = json!({"ref": "refs/heads/main", "after": sha}).to_string();
        let signed = forges::sign(&SecretString::from(repository.secret.as_str()), body.as_bytes());
        let signed = format!("{prefix}{}", signed.trim_start_matches("sha256="));
        let request = app
            .anonymous(Method::POST, &repository.hook)
            .header(event, "push")
            .body(body);
        let answer = app.send(request.header(signature, signed)).await.expect(202).json();
        let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
        assert!(delivery["build"].is_i64(), "{forge}: {delivery}");
    }
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
