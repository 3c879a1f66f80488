//! What is said about Compose files that cannot be taken: one case for each reason.

use crate::compose::findings;

/// Keys of the job, files of the repository, one finding.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const CASES: &[Case] = &[
    (
        "compose: c.yml",
        &[],
        "DRV0321 .drover.yml:5:14 there is no file `c.yml` in the repository",
    ),
    (
        "compose: unreadable",
        &[],
        "DRV0321 .drover.yml:5:14 the file `unreadable` cannot be read: it is not text",
    ),
    (
        "compose: /etc/x.yml",
        &[],
        "DRV0322 .drover.yml:5:14 `/etc/x.yml` is a path of the agent's host",
    ),
    (
        "compose: ../x.yml",
        &[],
        "DRV0322 .drover.yml:5:14 `../x.yml` is outside of the repository",
    ),
    ("compose: []", &[], "DRV0112 .drover.yml:5:14 `compose` names no file"),
    (
        "compose: {profiles: [a]}",
        &[],
        "DRV0113 .drover.yml:5:14 `compose` of job `t` has no `file`",
    ),
    (
        "compose: \"${{ git.branch }}.yml\"",
        &[],
        "DRV0323 .drover.yml:5:14 `compose` must be known before there is a build",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "")],
        "DRV0321 c.yml the Compose file is empty",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "[a]")],
        "DRV0111 c.yml:1:1 a Compose file is a map with `services`, found a list",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: [a]")],
        "DRV0111 c.yml:1:11 `services` takes a map, found a list",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "servces: {}")],
        "DRV0101 c.yml:1:1 unknown key `servces` in the Compose file `c.yml`",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services:\n  db: {imag: x}")],
        "DRV0101 c.yml:2:8 unknown key `imag` in service `db` of job `t`",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: \"a:${X\"}}")],
        "DRV0325 c.yml:1:27 `${X` is not a variable of Compose",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: i, command: \"awk '{print $1}'\"}}")],
        "DRV0325 c.yml:1:49 `$1` is not a variable of Compose",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: \"a:${X:?say which}\"}}")],
        "DRV0327 c.yml:1:29 variable `X` must have a value",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: \"a:${X}1\"}}")],
        "DRV0326 c.yml:1:29 variable `X` is not set, so it is empty here",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: \"a:${{ matrix.x }}\"}}")],
        "DRV0328 c.yml:1:27 `${{ }}` cannot be used in a Compose file",
    ),
    (
        "compose: c.yml",
        &[(
            "c.yml",
            "services: {db: {image: a, healthcheck: {test: \"x $DROVER_BRANCH\"}}}",
        )],
        "DRV0114 c.yml:1:51 `$DROVER_BRANCH` in a text that a shell runs",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {db: {image: a, env_file: \"$DROVER_BRANCH\"}}")],
        "DRV0323 c.yml:1:37 an item of `env_file` must be known before there is a build",
    ),
    (
        "compose: c.yml",
        &[
            ("c.yml", "services: {a: {image: i, extends: {file: d.yml, service: x}}}"),
            ("d.yml", "services: {y: {image: i}}"),
        ],
        "DRV0329 c.yml:1:42 there is no service `x` in `d.yml`",
    ),
    (
        "compose: c.yml",
        &[
            ("c.yml", "services: {a: {image: i, extends: {file: d.yml, service: x}}}"),
            ("d.yml", "services: {x: {extends: {file: c.yml, service: a}}}"),
        ],
        "DRV0329 c.yml:1:35 services extend each other: a → x → a",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "include: [d.yml]"), ("d.yml", "include: [c.yml]")],
        "DRV0330 d.yml:1:11 Compose files include each other: c.yml → d.yml → c.yml",
    ),
    (
        "compose: c.yml",
        &[
            ("c.yml", "include: [d.yml]\nservices: {a: {image: x}}"),
            ("d.yml", "services: {a: {image: y}}"),
        ],
        "DRV0331 c.yml:2:12 service `a` is also defined by an included file",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "include: [../d.yml]")],
        "DRV0322 c.yml:1:11 `../d.yml` is outside of the repository",
    ),
    (
        "compose: {file: c.yml, services: [dv]}",
        &[("c.yml", "services: {db: {image: x}}")],
        "DRV0335 .drover.yml:5:39 the Compose files have no service `dv`",
    ),
    (
        "compose: c.yml",
        &[(
            "c.yml",
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, profiles: [p]}}",
        )],
        "DRV0335 c.yml:1:39 service `a` depends on `b`, which is not chosen",
    ),
    (
        "compose: [c.yml, d.yml]",
        &[
            ("c.yml", "services: {a: {image: x, volumes: [\"v:/x\"]}}"),
            ("d.yml", "services: {a: {volumes: {x: y}}}"),
        ],
        "DRV0336 d.yml:1:25 `volumes` is a list here, and a map where it is overridden",
    ),
    (
        "compose: c.yml",
        &[(
            "c.yml",
            "services: {a: {image: x, secrets: [s]}}\nsecrets: {t: {file: x}}",
        )],
        "DRV0334 c.yml:1:36 the secret `s` is not defined",
    ),
    (
        "compose: c.yml",
        &[(
            "c.yml",
            "services: {a: {image: x, configs: [s]}}\nconfigs: {s: {external: true}}",
        )],
        "DRV0118 c.yml:2:11 the external config `s` is refused",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {a: {image: x, configs: [s]}}\nconfigs: {s: {}}")],
        "DRV0113 c.yml:2:11 config `s` has no content",
    ),
    (
        "compose: c.yml",
        &[(
            "c.yml",
            "services: {a: {image: x, volumes: [\"v:/x\"]}}\nvolumes: {v: {external: true}}",
        )],
        "DRV0118 c.yml:2:15 the external volume `v` is refused",
    ),
    (
        "compose: c.yml",
        &[
            ("c.yml", "services: {a: {image: x, env_file: e}}"),
            ("e", "A=1\nB\nC D\n"),
        ],
        "DRV0333 e:3:1 a line of an env file cannot be read",
    ),
    (
        "compose: c.yml",
        &[("c.yml", "services: {a: !new {image: x}}")],
        "DRV0132 c.yml:1:15 the tag `!new` means nothing here",
    ),
    (
        "secrets: [API]",
        &[],
        "DRV0111 .drover.yml:5:14 `secrets` of a job takes a map, found a list",
    ),
];

#[test]
fn mistakes_are_said_with_the_file_that_they_are_in() {
    for (keys, files, expected) in CASES {
        let found = findings(keys, files);
        assert!(
            found.iter().any(|found| found == expected),
            "{keys} {files:?}\n{found:#?}\nexpected {expected}"
        );
    }
}
