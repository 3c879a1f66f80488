//! Limits, and inputs that are made to hurt. None of these tests measures time: that they end is what they show.

use std::fmt::Write;

use job_specs::{SourceFile, parse};

use crate::story::{brief, file, findings};

fn codes(text: &str) -> Vec<String> {
    let mut codes: Vec<String> = findings(text).iter().map(|finding| finding[..7].to_owned()).collect();
    codes.dedup();
    codes
}

/// `head`, then `item` again and again up to 256 KiB.
fn filled(head: &str, item: &str) -> String {
    let times = (256 * 1024 - head.len()) / item.len();
    format!("{head}{}", item.repeat(times))
}

#[test]
fn a_file_has_at_most_256_kib() {
    let text = filled("jobs: {a: {image: b, steps: [c]}}\n", "#");
    assert_eq!(codes(&text), Vec::<String>::new());
    assert_eq!(
        findings(&(text + "#")),
        ["DRV0001 - the file has 257 KiB; at most 256 KiB are read"]
    );
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        format!(
            "x-a: {}{}\njobs: {{a: {{image: b, steps: [c]}}}}\n",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(codes(&nested(31)), Vec::<String>::new());
    assert_eq!(
        findings(&nested(32)),
        ["DRV0002 1:37 maps and lists are nested more than 32 deep"]
    );
    assert_eq!(codes(&filled("", "[")), ["DRV0002"]);
    assert_eq!(codes(&filled("", "{a: ")), ["DRV0002"]);
    assert_eq!(codes(&filled("", "- ")), ["DRV0002"]);
    let stairs: String = (0..700).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(codes(&stairs), ["DRV0002"]);
}

#[test]
fn nesting_is_counted_through_aliases() {
    let mut text = "x-0: &a0 [[[[[[[[]]]]]]]]\n".to_owned();
    for level in 1..6 {
        let _ = writeln!(text, "x-{level}: &a{level} [[[[[[[[*a{}]]]]]]]]", level - 1);
    }
    assert_eq!(codes(&text), ["DRV0002"]);
}

#[test]
fn an_alias_bomb_is_defused() {
    let mut text = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(text, "x-{level}: &a{level} [{alias}]");
    }
    assert_eq!(findings(&text).len(), 1);
    assert_eq!(codes(&text), ["DRV0003"]);
}

#[test]
fn a_long_text_is_not_multiplied() {
    let text = format!(
        "x-a: &a \"{}\"\nx-b: [{}]\n",
        "y".repeat(100_000),
        "*a, ".repeat(30_000)
    );
    assert_eq!(codes(&text), ["DRV0003"]);
}

#[test]
fn a_merge_bomb_is_defused() {
    let mut text = "x-0: &a0 {k0: v}\n".to_owned();
    for level in 1..2_000 {
        let _ = writeln!(text, "x-{level}: &a{level} {{<<: *a{}, k{level}: v}}", level - 1);
    }
    assert_eq!(codes(&text), ["DRV0003"]);
}

#[test]
fn an_alias_inside_its_own_anchor_is_an_error() {
    assert_eq!(codes("x-a: &a [*a]\njobs: {a: {image: b, steps: [c]}}\n"), ["DRV0132"]);
}

#[test]
fn many_anchors_many_keys_and_long_lines_are_no_trouble() {
    let anchors: String = (0..15_000).map(|at| format!("- &a{at} x\n")).collect();
    assert_eq!(
        codes(&format!("x-a:\n{anchors}jobs: {{a: {{image: b, steps: [c]}}}}\n")),
        Vec::<String>::new()
    );
    let keys: String = (0..20_000).map(|at| format!("k{at}: x\n")).collect();
    assert_eq!(findings(&keys).len(), 201);
    assert!(findings(&filled("jobs: {a: {image: ", "x")).len() == 1);
    assert!(!findings(&filled("jobs: ", "é")).is_empty());
    assert!(!findings(&filled("jobs: {a: {image: \"", "${{ matrix.a }}")).is_empty());
    assert!(!findings(&filled("", "\"")).is_empty());
    assert!(!findings(&filled("", "a: b: ")).is_empty());
    assert!(!findings(&filled("", "? ")).is_empty());
    assert!(!findings(&filled("", "&a ")).is_empty());
    assert!(!findings(&filled("", "!a ")).is_empty());
    assert!(!findings(&filled("", "\t")).is_empty());
    assert!(!findings(&filled("", "\u{feff}")).is_empty());
    assert!(!findings(&filled("", "--- \n")).is_empty());
    assert!(!findings(&filled("jobs: {a: {needs: [", "x, ")).is_empty());
}

#[test]
fn a_matrix_has_at_most_256_cells() {
    let axis = |size: usize| (0..size).map(|at| format!("\"{at}\"")).collect::<Vec<_>>().join(", ");
    let job = |a: usize, b: usize| {
        format!(
            "jobs: {{t: {{image: i, matrix: {{a: [{}], b: [{}]}}, steps: [x]}}}}\n",
            axis(a),
            axis(b)
        )
    };
    assert_eq!(findings(&job(16, 16)), Vec::<String>::new());
    assert_eq!(
        findings(&job(16, 17)),
        ["DRV0007 1:30 the matrix of job `t` has 272 cells; at most 256 are allowed"]
    );
    assert_eq!(
        findings(&job(1000, 1000)),
        ["DRV0007 1:30 the matrix of job `t` has 1000000 cells; at most 256 are allowed"]
    );
    let axes: String = (0..24).map(|at| format!("a{at}: [{}], ", axis(200))).collect();
    assert_eq!(
        codes(&format!("jobs: {{t: {{image: i, matrix: {{{axes}}}, steps: [x]}}}}\n")),
        ["DRV0007"]
    );
}

#[test]
fn the_cells_of_all_jobs_are_bounded() {
    let axis = (0..256).map(|at| format!("\"{at}\"")).collect::<Vec<_>>().join(", ");
    let mut text = "jobs:\n".to_owned();
    for job in 0..5 {
        let _ = writeln!(text, "  j{job}: {{image: i, matrix: {{a: [{axis}]}}, steps: [x]}}");
    }
    assert_eq!(
        findings(&text),
        ["DRV0004 6:3 the matrices of all jobs make more than 1024 cells"]
    );
}

#[test]
fn a_big_job_has_few_cells() {
    let axis = (0..256).map(|at| format!("\"{at}\"")).collect::<Vec<_>>().join(", ");
    let big = "y".repeat(250_000);
    let text = format!(
        "x-a: &a \"{big}\"\njobs: {{t: {{image: i, matrix: {{a: [{axis}]}}, env: {{A: *a, B: *a}}, steps: [x]}}}}\n"
    );
    assert_eq!(codes(&text), ["DRV0003"]);
}

#[test]
fn substitution_cannot_multiply_without_end() {
    let axis = (0..256)
        .map(|at| format!("\"{at:0>250}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let many = "${{ matrix.a }}".repeat(500);
    let again = "${{ env.A }}".repeat(500);
    let text = format!(
        "jobs: {{t: {{image: i, matrix: {{a: [{axis}]}}, \
         env: {{A: \"{many}\"}}, steps: [{{run: x, env: {{B: \"{again}\"}}}}]}}}}\n"
    );
    assert_eq!(codes(&text), ["DRV0003"]);
}

#[test]
fn jobs_steps_and_services_are_counted() {
    let jobs: String = (0..101)
        .map(|at| format!("  j{at}: {{image: i, steps: [x]}}\n"))
        .collect();
    assert_eq!(
        findings(&format!("jobs:\n{jobs}")),
        ["DRV0004 102:3 there are 101 jobs; at most 100 are allowed"]
    );
    let steps = "- x\n".repeat(101);
    assert_eq!(
        findings(&format!(
            "jobs:\n t:\n  image: i\n  steps:\n{}",
            steps.replace("- ", "   - ")
        )),
        ["DRV0005 105:6 job `t` has 101 steps; at most 100 are allowed"]
    );
    let services: String = (0..31).map(|at| format!("   s{at}: {{image: i}}\n")).collect();
    assert_eq!(
        findings(&format!(
            "jobs:\n t:\n  image: i\n  steps: [x]\n  services:\n{services}"
        )),
        ["DRV0006 36:4 job `t` has 31 services; at most 30 are allowed"]
    );
}

#[test]
fn jobs_are_counted_over_all_files() {
    let files: Vec<SourceFile> = (0..101)
        .map(|at| SourceFile {
            name: format!(".drover/{at}.yml"),
            text: format!("jobs: {{j{at}: {{image: i, steps: [x]}}}}\n"),
        })
        .collect();
    assert!(parse(&files[..100]).file.is_some());
    assert!(
        brief(&parse(&files))
            .iter()
            .all(|finding| finding.starts_with("DRV0004"))
    );
}

#[test]
fn at_most_twenty_findings_are_shown() {
    let keys: String = (0..30).map(|at| format!("  k{at}: x\n")).collect();
    let text = format!(
        "jobs:\n t: {{image: i, steps: [x]}}\n u:\n{}",
        keys.replace("  ", "   ")
    );
    let shown = crate::story::lint(&text);
    assert_eq!(shown.matches("error[").count(), 20);
    assert!(shown.ends_with("… and 12 more\n\n32 errors\n"), "{shown}");
}

#[test]
fn more_findings_than_two_hundred_are_only_counted() {
    let keys: String = (0..500).map(|at| format!("k{at}: x\n")).collect();
    let found = findings(&keys);
    assert_eq!(found.len(), 201);
    assert_eq!(found[200], "DRV0008 - and 301 more problems, which are not listed");
}

#[test]
fn nothing_at_all_is_an_error_too() {
    assert_eq!(brief(&parse(&[])), ["DRV0009 - there is no job file"]);
    for text in ["", "\n", "---\n", "~\n", "# only words\n", "\u{feff}"] {
        assert_eq!(brief(&parse(&file(text))), ["DRV0009 - the file is empty"], "{text:?}");
    }
}

#[test]
fn globs_and_times_are_counted() {
    let list = |n: usize| format!("[{}]", vec!["\"a/**\""; n].join(", "));
    let on = |n: usize| {
        format!(
            "on: {{push: {{paths: {}}}}}\njobs: {{a: {{image: b, steps: [c]}}}}\n",
            list(n)
        )
    };
    assert_eq!(codes(&on(100)), Vec::<String>::new());
    assert_eq!(
        findings(&on(101)),
        ["DRV0159 1:20 `paths` has 101 globs; at most 100 are allowed"]
    );
    let cells = |n: usize| {
        let values: Vec<String> = (0..n).map(|n| n.to_string()).collect();
        format!(
            "jobs: {{a: {{image: b, matrix: {{x: [{}]}}, when: {{paths: {}}}, steps: [c]}}}}\n",
            values.join(", "),
            list(100)
        )
    };
    assert_eq!(codes(&cells(100)), Vec::<String>::new());
    assert_eq!(codes(&cells(101)), ["DRV0159"]);
    let time = "{cron: \"0 0 * * *\"}";
    let times = |n: usize| SourceFile {
        name: format!("{n}.yml"),
        text: format!(
            "on: {{schedule: [{}]}}\njobs: {{a{n}: {{image: b, steps: [c]}}}}\n",
            vec![time; n].join(", ")
        ),
    };
    assert_eq!(brief(&parse(&[times(50), times(49)])), Vec::<String>::new());
    assert_eq!(
        brief(&parse(&[times(50), times(49), times(2)])),
        ["DRV0112 1:16 all files together have more than 100 times"]
    );
    assert_eq!(
        brief(&parse(&[times(51)])),
        ["DRV0112 1:16 `schedule` has 51 times; at most 50 are allowed"]
    );
}

/// `head`, then what `item` makes of 0, 1, 2, … up to 200 KiB, then `tail`.
fn growing(head: &str, item: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_owned();
    let mut at = 0;
    while text.len() < 200 * 1024 {
        text.push_str(&item(at));
        text.push_str(", ");
        at += 1;
    }
    text + tail
}

#[test]
fn long_lists_are_no_trouble() {
    let job = |key: &str| format!("jobs: {{p: {{image: b, steps: [c]}}, a: {{image: b, needs: p, steps: [c], {key}: [");
    let step = |key: &str| format!("jobs: {{a: {{image: b, steps: [{{run: c, {key}: [");
    let texts = [
        growing(&job("when"), |at| format!("{{branch: b{at}}}"), "]}}\n"),
        growing(&job("when"), |at| format!("{{matrix: {{x{at}: b}}}}"), "]}}\n"),
        growing(&job("cache"), |at| format!("{{key: k{at}, paths: [p]}}"), "]}}\n"),
        growing(&job("artifacts"), |at| format!("{{name: k{at}, paths: [p]}}"), "]}}\n"),
        growing(&step("secrets"), |at| format!("S{at}"), "]}]}}\n"),
        growing(&step("when"), |at| format!("{{paths: p{at}}}"), "]}]}}\n"),
        growing(
            "jobs: {a: {image: b, needs: [",
            |at| format!("{{job: a, matrix: {{x: {at}}}}}"),
            "], steps: [c]}}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c]}}\non: {push: {paths: [",
            |at| format!("p{at}"),
            "]}}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c]}}\non: {manual: {inputs: {",
            |at| format!("i{at}: {{}}"),
            "}}}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c]}}\non: {schedule: [{cron: \"0 0 * * *\", inputs: {",
            |at| format!("i{at}: x"),
            "}}]}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c], env: {",
            |at| format!("E{at}: \"${{{{ env.E{at}x }}}}\""),
            "}}}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c], env: {",
            |at| format!("E{at}: \"${{{{ inputs.x{at} }}}}\""),
            "}}}\n",
        ),
        growing(
            "jobs: {a: {image: b, steps: [c], env: {",
            |at| format!("E{at}: \"${{{{ hash('x{at}') }}}}\""),
            "}}}\n",
        ),
    ];
    for text in texts {
        assert!(!findings(&text).is_empty(), "{}", &text[..100]);
    }
}
