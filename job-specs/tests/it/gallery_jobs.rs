//! The gallery, second room: events, conditions, outputs, and what a job keeps.

use crate::story::table;

/// Mistakes by name.
const MISTAKES: &[(&str, &str)] = &[
    (
        "globs",
        "\
on:
  push: {branches: [main, \"release/[\"], tags: [], paths: [/src/**, \"a/../b\", \"./x\"]}
  pull_request: {branches: refs/heads/main, types: [opened]}
  tag: {tags: \"{v1,v2\"}
jobs: {t: {image: a, steps: [x]}}
",
    ),
    (
        "cron",
        "\
on:
  schedule:
    - {cron: \"0 25 * * *\"}
    - {cron: \"0 0 30 2 *\"}
    - {cron: \"@daily\"}
    - {cron: \"0 0 2 * * *\"}
    - {cron: \"0 2 * * MOON\"}
    - {cron: \"0 2 * * *\", timezone: Paris}
    - {cron: \"0 2 * * *\", timezone: CEST}
    - \"0 2 * * *\"
jobs: {t: {image: a, steps: [x]}}
",
    ),
    ("no_times", "on: [push, schedule]\njobs: {t: {image: a, steps: [x]}}\n"),
    (
        "inputs",
        "\
on:
  manual:
    inputs:
      where: {type: choice}
      level: {options: [a, b], default: c}
      count: {type: number, options: [1]}
      dry-run: {type: flag, default: maybe}
      dry_run: {}
      1st:
  schedule:
    - {cron: \"0 2 * * *\", inputs: {leevl: a, level: z}}
jobs:
  t:
    image: a
    env: {A: \"${{ inputs.wehre }}\", B: \"${{ inputs.other }}\"}
    steps: [\"echo ${{ inputs.where }}\"]
",
    ),
    (
        "never_true",
        "\
jobs:
  t:
    image: a
    matrix: {pg: [\"15\", \"17\"]}
    when: []
    steps:
      - {run: a, when: {event: push, tag: \"v*\"}}
      - {run: b, when: {event: tag, branch: main}}
      - {run: c, when: {branch: main, tag: v1}}
      - {run: d, when: {matrix: {pq: \"15\"}}}
      - {run: e, when: {matrix: {pg: [\"15\", \"16\"]}}}
      - {run: f, when: {event: []}}
      - {run: g, when: {status: []}}
      - {run: h, when: {paths: [], events: push}}
      - {run: i, when: always}
      - {run: j, when: {event: pusch}}
",
    ),
    (
        "outputs",
        "\
jobs:
  plan: {image: a, steps: [x]}
  other: {image: a, steps: [x]}
  t:
    image: app:${{ needs.other.outputs.version }}
    needs: plan
    env: {A: \"${{ needs.paln.outputs.x }}\", B: \"${{ needs.plan.result }}\"}
    steps: [\"echo ${{ needs.plan.outputs.x }}\"]
  u: {image: a, needs: plan, matrix: \"${{ needs.other.outputs.cells }}\", steps: [x]}
  v: {image: a, needs: plan, matrix: \"x-${{ needs.plan.outputs.cells }}\", steps: [x]}
",
    ),
    (
        "need_cells",
        "\
jobs:
  build: {image: a, matrix: {os: [one, two], arch: [x, y], exclude: [{os: one, arch: x}]}, steps: [x]}
  t:
    image: a
    needs:
      - {job: build, matrix: {so: one}}
      - {job: build, matrix: {os: three}}
      - {job: build, matrix: {os: one, arch: x}}
      - {job: build, matrix: {os: two}, artifacts: true}
      - {name: build}
    steps: [x]
  u: {image: a, needs: [build, {job: build, artifacts: false}], steps: [x]}
",
    ),
    (
        "kept",
        "\
jobs:
  t:
    image: a
    cache:
      - {key: a, paths: [~/.cargo, ../x, /proc/x, /]}
      - {key: a, paths: [b], restore_keys: [c]}
      - {paths: []}
    artifacts:
      - {name: one, paths: [x], expires: 10m}
      - {name: one, paths: [/tmp/x]}
      - {name: a/b, paths: \"[\", when: sometimes}
    reports: {junit: [], xunit: a}
    hold_on_failure: 2d
    retry: {max: 20, on: [75, \"exit:300\", infra, tests]}
    runs_on: {\"a b\": c}
    network: host
    steps: [x]
",
    ),
    (
        "secrets",
        "\
jobs:
  t:
    image: a
    steps:
      - run: x
        secrets:
          - A
          - {name: B, env: A}
          - {name: C, env: C, file: /run/c}
          - {name: D, file: d}
          - {name: E, file: /workspace/e}
          - {name: \"a b\"}
          - {from_secret: F}
",
    ),
    (
        "image_step",
        "\
jobs:
  t:
    steps:
      - image: {build: ../x, tags: [], push: maybe}
        run: x
        env: {A: b}
      - image: {tags: [UPPER], login: {user: a}}
      - {name: neither}
",
    ),
    (
        "hash",
        "\
jobs:
  t:
    image: a
    cache:
      - {key: \"${{ hash(Cargo.lock) }}\", paths: [x]}
      - {key: \"${{ hash('[') }}\", paths: [x]}
      - {key: \"${{ hash('a' 'b') }}\", paths: [x]}
    steps: [\"echo ${{ hash('a') }}\"]
",
    ),
    (
        "cell_twice",
        "\
jobs:
  t:
    image: a
    matrix: {include: [{os: a}, {os: b}, {os: a}]}
    steps: [x]
",
    ),
    (
        "concurrency",
        "\
concurrency: {mode: stop, cancel_in_progress: true}
jobs: {t: {image: a, steps: [x], concurrency: 1}}
",
    ),
];

#[test]
fn what_is_said_about_each_mistake() {
    insta::assert_snapshot!(table(MISTAKES));
}
