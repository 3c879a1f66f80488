//! `drover stack`: what lives longer than the job that made it.

use anyhow::Context;
use protocol::api::Stack;
use protocol::work::StackState;
use serde_json::Value;

use super::print_json;
use crate::args::StackCommand;
use crate::client::{Client, segment};
use crate::exit::Exit;
use crate::render::table::table;
use crate::render::{self};

/// `drover stack ls|extend|rm`
pub async fn stack(client: &Client, command: &StackCommand) -> anyhow::Result<Exit> {
    match command {
        StackCommand::Ls(json) => {
            let answer: Value = client.read("/stacks").await?;
            if json.json {
                return print_json(&answer);
            }
            let stacks: Vec<Stack> = serde_json::from_value(answer).context("read the list of stacks")?;
            let heads = ["build", "job", "repository", "agent", "state", "until", "id"];
            anstream::println!("{}", table(&heads, stacks.iter().map(row)));
        }
        StackCommand::Extend { stack } => {
            let path = format!("/stacks/{}/extend", segment(stack));
            let stack: Stack = client.post(&path, &serde_json::json!({})).await?;
            anstream::eprintln!("{}: stays until {}", stack.title, render::date(stack.expires_at));
        }
        StackCommand::Rm { stack } => {
            let stack: Stack = client.read(&format!("/stacks/{}", segment(stack))).await?;
            remove(client, &stack).await?;
        }
    }
    Ok(Exit::Passed)
}

fn row(stack: &Stack) -> Vec<String> {
    vec![
        stack.build.to_string(),
        stack.title.clone(),
        stack.repository.clone(),
        stack.agent.clone(),
        word(stack.state).to_owned(),
        render::date(stack.expires_at),
        stack.id.clone(),
    ]
}

fn word(state: StackState) -> &'static str {
    match state {
        StackState::Running => "running",
        StackState::Unreachable => "unreachable",
        StackState::Deleting => "deleting",
    }
}

/// Removes a stack and says what becomes of it.
pub async fn remove(client: &Client, stack: &Stack) -> anyhow::Result<()> {
    client.delete(&format!("/stacks/{}", stack.id)).await?;
    let (title, agent) = (&stack.title, &stack.agent);
    anstream::eprintln!(
        "{}",
        match stack.state {
            StackState::Unreachable => format!("{title}: its containers are removed when agent {agent} is back"),
            _ => format!("{title}: its containers are being removed"),
        }
    );
    Ok(())
}
