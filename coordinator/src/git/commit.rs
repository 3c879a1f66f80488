//! What is read of a commit: who, what, and its job files. Blocking calls of libgit2; run them on a blocking thread.

use std::path::Path;

use git2::{ObjectType, Oid, Repository, Tree};
use job_specs::SourceFile;

use super::{GitError, ObjectId, oid};

/// The one job file that suffices.
const SINGLE: &str = ".drover.yml";
/// The folder of several.
const FOLDER: &str = ".drover";
/// A file beyond this is not even read; the job language's own limit is lower and says so with a diagnostic.
const MAX_FILE: usize = 1 << 20;
/// More job files than this are a mistake.
const MAX_FILES: usize = 100;

/// A commit, for display and for facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Full object id of the commit, also where a tag object was asked for.
    pub sha: String,
    /// First line of its message.
    pub title: String,
    /// Who wrote it, as the commit says: for display only, anybody can write anything there.
    pub author: String,
    /// Its message says that nothing is to be built: the mark, as it stands there.
    pub skip_mark: Option<&'static str>,
    /// Author and message are UTF-8 as they stand; else git must translate them: see [`Commit::say`].
    pub(super) is_utf8: bool,
}

impl Commit {
    /// Takes what the commit says, in UTF-8.
    pub(super) fn say(&mut self, author: &str, message: &str) {
        self.title = title(message);
        self.author = printable(author).take(200).collect();
        self.skip_mark = skip_mark(message);
    }
}

/// What in a commit's message says that a push or a pull request builds nothing.
const SKIP_MARKS: [&str; 3] = ["[skip ci]", "[ci skip]", "[no ci]"];

/// The job files of a commit, sorted by name; empty when it has none.
pub type JobFiles = Vec<SourceFile>;

/// Reads the commit that `id` is, or that the tag object `id` points at. `None`: it is not in the mirror.
///
/// # Errors
/// When the mirror is broken, or the object is no commit.
pub(super) fn read(mirror: &Path, id: &ObjectId) -> Result<Option<(Commit, JobFiles)>, GitError> {
    let repository = Repository::open_bare(mirror).map_err(broken)?;
    let oid = oid(id).map_err(broken)?;
    if oid.object_format() != repository.object_format() {
        return Ok(None);
    }
    let object = match repository.find_object(oid, None) {
        Ok(object) => object,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    let commit = object
        .peel_to_commit()
        .map_err(|_| GitError::NoSuchCommit(id.short().to_owned()))?;
    let tree = commit.tree().map_err(broken)?;
    let files = job_files(&repository, &tree)?;
    let author = commit.author();
    let (author, message) = (author.name_bytes(), commit.message_bytes());
    let named_encoding = matches!(commit.message_encoding(), Ok(Some(name)) if !name.eq_ignore_ascii_case("utf-8"));
    let mut read = Commit {
        sha: commit.id().to_string(),
        title: String::new(),
        author: String::new(),
        skip_mark: None,
        is_utf8: !named_encoding && str::from_utf8(author).is_ok() && str::from_utf8(message).is_ok(),
    };
    read.say(&String::from_utf8_lossy(author), &String::from_utf8_lossy(message));
    Ok(Some((read, files)))
}

/// The first paragraph of a message, in one line, as `git log --oneline` shows it.
fn title(message: &str) -> String {
    let lines = message.lines().map(str::trim).skip_while(|line| line.is_empty());
    let first: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    printable(&first.join(" ")).take(500).collect()
}

/// Without what could move the cursor of a terminal.
fn printable(text: &str) -> impl Iterator<Item = char> {
    let shown = |c: char| if c == '\t' { ' ' } else { c };
    text.chars().map(shown).filter(|c| !c.is_control())
}

fn job_files(repository: &Repository, tree: &Tree<'_>) -> Result<JobFiles, GitError> {
    if let Some(entry) = tree.get_name(SINGLE).filter(is_file) {
        return Ok(vec![source(repository, entry.id(), SINGLE.to_owned())?]);
    }
    let folder = tree
        .get_name(FOLDER)
        .and_then(|entry| entry.to_object(repository).ok()?.into_tree().ok());
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in folder.iter().filter(is_file) {
        let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
        if !name.ends_with(".yml") {
            continue;
        }
        if files.len() == MAX_FILES {
            return Err(GitError::BadFile(format!(
                "there are more than {MAX_FILES} files in {FOLDER}/"
            )));
        }
        files.push(source(repository, entry.id(), format!("{FOLDER}/{name}"))?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn skip_mark(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    SKIP_MARKS.into_iter().find(|mark| message.contains(mark))
}

/// A file, and not a link: a link could only point at something that is not the file it pretends to be.
fn is_file(entry: &git2::TreeEntry<'_>) -> bool {
    entry.kind() == Some(ObjectType::Blob) && !is_link(entry)
}

/// A symbolic link.
pub(super) fn is_link(entry: &git2::TreeEntry<'_>) -> bool {
    entry.filemode() == i32::from(git2::FileMode::Link)
}

fn source(repository: &Repository, blob: Oid, name: String) -> Result<SourceFile, GitError> {
    let (size, _) = repository.odb().and_then(|odb| odb.read_header(blob)).map_err(broken)?;
    if size > MAX_FILE {
        return Err(GitError::BadFile(format!(
            "{name} has {size} bytes; a job file may have 256 KiB"
        )));
    }
    let blob = repository.find_blob(blob).map_err(broken)?;
    match std::str::from_utf8(blob.content()) {
        Ok(text) => Ok(SourceFile {
            name,
            text: text.to_owned(),
        }),
        Err(error) => {
            let at = error.valid_up_to();
            Err(GitError::BadFile(format!("{name} is not UTF-8 text (byte {at})")))
        }
    }
}

fn broken(error: git2::Error) -> GitError {
    GitError::Mirror(error.message().to_owned())
}
