//! The `drover` command. Thin: it reads arguments, calls the coordinator's API or the agent's engine, and prints. What
//! is data goes to stdout, what is progress to stderr, and the exit code always says which kind of end it was.

mod args;
mod client;
mod commands;
mod exit;
mod render;
mod running;
mod settings;
mod shell;
mod split;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            let shown = usage.print().is_ok();
            let asked = !usage.use_stderr();
            return ExitCode::from(if asked && shown { Exit::Passed } else { Exit::Usage }.code());
        }
    };
    // The graph holds one provider, and rustls wants to be told before its first use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Command::Reap = arguments.command {
        return ExitCode::from(commands::run::reap().code());
    }
    let runtime = match runtime(&arguments.command) {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: cannot start: {error}");
            return ExitCode::from(Exit::Infrastructure.code());
        }
    };
    let exit = runtime
        .block_on(commands::dispatch(arguments))
        .unwrap_or_else(|error| exit::explain(&error));
    // Background work is already stopped by its token; a blocking read of stdin must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

/// Long-running commands get two worker threads, the others only this one: start-up is felt on every call.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Up(_) | Command::Coordinator(_) | Command::Agent(_) | Command::Run(_) => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}
