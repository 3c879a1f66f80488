//! The gallery: what a person sees for each kind of mistake. Whole outputs, so that a change of words is seen.

use job_specs::Look;

use crate::story::{lint, lint_with, table, without_escapes};

/// Mistakes by name.
const MISTAKES: &[(&str, &str)] = &[
    (
        "unknown_key",
        "jobs:\n  test:\n    imgae: rust:1.80\n    steps: [cargo test]\n",
    ),
    (
        "key_of_another_ci",
        "\
jobs:
  test:
    image: rust:1.80
    script: [cargo test]
    stage: test
    depends_on: [lint]
    environment: {A: b}
    steps:
      - commands: [a]
        uses: actions/checkout@v4
",
    ),
    (
        "second_colon",
        "jobs:\n  test:\n    image: busybox\n    steps:\n      - run: echo \"a: b\": c\n",
    ),
    ("tab", "jobs:\n  test:\n    services:\n\t\tdb: {image: redis}\n"),
    (
        "unknown_need",
        "\
jobs:
  build: {image: a, steps: [x]}
  lint: {image: a, steps: [x]}
  deploy:
    image: a
    needs: [biuld]
    steps: [x]
",
    ),
    (
        "cycle",
        "\
jobs:
  a: {image: i, needs: c, steps: [x]}
  b: {image: i, needs: a, steps: [x]}
  c: {image: i, needs: [b], steps: [x]}
",
    ),
    (
        "service_twice",
        "\
jobs:
  test:
    image: a
    services:
      db: {image: postgres:16}
      db: {image: mysql:8}
    steps: [x]
",
    ),
    (
        "localhost",
        "\
jobs:
  test:
    image: postgres:17
    services:
      db: {image: postgres:17, environment: {POSTGRES_PASSWORD: x}}
    steps:
      - run: psql -h localhost -U app
      - run: |
          echo hello
          curl localhost:5432
",
    ),
    (
        "axis_without_value",
        "\
jobs:
  test:
    matrix: {version: [a], os: [b]}
    image: node:${{ matrix.verison }}
    steps: [x]
",
    ),
    (
        "number",
        "\
jobs:
  test:
    image: a
    matrix:
      python: [3.9, 3.10, 3.11]
    steps: [x]
",
    ),
    (
        "template_in_run",
        "\
jobs:
  test:
    image: a
    matrix: {postgres: [\"15\"]}
    steps:
      - echo ${{ matrix.postgres }}
      - run: |
          git checkout ${{ git.branch }}
          echo ${{ secrets.TOKEN }} ${{ a + b }}
",
    ),
    (
        "wrong_types",
        "\
on: pusch
env: [A=b]
jobs:
  test:
    image: [rust]
    timeout: 10
    allow_failure: yes
    resources: {cpus: many, memory: 4x, pids: 0}
    services: [redis]
    steps: cargo test
",
    ),
    (
        "missing",
        "\
jobs:
  test:
    services:
      db: {environment: {A: b}}
    steps:
      - name: nothing
      - {run: a, entrypoint: [b]}
",
    ),
    (
        "compose_keys",
        "\
jobs:
  test:
    image: a
    services:
      db:
        image: redis
        privileged: true
        container_name: db
        ports: [\"6379:6379\"]
        volumes: [data:/data]
        logging: {driver: none}
        env: {A: b}
    steps: [x]
",
    ),
    (
        "depends_on",
        "\
jobs:
  test:
    image: a
    services:
      db: {image: postgres:17}
      web:
        image: busybox
        depends_on: {bd: {condition: service_healthy}, db: {condition: service_completed_successfully}}
      a: {image: b, depends_on: [c]}
      c: {image: b, depends_on: [a]}
    steps: [x]
",
    ),
    (
        "matrix",
        "\
jobs:
  test:
    image: a
    matrix:
      pg: [\"15\", \"15\"]
      fail-fast: true
      exclude: [{pq: \"15\"}]
      include: [{allow_failure: true}]
    steps: [x]
  other:
    image: a
    matrix: {pg: [\"15\"], exclude: [{pg: \"16\"}]}
    steps: [x]
",
    ),
    (
        "compose_dollars",
        "\
jobs:
  test:
    image: a
    services:
      db:
        image: postgres:${PG:-15}
        environment: {POSTGRES_USER: \"${USER}\"}
        healthcheck: {test: [\"CMD-SHELL\", \"pg_isready -U $${POSTGRES_USER}\"]}
    steps: [x]
",
    ),
    (
        "branch_in_a_shell",
        "\
jobs:
  test:
    image: a
    services:
      db:
        image: redis
        healthcheck: {test: \"test ${{ git.branch }}\"}
        command: sh -c \"echo ${{ git.branch }}\"
    steps:
      - entrypoint: [bash, -c, \"echo ${{ git.title }}\"]
",
    ),
    ("unclosed_quote", "jobs:\n  test:\n    image: \"rust\n    steps: [x]\n"),
    (
        "block_without_indent",
        "jobs:\n  test:\n    image: a\n    steps:\n      - run: |\n        make\n",
    ),
    ("missing_colon", "jobs:\n  test:\n    image a\n    steps: [x]\n"),
    (
        "shell_test",
        "jobs:\n  test:\n    image: a\n    steps:\n      - run: [ -f x ] && make\n",
    ),
    (
        "template_in_a_flow_map",
        "jobs:\n  test: {image: node:${{ matrix.node }}, steps: [x]}\n",
    ),
    (
        "template_in_a_list",
        "jobs:\n  test:\n    image: a\n    steps: [{entrypoint: [echo, ${{ git.sha }}]}]\n",
    ),
    ("braces", "jobs:\n  test:\n    image: {{ image }}\n    steps: [x]\n"),
    ("tab_after_a_text", "jobs:\n  test:\n    image: a\n\tsteps: [x]\n"),
    ("unclosed_list", "jobs:\n  test:\n    image: a\n    steps: [x\n"),
    ("bad_indent", "jobs:\n  test:\n    image: a\n   steps: [x]\n"),
    ("unknown_alias", "jobs:\n  test: {image: *rust, steps: [x]}\n"),
    ("empty", "# nothing yet\n"),
    ("two_documents", "jobs:\n  a: {image: b, steps: [c]}\n---\njobs: {}\n"),
    ("not_a_map", "- a\n- b\n"),
];

#[test]
fn what_is_said_about_each_mistake() {
    insta::assert_snapshot!(table(MISTAKES));
}

const BROKEN: &str = "\
jobs:
  test:
    imgae: rust:1.90
    needs: [biuld]
    timeout: ${{ matrix.verison }}
    steps:
      - run: echo ${{ git.branch }} # a line that is quite long, so that a narrow terminal has to cut it somewhere here
  build:
    image: rust:1.90
    needs: [test]
    matrix: {python: [3.10]}
    services:
      db: {image: redis, container_name: db}
    steps: [cargo build]
";

fn broken(width: usize, colour: bool) -> String {
    lint_with(BROKEN, Look { colour, width })
}

#[test]
fn a_narrow_terminal_cuts_long_lines_and_a_wide_one_does_not() {
    insta::assert_snapshot!("a_wide_terminal", broken(120, false));
    insta::assert_snapshot!("a_narrow_terminal", broken(80, false));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = broken(80, true);
    assert_eq!(without_escapes(&coloured), broken(80, false));
    insta::assert_snapshot!("a_terminal_with_colours", coloured.replace('\u{1b}', "ESC"));
}

#[test]
fn a_hostile_file_cannot_write_escapes_to_the_terminal() {
    let text = lint("jobs:\n  \"te\\e[31mst\":\n    \"\\e]0;x\\a\": 1\n    image: a\n    steps: [x]\n");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}
