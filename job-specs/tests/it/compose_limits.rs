//! Compose files are bounded: none makes reading slow or big, however few bytes it has.

use crate::compose::{Files, read};

#[test]
fn what_compose_files_can_grow_to_is_bounded() {
    let deep: Vec<(String, String)> = (0..40)
        .map(|at| (format!("f{at}.yml"), format!("include: [f{}.yml]\n", at + 1)))
        .collect();
    let wide: Vec<(String, String)> = (0..30)
        .map(|at| {
            let next = format!("{{path: f{}.yml, project_directory: d}}", at + 1);
            (format!("f{at}.yml"), format!("include: [{next}, {next}]\n"))
        })
        .collect();
    let many: Vec<(String, String)> = (0..200)
        .map(|at| (format!("f{at}.yml"), "services: {}\n".to_owned()))
        .chain([(
            "f0.yml".into(),
            format!(
                "include: [{}]\n",
                (1..200).map(|at| format!("f{at}.yml")).collect::<Vec<_>>().join(", ")
            ),
        )])
        .collect();
    let chain: Vec<String> = (0..3000)
        .map(|at| format!("  s{at}: {{extends: s{}}}\n", at + 1))
        .collect();
    let chain = vec![("f0.yml".to_owned(), format!("services:\n{}", chain.concat()))];
    let big = "x".repeat(200);
    let base: Vec<String> = (0..800).map(|at| format!("K{at}: {big}")).collect();
    let fan: Vec<String> = (0..2000)
        .map(|at| format!("  s{at}: {{extends: base, environment: {{A: b}}}}\n"))
        .collect();
    let fan = vec![(
        "f0.yml".to_owned(),
        format!(
            "services:\n  base: {{image: i, environment: {{{}}}}}\n{}",
            base.join(", "),
            fan.concat()
        ),
    )];
    let blow = vec![
        (
            "f0.yml".to_owned(),
            format!("services: {{a: {{image: i, command: \"{}\"}}}}", "$A".repeat(20_000)),
        ),
        (".env".to_owned(), format!("A={}", "x".repeat(200_000))),
    ];
    let doubling: Vec<String> = (0..60).map(|at| format!("A{}=$A{at}$A{at}\n", at + 1)).collect();
    let doubling = vec![
        (
            "f0.yml".to_owned(),
            "services: {a: {image: i, environment: {X: $A60}}}".to_owned(),
        ),
        (".env".to_owned(), format!("A0=xx\n{}", doubling.concat())),
    ];
    for (what, files) in [
        ("deep", deep),
        ("wide", wide),
        ("many", many),
        ("chain", chain),
        ("fan", fan),
        ("blow", blow),
        ("doubling", doubling),
    ] {
        let files = Files::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let text = "jobs:\n  t:\n    image: i\n    steps: [x]\n    compose: f0.yml\n    matrix: {a: [\"1\", \"2\", \"3\"], b: [\"1\", \"2\", \"3\"]}\n";
        let parsed = read(text, &files);
        assert!(parsed.file.is_none() && !parsed.diagnostics.is_empty(), "{what}");
        let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code.as_str()).collect();
        let bound = ["DRV0006", "DRV0321", "DRV0329", "DRV0330", "DRV0332"];
        assert!(codes.iter().any(|code| bound.contains(code)), "{what}: {codes:?}");
    }
}
