//! Text that is whole: what a step writes is what a reader gets, byte for byte, and its secrets are not in it.

use crate::stage::{Stage, output_text};

/// Steps whose bytes are no plain lines, each with what it writes.
fn odd_steps() -> [(&'static str, Vec<u8>); 5] {
    let long = [b"{\"data\":\"".to_vec(), vec![b'a'; 100_000], b"\"}\n".to_vec()].concat();
    let bars: String = (0..=100).map(|n| format!("\r{n} %")).collect();
    [
        (
            "printf '{\"data\":\"'; head -c 100000 /dev/zero | tr '\\0' a; printf '\"}\\n'",
            long,
        ),
        ("printf 'dos\\r\\nunix\\n\\r\\r\\n'", b"dos\r\nunix\n\r\r\n".to_vec()),
        (
            "printf 'zero \\000 bad \\377\\376 colour \\033[31mred\\033[0m\\n'",
            b"zero \0 bad \xff\xfe colour \x1b[31mred\x1b[0m\n".to_vec(),
        ),
        (
            "i=0; while [ $i -le 100 ]; do printf '\\r%s %%' $i; i=$((i+1)); done",
            bars.into_bytes(),
        ),
        ("printf 'no end'", b"no end".to_vec()),
    ]
}

fn odd_job() -> String {
    let steps = odd_steps().map(|(script, _)| format!("      - |\n        {script}\n"));
    format!("jobs:\n  odd:\n    image: busybox\n    steps:\n{}", steps.concat())
}

#[test]
fn the_raw_log_is_what_the_steps_wrote() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", &odd_job());
    copy.push("Odd bytes");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 0, "{said}");
    for (index, (script, written)) in odd_steps().into_iter().enumerate() {
        let step = (index + 1).to_string();
        let raw = stage.drover(&["logs", "1", "--raw", "--step", &step]);
        assert!(
            raw.stdout == written,
            "{script}: {:?}",
            String::from_utf8_lossy(&raw.stdout)
        );
        let lines = stage.ok(&["logs", "1", "--step", &step]);
        assert!(lines.lines().all(|line| line.chars().count() < 66_000), "{script}");
    }
    // All of them together: no line of ours between them.
    let ours = ["checked out ", "step 1 of ", "running a"];
    let raw = stage.drover(&["logs", "1", "--raw"]).stdout;
    let raw = String::from_utf8_lossy(&raw);
    assert!(ours.iter().all(|words| !raw.contains(words)));
    // A nameless step is not told in full before each of its lines.
    let lines = stage.ok(&["logs", "1", "--step", "2"]);
    assert!(lines.contains(" 2:printf 'dos") && !lines.contains("\\r\\r"), "{lines}");
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_local_run_prints_what_the_steps_wrote() {
    let stage = Stage::new();
    std::fs::write(stage.folder.path().join(".drover.yml"), odd_job()).unwrap();
    let output = stage.drover(&["run", "--progress", "plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let steps = odd_steps();
    let mut written = Vec::new();
    for (_, bytes) in &steps {
        // One step's unfinished line ends where another step begins.
        if written.last().is_some_and(|&last| last != b'\n') {
            written.push(b'\n');
        }
        written.extend_from_slice(bytes);
    }
    assert!(output.stdout == written, "{}", output_text(&output));
}

#[test]
fn a_key_of_many_lines_reaches_the_step_and_no_line_of_it_the_log() {
    let key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAx\nab\n9c0fFfQm3Q==\n-----END KEY-----\n";
    let job = "jobs:\n  a:\n    image: busybox\n    steps:\n      - run: |\n          printf %s \"$KEY\" | wc -l\n          printf %s \"$KEY\"\n          printf %s \"$KEY\" | base64\n          printf %s \"$OTHER\" | wc -c\n        secrets: [KEY, OTHER]\n";
    let stage = Stage::new();
    let folder = stage.folder.path();
    std::fs::write(folder.join(".drover.yml"), job).unwrap();
    std::fs::write(
        folder.join("keys"),
        format!(
            "# keys\r\nexport KEY=\"{}\"\r\nOTHER=a=b#c$d\r\n",
            key.replace('\n', "\r\n")
        ),
    )
    .unwrap();
    let output = stage.drover(&["run", "--secrets-file", "keys"]);
    let said = output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.starts_with("5\n") && log.ends_with("\n7\n"), "{log}");
    for line in key.lines() {
        assert!(!log.lines().any(|logged| logged == line), "`{line}` is in {log}");
    }
    std::fs::write(folder.join("keys"), format!("KEY={key}")).unwrap();
    let output = stage.drover(&["run", "--secrets-file", "keys"]);
    assert_eq!(output.status.code(), Some(2));
    let said = output_text(&output);
    assert!(
        said.contains("keys:2: ") && said.contains("stands in quotes") && !said.contains("MIIE"),
        "{said}"
    );
}

#[test]
fn an_empty_disk_is_an_artifact_like_any_other() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        r#"
jobs:
  make:
    image: busybox
    steps: ["mkdir out; truncate -s 1600M out/disk.img; echo boot > out/boot"]
    artifacts: [{name: image, paths: ["out/**"]}]
  take: {image: busybox, needs: [{job: make, artifacts: true}], steps: ["stat -c %s out/disk.img"]}
  lose:
    image: busybox
    steps: ["echo text > report; exit 1"]
    artifacts: [{name: report, paths: [report]}]
"#,
    );
    copy.push("An image");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 1, "{said}");
    assert_eq!(
        stage.ok(&["logs", "1", "--raw", "--job", "take", "--step", "1"]),
        "1677721600\n"
    );
    let there = stage.folder.path().join("fetched");
    stage.ok(&["artifact", "get", "1", "image", "--output", there.to_str().unwrap()]);
    assert_eq!(
        std::fs::metadata(there.join("out/disk.img")).unwrap().len(),
        1_677_721_600
    );
    let log = stage.ok(&["logs", "1", "--job", "lose"]);
    assert!(
        log.contains("artifact `report`: not kept, because the job failed"),
        "{log}"
    );
    stage.stop();
    stage.nothing_left();
}
