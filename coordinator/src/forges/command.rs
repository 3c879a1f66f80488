//! Commands in comments on pull requests: `/drover approve 3f2a9c1`, `/drover rerun`. Separate from the forges, which differ
//! in where a comment's text is and in nothing else.

use super::message::{Message, Other};

/// What a command begins with.
const MARK: &str = "/drover";
/// The fewest digits that name a commit.
const DIGITS: usize = 7;

/// A comment on a pull request that gives a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What the comment is about; its `number` is the pull request's.
    pub about: Other,
    /// The pull request.
    pub number: i64,
    /// What is to be done.
    pub wanted: Wanted,
    /// Who wrote it; may do so only if the forge says that they may write to the repository.
    pub author: Author,
}

/// What a command wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The commit that begins with these digits is approved. A command that names none could mean another commit than the one
    /// that its author has seen.
    Approve(String),
    /// What did not pass of the newest build runs again.
    Rerun,
    /// Nothing that we know: what is wrong, in a sentence.
    Unknown(String),
}

/// Who wrote a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// As the forge calls them now.
    pub name: String,
    /// As it calls them for ever.
    pub id: String,
}

/// A comment: a command if it is new, on a pull request, by somebody, and begins with one.
pub(super) fn comment(about: Other, text: Option<&str>, author: Option<Author>) -> Message {
    let is_new = matches!(about.action.as_deref(), Some("created" | "create" | "added"));
    let wanted = text.filter(|_| is_new).and_then(wanted);
    match (about.number, wanted, author) {
        (Some(number), Some(wanted), Some(author)) => Message::Command(Command {
            about,
            number,
            wanted,
            author,
        }),
        _ => Message::Other(about),
    }
}

fn wanted(text: &str) -> Option<Wanted> {
    let mut words = text.trim_start().lines().next()?.split_whitespace();
    if words.next()? != MARK {
        return None;
    }
    let words: Vec<&str> = words.collect();
    Some(match words[..] {
        ["approve", commit] if is_commit(commit) => Wanted::Approve(commit.to_ascii_lowercase()),
        ["approve", ..] => Wanted::Unknown(format!(
            "`{MARK} approve` names the commit that was looked at, by {DIGITS} digits at least: {MARK} approve 3f2a9c1"
        )),
        ["rerun"] => Wanted::Rerun,
        _ => Wanted::Unknown(format!("known commands are `{MARK} approve COMMIT` and `{MARK} rerun`")),
    })
}

fn is_commit(word: &str) -> bool {
    (DIGITS..=64).contains(&word.len()) && word.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_a_command_only_if_it_begins_with_one() {
        for text in [
            "",
            "LGTM",
            "see /drover rerun",
            "> /drover rerun",
            "/droverrerun",
            "\n\nfine\n/drover rerun",
        ] {
            assert_eq!(wanted(text), None, "{text:?}");
        }
        assert_eq!(wanted("  /drover   rerun \r\nplease"), Some(Wanted::Rerun));
        assert_eq!(wanted("\n/drover rerun"), Some(Wanted::Rerun));
        assert_eq!(
            wanted("/drover approve 3F2A9C1"),
            Some(Wanted::Approve("3f2a9c1".into()))
        );
        for text in [
            "/drover",
            "/drover approve",
            "/drover approve main",
            "/drover approve 3f2a9c",
            "/drover deploy",
        ] {
            assert!(matches!(wanted(text), Some(Wanted::Unknown(_))), "{text:?}");
        }
        let endless = format!("/drover approve {}", "a".repeat(65));
        assert!(matches!(wanted(&endless), Some(Wanted::Unknown(_))));
    }

    #[test]
    fn an_edited_comment_and_one_of_nobody_are_none() {
        let about = |action: &str, number| Other {
            action: Some(action.into()),
            number,
            ..Other::default()
        };
        let author = || {
            Some(Author {
                name: "ann".into(),
                id: "1".into(),
            })
        };
        let text = Some("/drover rerun");
        let is_command = |message| matches!(message, Message::Command(_));
        assert!(is_command(comment(about("created", Some(7)), text, author())));
        assert!(!is_command(comment(about("edited", Some(7)), text, author())));
        assert!(!is_command(comment(about("deleted", Some(7)), text, author())));
        assert!(!is_command(comment(about("created", None), text, author())));
        assert!(!is_command(comment(about("created", Some(7)), text, None)));
    }
}
