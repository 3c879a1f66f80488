//! What a delivery says, whoever sent it: the words in which builds know webhooks. Nothing here is checked yet: names
//! are the sender's. Whether the code is trusted is decided by the identity of the repository that it comes from, never
//! by its words.

use protocol::api::Meaning;

use super::command::Command;

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// "Do you hear me?"
    Ping,
    /// A branch or a tag points at another commit.
    Push(Push),
    /// A pull request was opened, or has new commits, or something else happened to it.
    PullRequest(PullRequest),
    /// A comment on a pull request that gives a command.
    Command(Command),
    /// Something that starts no build.
    Other(Other),
}

/// A branch or a tag points at another commit. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// `refs/heads/main`
    pub reference: String,
    /// The commit, or the tag object; `None`: whatever the reference points at.
    pub after: Option<String>,
    /// The commit that it pointed at before; all zeros when it is new, `None` when the sender does not say.
    pub before: Option<String>,
    /// The commit before is no ancestor of this one, if the sender says so.
    pub forced: bool,
    /// Who pushed, for display.
    pub sender: Option<String>,
}

/// A pull request, as far as it matters. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// What happened to it, in the words of [`Meaning::action`]; `None` when the sender does not say.
    pub action: Option<String>,
    /// Its number.
    pub number: i64,
    /// Where its newest commit is found in the repository: `refs/pull/7/head`. `None`: not there.
    pub reference: Option<String>,
    /// Its newest commit.
    pub head: Option<String>,
    /// The commit that was its newest before, if the sender says so.
    pub before: Option<String>,
    /// When it last changed, by the forge's clock, in microseconds.
    pub updated_at: Option<i64>,
    /// The branch that it comes from.
    pub branch: Option<String>,
    /// The repository of that branch, for display: `octo/hello`.
    pub head_repository: Option<String>,
    /// The branch that it wants to go into.
    pub base: String,
    /// Whose code it is.
    pub origin: Origin,
    /// Who did it, for display.
    pub sender: Option<String>,
}

/// Where the code of a pull request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A branch of the repository itself: who wrote it may push here.
    SameRepository,
    /// Another repository, or one that is gone.
    Fork,
}

/// Something that starts no build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Other {
    /// `release`, `comment`, or the forge's own word.
    pub event: String,
    /// What happened, in the forge's words.
    pub action: Option<String>,
    /// The branch or tag that it is about: `refs/tags/v1`.
    pub reference: Option<String>,
    /// The pull request that it is about.
    pub number: Option<i64>,
    /// Who did it, for display.
    pub sender: Option<String>,
}

impl Message {
    /// One of which only the forge's word for it is known.
    pub fn other(event: &str) -> Message {
        Message::Other(Other {
            event: event.to_owned(),
            ..Other::default()
        })
    }

    /// What a delivery that moves several references says; at least one message.
    pub(super) fn pushes(moved: impl Iterator<Item = Push>) -> Vec<Message> {
        let moved: Vec<Message> = moved.map(Message::Push).collect();
        match moved.is_empty() {
            true => vec![Message::other("push of nothing")],
            false => moved,
        }
    }

    /// Why it starts no build. `None`: it may start one.
    pub fn ignored(&self) -> Option<String> {
        match self {
            Message::Ping => Some("ping: the webhook works".to_owned()),
            Message::Push(push) if push.is_deletion() => {
                Some("the branch or tag was deleted: nothing to build".to_owned())
            }
            Message::Push(_) => None,
            Message::PullRequest(request) => request.ignored(),
            Message::Command(_) => None,
            Message::Other(other) => Some(format!("`{}` events start no build", other.event)),
        }
    }

    /// What it means, in one form for all forges.
    pub fn meaning(&self) -> Meaning {
        match self {
            Message::Ping => Meaning {
                event: "ping".to_owned(),
                ..Meaning::default()
            },
            Message::Push(push) => push.meaning(),
            Message::PullRequest(request) => request.meaning(),
            Message::Command(command) => command.about.meaning(),
            Message::Other(other) => other.meaning(),
        }
    }

    /// What it is about, for people: `main`, `v1.2`, `pull request 7`. Empty when it does not say.
    pub fn about(&self) -> String {
        let Meaning { reference, number, .. } = self.meaning();
        let text = match (number, reference) {
            (Some(number), _) => format!("pull request {number}"),
            (None, Some(reference)) => {
                let name = reference.strip_prefix("refs/heads/");
                let name = name.or_else(|| reference.strip_prefix("refs/tags/"));
                name.unwrap_or(&reference).to_owned()
            }
            (None, None) => String::new(),
        };
        text.chars().filter(|c| !c.is_control()).take(100).collect()
    }
}

impl Other {
    fn meaning(&self) -> Meaning {
        Meaning {
            event: self.event.clone(),
            action: self.action.clone(),
            reference: self.reference.clone(),
            number: self.number,
            sender: self.sender.clone(),
            ..Meaning::default()
        }
    }
}

impl Push {
    /// The reference is gone: its new value is all zeros.
    pub fn is_deletion(&self) -> bool {
        self.after.as_deref().is_some_and(is_zeros)
    }

    fn meaning(&self) -> Meaning {
        let is_new = self.before.as_deref().map(is_zeros);
        let action = match (self.is_deletion(), is_new) {
            (true, _) => Some("deleted"),
            (false, Some(true)) => Some("created"),
            (false, _) if self.forced => Some("forced"),
            (false, Some(false)) => Some("updated"),
            (false, None) => None,
        };
        let commit = |id: &Option<String>| id.clone().filter(|id| !is_zeros(id));
        let is_tag = self.reference.starts_with("refs/tags/");
        Meaning {
            event: if is_tag { "tag" } else { "push" }.to_owned(),
            action: action.map(str::to_owned),
            reference: Some(self.reference.clone()),
            before: commit(&self.before),
            sha: commit(&self.after),
            sender: self.sender.clone(),
            ..Meaning::default()
        }
    }
}

impl PullRequest {
    /// Why nothing is built for what happened to it.
    fn ignored(&self) -> Option<String> {
        let number = self.number;
        match self.action.as_deref() {
            Some("opened" | "reopened" | "synchronized") if self.reference.is_none() => Some(format!(
                "pull request {number} comes from a fork, and its forge does not keep the commits of forks in the \
                 repository: push its branch to build it"
            )),
            Some("opened" | "reopened" | "synchronized") => None,
            Some(other) => Some(format!("pull request {number} was {other}: only new commits are built")),
            None => Some(format!("nothing is said to have happened to pull request {number}")),
        }
    }

    /// The branch as builds show it: `feature`, or `octo:feature` of a fork, which no branch of ours can be called.
    pub fn label(&self) -> Option<String> {
        let branch = self.branch.as_deref()?;
        match self.origin {
            Origin::SameRepository => Some(branch.to_owned()),
            Origin::Fork => {
                let owner = self.head_repository.as_deref().map(|name| match name.rsplit_once('/') {
                    Some((owner, _)) => owner,
                    None => name,
                });
                Some(format!("{}:{branch}", owner.unwrap_or("fork")))
            }
        }
    }

    fn meaning(&self) -> Meaning {
        Meaning {
            event: "pull_request".to_owned(),
            action: self.action.clone(),
            reference: self.reference.clone(),
            before: self.before.clone(),
            sha: self.head.clone(),
            number: Some(self.number),
            base: Some(self.base.clone()),
            head: self.branch.clone(),
            head_repository: self.head_repository.clone(),
            fork: Some(self.origin == Origin::Fork),
            sender: self.sender.clone(),
        }
    }
}

fn is_zeros(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|digit| digit == b'0')
}
