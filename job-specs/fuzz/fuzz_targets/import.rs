//! Any text as the file of another system; what is made of it must be read without a panic. `cargo +nightly fuzz run
//! import`, seeded by `job-specs/tests/import`.

#![no_main]

use job_specs::import::{SCHEMA_URL, System, import};
use job_specs::{SourceFile, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let systems = [System::Compose, System::Woodpecker, System::Gitlab, System::Github, System::Drone];
    let file = SourceFile {
        name: "ci.yml".to_owned(),
        text: input.1.to_owned(),
    };
    if let Ok(imported) = import(systems[usize::from(input.0) % systems.len()], &file, &[], SCHEMA_URL) {
        parse(&[SourceFile {
            name: ".drover.yml".to_owned(),
            text: imported.text,
        }]);
    }
});
