//! Commands in comments: of those whom the forge lets write, and of nobody else.

use coordinator::forges::Forge;
use serde_json::{Value, json};

use super::outbox::{connected, until_entry};
use super::support::{Fault, PASSING, SimAgent, TestApp, TestForge, TestRepository};

/// A repository at a forge, with a pull request 7 of a stranger, or of its own branch where strangers' are not built.
struct Story {
    app: TestApp,
    forge: TestForge,
    kind: Forge,
    repository: TestRepository,
    sha: String,
}

impl Story {
    async fn begin(kind: Forge) -> Story {
        let (app, forge) = (TestApp::start().await, TestForge::start(kind).await);
        let repository = connected(&app, (kind, &forge)).await;
        repository.commit("main", &[(".drover.yml", PASSING)]);
        let files = [(".drover.yml", PASSING), ("text", "theirs")];
        let sha = match kind {
            Forge::Bitbucket => repository.commit("feature/x", &files),
            _ => repository.commit_of_fork(7, &files),
        };
        for reference in ["refs/merge-requests/7/head", "refs/pull-requests/7/from"] {
            repository.point(reference, &sha);
        }
        let story = Story {
            app,
            forge,
            kind,
            repository,
            sha,
        };
        let (event, body) = story.request();
        story.deliver(event, body).await;
        story
    }

    fn request(&self) -> (&'static str, Value) {
        let sha = &self.sha;
        let read = |text: &str, pointer: &str, sha: &str| {
            let mut body: Value = serde_json::from_str(text).unwrap();
            *body.pointer_mut(pointer).unwrap() = json!(sha);
            body
        };
        match self.kind {
            Forge::Gitlab => {
                let text = include_str!("../../fixtures/webhooks/gitlab-merge-request-fork-updated.json");
                (
                    "Merge Request Hook",
                    read(text, "/object_attributes/last_commit/id", sha),
                )
            }
            Forge::Bitbucket => {
                let text = include_str!("../../fixtures/webhooks/bitbucket-pullrequest-created.json");
                (
                    "pullrequest:created",
                    read(text, "/pullrequest/source/commit/hash", &sha[..12]),
                )
            }
            Forge::BitbucketDc => {
                let text = include_str!("../../fixtures/webhooks/bitbucket-dc-pr-updated-fork.json");
                (
                    "pr:from_ref_updated",
                    read(text, "/pullRequest/fromRef/latestCommit", sha),
                )
            }
            _ => {
                let request = json!({
                    "action": "opened", "number": 7, "sender": {"login": "stranger", "id": 3},
                    "pull_request": {
                        "updated_at": "2026-11-20T09:00:00Z",
                        "head": {"ref": "feature", "sha": sha, "repo": {"id": 2}},
                        "base": {"ref": "main", "sha": "0".repeat(40), "repo": {"id": 1}},
                    },
                    "repository": {"id": 1, "full_name": "acme/app"},
                });
                ("pull_request", request)
            }
        }
    }

    /// A comment of the account that the fixtures call `octo`; gives what is said of it.
    async fn comment(&self, text: &str) -> Value {
        let set = |body: &str, pointer: &str| {
            let mut body: Value = serde_json::from_str(body).unwrap();
            *body.pointer_mut(pointer).unwrap() = json!(text);
            body
        };
        let (event, body) = match self.kind {
            Forge::Gitlab => {
                let body = include_str!("../../fixtures/webhooks/gitlab-note.json");
                ("Note Hook", set(body, "/object_attributes/note"))
            }
            Forge::Bitbucket => {
                let body = include_str!("../../fixtures/webhooks/bitbucket-pullrequest-comment.json");
                ("pullrequest:comment_created", set(body, "/comment/content/raw"))
            }
            Forge::BitbucketDc => {
                let body = include_str!("../../fixtures/webhooks/bitbucket-dc-pr-comment.json");
                ("pr:comment:added", set(body, "/comment/text"))
            }
            _ => {
                let body = json!({
                    "action": "created", "issue": {"number": 7, "pull_request": {}}, "comment": {"body": text},
                    "sender": {"login": "octo", "id": 4}, "repository": {"id": 1},
                });
                ("issue_comment", body)
            }
        };
        self.deliver(event, body).await
    }

    async fn deliver(&self, event: &str, body: Value) -> Value {
        let request = self.app.webhook(&self.repository, event, body.to_string());
        let answer = self.app.send(request).await.expect(202).json();
        self.app.delivery_over(answer["delivery"].as_str().unwrap()).await
    }

    /// Whom the forge lets write is the author of the comments.
    fn author_may_write(&self) {
        self.forge.lets_write(match self.kind {
            Forge::Bitbucket => "{d301aafa-d676-4ee0-88be-962be7417567}",
            Forge::BitbucketDc => "1",
            _ => "4",
        });
    }
}

fn said(delivery: &Value) -> &str {
    delivery["message"].as_str().unwrap_or_else(|| panic!("{delivery}"))
}

#[tokio::test]
async fn each_forge_says_who_may_give_commands() {
    for kind in Forge::ALL.into_iter().filter(|forge| forge.api().is_some()) {
        let story = Story::begin(kind).await;
        let (app, is_waiting) = (&story.app, kind != Forge::Bitbucket);
        let approval = async || app.build(1).await["approval"].clone();
        assert_eq!(approval().await == "needed", is_waiting, "{kind:?}");
        let approve = format!("/drover approve {}", &story.sha[..10]);

        let stranger = story.comment(&approve).await;
        assert!(said(&stranger).contains("may not do that"), "{kind:?}: {stranger}");
        story.forge.lets_write("77");
        let another = story.comment(&approve).await;
        assert_eq!(
            said(&another).contains("may not do that"),
            kind_checks_ids(kind),
            "{kind:?}: {another}"
        );

        story.author_may_write();
        if is_waiting && kind_checks_ids(kind) {
            assert_eq!(approval().await, "needed", "{kind:?}");
            let unnamed = story.comment("/drover approve").await;
            assert!(said(&unnamed).contains("names the commit"), "{unnamed}");
            let other = story.comment("/drover approve 0123456789").await;
            assert!(
                said(&other).contains("no build of pull request 7 at 0123456789 waits"),
                "{other}"
            );
            assert_eq!(approval().await, "needed", "{kind:?}");
            let right = story.comment(&approve).await;
            assert!(said(&right).contains(&story.sha), "{right}");
        }
        let build = app.build(1).await;
        assert_ne!(build["approval"], "needed", "{kind:?}: {build}");

        let early = story.comment("/drover rerun").await;
        assert!(said(&early).contains("is not over"), "{kind:?}: {early}");
        let mut agent = SimAgent::enrol(app).await;
        let lease = agent.take(app).await;
        agent.started(app, &lease).await;
        agent.fail(app, &lease).await;
        app.until_status(1, "failed").await;
        let again = story.comment("/drover rerun").await;
        assert_eq!(
            (&again["build"], said(&again)),
            (&json!(2), "runs build 1 again"),
            "{kind:?}: {again}"
        );
        assert_eq!(app.build(2).await["rerun_of"], 1);
        let audit = app.get("/api/v1/audit").await.expect(200).json();
        assert_eq!(
            (&audit[0]["actor_kind"], &audit[0]["action"]),
            (&json!("forge"), &json!("build.rerun")),
            "{audit}"
        );
        story.forge.asked();
    }
}

/// GitLab and Bitbucket Cloud are asked by the id itself.
fn kind_checks_ids(kind: Forge) -> bool {
    !matches!(kind, Forge::Gitlab | Forge::Bitbucket)
}

#[tokio::test]
async fn a_command_waits_for_a_forge_that_does_not_answer() {
    let story = Story::begin(Forge::Gitea).await;
    story.author_may_write();
    // It has heard all that there was to tell.
    until_entry(&story.app, &story.repository, ("commit_status", "sent")).await;
    story.forge.breaks([Fault::Says(502, Vec::new(), String::new())]);
    let waiting = story.comment(&format!("/drover approve {}", story.sha)).await;
    assert_eq!(waiting["status"], "pending", "{waiting}");
    assert!(said(&waiting).contains("502"), "{waiting}");
    let path = format!("/api/v1/deliveries/{}", waiting["id"].as_str().unwrap());
    story
        .app
        .until(async || {
            let delivery = story.app.get(&path).await.json();
            (delivery["status"] == "done").then_some(())
        })
        .await;
    assert_eq!(story.app.build(1).await["approval"], "approved");
}

#[tokio::test]
async fn without_a_connection_nobody_gives_commands() {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    app.add_as(&mut repository, "github").await;
    let body = json!({
        "action": "created", "issue": {"number": 7, "pull_request": {}}, "comment": {"body": "/drover rerun"},
        "sender": {"login": "octo", "id": 4}, "repository": {"id": 1},
    });
    let request = app.webhook(&repository, "issue_comment", body.to_string());
    let answer = app.send(request).await.expect(202).json();
    let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
    assert!(said(&delivery).contains("drover repo connect app"), "{delivery}");
}
