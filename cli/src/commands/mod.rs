//! One file a command or family of commands; each reads its arguments, does one thing and tells how it ended.

pub mod agents;
pub mod artifacts;
pub mod audit;
pub mod builds;
pub mod connections;
pub mod deliveries;
pub mod doctor;
pub mod init;
pub mod lint;
pub mod logs;
pub mod mcp;
pub mod reference;
pub mod reports;
pub mod repositories;
pub mod run;
pub mod secrets;
pub mod serve;
pub mod shell;
pub mod stacks;
pub mod tokens;
pub mod watch;

use anyhow::Context;
use clap::CommandFactory;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::{Arguments, Command};
use crate::client::Client;
use crate::exit::Exit;
use crate::settings;

/// Runs the command that was asked for.
pub async fn dispatch(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = || Client::new(settings::access(&arguments)?);
    match &arguments.command {
        Command::Up(up) => serve::up(&arguments, up).await,
        Command::Coordinator(coordinator) => serve::coordinator(coordinator).await,
        Command::Agent(agent) => match &agent.look {
            Some(look) => agents::look(&client()?, look).await,
            None => serve::agent(&arguments, agent).await,
        },
        Command::Run(run) => run::run(run, arguments.progress, arguments.data.as_deref()).await,
        Command::Lint(lint) => lint::lint(lint),
        Command::Init(init) => init::init(init, arguments.url.as_deref()),
        Command::Explain { code } => lint::explain(code),
        Command::Schema => print_json(&job_specs::schema()),
        Command::Repo(repo) => repositories::repo(&client()?, repo).await,
        Command::Trigger(trigger) => repositories::trigger(&client()?, trigger, arguments.progress).await,
        Command::Build(build) => builds::build(&client()?, build).await,
        Command::Watch(watch) => watch::watch(&client()?, watch.number, watch.timeout, arguments.progress).await,
        Command::Logs(logs) => logs::logs(&client()?, logs).await,
        Command::Shell(shell) => match shell.number {
            Some(number) => shell::shell(&client()?, shell, number).await,
            None => shell::local(shell).await,
        },
        Command::Stack(stack) => stacks::stack(&client()?, stack).await,
        Command::Approve(build) => builds::approve(&client()?, build.number).await,
        Command::Cancel(build) => builds::cancel(&client()?, build.number).await,
        Command::Rerun(rerun) => builds::rerun(&client()?, rerun, arguments.progress).await,
        Command::Tests(tests) => reports::tests(&arguments, tests).await,
        Command::Report(report) => builds::report(&client()?, report).await,
        Command::Mcp(mcp) => {
            let write = mcp.write;
            mcp::serve(arguments, write).await
        }
        Command::Why(why) => builds::why(&client()?, why).await,
        Command::Secret(secret) => secrets::secret(&client()?, secret).await,
        Command::Artifact(artifact) => artifacts::artifact(&client()?, artifact).await,
        Command::Cache(cache) => artifacts::cache(&client()?, cache).await,
        Command::Token(token) => tokens::token(&client()?, token).await,
        Command::Session(session) => tokens::session(&client()?, session).await,
        Command::Audit(audit) => audit::audit(&client()?, audit).await,
        Command::Delivery(delivery) => deliveries::delivery(&client()?, delivery).await,
        Command::Login => tokens::login(&arguments).await,
        Command::LoginLink => tokens::login_link(&client()?).await,
        Command::Doctor(json) => doctor::doctor(&arguments, json.json).await,
        Command::Version(json) => version(json.json),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "drover", &mut std::io::stdout());
            Ok(Exit::Passed)
        }
        Command::Reference { root, check } => reference::reference(root, *check),
        Command::Reap => Ok(run::reap()),
    }
}

/// Prints a value as indented JSON on stdout.
pub fn print_json<T: serde::Serialize>(value: &T) -> anyhow::Result<Exit> {
    let text = serde_json::to_string_pretty(value).context("write JSON")?;
    anstream::println!("{text}");
    Ok(Exit::Passed)
}

/// Prints an answer as it came, or as text.
pub fn show<T: DeserializeOwned>(answer: Value, json: bool, text: impl FnOnce(T) -> String) -> anyhow::Result<Exit> {
    if json {
        return print_json(&answer);
    }
    anstream::println!("{}", text(serde_json::from_value(answer)?));
    Ok(Exit::Passed)
}

fn version(json: bool) -> anyhow::Result<Exit> {
    if json {
        return print_json(&serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": protocol::VERSION,
        }));
    }
    anstream::println!(
        "drover {} (agent protocol {})",
        env!("CARGO_PKG_VERSION"),
        protocol::VERSION
    );
    Ok(Exit::Passed)
}
