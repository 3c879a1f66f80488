//! Who comes in, and what nobody may read.

use std::time::Duration;

use coordinator::db::{Db, Value};
use coordinator::forges::Forge;
use coordinator::store::repositories::{self, NewRepository, Visibility};
use coordinator::store::{
    Actor, Change, Store, StoreConfig, StoreError, access, agents, builds, queue, secrets, testing,
};
use protocol::attempt::Verdict;
use protocol::ids::RepositoryId;
use protocol::work::SecretValue;

use super::world::{CONSOLE, World, ann, held, hold, job};

const HOUR: Duration = Duration::from_secs(3_600);

fn is_bad_code<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::BadCode))
}

pub async fn a_login_link_opens_one_session(world: World) {
    let store = &world.store;
    let code = access::login_link(store, CONSOLE, HOUR).await.unwrap();
    let session = access::open_session(store, &code, HOUR).await.unwrap();
    assert!(
        is_bad_code(access::open_session(store, &code, HOUR).await),
        "it works once"
    );
    let old = access::login_link(store, CONSOLE, Duration::ZERO).await.unwrap();
    assert!(
        is_bad_code(access::open_session(store, &old, HOUR).await),
        "it is too old"
    );
    assert!(is_bad_code(access::open_session(store, "drvl_guess", HOUR).await));
    assert_eq!(
        access::session(store, &session).await.unwrap().unwrap().name,
        "administrator"
    );
    assert!(
        access::authenticate(store, &session).await.unwrap().is_none(),
        "a session is no API token"
    );
    assert!(
        access::session(store, &code).await.unwrap().is_none(),
        "a code is no session"
    );
    let own = Actor::Session(access::session(store, &session).await.unwrap().unwrap());
    access::close_session(store, &own).await.unwrap();
    assert!(access::session(store, &session).await.unwrap().is_none());
    let twice = access::login_link(store, CONSOLE, HOUR).await.unwrap();
    let both = tokio::join!(
        access::open_session(store, &twice, HOUR),
        access::open_session(store, &twice, HOUR)
    );
    assert!(both.0.is_ok() != both.1.is_ok(), "of two at once, one gets in");
}

pub async fn a_token_works_until_it_is_revoked(world: World) {
    let store = &world.store;
    let token = access::create_token(store, CONSOLE, "deploy", None).await.unwrap();
    let old = access::create_token(store, CONSOLE, "old", Some(Duration::ZERO))
        .await
        .unwrap();
    assert!(token.starts_with("drv_") && token.len() == 4 + 43, "{token}");
    assert_eq!(
        access::authenticate(store, &token).await.unwrap().unwrap().name,
        "deploy"
    );
    assert!(matches!(
        access::authenticate(store, &old).await,
        Err(StoreError::Expired)
    ));
    assert!(
        access::authenticate(store, "drv_guess").await.unwrap().is_none(),
        "a token that never was is not said to be old"
    );
    assert!(access::authenticate(store, &token[..46]).await.unwrap().is_none());
    let listed = access::list_tokens(store).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["old", "deploy"]);
    assert!(listed[1].last_used_at.is_some() && listed[0].last_used_at.is_none());
    access::revoke_token(store, CONSOLE, &listed[1].id).await.unwrap();
    assert!(access::authenticate(store, &token).await.unwrap().is_none());
    assert!(matches!(
        access::revoke_token(store, CONSOLE, &listed[1].id).await,
        Err(StoreError::NotFound("token"))
    ));
}

async fn session(store: &Store, valid_for: Duration) -> String {
    let code = access::login_link(store, CONSOLE, HOUR).await.unwrap();
    access::open_session(store, &code, valid_for).await.unwrap()
}

pub async fn sessions_end_one_by_one_or_together(world: World) {
    let store = &world.store;
    let old = session(store, Duration::ZERO).await;
    let tokens = [
        session(store, HOUR).await,
        session(store, HOUR).await,
        session(store, HOUR).await,
    ];
    assert!(access::session(store, &old).await.unwrap().is_none());
    assert!(access::session(store, &tokens[1]).await.unwrap().is_some());
    let listed = access::list_sessions(store).await.unwrap();
    let used: Vec<bool> = listed.iter().map(|session| session.last_used_at.is_some()).collect();
    assert_eq!(used, [false, true, false], "newest first, and none that is over");
    assert!(listed[0].expires_at.unwrap() > listed[0].created_at);
    let mut changes = store.changes();
    access::revoke_session(store, CONSOLE, &listed[1].id).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), Change::Access);
    assert!(access::session(store, &tokens[1]).await.unwrap().is_none());
    assert!(!access::is_valid(store, &listed[1].id).await.unwrap());
    for id in [listed[1].id.as_str(), "", "%", "' or '1' = '1"] {
        let nothing = access::revoke_session(store, CONSOLE, id).await;
        assert!(matches!(nothing, Err(StoreError::NotFound("session"))), "{id}");
    }
    assert!(access::is_valid(store, &listed[0].id).await.unwrap());
    let own = Actor::Session(access::session(store, &tokens[2]).await.unwrap().unwrap());
    let ended = access::revoke_other_sessions(store, &own).await.unwrap();
    assert_eq!(ended, 1, "the one that is over does not count");
    assert!(access::session(store, &tokens[2]).await.unwrap().is_some());
    assert_eq!(access::revoke_other_sessions(store, CONSOLE).await.unwrap(), 1);
    assert!(access::list_sessions(store).await.unwrap().is_empty());
}

pub async fn what_ends_sessions_ends_nothing_else(world: World) {
    let store = &world.store;
    let browser = session(store, HOUR).await;
    let token = access::create_token(store, CONSOLE, "deploy", None).await.unwrap();
    let login = access::login_link(store, CONSOLE, HOUR).await.unwrap();
    let code = agents::enrol_code(store, CONSOLE, HOUR, None).await.unwrap();
    let agent = agents::enrol(store, &code, ("builder", None)).await.unwrap();
    let code = agents::enrol_code(store, CONSOLE, HOUR, None).await.unwrap();
    let db = Db::open(&world.config.url).await.unwrap();
    let none: [Value; 0] = [];
    let rows = db.all("select id, kind from credentials", &none).await.unwrap();
    let mut kinds = Vec::new();
    for row in rows {
        let (id, kind): (String, String) = (row.get("id").unwrap(), row.get("kind").unwrap());
        if kind != "session" {
            assert!(access::revoke_session(store, CONSOLE, &id).await.is_err(), "{kind}");
        }
        if kind != "api" {
            assert!(access::revoke_token(store, CONSOLE, &id).await.is_err(), "{kind}");
        }
        kinds.push(kind);
    }
    kinds.sort();
    assert_eq!(kinds, ["agent", "api", "enrol", "enrol", "login", "login", "session"]);
    assert!(access::session(store, &browser).await.unwrap().is_some());
    assert_eq!(access::revoke_other_sessions(store, &ann()).await.unwrap(), 1);
    assert!(access::authenticate(store, &token).await.unwrap().is_some());
    assert!(agents::authenticate(store, &agent.token).await.unwrap().is_some());
    assert!(access::open_session(store, &login, HOUR).await.is_ok());
    assert!(agents::enrol(store, &code, ("builder", None)).await.is_ok());
}

pub async fn an_agent_comes_in_once_per_code(world: World) {
    let store = &world.store;
    let code = agents::enrol_code(store, CONSOLE, HOUR, None).await.unwrap();
    let enrolled = agents::enrol(store, &code, ("builder", None)).await.unwrap();
    assert!(is_bad_code(agents::enrol(store, &code, ("rogue", None)).await));
    assert_eq!(
        agents::authenticate(store, &enrolled.token).await.unwrap(),
        Some(enrolled.agent.clone())
    );
    assert_eq!(agents::authenticate(store, &code).await.unwrap(), None);
    let code = agents::enrol_code(store, CONSOLE, HOUR, None).await.unwrap();
    agents::enrol(store, &code, ("builder", None)).await.unwrap();
    let names: Vec<String> = agents::list(store)
        .await
        .unwrap()
        .into_iter()
        .map(|agent| agent.name)
        .collect();
    assert_eq!(names, ["builder", "builder-2"]);
    agents::remove(store, CONSOLE, &enrolled.agent).await.unwrap();
    assert_eq!(agents::authenticate(store, &enrolled.token).await.unwrap(), None);
    assert_eq!(agents::list(store).await.unwrap().len(), 1);
}

pub async fn a_removed_agent_gives_its_work_back(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    assert_eq!(
        agents::list(&world.store).await.unwrap()[0].running,
        std::slice::from_ref(&claimed.attempt)
    );
    agents::remove(&world.store, CONSOLE, &agent).await.unwrap();
    assert_eq!(world.state(build).await, "running: test=queued");
    assert!(matches!(
        world.finish(&hold(&agent, &claimed), Verdict::Passed).await,
        Err(StoreError::StaleLease)
    ));
    assert!(matches!(
        agents::remove(&world.store, CONSOLE, &agent).await,
        Err(StoreError::NotFound("agent"))
    ));
}

pub async fn secrets_are_write_only(world: World) {
    let (store, repository) = (&world.store, &world.repository);
    let value = |text: &str| SecretValue(text.into());
    secrets::set(store, CONSOLE, (repository, "TOKEN"), value("first"))
        .await
        .unwrap();
    secrets::set(store, CONSOLE, (repository, "TOKEN"), value("second"))
        .await
        .unwrap();
    secrets::set(store, CONSOLE, (repository, "KEY"), value("multi\nline"))
        .await
        .unwrap();
    let wanted = ["TOKEN".to_owned(), "NONE".to_owned()];
    let opened = secrets::open_for(store, repository, &wanted).await.unwrap();
    assert_eq!(
        (opened.values["TOKEN"].0.as_str(), opened.missing),
        ("second", vec!["NONE".to_owned()])
    );
    let listed = secrets::list(store, repository).await.unwrap();
    let used: Vec<(&str, bool)> = listed
        .iter()
        .map(|one| (one.name.as_str(), one.last_used_at.is_some()))
        .collect();
    assert_eq!(used, [("KEY", false), ("TOKEN", true)]);
    let other = testing::repository(store, "other").await.unwrap();
    assert!(
        secrets::open_for(store, &other, &wanted)
            .await
            .unwrap()
            .values
            .is_empty()
    );
    for bad in ["", "1A", "A-B", "A B", &"A".repeat(101)] {
        assert!(
            matches!(
                secrets::set(store, CONSOLE, (repository, bad), value("x")).await,
                Err(StoreError::Refused(_))
            ),
            "{bad}"
        );
    }
    let nowhere = secrets::set(store, CONSOLE, (&RepositoryId("none".into()), "A"), value("x")).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound("repository"))));
    let elsewhere = StoreConfig {
        key_file: world.file("another-key"),
        ..world.config.clone()
    };
    let elsewhere = Store::open(elsewhere).await.unwrap();
    let wrong_key = secrets::open_for(&elsewhere, repository, &wanted).await;
    assert!(matches!(wrong_key, Err(StoreError::Key(_))));
    secrets::remove(store, CONSOLE, (repository, "TOKEN")).await.unwrap();
    assert!(matches!(
        secrets::remove(store, CONSOLE, (repository, "TOKEN")).await,
        Err(StoreError::NotFound("secret"))
    ));
}

pub async fn no_secret_stands_in_the_database(world: World) {
    let (store, repository) = (&world.store, &world.repository);
    secrets::set(
        store,
        CONSOLE,
        (repository, "TOKEN"),
        SecretValue("hunter2-hunter2".into()),
    )
    .await
    .unwrap();
    let hook = repositories::hook_secrets(store, repository).await.unwrap().current;
    assert_eq!(hook.0.len(), 64);
    let token = access::create_token(store, CONSOLE, "t", None).await.unwrap();
    let code = agents::enrol_code(store, CONSOLE, HOUR, None).await.unwrap();
    let agent = agents::enrol(store, &code, ("a", None)).await.unwrap().token;
    let db = Db::open(&world.config.url).await.unwrap();
    let none: [Value; 0] = [];
    let mut stored = Vec::new();
    for (sql, column) in [
        ("select value from secrets", "value"),
        ("select hook_secret from repositories", "hook_secret"),
        ("select hash from credentials", "hash"),
        ("select name from credentials", "name"),
        ("select id from credentials", "id"),
    ] {
        for row in db.all(sql, &none).await.unwrap() {
            stored.push(row.get::<String>(column).unwrap());
        }
    }
    assert!(stored.len() > 8);
    for secret in ["hunter2-hunter2", &hook.0, &token, &code, &agent] {
        assert!(stored.iter().all(|text| !text.contains(&secret[5..])), "{secret}");
    }
}

pub async fn a_repository_can_be_removed(world: World) {
    let (store, agent) = (&world.store, world.agent("a").await);
    let new = || NewRepository {
        name: "hello".into(),
        git: "/elsewhere".into(),
        forge: Forge::Gitea,
        connection: None,
    };
    let taken = repositories::add(store, CONSOLE, new()).await.unwrap_err().to_string();
    assert_eq!(taken, "there is a repository `hello` already");
    for bad in ["", "a/b", "..", "-x", "ä"] {
        let bad = NewRepository {
            name: bad.into(),
            ..new()
        };
        assert!(matches!(
            repositories::add(store, CONSOLE, bad).await,
            Err(StoreError::Refused(_))
        ));
    }
    repositories::set_public(store, CONSOLE, &world.repository, Visibility::Public)
        .await
        .unwrap();
    assert!(repositories::by_name(store, "hello").await.unwrap().public);
    secrets::set(store, CONSOLE, (&world.repository, "A"), SecretValue("x".into()))
        .await
        .unwrap();
    let build = world.build(vec![job("running"), job("queued")]).await;
    let claimed = world.claim_one(&agent).await;
    repositories::remove(store, CONSOLE, &world.repository).await.unwrap();
    assert_eq!(world.state(build).await, "running: running=assigned queued=cancelled");
    let renewed = queue::renew(store, &agent, &[held(&claimed)]).await.unwrap();
    assert_eq!(renewed.cancel, [claimed.attempt]);
    assert!(secrets::list(store, &world.repository).await.unwrap().is_empty());
    assert!(matches!(
        repositories::by_name(store, "hello").await,
        Err(StoreError::NotFound("repository"))
    ));
    let late = builds::create(store, testing::build(&world.repository, vec![])).await;
    assert!(matches!(late, Err(StoreError::NotFound("repository"))));
    let again = repositories::add(store, CONSOLE, new()).await.unwrap();
    assert_eq!(repositories::list(store).await.unwrap(), [again]);
}
