//! Two coordinators over one PostgreSQL: what one is told, the other's agents hear.

use coordinator::Config;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::support::{PASSING, SimAgent, TestApp, TestRepository};
use crate::postgres;

async fn coordinator(database: &str, key: Option<&[u8]>) -> TestApp {
    let data = tempfile::tempdir().unwrap();
    if let Some(key) = key {
        std::fs::write(data.path().join("secrets.key"), key).unwrap();
    }
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.path().to_owned(),
        database: Some(database.to_owned()),
        ..Config::default()
    };
    let mut app = TestApp::with(config).await;
    app.data = Some(data);
    app
}

#[tokio::test]
async fn a_push_to_one_reaches_an_agent_that_polls_the_other() {
    let name = format!("drover_http_{}", std::process::id());
    let mut admin = PgConnection::connect(&postgres::with_database("postgres"))
        .await
        .unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}")))
        .execute(&mut admin)
        .await
        .unwrap();
    let database = postgres::with_database(&name);
    let first = coordinator(&database, None).await;
    let key = std::fs::read(first.data.as_ref().unwrap().path().join("secrets.key")).unwrap();
    let second = coordinator(&database, Some(&key)).await;
    let mut repository = TestRepository::new("app");
    first.add(&mut repository).await;
    let mut agent = SimAgent::enrol(&first).await;
    let (lease, build) = tokio::join!(
        agent.take(&second),
        first.push(&repository, &[(".drover.yml", PASSING)])
    );
    assert_eq!(lease.build, build["number"]);
    agent.started(&second, &lease).await;
    agent.pass(&second, &lease).await;
    first.until_status(lease.build, "passed").await;
    first.running.stop().await;
    second.running.stop().await;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
        .execute(&mut admin)
        .await
        .unwrap();
}
