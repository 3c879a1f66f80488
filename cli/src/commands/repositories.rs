//! Repositories and their hooks, and builds started by hand.

use std::io::{IsTerminal, Write};

use coordinator::forges::Forge;
use job_specs::units;
use protocol::api::{
    self, AddedRepository, Delivery, Hook, MadeBuild, NewRepository, Repository, RepositoryChange, Schedule,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{connections, print_json};
use crate::args::{Progress, Repo, Trigger};
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::{self, table::table};

/// `drover repo …`
pub async fn repo(client: &Client, repo: &Repo) -> anyhow::Result<Exit> {
    match repo {
        Repo::Add {
            name,
            git,
            forge,
            public,
            connection,
            poll,
            json,
        } => {
            let (name, git) = name_and_address(name, git.as_deref())?;
            let body = NewRepository {
                name,
                git: location(&git)?,
                forge: forge.map(|forge| forge.word().to_owned()),
                public: *public,
                connection: connections::wanted(connection)?,
                poll_secs: *poll,
            };
            add(client, &body, *json).await
        }
        Repo::Connect { name, connection, json } => connections::connect(client, name, connection, *json).await,
        Repo::Disconnect { name } => {
            client.delete(&connections::path(name)).await?;
            Ok(Exit::Passed)
        }
        Repo::Ls(json) => {
            let answer: Value = client.read("/repositories").await?;
            if json.json {
                return print_json(&answer);
            }
            let repositories: Vec<Repository> = serde_json::from_value(answer)?;
            if repositories.is_empty() {
                anstream::eprintln!("no repositories yet: drover repo add NAME --git URL|PATH");
                return Ok(Exit::Passed);
            }
            anstream::println!("{}", render::repositories::list(&repositories));
            Ok(Exit::Passed)
        }
        Repo::Show { name, json } => show(client, name, *json).await,
        Repo::Schedules { name, json } => schedules(client, name, *json).await,
        Repo::Set {
            name,
            public,
            poll,
            approval,
        } => {
            let path = format!("/repositories/{}", segment(name));
            let change = RepositoryChange {
                public: *public,
                poll_secs: *poll,
                approval: *approval,
            };
            client.call(Method::PATCH, &path, &change).await?;
            Ok(Exit::Passed)
        }
        Repo::Rm { name, yes } => {
            if !yes {
                confirm(&format!("Remove `{name}` with all its builds and logs?"))?;
            }
            client.delete(&format!("/repositories/{}", segment(name))).await?;
            Ok(Exit::Passed)
        }
        Repo::Hook {
            name,
            post_receive,
            rotate,
            now,
            json,
        } => {
            let path = format!("/repositories/{}/hook", segment(name));
            let hook: Hook = if *rotate {
                client.post(&format!("{path}/rotate?now={now}"), &json!({})).await?
            } else {
                client.read(&path).await?
            };
            if *json {
                return print_json(&json!({"name": name, "hook": hook}));
            }
            if *post_receive {
                anstream::print!("{}", post_receive_script(&hook));
            } else {
                print_hook(&hook);
            }
            Ok(Exit::Passed)
        }
    }
}

async fn add(client: &Client, new: &NewRepository, json: bool) -> anyhow::Result<Exit> {
    let answer: Value = client.post("/repositories", new).await?;
    if json {
        return print_json(&answer);
    }
    let added: AddedRepository = serde_json::from_value(answer)?;
    if new.connection.is_some() {
        anstream::println!("added {}", new.name);
        print_polling(&added.repository);
        return connections::await_webhook(client, &new.name).await;
    }
    print_added(&new.name, added.repository.forge.parse()?, &added.hook);
    print_polling(&added.repository);
    Ok(Exit::Passed)
}

/// The name of a new repository and where it is: a URL alone says both.
fn name_and_address(name: &str, git: Option<&str>) -> anyhow::Result<(String, String)> {
    if let Some(git) = git {
        return Ok((name.to_owned(), git.to_owned()));
    }
    let usage = |why: String| Stop::new(Exit::Usage, why).help("write: drover repo add NAME --git URL|PATH");
    if !name.contains(['/', ':']) {
        return Err(usage(format!("where is `{name}`?")).into());
    }
    let path = name.split_once("://").map_or(name, |(_, rest)| rest);
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    match path.rsplit_once(['/', ':']) {
        Some((_, last)) if !last.is_empty() => Ok((last.to_owned(), name.to_owned())),
        _ => Err(usage(format!("`{name}` ends in no name")).into()),
    }
}

/// `drover trigger`
pub async fn trigger(client: &Client, trigger: &Trigger, progress: Progress) -> anyhow::Result<Exit> {
    let path = format!("/repositories/{}/trigger", segment(&trigger.repository));
    let body = api::Trigger {
        reference: trigger.reference.clone(),
        inputs: trigger.inputs.iter().cloned().collect(),
    };
    let made: MadeBuild = client.post(&path, &body).await?;
    match trigger.json {
        true => drop(print_json(&made)?),
        false => anstream::println!("{}", made.number),
    }
    match trigger.watch {
        true => super::watch::watch(client, made.number, None, progress).await,
        false => Ok(Exit::Passed),
    }
}

/// A folder becomes an absolute path, since the coordinator runs elsewhere; a URL stays.
fn location(git: &str) -> anyhow::Result<String> {
    let is_path = !git.contains("://") && std::path::Path::new(git).exists();
    if !is_path {
        return Ok(git.to_owned());
    }
    Ok(std::fs::canonicalize(git)?.display().to_string())
}

async fn schedules(client: &Client, name: &str, json: bool) -> anyhow::Result<Exit> {
    let path = format!("/repositories/{}/schedules", segment(name));
    let answer: Value = client.read(&path).await?;
    if json {
        return print_json(&answer);
    }
    let all: Vec<Schedule> = serde_json::from_value(answer)?;
    if all.is_empty() {
        anstream::eprintln!("the job file of the default branch of `{name}` has no schedules (on.schedule)");
        return Ok(Exit::Passed);
    }
    let rows = all.into_iter().map(|schedule| {
        vec![
            schedule.cron,
            schedule.timezone,
            schedule.next_at.map_or("never".to_owned(), render::date),
            schedule.build.map_or(String::new(), |number| format!("#{number}")),
            schedule.message.unwrap_or_default(),
        ]
    });
    anstream::println!("{}", table(&["cron", "time zone", "next", "last build", ""], rows));
    Ok(Exit::Passed)
}

async fn show(client: &Client, name: &str, json: bool) -> anyhow::Result<Exit> {
    let path = format!("/repositories/{}", segment(name));
    let mut answer: Value = client.read(&path).await?;
    let deliveries: Value = client.read(&format!("{path}/deliveries")).await?;
    let connection: Value = client.read(&connections::path(name)).await?;
    if json {
        answer["deliveries"] = deliveries;
        answer["connection"] = connection;
        return print_json(&answer);
    }
    let repository: Repository = serde_json::from_value(answer)?;
    let readers = if repository.public {
        "everyone may read"
    } else {
        "log in to read"
    };
    anstream::println!(
        "{}  {}  ({}, {readers})",
        repository.name,
        repository.git,
        repository.forge
    );
    if let Some(connection) = serde_json::from_value(connection)? {
        connections::print(&connection);
    }
    print_polling(&repository);
    let deliveries: Vec<Delivery> = serde_json::from_value(deliveries)?;
    anstream::println!("{}", render::deliveries::list(&deliveries));
    Ok(Exit::Passed)
}

/// `polled every 5m; last 2m ago, next 2026-11-20 12:03`
fn print_polling(repository: &Repository) {
    let (Some(secs), Some(next)) = (repository.poll_secs, repository.next_poll_at) else {
        return;
    };
    let last = repository
        .polled_at
        .map_or("not asked yet".to_owned(), |at| format!("last {}", render::ago(at)));
    let every = units::micros(u64::from(secs) * 1_000_000);
    anstream::println!("polled every {every}; {last}, next {}", render::date(next));
    if let Some(problem) = &repository.poll_problem {
        anstream::println!("cannot be polled: {problem}");
    }
}

fn print_hook(hook: &Hook) {
    anstream::println!("url:    {}\nsecret: {}", hook.url, hook.secret);
    if let Some(token) = &hook.signing_token {
        anstream::println!("or, from GitLab 19 on, the same as a signing token: {token}");
    }
    if let Some(until) = hook.before_until {
        anstream::eprintln!("the secret before works until {}", render::date(until));
    }
}

fn print_added(name: &str, forge: Forge, hook: &Hook) {
    anstream::println!("added {name}\n");
    print_hook(hook);
    anstream::println!();
    if forge == Forge::Generic {
        anstream::println!(
            "for a bare repository:  drover repo hook {name} --post-receive > REPO.git/hooks/post-receive"
        );
        anstream::println!("                        chmod +x REPO.git/hooks/post-receive");
    } else {
        let (page, events) = forge.set_up();
        anstream::println!("in {page}: add a webhook with this URL and secret for {events}");
    }
}

/// A hook that signs what it sends and never holds up or fails a push. The secret stands in the script, so the file is
/// for its owner alone.
fn post_receive_script(hook: &Hook) -> String {
    let script = include_str!("post-receive.sh").replace("@URL@", &hook.url);
    script.replace("@SECRET@", &hook.secret)
}

/// Asks on the terminal; without one, says that `--yes` is needed.
fn confirm(question: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::new(Exit::Usage, "this needs a yes").help("add --yes").into());
    }
    anstream::eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Stop::new(Exit::Interrupted, "nothing was removed").into())
}
