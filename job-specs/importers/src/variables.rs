//! Variables that another system gives to every script: those that the imported scripts read are set in the file's
//! `env`, so that the scripts go on working unchanged.

use crate::draft::Draft;
use crate::system::System;

/// Variables of a system and what they are here.
fn known(system: System) -> &'static [(&'static str, &'static str)] {
    match system {
        System::Compose | System::Github => &[
            ("GITHUB_SHA", "${{ git.sha }}"),
            ("GITHUB_REF", "${{ git.ref }}"),
            ("GITHUB_REF_NAME", "${{ git.branch }}"),
            ("GITHUB_EVENT_NAME", "${{ git.event }}"),
            ("GITHUB_REPOSITORY", "${{ git.repository }}"),
            ("GITHUB_RUN_NUMBER", "${{ git.build }}"),
            ("GITHUB_RUN_ID", "${{ git.build }}"),
            ("GITHUB_WORKSPACE", "/workspace"),
        ],
        System::Gitlab => &[
            ("CI_COMMIT_SHA", "${{ git.sha }}"),
            ("CI_COMMIT_SHORT_SHA", "${{ git.short_sha }}"),
            ("CI_COMMIT_BRANCH", "${{ git.branch }}"),
            ("CI_COMMIT_TAG", "${{ git.tag }}"),
            ("CI_COMMIT_REF_NAME", "${{ git.branch }}${{ git.tag }}"),
            ("CI_COMMIT_REF_SLUG", "${{ git.branch }}${{ git.tag }}"),
            ("CI_COMMIT_TITLE", "${{ git.title }}"),
            ("CI_COMMIT_AUTHOR", "${{ git.author }}"),
            ("CI_PROJECT_NAME", "${{ git.repository }}"),
            ("CI_PROJECT_DIR", "/workspace"),
            ("CI_PIPELINE_ID", "${{ git.build }}"),
            ("CI_PIPELINE_IID", "${{ git.build }}"),
            ("CI_PIPELINE_SOURCE", "${{ git.event }}"),
        ],
        System::Woodpecker => &[
            ("CI_COMMIT_SHA", "${{ git.sha }}"),
            ("CI_COMMIT_BRANCH", "${{ git.branch }}"),
            ("CI_COMMIT_TAG", "${{ git.tag }}"),
            ("CI_COMMIT_REF", "${{ git.ref }}"),
            ("CI_COMMIT_AUTHOR", "${{ git.author }}"),
            ("CI_REPO_NAME", "${{ git.repository }}"),
            ("CI_PIPELINE_NUMBER", "${{ git.build }}"),
            ("CI_PIPELINE_EVENT", "${{ git.event }}"),
            ("CI_WORKSPACE", "/workspace"),
        ],
        System::Drone => &[
            ("DRONE_COMMIT", "${{ git.sha }}"),
            ("DRONE_COMMIT_SHA", "${{ git.sha }}"),
            ("DRONE_BRANCH", "${{ git.branch }}"),
            ("DRONE_COMMIT_BRANCH", "${{ git.branch }}"),
            ("DRONE_COMMIT_REF", "${{ git.ref }}"),
            ("DRONE_COMMIT_AUTHOR", "${{ git.author }}"),
            ("DRONE_TAG", "${{ git.tag }}"),
            ("DRONE_BUILD_NUMBER", "${{ git.build }}"),
            ("DRONE_BUILD_EVENT", "${{ git.event }}"),
            ("DRONE_REPO_NAME", "${{ git.repository }}"),
            ("DRONE_WORKSPACE", "/workspace"),
        ],
    }
}

/// Sets the variables that the scripts of a draft read.
pub(crate) fn explain(system: System, draft: &mut Draft) {
    let mut scripts = String::new();
    for step in draft.jobs.iter().flat_map(|job| &job.steps) {
        step.run.iter().chain(&step.entrypoint).for_each(|text| {
            scripts.push_str(text);
            scripts.push('\n');
        });
    }
    for (name, value) in known(system) {
        let is_set = draft.env.iter().any(|(set, _)| set == name);
        if !is_set && reads(&scripts, name) {
            draft.env.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
}

/// The value of a system's own variable, as a template.
pub(crate) fn value_of(system: System, name: &str) -> Option<&'static str> {
    let known = known(system).iter().find(|(known, _)| *known == name)?;
    Some(known.1)
}

/// Whether a script reads the variable: `$NAME` or `${NAME…}`.
fn reads(script: &str, name: &str) -> bool {
    script.match_indices(name).any(|(at, _)| {
        let before = &script[..at];
        let after = script[at + name.len()..].chars().next();
        let ends = !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        ends && (before.ends_with('$') || before.ends_with("${"))
    })
}
