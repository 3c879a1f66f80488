//! `/artifacts/{artifact}`: what is in an artifact, one folder at a time.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use web::views::{ArtifactEntry, ArtifactEntryKind, ArtifactPage, ArtifactRow};

use super::frame::Framed;
use super::{PageError, rows};
use crate::app::App;
use crate::blobs::look::{self, Item};
use crate::http::access::Reader;
use crate::http::extract::{Path, Query};
use crate::store::{artifacts, builds};

/// Names of a folder that are shown at most.
const MOST_SHOWN: usize = 2_000;

/// Which folder.
#[derive(Deserialize)]
pub(super) struct At {
    #[serde(default)]
    at: String,
}

/// One folder of an artifact.
pub(super) async fn page(
    State(app): State<App>,
    _: Reader,
    framed: Framed,
    Path(id): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Response, PageError> {
    let artifact = artifacts::show(&app.store, &id).await?;
    let build = builds::show(&app.store, artifact.build).await?;
    let items = look::list(&app.blobs, &artifact.sha256).await?;
    let at = at.trim_matches('/').to_owned();
    let mut entries = folder(&items, &at);
    let more = entries.len().saturating_sub(MOST_SHOWN) as u64;
    entries.truncate(MOST_SHOWN);
    let view = ArtifactPage {
        build: rows::build(build.build),
        sha256: artifact.sha256.clone(),
        artifact: row(artifact),
        at,
        entries,
        more,
    };
    Ok(framed.draw(&view, web::pages::artifact))
}

/// An artifact as a row.
pub(super) fn row(artifact: artifacts::Artifact) -> ArtifactRow {
    ArtifactRow {
        id: artifact.id,
        name: artifact.name,
        job: artifact.job.0,
        job_title: artifact.job_title,
        bytes: artifact.bytes,
        files: artifact.files,
        expires_at: artifact.expires_at,
    }
}

/// What is in one folder: folders first, then the rest, by name.
fn folder(items: &[Item], at: &str) -> Vec<ArtifactEntry> {
    let inside = |path: &str| match at {
        "" => path.to_owned(),
        at => format!("{at}/{path}"),
    };
    let mut folders: BTreeMap<&str, u64> = BTreeMap::new();
    let mut rest = Vec::new();
    for item in items {
        let name = match at {
            "" => Some(item.name.as_str()),
            at => item.name.strip_prefix(at).and_then(|name| name.strip_prefix('/')),
        };
        let Some(name) = name else {
            continue;
        };
        match name.split_once('/') {
            Some((folder, _)) => *folders.entry(folder).or_default() += 1,
            None => rest.push(ArtifactEntry {
                name: name.to_owned(),
                path: inside(name),
                kind: match &item.link {
                    Some(target) => ArtifactEntryKind::Link(target.clone()),
                    None => ArtifactEntryKind::File(item.size),
                },
            }),
        }
    }
    let folders = folders.into_iter().map(|(name, files)| ArtifactEntry {
        name: name.to_owned(),
        path: inside(name),
        kind: ArtifactEntryKind::Folder(files),
    });
    folders.chain(rest).collect()
}
