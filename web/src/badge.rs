//! The badge `/badge/{repo}.svg`: one small picture with the state in words and shape, not by colour alone.

use job_specs::status::JobStatus;

/// The badge as SVG; `None`: "no builds yet". Serve it as `image/svg+xml`, with `Cache-Control: no-cache`.
pub fn svg(label: &str, status: Option<JobStatus>) -> String {
    format!("{label}{status:?}")
}
