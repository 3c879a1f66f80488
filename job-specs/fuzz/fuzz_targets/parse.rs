//! Any text: read, expanded, rendered, mended. `cargo +nightly fuzz run parse -- -max_len=262144`, seeded by
//! `job-specs/examples` and `job-specs/tests/codes`.

#![no_main]

use job_specs::{Facts, Look, NoRepository, SourceFile, expand, fix::fix, parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let files = [SourceFile {
        name: ".drover.yml".to_owned(),
        text: text.to_owned(),
    }];
    let parsed = parse(&files);
    let look = Look {
        colour: true,
        width: 80,
    };
    render(&parsed.diagnostics, &files, look);
    if let Some(file) = parsed.file {
        let facts = Facts {
            event: "push".to_owned(),
            branch: Some("main".to_owned()),
            ..Facts::default()
        };
        let _ = expand(&file, &facts);
    }
    fix(&files, &NoRepository);
});
