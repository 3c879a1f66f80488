//! What every page's layout needs: title, icon, where it is, and which events it listens to.

use crate::look::Look;

/// The entries of the main navigation; `None`: a page that is under none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Builds,
    Repositories,
    Agents,
    None,
}

/// One step of the way from home to here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    pub text: String,
    pub href: Option<String>,
}

/// The head of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub title: String,
    /// Name of an asset.
    pub icon: String,
    pub section: Section,
    pub crumbs: Vec<Crumb>,
    /// Address of the page's event stream.
    pub events: Option<String>,
}

impl Head {
    /// A page without events.
    pub fn new(title: impl Into<String>, section: Section) -> Head {
        Head {
            title: title.into(),
            icon: "icon-drover.svg".into(),
            section,
            crumbs: Vec::new(),
            events: None,
        }
    }

    /// One more step of the way, with a link.
    pub fn under(mut self, text: impl Into<String>, href: impl Into<String>) -> Head {
        self.crumbs.push(Crumb {
            text: text.into(),
            href: Some(href.into()),
        });
        self
    }

    /// The last step: this page.
    pub fn here(mut self, text: impl Into<String>) -> Head {
        self.crumbs.push(Crumb {
            text: text.into(),
            href: None,
        });
        self
    }

    /// The stream that makes the page live.
    pub fn live(mut self, events: impl Into<String>) -> Head {
        self.events = Some(events.into());
        self
    }

    /// The state in the window's icon.
    pub fn icon(mut self, icon: String) -> Head {
        self.icon = icon;
        self
    }
}

/// The asset that shows a state as a window's icon.
pub fn icon_of(look: Look) -> String {
    format!("icon-{}.svg", look.icon)
}
