//! Where things are in the folder.
//!
//! ```text
//! lock                       held while a process has the folder open
//! binaries/{id}/binary       a Binary: what its content must be
//! binaries/{id}/{version}    a version's content
//! deleted/{id}               an empty file: a Binary that was
//! staging/                   what is not whole yet, or any more; emptied when the folder is opened
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use crate::id::BinaryId;
use crate::key::BinaryKey;

/// The name of a Binary's own file, which is no version's: those begin with `v`.
const BINARY: &str = "binary";

#[derive(Debug, Clone)]
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn binaries(&self) -> PathBuf {
        self.root.join("binaries")
    }

    pub(super) fn deleted(&self) -> PathBuf {
        self.root.join("deleted")
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// A place for something new, under a name that nothing else has.
    pub(super) fn staged(&self) -> PathBuf {
        self.staging().join(BinaryId::random().as_str())
    }

    pub(super) fn binary_folder(&self, id: BinaryId) -> PathBuf {
        self.root
            .join(format!("binaries/{}", FileName(id.as_str())))
    }

    pub(super) fn tombstone(&self, id: BinaryId) -> PathBuf {
        self.root.join(format!("deleted/{}", FileName(id.as_str())))
    }

    pub(super) fn content(&self, key: &BinaryKey) -> PathBuf {
        let (id, version) = (key.id(), key.version());
        let (id, version) = (FileName(id.as_str()), FileName(version.as_str()));
        self.root.join(format!("binaries/{id}/v{version}"))
    }
}

/// A Binary's own file in its folder.
pub(super) fn binary_file(folder: &Path) -> PathBuf {
    folder.join(BINARY)
}

/// The version whose content has this file name, if it has no capital letters.
pub(super) fn version_of(file_name: &str) -> Option<&str> {
    file_name.strip_prefix('v')
}

/// FHIR ids that differ in case alone differ, though not on every file system, so a capital
/// letter becomes `_` (which no id has) and its small form.
struct FileName<'a>(&'a str);

impl fmt::Display for FileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(capital) = rest.find(|c: char| c.is_ascii_uppercase()) {
            let (before, from_capital) = rest.split_at(capital);
            let (letter, after) = from_capital.split_at(1);
            write!(f, "{before}_{}", letter.to_ascii_lowercase())?;
            rest = after;
        }
        f.write_str(rest)
    }
}
