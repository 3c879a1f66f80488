//! `/artifacts/{artifact}`: what is in an artifact, one folder at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use web::views::{ArtifactEntry, ArtifactEntryKind, ArtifactPage, ArtifactRow};

use super::frame::Framed;
use super::{PageError, rows};
use crate::app::App;
use crate::blobs::browse::{self, Item};
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
    let at = at.trim_matches('/').to_owned();
    let inside = at.clone();
    let folder = browse::fold(&app.blobs, &artifact.sha256, Folder::default(), move |folder, item| {
        folder.add(&inside, item);
        ControlFlow::Continue(())
    });
    let folder = folder.await?;
    let more = folder.more;
    let entries = folder.entries(&at);
    let view = ArtifactPage {
        build: rows::build(build.build),
        sha256: artifact.sha256.clone(),
        artifact: row(artifact),
        at,
        entries,
        more,
    };
    Ok(framed.render(&view, web::pages::artifact))
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

/// What is in one folder, as far as it is shown.
#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, u64>,
    rest: Vec<(String, ArtifactEntryKind)>,
    more: u64,
}

impl Folder {
    /// Adds a file of the archive, if it is in the folder `at`.
    fn add(&mut self, at: &str, item: Item) {
        let name = match at {
            "" => Some(item.name.as_str()),
            at => item.name.strip_prefix(at).and_then(|name| name.strip_prefix('/')),
        };
        let Some(name) = name else {
            return;
        };
        let folder = name.split_once('/').map(|(folder, _)| folder);
        if let Some(files) = folder.and_then(|folder| self.folders.get_mut(folder)) {
            *files += 1;
        } else if self.folders.len() + self.rest.len() >= MOST_SHOWN {
            self.more += 1;
        } else if let Some(folder) = folder {
            self.folders.insert(folder.to_owned(), 1);
        } else {
            let name = name.to_owned();
            let kind = match item.link {
                Some(target) => ArtifactEntryKind::Link(target),
                None => ArtifactEntryKind::File(item.size),
            };
            self.rest.push((name, kind));
        }
    }

    /// Folders first, by name, then the rest.
    fn entries(self, at: &str) -> Vec<ArtifactEntry> {
        let folders = self.folders.into_iter();
        let folders = folders.map(|(name, files)| (name, ArtifactEntryKind::Folder(files)));
        let all = folders.chain(self.rest).map(|(name, kind)| ArtifactEntry {
            path: match at {
                "" => name.clone(),
                at => format!("{at}/{name}"),
            },
            name,
            kind,
        });
        all.collect()
    }
}
