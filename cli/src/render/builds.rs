//! Builds as people read them: lists, and one with its jobs.

use job_specs::units::micros;
use protocol::api::{Build, BuildDetail};

use super::table::table;
use super::{ago, date, job_line, short, status};

/// One line a build.
pub fn list(builds: &[Build]) -> String {
    let rows = builds.iter().map(|build| {
        vec![
            format!("#{}", build.number),
            status(build.status),
            build.repository.clone(),
            build.event.clone(),
            format!("{}@{}", build.branch.as_deref().unwrap_or("-"), short(&build.commit)),
            build
                .finished_at
                .map_or(String::new(), |end| micros(end - build.created_at)),
            ago(build.created_at),
            build.title.clone(),
        ]
    });
    let heads = [
        "build",
        "status",
        "repository",
        "event",
        "commit",
        "took",
        "when",
        "title",
    ];
    table(&heads, rows)
}

/// Header, what is wrong with the job file, jobs with their reasons.
pub fn detail(view: &BuildDetail) -> String {
    let build = &view.build;
    let place = build.branch.as_deref().unwrap_or("-");
    let mut lines = vec![
        format!("#{} {}  {}", build.number, status(build.status), build.title),
        format!(
            "{} · {} · {place}@{} · {}",
            build.repository,
            build.event,
            short(&build.commit),
            date(build.created_at)
        ),
    ];
    for diagnostic in &view.diagnostics {
        let place = diagnostic
            .span
            .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
        lines.push(format!(
            "  {}{place}: [{}] {}",
            diagnostic.file, diagnostic.code, diagnostic.message
        ));
        lines.extend(diagnostic.help.as_ref().map(|help| format!("    help: {help}")));
    }
    for job in &view.jobs {
        let reason = job.reason.as_deref().unwrap_or_default();
        lines.push(format!("  {}  {reason}", job_line(job)));
    }
    lines.extend(view.in_common.iter().cloned());
    lines.extend(build.message.clone());
    lines.push(build.url.clone());
    lines.join("\n")
}
