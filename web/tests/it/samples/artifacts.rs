//! What jobs kept, and a terminal in one that failed.

use super::*;

pub fn artifact_row() -> ArtifactRow {
    ArtifactRow {
        id: "a1".into(),
        name: "coverage-report".into(),
        job: "t20".into(),
        job_title: "test (postgres=17, kafka=3.9.0)".into(),
        bytes: 4_812_331,
        files: 1_204,
        expires_at: NOW + 30 * 86_400 * S,
    }
}

pub fn artifact() -> ArtifactPage {
    let entry = |name: &str, kind| ArtifactEntry {
        name: name.into(),
        path: format!("target/coverage/{name}"),
        kind,
    };
    ArtifactPage {
        build: build(42, JobStatus::Failed, "Keep the pool small"),
        artifact: artifact_row(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        at: "target/coverage".into(),
        entries: vec![
            entry("html", ArtifactEntryKind::Folder(1_200)),
            entry(
                "warehouse_pool_integration_tests_with_a_long_name.lcov.json",
                ArtifactEntryKind::File(88_120),
            ),
            entry(
                "latest",
                ArtifactEntryKind::Link("../../somewhere/else/that/is/far/away/latest.json".into()),
            ),
        ],
        more: 1_000,
    }
}

pub fn shell() -> ShellPage {
    ShellPage {
        build: 42,
        job: "t20".into(),
        title: "test (postgres=17, kafka=3.9.0)".into(),
        service: Some("kafka".into()),
        services: vec!["db".into(), "kafka".into(), "schema-registry".into()],
        retained_until: Some(NOW + 600 * S),
    }
}
