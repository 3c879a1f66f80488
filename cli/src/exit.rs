//! How a command ends: the exit codes that scripts rely on, and the one error type that carries such a code from
//! where it is known to `main`.

use job_specs::status::JobStatus;

/// The exit codes; the table is part of the product's surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well; the build passed.
    Passed,
    /// The build failed or was cancelled.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The job file is invalid.
    InvalidJobFile,
    /// No token, or a wrong one.
    Auth,
    /// There is no such thing.
    NotFound,
    /// The engine, an agent or the coordinator broke.
    Infrastructure,
    /// The build ran out of time.
    Timeout,
    /// It is not over yet.
    Pending,
    /// The coordinator does not answer.
    Unreachable,
    /// Ctrl-C.
    Interrupted,
    /// As the command in a shell ended.
    Command(u8),
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::InvalidJobFile => 3,
            Exit::Auth => 4,
            Exit::NotFound => 5,
            Exit::Infrastructure => 6,
            Exit::Timeout => 7,
            Exit::Pending => 8,
            Exit::Unreachable => 9,
            Exit::Interrupted => 130,
            Exit::Command(code) => code,
        }
    }

    /// The exit of a build (or job) that stands so.
    pub fn of_status(status: JobStatus) -> Exit {
        match status {
            JobStatus::Passed | JobStatus::Skipped => Exit::Passed,
            JobStatus::Failed | JobStatus::Cancelled => Exit::Failed,
            JobStatus::Errored => Exit::Infrastructure,
            JobStatus::TimedOut => Exit::Timeout,
            JobStatus::Waiting | JobStatus::Queued | JobStatus::Assigned | JobStatus::Running => Exit::Pending,
        }
    }
}

/// An end that is not a success, with the words for it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// Which kind of end.
    pub exit: Exit,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Stop {
    /// An end of that kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Stop {
        Stop {
            exit,
            message: message.into(),
            help: None,
        }
    }

    /// With what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Stop {
        self.help = Some(help.into());
        self
    }
}

/// Prints `error` for people, and tells the exit code that it carries (ours, when it carries none).
pub fn explain(error: &anyhow::Error) -> Exit {
    let bold = anstyle::Style::new()
        .bold()
        .fg_color(Some(anstyle::AnsiColor::Red.into()));
    anstream::eprintln!("{bold}error{bold:#}: {error:#}");
    match error.downcast_ref::<Stop>() {
        Some(stop) => {
            if let Some(help) = &stop.help {
                anstream::eprintln!("  help: {help}");
            }
            stop.exit
        }
        None => Exit::Infrastructure,
    }
}
