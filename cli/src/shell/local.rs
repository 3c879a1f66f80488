//! The same terminal into a container of this machine: a job that `drover run --hold` keeps.

use agent::engine::exec::exec_by_labels;
use agent::engine::{Exec, ExecPlan, labels};
use agent::shell::target;
use anyhow::Context;
use futures_util::StreamExt;
use protocol::shell::{ShellRequest, ShellTarget};
use tokio::io::AsyncWriteExt;

use super::{Here, Raw, listen, show};
use crate::exit::{Exit, Stop};

/// Enters what is retained here; returns when the command is over, as it does.
pub async fn enter(request: ShellRequest) -> anyhow::Result<Exit> {
    let service = match &request.target {
        ShellTarget::Service(name) => Some(name.as_str()),
        ShellTarget::Job | ShellTarget::Step(_) => None,
    };
    let wanted = match service {
        Some(name) => [(labels::ROLE, labels::ROLE_SERVICE), (labels::SERVICE, name)],
        None => [(labels::ROLE, labels::ROLE_STEP), (target::RETAINED_LABEL, "true")],
    };
    let plan = ExecPlan {
        argv: target::command(&request.command),
        env: request
            .terminal
            .iter()
            .map(|_| "TERM=xterm-256color".to_owned())
            .collect(),
        workdir: service.is_none().then(|| target::WORKSPACE.to_owned()),
        terminal: request.terminal.map(|size| (size.cols, size.rows)),
    };
    let exec = exec_by_labels(None, &wanted, plan)
        .await
        .context("enter the container")?;
    let exec = exec.ok_or_else(|| {
        Stop::new(Exit::NotFound, "nothing is retained on this machine")
            .help("`drover run --hold` keeps what a failed job leaves until you end it")
    })?;
    let raw = request.terminal.map(|_| Raw::enter()).transpose()?;
    let code = carry(exec, request.terminal.is_some()).await;
    drop(raw);
    code
}

async fn carry(exec: Exec, with_terminal: bool) -> anyhow::Result<Exit> {
    let Exec {
        mut output,
        mut input,
        control,
    } = exec;
    let mut here = listen(with_terminal)?;
    let types = async {
        while let Some(what) = here.recv().await {
            match what {
                // A command that reads no more may still print.
                Here::Bytes(bytes) => drop(input.write_all(&bytes).await),
                Here::Size(size) => control.resize(size.cols, size.rows).await,
                Here::Eof => drop(input.shutdown().await),
            }
        }
        std::future::pending::<()>().await
    };
    let shows = async {
        while let Some(part) = output.next().await {
            show(&part?)?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        shown = shows => shown?,
        () = types => {}
    }
    let code = control.exit_code().await?.and_then(|code| u8::try_from(code).ok());
    Ok(Exit::Command(code.unwrap_or(u8::MAX)))
}
