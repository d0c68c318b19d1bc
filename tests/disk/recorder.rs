//! A disk that writes down each change in its order (`recorder.py`, by FUSE), and what a power loss
//! leaves of it.
//!
//! All that was flushed is there: of a file its content, of a folder its entries, each by itself.
//! All else is there or not, as the disk pleases; but a folder is never in two places, and moving
//! something never loses it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tempfile::TempDir;
use tokio::sync::MutexGuard;

use super::TURN;
use crate::support::random::Random;
use crate::support::skip::skip;

/// Debian's, for which its package of pyfuse3 is.
const PYTHON: &str = "/usr/bin/python3";

const ROOT: Inode = 1;

/// The bytes that a disk writes at once.
const BLOCK: usize = 4096;

type Inode = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Folder,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    Create {
        folder: Inode,
        name: String,
        inode: Inode,
        kind: Kind,
    },
    Link {
        folder: Inode,
        name: String,
        inode: Inode,
    },
    Remove {
        folder: Inode,
        name: String,
    },
    Move {
        folder: Inode,
        name: String,
        inode: Inode,
        new_folder: Inode,
        new_name: String,
    },
    Write {
        inode: Inode,
        offset: usize,
        #[serde(deserialize_with = "base64")]
        content: Vec<u8>,
    },
    Truncate {
        inode: Inode,
        length: usize,
    },
    Flush {
        inode: Inode,
    },
}

fn base64<'de, D: Deserializer<'de>>(text: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(text)?;
    BASE64.decode(text).map_err(D::Error::custom)
}

/// A mounted disk, until it is dropped.
pub struct Recorder {
    mount: TempDir,
    journal: BufReader<fs::File>,
    daemon: Child,
    changes: Vec<Change>,
    _turn: MutexGuard<'static, ()>,
}

impl Recorder {
    /// `None` if it cannot be done here, which is printed.
    pub async fn mount(settings: &[&str]) -> Option<Self> {
        let turn = TURN.lock().await;
        let mount = tempfile::tempdir().unwrap();
        let journal = tempfile::NamedTempFile::new().unwrap();
        let daemon = Command::new(PYTHON)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/disk/recorder.py"
            ))
            .args([mount.path(), journal.path()])
            .args(settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut daemon = match daemon {
            Ok(daemon) => daemon,
            Err(error) => {
                skip(format_args!("{PYTHON}: {error}"));
                return None;
            }
        };
        let mut printed = String::new();
        let mut stdout = BufReader::new(daemon.stdout.take().unwrap());
        stdout.read_line(&mut printed).unwrap();
        if printed != "mounted\n" {
            let mut problem = String::new();
            let mut stderr = daemon.stderr.take().unwrap();
            stderr.read_to_string(&mut problem).unwrap();
            daemon.wait().unwrap();
            let problem = problem.lines().last().unwrap_or_default();
            skip(format_args!("no disk can be mounted by FUSE: {problem}"));
            return None;
        }
        Some(Self {
            mount,
            journal: BufReader::new(journal.reopen().unwrap()),
            daemon,
            changes: Vec::new(),
            _turn: turn,
        })
    }

    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// The number of changes so far.
    pub fn position(&mut self) -> usize {
        let mut line = String::new();
        while self.journal.read_line(&mut line).unwrap() > 0 {
            self.changes.push(serde_json::from_str(&line).unwrap());
            line.clear();
        }
        self.changes.len()
    }

    /// All until the last [`position`](Self::position).
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Makes the `nth` change from now on fail, once.
    pub fn fail_at(&self, nth: usize) {
        let is_there = self.path().join(format!("fail-at-{nth}")).exists();
        assert!(!is_there);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        crate::unmount(self.path());
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// The share that a power loss takes of all that was not flushed.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// Nothing: the process has ended, and not the machine.
    Nothing,
    Everything,
    /// All content, and the length of files.
    Content,
    /// All content, which is zeros.
    ContentAsZeros,
    /// This and that, down to single blocks, as a seed has it.
    Some(u64),
}

/// Makes what is left after these changes, in an empty folder.
pub fn lose_power(changes: &[Change], loss: Loss, folder: &Path) {
    let mut flushed = HashMap::new();
    for (position, change) in changes.iter().enumerate() {
        if let Change::Flush { inode } = change {
            flushed.insert(*inode, position);
        }
    }
    let mut remains = Remains {
        loss,
        random: Random(if let Loss::Some(seed) = loss { seed } else { 0 }),
        flushed,
        ..Remains::default()
    };
    remains.folders.insert(ROOT, BTreeMap::new());
    for (position, change) in changes.iter().enumerate() {
        remains.apply(position, change);
    }
    let mut written = HashMap::new();
    remains.write(ROOT, folder, &mut written);
}

struct Remains {
    loss: Loss,
    random: Random,
    /// When each file or folder was flushed for the last time.
    flushed: HashMap<Inode, usize>,
    folders: HashMap<Inode, BTreeMap<String, Inode>>,
    /// The path of each folder.
    places: HashMap<Inode, (Inode, String)>,
    files: HashMap<Inode, Vec<u8>>,
}

impl Default for Remains {
    fn default() -> Self {
        Self {
            loss: Loss::Nothing,
            random: Random(0),
            flushed: HashMap::new(),
            folders: HashMap::new(),
            places: HashMap::new(),
            files: HashMap::new(),
        }
    }
}

impl Remains {
    fn is_flushed(&self, inode: Inode, position: usize) -> bool {
        let last = self.flushed.get(&inode);
        last.is_some_and(|last| position < *last)
    }

    /// True if an entry stays that was not flushed.
    fn keeps_entry(&mut self) -> bool {
        match self.loss {
            Loss::Nothing | Loss::Content | Loss::ContentAsZeros => true,
            Loss::Everything => false,
            Loss::Some(_) => self.random.below(2) == 0,
        }
    }

    fn apply(&mut self, position: usize, change: &Change) {
        match change {
            Change::Create {
                folder,
                name,
                inode,
                kind,
            } => {
                match kind {
                    Kind::File => drop(self.files.insert(*inode, Vec::new())),
                    Kind::Folder => drop(self.folders.insert(*inode, BTreeMap::new())),
                }
                if self.is_flushed(*folder, position) || self.keeps_entry() {
                    self.add(*folder, name, *inode);
                }
            }
            Change::Link {
                folder,
                name,
                inode,
            } => {
                if self.is_flushed(*folder, position) || self.keeps_entry() {
                    self.add(*folder, name, *inode);
                }
            }
            Change::Remove { folder, name } => {
                if self.is_flushed(*folder, position) || self.keeps_entry() {
                    self.entries(*folder).remove(name);
                }
            }
            Change::Move {
                folder,
                name,
                inode,
                new_folder,
                new_name,
            } => {
                let is_gone = self.is_flushed(*folder, position);
                if is_gone || self.is_flushed(*new_folder, position) || self.keeps_entry() {
                    self.add(*new_folder, new_name, *inode);
                    // A file may be left under both names.
                    if is_gone || self.folders.contains_key(inode) || self.keeps_entry() {
                        self.entries(*folder).remove(name);
                    }
                }
            }
            Change::Write {
                inode,
                offset,
                content,
            } => {
                let is_flushed = self.is_flushed(*inode, position);
                self.write_blocks(*inode, *offset, content, is_flushed);
            }
            Change::Truncate { inode, length } => {
                if self.is_flushed(*inode, position) || self.keeps_entry() {
                    self.files.get_mut(inode).unwrap().resize(*length, 0);
                }
            }
            Change::Flush { .. } => {}
        }
    }

    fn write_blocks(&mut self, inode: Inode, offset: usize, content: &[u8], is_flushed: bool) {
        let end = offset + content.len();
        let file = self.files.get_mut(&inode).unwrap();
        let (has_length, mut has_content): (bool, Box<dyn FnMut() -> bool>) = match self.loss {
            _ if is_flushed => (true, Box::new(|| true)),
            Loss::Nothing => (true, Box::new(|| true)),
            Loss::Everything | Loss::Content => (false, Box::new(|| false)),
            Loss::ContentAsZeros => (true, Box::new(|| false)),
            Loss::Some(_) => {
                let random = &mut self.random;
                (random.below(2) == 0, Box::new(move || random.below(2) == 0))
            }
        };
        if has_length && file.len() < end {
            file.resize(end, 0);
        }
        for (number, block) in content.chunks(BLOCK).enumerate() {
            let start = offset + number * BLOCK;
            if has_content() && start < file.len() {
                let length = block.len().min(file.len() - start);
                file[start..start + length].copy_from_slice(&block[..length]);
            }
        }
    }

    fn add(&mut self, folder: Inode, name: &str, inode: Inode) {
        if self.folders.contains_key(&inode) {
            let place = self.places.insert(inode, (folder, name.to_owned()));
            if let Some((folder, name)) = place {
                self.entries(folder).remove(&name);
            }
        }
        self.entries(folder).insert(name.to_owned(), inode);
    }

    fn entries(&mut self, folder: Inode) -> &mut BTreeMap<String, Inode> {
        self.folders.entry(folder).or_default()
    }

    fn write(&self, inode: Inode, to: &Path, written: &mut HashMap<Inode, PathBuf>) {
        for (name, inode) in &self.folders[&inode] {
            let path = to.join(name);
            if self.folders.contains_key(inode) {
                fs::create_dir(&path).unwrap();
                self.write(*inode, &path, written);
            } else if let Some(same) = written.get(inode) {
                fs::hard_link(same, &path).unwrap();
            } else {
                fs::write(&path, &self.files[inode]).unwrap();
                written.insert(*inode, path);
            }
        }
    }
}
