//! The language's parts together, through the real binary: outputs that make a matrix, artifacts from job to job, a cache
//! that the next build finds, test reports, and one cell run again.

use crate::stage::{Stage, output_text};

const FILE: &str = r#"
on: {push: {branches: [main]}, manual: {inputs: {greeting: {default: hello}}}}
jobs:
  plan:
    image: busybox
    cache: [{key: "tools-${{ hash('tools.txt') }}", fallback: [tools-], paths: [/opt/tools]}]
    steps:
      - name: tools
        run: if [ -f /opt/tools/made ]; then echo "tools are here"; else echo "tools are made"; echo 1 > /opt/tools/made; fi
      - name: cells
        run: echo 'cells=[{"word":"one"},{"word":"two"}]' >> "$DROVER_OUTPUT"
      - name: binary
        run: mkdir -p out && echo "${DROVER_INPUT_GREETING} from the plan" > out/app.txt
    artifacts: [{name: app, paths: ["out/*.txt"]}]
  test:
    needs: [{job: plan, artifacts: true}]
    image: busybox
    matrix: ${{ needs.plan.outputs.cells }}
    steps:
      - cat out/app.txt
      - {name: releases only, run: exit 9, when: {tag: "v*"}}
      - name: report
        run: |
          result=""; [ "$MATRIX_WORD" = one ] || [ -f fixed ] || result='<failure message="two is wrong"/>'
          echo "<testsuite name='words'><testcase name='$MATRIX_WORD' time='0.5'>$result</testcase></testsuite>" > junit.xml
          [ -z "$result" ]
    reports: {junit: junit.xml}
  tell: {needs: test, image: busybox, when: {status: failure}, steps: [echo somebody must look]}
  ship: {needs: test, image: busybox, when: {branch: release}, steps: [exit 1]}
"#;

#[test]
fn outputs_matrices_artifacts_caches_and_reports_are_one_road() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write("tools.txt", "hammer\n");
    copy.write(".drover.yml", FILE);
    copy.push("Plan and test");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 1, "{said}");
    let build = stage.json(&["build", "show", "1", "--json"]);
    let job = |title: &str| {
        let jobs = build["jobs"].as_array().unwrap();
        jobs.iter()
            .find(|job| job["title"] == title)
            .cloned()
            .unwrap_or_else(|| panic!("no {title} in {build:#}"))
    };
    assert_eq!(job("test (word=one)")["status"], "passed");
    assert_eq!(job("test (word=two)")["status"], "failed");
    assert_eq!(job("tell")["status"], "passed", "it runs because a need failed");
    assert_eq!(job("ship")["status"], "skipped");
    assert!(
        job("ship")["reason"].as_str().unwrap().contains("release"),
        "{}",
        job("ship")
    );
    let log = stage.ok(&["logs", "1", "--raw"]);
    for line in ["tools are made", "hello from the plan"] {
        assert!(log.lines().any(|found| found == line), "`{line}` is not in:\n{log}");
    }

    let tests = stage.json(&["tests", "1", "--json"]).to_string();
    assert!(tests.contains("two is wrong") && tests.contains("words"), "{tests}");
    let there = stage.folder.path().join("fetched");
    stage.ok(&["artifact", "get", "1", "app", "--output", there.to_str().unwrap()]);
    let app = std::fs::read_to_string(there.join("out/app.txt")).unwrap();
    assert_eq!(app, "hello from the plan\n");

    copy.write("fixed", "");
    copy.push("Mend it");
    stage.build(2);
    let (exit, said) = stage.watch(2);
    assert_eq!(exit, 0, "{said}\n{}", stage.ok(&["logs", "2"]));
    let log = stage.ok(&["logs", "2", "--raw"]);
    assert!(
        log.lines().any(|found| found == "tools are here"),
        "the cache of build 1:\n{log}"
    );

    let output = stage.drover(&["rerun", "1", "--job", "test", "--matrix", "word=one"]);
    assert!(output.status.success(), "{}", output_text(&output));
    stage.build(3);
    let (exit, said) = stage.watch(3);
    assert_eq!(exit, 0, "{said}\n{}", stage.ok(&["logs", "3"]));
    let again = stage.json(&["build", "show", "3", "--json"]);
    assert_eq!(again["jobs"].as_array().unwrap().len(), 1, "{again:#}");

    stage.ok(&["trigger", "app", "--input", "greeting=salve"]);
    stage.build(4);
    let (exit, said) = stage.watch(4);
    assert_eq!(exit, 0, "{said}");
    assert!(stage.ok(&["logs", "4", "--raw"]).contains("salve from the plan"));
    stage.stop();
    stage.nothing_left();
}
