//! Every write that a person causes leaves an entry, and one that fails leaves none.

use std::time::Duration;

use coordinator::forges::Forge;
use coordinator::store::agents::{self, Draining};
use coordinator::store::artifacts::{self, NewArtifact};
use coordinator::store::audit::{self, Entry};
use coordinator::store::blobs::{self, Blob};
use coordinator::store::builds::{self, NewJob, Rerun};
use coordinator::store::deliveries::{self, NewDelivery, Part, Stored};
use coordinator::store::polling::{self, Interval};
use coordinator::store::repositories::{self, NewRepository, OldSecret, Visibility};
use coordinator::store::{Actor, StoreError, access, caches, queue, retention, secrets, stacks, testing};
use protocol::ids::{AgentId, DeliveryId, JobId, RepositoryId, StackId};
use protocol::work::SecretValue;

use super::world::{World, ann, hold, job};

const HOUR: Duration = Duration::from_secs(3_600);

impl World {
    /// All entries, oldest first.
    async fn audit(&self) -> Vec<Entry> {
        let mut entries = audit::list(&self.store, None, 500).await.unwrap();
        entries.reverse();
        entries
    }

    /// Those of one actor, as `action subject` with repository and build.
    async fn audit_of(&self, name: &str) -> Vec<String> {
        let entries = self.audit().await.into_iter();
        let line = |entry: Entry| {
            let action = serde_json::to_value(entry.action).unwrap();
            let action = action.as_str().unwrap();
            let repository = entry.repository.map_or(String::new(), |name| format!(" in {name}"));
            let build = entry.build.map_or(String::new(), |number| format!(" #{number}"));
            format!("{action} {}{repository}{build}", entry.subject)
        };
        entries.filter(|entry| entry.actor.name() == name).map(line).collect()
    }

    async fn delivery(&self) -> DeliveryId {
        let new = NewDelivery {
            repository: self.repository.clone(),
            external_id: None,
            event: "push".into(),
            parts: vec![Part::default()],
            headers: Default::default(),
            body: b"{}".to_vec(),
            polled: false,
        };
        match deliveries::store(&self.store, new).await.unwrap().swap_remove(0) {
            Stored::New(id) | Stored::Duplicate(id) => id,
        }
    }

    /// An artifact of a job that an agent has; its id.
    async fn artifact(&self, agent: &AgentId) -> String {
        self.build(vec![job("make")]).await;
        let claimed = self.claim_one(agent).await;
        let blob = Blob {
            sha: "s".into(),
            bytes: 1,
        };
        blobs::claim(&self.store, &blob).await.unwrap();
        let new = NewArtifact {
            name: "binary".into(),
            blob,
            files: 1,
            expires_at: i64::MAX,
            repository_limit: 10,
        };
        let kept = artifacts::keep(&self.store, &hold(agent, &claimed), new).await;
        kept.unwrap().unwrap()
    }
}

pub async fn what_people_change_is_written_down(world: World) {
    let (store, repository, ann) = (&world.store, &world.repository, ann());
    let new = NewRepository {
        name: "other".into(),
        git: "/srv/other".into(),
        forge: Forge::Gitea,
        connection: None,
    };
    let other = repositories::add(store, &ann, new).await.unwrap().id;
    for to in [Visibility::Public, Visibility::Private] {
        repositories::set_public(store, &ann, &other, to).await.unwrap();
    }
    for to in [Some(Interval::from_secs(60).unwrap()), None] {
        polling::set(store, &ann, &other, to).await.unwrap();
    }
    repositories::rotate_hook(store, &ann, &other, OldSecret::Overlaps)
        .await
        .unwrap();
    let value = SecretValue("hunter2-hunter2".into());
    secrets::set(store, &ann, (&other, "TOKEN"), value).await.unwrap();
    secrets::remove(store, &ann, (&other, "TOKEN")).await.unwrap();
    repositories::remove(store, &ann, &other).await.unwrap();
    deliveries::redeliver(store, &ann, &world.delivery().await)
        .await
        .unwrap();

    let jobs = vec![NewJob::new(job("test")), NewJob::new(job("lint"))];
    let new = testing::build(repository, jobs);
    builds::create_in_order(store, Some(&ann), new).await.unwrap();
    queue::cancel(store, &ann, &world.show(1).await.jobs[0].id)
        .await
        .unwrap();
    builds::cancel(store, &ann, 1).await.unwrap();
    builds::rerun(store, &ann, 1, (Rerun::All, true)).await.unwrap();
    builds::cancel(store, &ann, 2).await.unwrap();
    let agent = world.agent("builder").await;
    let (_, stack) = world.retained(&agent, 600).await;
    stacks::renew(store, &stack.stack).await.unwrap();
    stacks::extend(store, &ann, &stack.stack).await.unwrap();
    stacks::delete(store, &ann, &stack.stack).await.unwrap();
    let artifact = world.artifact(&agent).await;
    artifacts::remove(store, &ann, &artifact).await.unwrap();
    for scope in [None, Some("refs/heads/main".to_owned())] {
        caches::prune(store, &ann, repository, scope).await.unwrap();
    }

    agents::enrol_code(store, &ann, HOUR, None).await.unwrap();
    for to in [Draining::Yes, Draining::No] {
        agents::drain(store, &ann, &agent, to).await.unwrap();
    }
    agents::set_labels(store, &ann, &agent, &Default::default())
        .await
        .unwrap();
    agents::remove(store, &ann, &agent).await.unwrap();
    assert_eq!(
        world.audit_of("ann").await,
        [
            "repository.add other in other",
            "repository.publish other in other",
            "repository.unpublish other in other",
            "repository.poll other in other",
            "repository.unpoll other in other",
            "hook.rotate other in other",
            "secret.set TOKEN in other",
            "secret.remove TOKEN in other",
            "repository.remove other in other",
            "delivery.redeliver push in hello",
            "build.trigger 1 in hello #1",
            "job.cancel test in hello #1",
            "build.cancel 1 in hello #1",
            "build.rerun 1 in hello #2",
            "build.cancel 2 in hello #2",
            "stack.extend test in hello #3",
            "stack.remove test in hello #3",
            "artifact.remove binary in hello #4",
            "cache.prune all caches in hello",
            "cache.prune refs/heads/main in hello",
            "enrolment_code.create agent",
            "agent.drain builder",
            "agent.undrain builder",
            "agent.label builder",
            "agent.remove builder",
        ]
    );
    let entries = world.audit().await;
    let ids = |action: &str| {
        let is_one = |entry: &&Entry| serde_json::to_value(entry.action).unwrap() == action;
        entries.iter().find(is_one).unwrap().subject_id.clone()
    };
    assert_eq!(ids("stack.remove"), Some(stack.stack.0));
    assert_eq!(ids("artifact.remove"), Some(artifact));
    assert_eq!(ids("agent.remove"), Some(agent.0));
    assert_eq!(ids("secret.set"), None);
    assert!(!format!("{entries:?}").contains("hunter2"));
}

pub async fn who_comes_in_is_written_down(world: World) {
    let (store, ann) = (&world.store, ann());
    let before = world.audit().await.len();
    let token = access::create_token(store, &ann, "laptop", None).await.unwrap();
    let laptop = access::authenticate(store, &token).await.unwrap().unwrap();
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let code = access::login_link(store, &Actor::Token(laptop.clone()), HOUR)
            .await
            .unwrap();
        let session = access::open_session(store, &code, HOUR).await.unwrap();
        browsers.push(Actor::Session(access::session(store, &session).await.unwrap().unwrap()));
    }
    let id = |browser: &Actor| browser.person().unwrap().id.clone();
    access::close_session(store, &browsers[0]).await.unwrap();
    access::close_session(store, &browsers[0]).await.unwrap();
    assert_eq!(access::revoke_other_sessions(store, &browsers[1]).await.unwrap(), 1);
    access::revoke_session(store, &browsers[1], &id(&browsers[1]))
        .await
        .unwrap();
    access::revoke_token(store, &browsers[1], &laptop.id).await.unwrap();
    let reported: Vec<_> = world
        .audit()
        .await
        .into_iter()
        .skip(before)
        .map(|entry| {
            let action = serde_json::to_value(entry.action).unwrap();
            (
                action.as_str().unwrap().to_owned(),
                entry.actor,
                entry.subject_id.unwrap(),
            )
        })
        .collect();
    let links: Vec<_> = reported.iter().filter(|entry| entry.0 == "login_link.create").collect();
    assert_eq!(links.len(), 3);
    assert!(links.iter().all(|entry| entry.1 == Actor::Token(laptop.clone())));
    let rest = reported.iter().filter(|entry| entry.0 != "login_link.create");
    let rest: Vec<_> = rest.cloned().collect();
    let by = |action: &str, actor: &Actor, subject: &str| (action.to_owned(), actor.clone(), subject.to_owned());
    let mut expected = vec![by("token.create", &ann, &laptop.id)];
    expected.extend(browsers.iter().map(|browser| by("session.open", browser, &id(browser))));
    expected.extend([
        by("session.close", &browsers[0], &id(&browsers[0])),
        by("session.revoke", &browsers[1], &id(&browsers[2])),
        by("session.revoke", &browsers[1], &id(&browsers[1])),
        by("token.revoke", &browsers[1], &laptop.id),
    ]);
    assert_eq!(rest, expected);
}

fn is_refused<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound(_) | StoreError::Refused(_)))
}

pub async fn what_fails_is_not_written_down(world: World) {
    let (store, ann) = (&world.store, ann());
    let (repository, agent) = (RepositoryId("none".into()), AgentId("none".into()));
    let taken = NewRepository {
        name: "hello".into(),
        git: "/srv/hello".into(),
        forge: Forge::Generic,
        connection: None,
    };
    let value = SecretValue("x".into());
    let open = world.build(vec![job("test")]).await;
    let stack = StackId("none".into());
    let visible = Visibility::Public;
    let failed = [
        is_refused(repositories::add(store, &ann, taken).await),
        is_refused(repositories::set_public(store, &ann, &repository, visible).await),
        is_refused(repositories::rotate_hook(store, &ann, &repository, OldSecret::Ends).await),
        is_refused(repositories::remove(store, &ann, &repository).await),
        is_refused(secrets::set(store, &ann, (&repository, "A"), value).await),
        is_refused(secrets::remove(store, &ann, (&world.repository, "A")).await),
        is_refused(deliveries::redeliver(store, &ann, &DeliveryId("none".into())).await),
        is_refused(builds::cancel(store, &ann, 99).await),
        is_refused(builds::rerun(store, &ann, open, (Rerun::All, true)).await),
        is_refused(queue::cancel(store, &ann, &JobId("none".into())).await),
        is_refused(stacks::extend(store, &ann, &stack).await),
        is_refused(stacks::delete(store, &ann, &stack).await),
        is_refused(artifacts::remove(store, &ann, "none").await),
        is_refused(agents::drain(store, &ann, &agent, Draining::Yes).await),
        is_refused(agents::set_labels(store, &ann, &agent, &Default::default()).await),
        is_refused(agents::remove(store, &ann, &agent).await),
        is_refused(access::revoke_token(store, &ann, "none").await),
        is_refused(access::revoke_session(store, &ann, "none").await),
    ];
    assert_eq!(failed, [true; 18]);
    access::close_session(store, &ann).await.unwrap();
    assert_eq!(world.audit_of("ann").await, [""; 0]);
}

pub async fn the_audit_is_read_in_pages_and_goes_with_age(world: World) {
    let (store, ann) = (&world.store, ann());
    for to in [Visibility::Public, Visibility::Private, Visibility::Public] {
        repositories::set_public(store, &ann, &world.repository, to)
            .await
            .unwrap();
    }
    let all = audit::list(store, None, 500).await.unwrap();
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = audit::list(store, before.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        pages.extend(page);
    }
    assert_eq!(pages, all, "newest first, each once");
    assert_eq!(all.last().unwrap().actor, Actor::Console);
    testing::pass_time(store, 1_000_000);
    let start = store.now();
    builds::cancel(store, &ann, world.build(vec![job("test")]).await)
        .await
        .unwrap();
    assert_eq!(retention::remove_audit(store, start).await.unwrap(), all.len() as u64);
    assert_eq!(world.audit_of("ann").await, ["build.cancel 1 in hello #1"]);
}
