//! ID tokens: what a job shows to others instead of a secret; they check it with nothing but what is published.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::Method;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::support::{PASSING, SimAgent, TestApp, TestRepository};

const FILE: &str = "jobs:
  publish:
    image: busybox
    steps:
      - {name: cloud, run: ./login, secrets: [{id_token: https://cloud.example}]}
      - {name: sign, run: ./sign, secrets: [TOKEN, {id_token: sigstore, file: /run/secrets/token}]}
      - {name: nothing, run: ./test}
";
const CLOUD: &str = "ID token for https://cloud.example";

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

/// Checks a token as somebody does who knows the issuer's address and nothing else; gives its claims.
async fn verified(app: &TestApp, token: &str) -> Value {
    let read = async |path: &str| app.send(app.anonymous(Method::GET, path)).await.expect(200).json();
    let configuration = read("/.well-known/openid-configuration").await;
    assert_eq!(configuration["issuer"], app.url);
    let keys = configuration["jwks_uri"]
        .as_str()
        .unwrap()
        .strip_prefix(&app.url)
        .unwrap()
        .to_owned();
    let keys = read(&keys).await;
    let (header, claims) = (part(token, 0), part(token, 1));
    assert!(
        configuration["id_token_signing_alg_values_supported"]
            .as_array()
            .unwrap()
            .contains(&header["alg"])
    );
    let all = keys["keys"].as_array().unwrap();
    let key = all
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .expect("the key is published");
    assert!(key.get("d").is_none(), "the private half is published: {key}");
    let number = |name: &str| BASE64.decode(key[name].as_str().unwrap()).unwrap();
    let key = RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64.decode(signature).unwrap();
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .expect("it is signed by that key");
    let another = signed.replace('.', "x.");
    assert!(
        key.verify(&RSA_PKCS1_2048_8192_SHA256, another.as_bytes(), &signature)
            .is_err()
    );
    assert_eq!(claims["iss"], configuration["issuer"]);
    let known = configuration["claims_supported"].as_array().unwrap();
    let unknown: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .filter(|claim| !known.contains(&json!(claim)))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} are not announced");
    claims
}

async fn ready() -> (TestApp, TestRepository) {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    app.add(&mut repository).await;
    let secret = app.request(Method::PUT, "/api/v1/repositories/app/secrets/TOKEN");
    app.send(secret.json(&json!({"value": "hunter2"}))).await.expect(204);
    (app, repository)
}

#[tokio::test]
async fn a_job_shows_whose_it_is_without_a_secret() {
    let (app, repository) = ready().await;
    let build = app.push(&repository, &[(".drover.yml", FILE)]).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let names: Vec<&str> = lease.secrets.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["ID token for https://cloud.example", "ID token for sigstore", "TOKEN"]
    );
    let token = lease.secrets[CLOUD].0.clone();
    let claims = verified(&app, &token).await;
    let expected = json!({
        "aud": "https://cloud.example", "sub": "repository:app:ref:refs/heads/main", "repository": "app",
        "ref": "refs/heads/main", "ref_type": "branch", "sha": build["commit"], "event_name": "push", "build": 1,
        "build_url": format!("{}/builds/1", app.url), "job": "publish", "attempt": 1, "trusted": true,
        "runner_environment": "self-hosted",
        "build_signer_uri": format!("{}/repositories/app/.drover.yml@refs/heads/main", app.url),
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&claims[name], value, "{name}");
    }
    let time = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!(
        (time("exp") - time("iat"), time("nbf")),
        (3_600, time("iat")),
        "as long as the job may take"
    );
    let other = verified(&app, &lease.secrets["ID token for sigstore"].0).await;
    assert_eq!(other["aud"], "sigstore");
    assert_ne!(other["jti"], claims["jti"]);

    // An agent that was restarted gets the same one: what it masks is what the job has.
    agent.held[0].resume = true;
    let again = agent.poll(&app, 0).await.leases.pop().expect("the lease again");
    assert_eq!(super::support::Leased::from(again).secrets[CLOUD].0, token);

    // So does a coordinator that was restarted sign with the same key.
    let data = app.data.as_ref().unwrap().path().to_owned();
    app.running.stop().await;
    let database = std::fs::read(data.join("drover.db")).unwrap();
    assert!(!database.windows(token.len()).any(|part| part == token.as_bytes()));
    let app = TestApp::over(&data).await;
    app.push(&repository, &[(".drover.yml", FILE), ("again", "1")]).await;
    let keys = app
        .send(app.anonymous(Method::GET, "/.well-known/jwks.json"))
        .await
        .json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "{keys}");
    assert_eq!(keys["keys"][0]["kid"], part(&token, 0)["kid"]);
}

#[tokio::test]
async fn a_stranger_gets_none() {
    let (app, repository) = ready().await;
    let never = app.request(Method::PATCH, "/api/v1/repositories/app");
    app.send(never.json(&json!({"approval": "never"}))).await.expect(200);
    let file = format!("{FILE}  test:\n    image: busybox\n    steps: [echo hi]\n");
    let sha = repository.commit_of_fork(7, &[(".drover.yml", file.as_str())]);
    let request = json!({"event": "pull_request", "after": sha, "base": "main", "number": 7, "fork": true});
    let delivery = app.deliver(&repository, &request).await.expect(202).json();
    let delivery = app.delivery_over(delivery["delivery"].as_str().unwrap()).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    let job = &build["jobs"][0];
    assert_eq!(
        (&job["name"], &job["status"]),
        (&json!("publish"), &json!("failed")),
        "{build}"
    );
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    assert!(lease.secrets.is_empty() && !lease.trusted);
}

/// Nobody makes a key by asking.
#[tokio::test]
async fn keys_are_made_when_they_are_needed() {
    let (app, repository) = ready().await;
    let keys = async || {
        app.send(app.anonymous(Method::GET, "/.well-known/jwks.json"))
            .await
            .expect(200)
            .json()
    };
    assert_eq!(keys().await, json!({"keys": []}));
    app.push(&repository, &[(".drover.yml", PASSING)]).await;
    SimAgent::enrol(&app).await.take(&app).await;
    assert_eq!(keys().await, json!({"keys": []}));
}
