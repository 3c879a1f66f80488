//! `drover artifact` and `drover cache`: what jobs kept.

use std::io::Write;
use std::path::{Path, PathBuf};

use agent::blobs::archive::{self, ByteReader, Links, Modes, Rules, UnpackTarget, Unpacked, byte_pipe};
use anyhow::Context;
use futures_util::StreamExt;
use job_specs::units::size;
use protocol::api::{self, RemovedCaches};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{print_json, show};
use crate::args::{Artifact, Cache};
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::{self, table::table};

/// `drover artifact ls|get`
pub async fn artifact(client: &Client, artifact: &Artifact) -> anyhow::Result<Exit> {
    match artifact {
        Artifact::Ls { number, json } => list(client, *number, *json).await,
        Artifact::Get {
            number,
            name,
            job,
            output,
            json,
        } => {
            let found = find(client, *number, name, job.as_deref()).await?;
            match output.as_deref() {
                Some(path) if path == Path::new("-") => to_stdout(client, &found).await,
                folder => unpack(client, &found, folder, *json).await,
            }
        }
    }
}

async fn list(client: &Client, number: i64, as_json: bool) -> anyhow::Result<Exit> {
    let rows: Vec<api::Artifact> = client.read(&format!("/builds/{number}/artifacts")).await?;
    if as_json {
        return print_json(&rows);
    }
    let rows = rows.into_iter().map(|row| {
        let files = row.files.to_string();
        vec![
            row.name,
            row.job_title,
            files,
            size(row.bytes),
            render::ago(row.created_at),
        ]
    });
    anstream::println!("{}", table(&["name", "job", "files", "size", "kept"], rows));
    Ok(Exit::Passed)
}

/// The one artifact of that name; several jobs may have one each.
async fn find(client: &Client, number: i64, name: &str, job: Option<&str>) -> anyhow::Result<api::Artifact> {
    let rows: Vec<api::Artifact> = client.read(&format!("/builds/{number}/artifacts")).await?;
    let is_of =
        |title: &str, job: &str| title == job || title.strip_prefix(job).is_some_and(|rest| rest.starts_with(" ("));
    let named: Vec<api::Artifact> = rows
        .into_iter()
        .filter(|row| row.name == name && job.is_none_or(|job| is_of(&row.job_title, job)))
        .collect();
    match named.len() {
        0 => {
            let of = job.map(|job| format!(" of {job}")).unwrap_or_default();
            let stop = Stop::new(Exit::NotFound, format!("build {number} has no artifact `{name}`{of}"));
            Err(stop
                .help(format!("`drover artifact ls {number}` lists what it has"))
                .into())
        }
        1 => named.into_iter().next().context("one of one"),
        _ => {
            let jobs: Vec<&str> = named.iter().map(|row| row.job_title.as_str()).collect();
            let sentence = format!(
                "several jobs of build {number} have an artifact `{name}`: {}",
                jobs.join(", ")
            );
            Err(Stop::new(Exit::Usage, sentence).help("choose one with --job").into())
        }
    }
}

async fn to_stdout(client: &Client, row: &api::Artifact) -> anyhow::Result<Exit> {
    let answer = client.stream(&format!("/artifacts/{}", segment(&row.id)), &[]).await?;
    let mut bytes = answer.bytes_stream();
    let mut stdout = std::io::stdout().lock();
    while let Some(chunk) = bytes.next().await {
        stdout.write_all(&chunk.context("read the artifact")?)?;
    }
    stdout.flush()?;
    Ok(Exit::Passed)
}

async fn unpack(client: &Client, row: &api::Artifact, folder: Option<&Path>, as_json: bool) -> anyhow::Result<Exit> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => default_folder(&row.name)?,
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let unpacked = fetch(client, row, &folder).await?;
    if as_json {
        return print_json(&json!({
            "name": row.name,
            "job": row.job_title,
            "sha256": row.sha256,
            "files": unpacked.files,
            "bytes": unpacked.content_bytes,
            "folder": folder,
        }));
    }
    let noun = if unpacked.files == 1 { "file" } else { "files" };
    let (files, bytes) = (unpacked.files, size(unpacked.content_bytes));
    anstream::eprintln!("{}: {files} {noun}, {bytes} in {}", row.name, folder.display());
    Ok(Exit::Passed)
}

/// A folder of the artifact's name, here.
fn default_folder(name: &str) -> anyhow::Result<PathBuf> {
    let is_plain = !name.contains('/') && !matches!(name, "." | "..");
    match is_plain {
        true => Ok(PathBuf::from(name)),
        false => Err(Stop::new(Exit::Usage, format!("`{name}` is no name for a folder"))
            .help("say where it goes with --output DIR")
            .into()),
    }
}

async fn fetch(client: &Client, row: &api::Artifact, folder: &Path) -> anyhow::Result<Unpacked> {
    let answer = client.stream(&format!("/artifacts/{}", segment(&row.id)), &[]).await?;
    let (sender, receiver) = byte_pipe();
    let reader = ByteReader::new(receiver, CancellationToken::new());
    let into = UnpackTarget::all_into(folder.to_owned());
    let rules = Rules::of(Links::Inside, Modes::Own);
    let unpacking = tokio::task::spawn_blocking(move || archive::unpack(reader, &[into], rules));
    let mut bytes = answer.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| std::io::Error::other(error.without_url()));
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    let unpacked = unpacking.await.context("unpack")?;
    let unpacked = unpacked.map_err(|error| Stop::new(Exit::Infrastructure, format!("{}: {error}", row.name)))?;
    if unpacked.sha256 != row.sha256 {
        return Err(Stop::new(
            Exit::Infrastructure,
            format!("{}: it did not arrive as it was kept", row.name),
        )
        .into());
    }
    Ok(unpacked)
}

/// `drover cache ls|prune`
pub async fn cache(client: &Client, cache: &Cache) -> anyhow::Result<Exit> {
    match cache {
        Cache::Ls { repository, json } => {
            let answer: Value = client
                .read(&format!("/repositories/{}/caches", segment(repository)))
                .await?;
            let row = |cache: api::Cache| vec![cache.key, cache.scope, size(cache.bytes), render::ago(cache.used_at)];
            show(answer, *json, |caches: Vec<api::Cache>| {
                table(&["key", "scope", "size", "used"], caches.into_iter().map(row))
            })
        }
        Cache::Prune {
            repository,
            scope,
            json,
        } => {
            let mut path = format!("/repositories/{}/caches", segment(repository));
            if let Some(scope) = scope {
                path = format!("{path}?scope={}", segment(scope));
            }
            let pruned: RemovedCaches = client.delete_for(&path).await?;
            if *json {
                return print_json(&pruned);
            }
            anstream::eprintln!("{repository}: {} caches removed", pruned.removed);
            Ok(Exit::Passed)
        }
    }
}
