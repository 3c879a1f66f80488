//! Every file of one reading: those that were given, and behind them those of the repository that they refer to, in
//! the order in which they were first asked for. A place names a file by its number here. A file is read once; what was
//! read while a job file was checked is all that a build made of it can see.

use std::collections::HashMap;
use std::ops::{Index, Range};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::SourceFile;
use crate::limits::{MAX_FILE_BYTES, MAX_IMPORTED_BYTES, MAX_IMPORTED_FILES};
use crate::repository::Reach;
use crate::source::{Location, Source};
use crate::yaml::Node;

/// The files.
#[derive(Debug)]
pub(crate) struct Sources {
    given: Vec<Source>,
    imported: Vec<OnceLock<Imported>>,
    known: Mutex<Known>,
}

/// A file of the repository.
#[derive(Debug)]
struct Imported {
    source: Source,
    /// Its YAML, once somebody wanted it and it could be read.
    tree: OnceLock<Arc<Node>>,
}

#[derive(Debug, Default)]
struct Known {
    by_path: HashMap<String, LookUp>,
    files: usize,
    bytes: usize,
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LookUp {
    /// The file of that number.
    File(usize),
    /// There is no such file.
    Missing,
    /// It cannot be read: why.
    Unreadable(String),
    /// It was not asked for while the job file was checked, and now it is too late.
    TooLate,
}

impl Sources {
    /// The files that were given.
    pub(crate) fn new(given: Vec<Source>) -> Sources {
        Sources {
            given,
            imported: (0..MAX_IMPORTED_FILES).map(|_| OnceLock::new()).collect(),
            known: Mutex::default(),
        }
    }

    /// Whether a file is one of the repository's that another refers to: Compose's rules hold in it.
    pub(crate) fn is_imported(&self, file: usize) -> bool {
        file >= self.given.len()
    }

    /// The file of that number.
    pub(crate) fn get(&self, file: usize) -> Option<&Source> {
        match file.checked_sub(self.given.len()) {
            None => self.given.get(file),
            Some(at) => self.imported.get(at)?.get().map(|imported| &imported.source),
        }
    }

    /// The place of a byte range of a file that was read.
    pub(crate) fn location(&self, file: usize, bytes: Range<usize>) -> Location {
        let span = self[file].span(bytes);
        Location { file, span }
    }

    /// The place of the `nth` occurrence of `needle` inside another place, as far as it stands there as written.
    pub(crate) fn within(&self, location: Location, needle: &str, nth: usize) -> Location {
        let span = self[location.file].find(location.span, needle, nth);
        Location { span, ..location }
    }

    /// Reads a file of the repository, if that has not been done.
    pub(crate) fn look_up(&self, path: &str, repository: Reach<'_>) -> LookUp {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.by_path.get(path) {
            return found.clone();
        }
        let Some(repository) = repository.0 else {
            return LookUp::TooLate;
        };
        let found = match repository.read(path) {
            Ok(None) => LookUp::Missing,
            Ok(Some(text)) => self.keep(&mut known, path, &text),
            Err(why) => LookUp::Unreadable(why),
        };
        if known.by_path.len() < MAX_KNOWN_PATHS {
            known.by_path.insert(path.to_owned(), found.clone());
        }
        found
    }

    fn keep(&self, known: &mut Known, path: &str, text: &str) -> LookUp {
        if text.len() > MAX_FILE_BYTES {
            let size = text.len().div_ceil(1024);
            return LookUp::Unreadable(format!("it has {size} KiB; at most 256 KiB are read"));
        }
        if known.files >= MAX_IMPORTED_FILES || known.bytes + text.len() > MAX_IMPORTED_BYTES {
            let mib = MAX_IMPORTED_BYTES >> 20;
            let why = format!("job files may refer to {MAX_IMPORTED_FILES} files with {mib} MiB together");
            return LookUp::Unreadable(why);
        }
        let at = known.files;
        let imported = Imported {
            source: Source::new(path, text),
            tree: OnceLock::new(),
        };
        if self.imported[at].set(imported).is_err() {
            return LookUp::Unreadable("it was read twice at once".to_owned());
        }
        known.files += 1;
        known.bytes += text.len();
        LookUp::File(self.given.len() + at)
    }

    /// Whether the YAML of a file has been read.
    pub(crate) fn has_tree(&self, file: usize) -> bool {
        let at = file.checked_sub(self.given.len());
        let imported = at.and_then(|at| self.imported.get(at)?.get());
        imported.is_some_and(|imported| imported.tree.get().is_some())
    }

    /// The YAML of a file of the repository, read by `read` until that succeeds.
    pub(crate) fn tree(&self, file: usize, read: impl FnOnce(&Source) -> Option<Arc<Node>>) -> Option<Arc<Node>> {
        let imported = self.imported.get(file.checked_sub(self.given.len())?)?.get()?;
        if let Some(tree) = imported.tree.get() {
            return Some(Arc::clone(tree));
        }
        let tree = read(&imported.source)?;
        Some(Arc::clone(imported.tree.get_or_init(|| tree)))
    }

    /// All of them, for those who show a diagnostic with the lines that it is about.
    pub(crate) fn files(&self) -> Vec<SourceFile> {
        let imported = self.imported.iter().filter_map(OnceLock::get);
        let all = self.given.iter().chain(imported.map(|imported| &imported.source));
        let file = |source: &Source| SourceFile {
            name: source.name.clone(),
            text: source.text.clone(),
        };
        all.map(file).collect()
    }
}

/// Paths whose answer is kept, missing ones too.
const MAX_KNOWN_PATHS: usize = 10_000;

impl Index<usize> for Sources {
    type Output = Source;

    fn index(&self, file: usize) -> &Source {
        self.get(file).expect("a place names a file that was read")
    }
}
