//! What a delivery says, whoever sent it: the words in which builds know webhooks. Nothing here is checked yet: names
//! are the sender's. Whether the code is trusted is decided by the identity of the repository that it comes from, never
//! by its words.

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// "Do you hear me?"
    Ping,
    /// A branch or a tag points at another commit.
    Push(Push),
    /// A pull request was opened, or has new commits, or something else happened to it.
    PullRequest(PullRequest),
    /// Something that starts no build; its name.
    Other(String),
}

/// A branch or a tag points at another commit. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// `refs/heads/main`
    pub reference: String,
    /// The commit, or the tag object; `None`: whatever the reference points at.
    pub after: Option<String>,
    /// The commit that it pointed at before; all zeros when it is new, `None` when the sender does not say.
    pub before: Option<String>,
    /// Who pushed, for display.
    pub pusher: Option<String>,
}

impl Push {
    /// The reference is gone: its new value is all zeros.
    pub fn is_deletion(&self) -> bool {
        let zeros = |id: &str| !id.is_empty() && id.bytes().all(|digit| digit == b'0');
        self.after.as_deref().is_some_and(zeros)
    }
}

/// A pull request, as far as it matters. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// What happened to it: `opened`, `synchronize`, …
    pub action: String,
    /// Its number.
    pub number: i64,
    /// Where its newest commit is found in the repository: `refs/pull/7/head`.
    pub reference: String,
    /// Its newest commit.
    pub head: Option<String>,
    /// The commit that was its newest before, if the sender says so.
    pub before: Option<String>,
    /// When it last changed, by the forge's clock, in microseconds.
    pub updated_at: Option<i64>,
    /// The name of its branch: `feature`, or `octo:feature` from a fork, which no branch of ours can be called.
    pub branch: Option<String>,
    /// The branch that it wants to go into.
    pub base: String,
    /// Whose code it is.
    pub origin: Origin,
}

/// Where the code of a pull request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A branch of the repository itself: who wrote it may push here.
    SameRepository,
    /// Another repository, or one that is gone.
    Fork,
}

impl PullRequest {
    /// Why nothing is built for what happened to it.
    pub fn unwanted(&self) -> Option<String> {
        match self.action.as_str() {
            "opened" | "reopened" | "synchronize" | "synchronized" => None,
            other => Some(format!(
                "pull request {} was {other}: only new commits are built",
                self.number
            )),
        }
    }
}
