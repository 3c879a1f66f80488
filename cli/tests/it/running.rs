//! Commands that find the coordinator of this machine, wherever its data is.

use std::process::Command;

use crate::stage::{Stage, output_text};

/// A command of the same user that was told nothing.
fn elsewhere(stage: &Stage, words: &[&str]) -> Command {
    let mut command = stage.command();
    let home = stage.data().with_file_name("home");
    command.env_remove("DROVER_DATA").env("XDG_DATA_HOME", home).args(words);
    command
}

#[test]
fn the_one_that_runs_is_found_whatever_its_data_folder() {
    let mut stage = Stage::up();
    let listed = || elsewhere(&stage, &["repo", "ls", "--json"]).output().unwrap();
    let found = listed();
    assert!(found.status.success(), "{}", output_text(&found));

    // without an agent: it is killed, and nothing may be left in the engine
    let (config, data) = (
        stage.data().with_file_name("second.toml"),
        stage.data().with_file_name("second"),
    );
    std::fs::write(&config, format!("listen = \"127.0.0.1:0\"\ndata = {data:?}\n")).unwrap();
    let mut second = elsewhere(&stage, &["coordinator", "--config"])
        .arg(&config)
        .spawn()
        .unwrap();
    crate::stage::eventually("two run, so one must be named", || {
        let refused = listed();
        let words = output_text(&refused);
        (refused.status.code() == Some(2) && words.contains("several coordinators run on this machine")).then(|| {
            assert!(words.contains(&stage.data().display().to_string()), "{words}");
        })
    });
    second.kill().unwrap();
    second.wait().unwrap();
    // Killed, it has left its note; nobody believes it.
    let found = listed();
    assert!(found.status.success(), "{}", output_text(&found));

    stage.stop();
    let none = elsewhere(&stage, &["repo", "ls"]).output().unwrap();
    assert!(
        output_text(&none).contains("no coordinator is known here"),
        "{}",
        output_text(&none)
    );
    stage.nothing_left();
}
