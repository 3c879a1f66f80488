//! Servers that accept connections before they serve: the first client that was told to come must be served.

use job_specs::model::{DependencyCondition, ServiceSpec};

use super::{after, service, start};
use crate::world::text;

/// A service and a client of it that must be served at once.
async fn serves_once_ready(image: &str, server: &str, client: &str, ready: &str) -> Vec<String> {
    let of_shell = |name: &str, script: &str| ServiceSpec {
        entrypoint: Some(text(&["sh", "-ec"])),
        command: Some(text(&[script])),
        ..service(name, image)
    };
    let db = of_shell("db", server);
    let client = ServiceSpec {
        depends_on: vec![after("db", DependencyCondition::ServiceHealthy)],
        run_once: true,
        ..of_shell("client", client)
    };
    let running = start(vec![client, db]).await;
    running.ready().await;
    let log = running.log("db");
    assert_eq!(
        running.close().await["db"],
        format!("starting running ready({ready}) stopped")
    );
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_accepts_connections_while_it_starts_is_not_ready() {
    // it looks for its write-ahead log in an archive that has none, a second for each of the files that it may need
    let server = "export PGDATA=/tmp/data; exec setpriv --reuid=postgres --regid=postgres --clear-groups sh -ec '\
         initdb -A trust >/dev/null; touch $PGDATA/recovery.signal; echo host all all all trust >>$PGDATA/pg_hba.conf; \
         exec postgres -c listen_addresses=\"*\" -c restore_command=\"sleep 1; false\"'";
    let client = "psql -h db -U postgres -Atc 'select 1'";
    let log = serves_once_ready("postgres:17", server, client, "tcp 5432").await;
    let said = |words: &str| log.iter().any(|line| line.contains(words));
    assert!(said("the database system is starting up"), "{log:#?}");
    for noise in ["does not exist", "reset by peer", "unexpected EOF"] {
        assert!(!said(noise), "{log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_accepts_connections_while_it_loads_is_not_ready() {
    let server = "cd /tmp; redis-server --port 7001 --daemonize yes; \
         until redis-cli -p 7001 ping; do sleep 0.1; done; \
         redis-cli -p 7001 eval 'for i = 1, 200 do redis.call(\"set\", i, string.rep(\"x\", 100)) end' 0; \
         redis-cli -p 7001 save; redis-cli -p 7001 shutdown; \
         exec redis-server --protected-mode no --key-load-delay 5000 --loading-process-events-interval-bytes 1024";
    let client = "redis-cli -h db ping | grep PONG";
    serves_once_ready("redis:7", server, client, "tcp 6379").await;
}
