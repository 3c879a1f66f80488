//! The agent's own words about an attempt, in the job's log beside the steps' output.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::logs::writer::LogWriter;

/// Writes to the job's log; clones share it.
#[derive(Clone)]
pub struct JobLog(Arc<LogWriter>);

impl JobLog {
    /// Goes on in the log at `file`.
    pub fn open(file: &Path) -> io::Result<JobLog> {
        Ok(JobLog(Arc::new(LogWriter::open(file)?)))
    }

    /// Writes one line. A full disk does not stop a job for the sake of a remark.
    pub fn write_line(&self, text: impl AsRef<str>) {
        if let Err(error) = self.0.write_line(text.as_ref()) {
            tracing::warn!(%error, text = text.as_ref(), "cannot write to the job's log");
        }
    }
}
