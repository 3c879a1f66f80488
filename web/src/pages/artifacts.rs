//! The page that looks into an artifact.

use askama::Template;

use super::frame::{Head, Section};
use crate::views::{ArtifactEntryKind, ArtifactPage, Frame};
use crate::{format, routes};

/// `/artifacts/{id}`
#[derive(Template)]
#[template(path = "artifact.html")]
pub struct Artifact<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a ArtifactPage,
}

impl<'a> Artifact<'a> {
    pub fn new(frame: &'a Frame, view: &'a ArtifactPage) -> Artifact<'a> {
        let build = &view.build;
        let head = Head::new(format!("{} · #{}", view.artifact.name, build.number), Section::Builds)
            .under(&build.repository, routes::repository(&build.repository))
            .under(format!("#{}", build.number), routes::build(build.number))
            .here(&view.artifact.name);
        Artifact { frame, head, view }
    }

    /// The folders on the way to the one that is shown: (name, address), the top first.
    fn way(&self) -> Vec<(&str, String)> {
        let id = &self.view.artifact.id;
        let mut way = vec![(self.view.artifact.name.as_str(), routes::artifact(id, ""))];
        let mut end = 0;
        for part in self.view.at.split('/').filter(|part| !part.is_empty()) {
            end = self.view.at[end..]
                .find(part)
                .map_or(end, |from| end + from + part.len());
            way.push((part, routes::artifact(id, &self.view.at[..end])));
        }
        way
    }
}
