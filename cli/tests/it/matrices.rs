//! Real servers in a matrix: a Kafka-protocol broker in two configurations with a client that produces and consumes,
//! three versions of PostgreSQL and three of MariaDB.

use crate::stage::Stage;

#[test]
fn brokers_and_databases_of_several_versions_answer_in_one_build() {
    let mut stage = Stage::up();
    let copy = stage.repository("shop");
    copy.write(".drover.yml", include_str!("../data/brokers-and-databases.yml"));
    copy.write("produce.py", include_str!("../data/produce.py"));
    copy.write("consume.py", include_str!("../data/consume.py"));
    copy.push("Talk to all of them");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 0, "{said}\n{}", stage.ok(&["logs", "1"]));
    let log = stage.ok(&["logs", "1", "--raw"]);
    for line in [
        "consumed 2000 in order from 1 partitions",
        "consumed 2000 in order from 3 partitions",
        "it is PostgreSQL 13.",
        "it is PostgreSQL 15.",
        "it is PostgreSQL 17.",
        "it is MariaDB 10.5.",
        "it is MariaDB 10.11.",
        "it is MariaDB 11.8.",
    ] {
        assert!(
            log.lines().any(|found| found.starts_with(line)),
            "`{line}` is not in:\n{log}"
        );
    }
    stage.stop();
    stage.nothing_left();
}
