//! What every forge sends, by the shapes that it documents, and what each means: one table.

use super::*;

/// The forge's word for it, its name in the fixtures, the body.
macro_rules! bodies {
    ($($event:literal $file:literal),* $(,)?) => {
        [$(($event, $file, include_str!(concat!("../../tests/fixtures/webhooks/", $file, ".json")))),*]
    };
}

/// A line for each message: what it means without what is not said, and why it starts no build.
fn line(message: &Message) -> String {
    let said: Vec<String> = message
        .meaning()
        .said()
        .into_iter()
        .map(|(name, value)| match value.len() {
            40 => format!("{name}={}", &value[..4]),
            _ => format!("{name}={value}"),
        })
        .collect();
    let ignored = message.ignored().map_or(String::new(), |why| format!(" · {why}"));
    let ignored = match message {
        Message::Command(command) => format!(" · {:?} by {}", command.wanted, command.author.id),
        _ => ignored,
    };
    format!("  {}{ignored}\n", said.join(" "))
}

fn table(forge: Forge, bodies: &[(&str, &str, &str)]) -> String {
    let lines = bodies.iter().flat_map(|(event, file, body)| {
        let messages = forge.parse(event, body.as_bytes()).unwrap();
        assert!(!messages.is_empty());
        let lines: Vec<String> = messages.iter().map(line).collect();
        [format!("{file}\n"), lines.concat()]
    });
    lines.collect()
}

#[test]
fn gitlab() {
    let bodies = bodies![
        "Push Hook" "gitlab-push",
        "Push Hook" "gitlab-push-created",
        "Push Hook" "gitlab-push-deleted",
        "Tag Push Hook" "gitlab-tag",
        "Merge Request Hook" "gitlab-merge-request-opened",
        "System Hook" "gitlab-merge-request-fork-updated",
        "Merge Request Hook" "gitlab-merge-request-labelled",
        "Merge Request Hook" "gitlab-merge-request-draft",
        "Merge Request Hook" "gitlab-merge-request-merged",
        "Merge Request Hook" "gitlab-merge-request-of-a-gone-fork",
        "Note Hook" "gitlab-note",
        "Release Hook" "gitlab-release",
        "Pipeline Hook" "gitlab-pipeline",
    ];
    insta::assert_snapshot!(table(Forge::Gitlab, &bodies), @r#"
    gitlab-push
      event=push action=updated ref=refs/heads/main before=28e1 sha=6113 sender=octo
    gitlab-push-created
      event=push action=created ref=refs/heads/feature/x sha=6113 sender=octo
    gitlab-push-deleted
      event=push action=deleted ref=refs/heads/feature/x before=28e1 sender=octo · the branch or tag was deleted: nothing to build
    gitlab-tag
      event=tag action=created ref=refs/tags/v1.2 sha=9f1b sender=octo
    gitlab-merge-request-opened
      event=pull_request action=opened ref=refs/merge-requests/7/head sha=6113 number=7 base=main head=feature/x head_repository=octo/hello fork=false sender=octo
    gitlab-merge-request-fork-updated
      event=pull_request action=synchronized ref=refs/merge-requests/7/head before=28e1 sha=6113 number=7 base=main head=feature/x head_repository=group/sub/mallory-hello fork=true sender=octo
    gitlab-merge-request-labelled
      event=pull_request action=labelled ref=refs/merge-requests/7/head sha=6113 number=7 base=main head=feature/x head_repository=octo/hello fork=false sender=octo · pull request 7 was labelled: only new commits are built
    gitlab-merge-request-draft
      event=pull_request action=edited ref=refs/merge-requests/7/head sha=6113 number=7 base=main head=feature/x head_repository=octo/hello fork=false sender=octo · pull request 7 was edited: only new commits are built
    gitlab-merge-request-merged
      event=pull_request action=closed ref=refs/merge-requests/7/head sha=6113 number=7 base=main head=feature/x head_repository=octo/hello fork=false sender=octo · pull request 7 was closed: only new commits are built
    gitlab-merge-request-of-a-gone-fork
      event=pull_request action=closed ref=refs/merge-requests/7/head sha=6113 number=7 base=main head=feature/x fork=true sender=octo · pull request 7 was closed: only new commits are built
    gitlab-note
      event=comment action=create number=7 sender=octo · Rerun by 4
    gitlab-release
      event=release action=create ref=refs/tags/v1.2 · `release` events start no build
    gitlab-pipeline
      event=pipeline · `pipeline` events start no build
    "#);
}

#[test]
fn bitbucket() {
    let bodies = bodies![
        "repo:push" "bitbucket-push",
        "pullrequest:created" "bitbucket-pullrequest-created",
        "pullrequest:updated" "bitbucket-pullrequest-updated-fork",
        "pullrequest:fulfilled" "bitbucket-pullrequest-fulfilled-gone",
        "pullrequest:comment_created" "bitbucket-pullrequest-comment",
    ];
    insta::assert_snapshot!(table(Forge::Bitbucket, &bodies), @r#"
    bitbucket-push
      event=push action=updated ref=refs/heads/main before=28e1 sha=6113 sender=octo
      event=tag action=created ref=refs/tags/v1.2 sha=6113 sender=octo
      event=push action=forced ref=refs/heads/feature/x before=28e1 sha=6113 sender=octo
      event=push action=deleted ref=refs/heads/gone before=28e1 sender=octo · the branch or tag was deleted: nothing to build
    bitbucket-pullrequest-created
      event=pull_request action=opened ref=refs/heads/feature/x sha=6113728f27ae number=7 base=main head=feature/x head_repository=octo/hello fork=false sender=octo
    bitbucket-pullrequest-updated-fork
      event=pull_request action=synchronized sha=6113728f27ae number=7 base=main head=feature/x head_repository=mallory/hello fork=true sender=octo · pull request 7 comes from a fork, and its forge does not keep the commits of forks in the repository: push its branch to build it
    bitbucket-pullrequest-fulfilled-gone
      event=pull_request action=closed sha=6113728f27ae number=7 base=main head=feature/x fork=true sender=octo · pull request 7 was closed: only new commits are built
    bitbucket-pullrequest-comment
      event=comment action=created number=7 sender=octo · Rerun by {d301aafa-d676-4ee0-88be-962be7417567}
    "#);
}

#[test]
fn bitbucket_data_center() {
    let bodies = bodies![
        "repo:refs_changed" "bitbucket-dc-push",
        "pr:opened" "bitbucket-dc-pr-opened",
        "pr:from_ref_updated" "bitbucket-dc-pr-updated-fork",
        "pr:modified" "bitbucket-dc-pr-modified",
        "pr:comment:added" "bitbucket-dc-pr-comment",
        "diagnostics:ping" "bitbucket-dc-ping",
    ];
    insta::assert_snapshot!(table(Forge::BitbucketDc, &bodies), @r#"
    bitbucket-dc-push
      event=push action=updated ref=refs/heads/main before=28e1 sha=6113 sender=octo
      event=tag action=created ref=refs/tags/v1.2 sha=9f1b sender=octo
      event=push action=deleted ref=refs/heads/gone before=28e1 sender=octo · the branch or tag was deleted: nothing to build
    bitbucket-dc-pr-opened
      event=pull_request action=opened ref=refs/pull-requests/7/from sha=6113 number=7 base=main head=feature/x head_repository=OCTO/hello fork=false sender=octo
    bitbucket-dc-pr-updated-fork
      event=pull_request action=synchronized ref=refs/pull-requests/7/from before=28e1 sha=6113 number=7 base=main head=feature/x head_repository=~mallory/hello fork=true sender=octo
    bitbucket-dc-pr-modified
      event=pull_request action=edited ref=refs/pull-requests/7/from sha=6113 number=7 base=main head=feature/x head_repository=OCTO/hello fork=false sender=octo · pull request 7 was edited: only new commits are built
    bitbucket-dc-pr-comment
      event=comment action=added number=7 sender=octo · Rerun by 1
    bitbucket-dc-ping
      event=ping · ping: the webhook works
    "#);
}

#[test]
fn gitea_and_github() {
    let bodies = bodies![
        "push" "gitea-push",
        "pull_request" "gitea-agit",
    ];
    let gitea = table(Forge::Gitea, &bodies);
    let bodies = bodies![
        "push" "github-push",
        "push" "github-push-deleted",
        "ping" "github-ping",
    ];
    insta::assert_snapshot!(gitea + &table(Forge::Github, &bodies), @r#"
    gitea-push
      event=push action=updated ref=refs/heads/main before=28e1 sha=6113 sender=octo
    gitea-agit
      event=pull_request action=opened ref=refs/pull/7/head sha=6113 number=7 base=main head=refs/pull/7/head head_repository=octo/app fork=true sender=mallory
    github-push
      event=push action=updated ref=refs/heads/main before=0d1a sha=6113 sender=octo
    github-push-deleted
      event=push action=deleted ref=refs/heads/topic before=6113 sender=octo · the branch or tag was deleted: nothing to build
    github-ping
      event=ping · ping: the webhook works
    "#);
}

#[test]
fn a_push_of_nothing_and_a_body_of_another_shape_make_nothing() {
    let parse = |forge: Forge, event: &str, body: &str| forge.parse(event, body.as_bytes());
    let nothing = parse(Forge::Bitbucket, "repo:push", r#"{"push":{"changes":[]}}"#).unwrap();
    assert_eq!(nothing[0].ignored().unwrap(), "`push of nothing` events start no build");
    for (forge, event, body) in [
        (Forge::Gitlab, "Push Hook", "{"),
        (Forge::Gitlab, "Push Hook", r#"{"object_kind":"push"}"#),
        (
            Forge::Gitlab,
            "Merge Request Hook",
            r#"{"object_kind":"merge_request"}"#,
        ),
        (Forge::Bitbucket, "repo:push", r#"{"push":{}}"#),
        (Forge::Bitbucket, "pullrequest:created", "{}"),
        (Forge::BitbucketDc, "repo:refs_changed", "{}"),
        (Forge::BitbucketDc, "pr:opened", "[]"),
    ] {
        let error = parse(forge, event, body).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the body is no {} {event} delivery", forge.word())),
            "{error}"
        );
    }
}

/// What a fork can write into a merge request says nothing about whose code it is.
#[test]
fn a_merge_request_is_of_the_project_whose_ids_say_so() {
    let opened = include_str!("../../tests/fixtures/webhooks/gitlab-merge-request-opened.json");
    let origin = |body: &str| match &Forge::Gitlab.parse("Merge Request Hook", body.as_bytes()).unwrap()[..] {
        [Message::PullRequest(request)] => request.origin,
        other => panic!("{other:?}"),
    };
    assert_eq!(origin(opened), Origin::SameRepository);
    for (ours, theirs) in [
        (r#""source_project_id": 15"#, r#""source_project_id": 16"#),
        (r#""target_project_id": 15"#, r#""target_project_id": 16"#),
        (
            r#""source_branch": "feature/x""#,
            r#""source_branch": "refs/heads/main""#,
        ),
    ] {
        let changed = opened.replace(ours, theirs);
        assert_ne!(changed, opened, "{ours}");
        assert_eq!(origin(&changed), Origin::Fork, "{theirs}");
    }
}

#[test]
fn a_forge_is_called_by_one_word() {
    for forge in Forge::ALL {
        assert_eq!(serde_json::to_value(forge).unwrap(), forge.word());
        assert_eq!(forge.word().parse(), Ok(forge));
    }
    let unknown = "gogs".parse::<Forge>().unwrap_err();
    insta::assert_snapshot!(unknown, @"unknown forge `gogs`; known are generic, github, gitea, forgejo, gitlab, bitbucket and bitbucket-dc");
}

#[test]
fn a_delivery_has_the_id_of_its_forge_or_none() {
    assert_eq!(Forge::Generic.delivery_id(&HeaderMap::new()), None);
    let mut headers = HeaderMap::new();
    headers.insert("x-github-delivery", "72d3162e-cc78".parse().unwrap());
    assert_eq!(Forge::Github.delivery_id(&headers).as_deref(), Some("72d3162e-cc78"));
    headers.insert("x-github-delivery", "7".repeat(200).parse().unwrap());
    assert_eq!(Forge::Github.delivery_id(&headers).map(|id| id.len()), Some(71));
    // The id that is signed comes before one that is not.
    headers.insert("idempotency-key", "k2".parse().unwrap());
    assert_eq!(Forge::Gitlab.delivery_id(&headers).as_deref(), Some("k2"));
    headers.insert("webhook-id", "k1".parse().unwrap());
    assert_eq!(Forge::Gitlab.delivery_id(&headers).as_deref(), Some("k1"));
}

#[test]
fn forgejo_is_understood_by_its_own_headers_and_by_giteas() {
    let mut headers = HeaderMap::new();
    headers.insert("x-gitea-event", "push".parse().unwrap());
    assert_eq!(Forge::Forgejo.event(&headers), "push");
    headers.insert("x-forgejo-event", "create".parse().unwrap());
    assert_eq!(Forge::Forgejo.event(&headers), "create");
    assert_eq!(Forge::Github.event(&headers), "unknown");
}

fn pushed(forge: Forge, body: &str) -> Push {
    match &forge.parse("push", body.as_bytes()).unwrap()[..] {
        [Message::Push(push)] => push.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_push_of_each_forge_is_the_same_push() {
    let expected = Push {
        reference: "refs/heads/main".into(),
        after: Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246".into()),
        sender: Some("octo".into()),
        ..Push::default()
    };
    let github = include_str!("../../tests/fixtures/webhooks/github-push.json");
    let gitea = include_str!("../../tests/fixtures/webhooks/gitea-push.json");
    let forgejo = include_str!("../../tests/fixtures/webhooks/forgejo-push.json");
    let generic = include_str!("../../tests/fixtures/webhooks/generic-push.json");
    let alike = |push: Push| Push { before: None, ..push };
    let pushed = |forge, body| alike(pushed(forge, body));
    assert_eq!(pushed(Forge::Github, github), expected);
    assert_eq!(pushed(Forge::Gitea, gitea), expected);
    assert_eq!(pushed(Forge::Forgejo, forgejo), expected);
    assert_eq!(pushed(Forge::Generic, generic), expected);
}

#[test]
fn a_deleted_branch_is_seen() {
    let deleted = include_str!("../../tests/fixtures/webhooks/github-push-deleted.json");
    assert!(pushed(Forge::Github, deleted).is_deletion());
    let zeros = format!(r#"{{"ref":"refs/heads/x","after":"{}"}}"#, "0".repeat(64));
    assert!(pushed(Forge::Generic, &zeros).is_deletion());
    assert!(!pushed(Forge::Generic, r#"{"ref":"refs/heads/x"}"#).is_deletion());
}

#[test]
fn a_form_with_the_json_inside_is_the_same_push() {
    let form = "payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D&x=1";
    assert_eq!(pushed(Forge::Github, form).reference, "refs/heads/main");
    assert!(Forge::Github.parse("push", b"payload=%7%").is_err());
}

#[test]
fn a_ping_and_what_we_do_not_know_start_nothing() {
    let ping = include_str!("../../tests/fixtures/webhooks/github-ping.json");
    assert_eq!(Forge::Github.parse("ping", ping.as_bytes()).unwrap(), [Message::Ping]);
    let other = Forge::Gitea.parse("issues", b"{}").unwrap();
    assert_eq!(other, [Message::other("issues")]);
}

#[test]
fn a_body_of_another_shape_says_what_is_missing() {
    let error = Forge::Generic.parse("push", br#"{"after": "x"}"#).unwrap_err();
    insta::assert_snapshot!(error, @"the body is no generic push delivery: missing field `ref` at line 1 column 14");
}
