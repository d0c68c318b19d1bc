//! [`FsStore`]: content in a folder, under places of its own making.
//!
//! ```text
//! tower-presign.store          locked while a process has the folder open
//! content/{day}/{random}       content, at the place `{day}/{random}`
//! staging/{random}             files that are not whole yet, or any more
//! resumable/{id}               an upload that comes in parts
//! ```

use std::fs::{self, ReadDir};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;
use std::vec;

use futures_core::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::{At as _, FileError};
use super::folder::{Folder, Layout, Received, create_folder};
use super::kept_files::Name;
use super::staged_file::StagedFile;
use super::unfinished::Unfinished;
use super::{blocking, paths};
use crate::place::Place;
use crate::store::composed::may_be_published;
use crate::store::resumable::Whole;
use crate::store::{
    ByteRange, Content, ContentStore, Day, RepositoryError, Resumable, Stored, Upload,
};

const LAYOUT: Layout = Layout {
    lock: "tower-presign.store",
    content: CONTENT,
    others: &[],
    refusal: "it is neither empty nor made by FsStore: name a folder of its own",
};

const CONTENT: &str = "content";

/// The number of places that are looked up at once.
const LISTED_AT_ONCE: usize = 1000;

/// Content in a folder of the local disk, which one process at a time may use: the store of a host
/// that has [records](crate::store::Catalog) of its own.
///
/// Each content is a file of its own, with its media type, length and SHA-256 in its first line. It
/// is written elsewhere and then moved into its place. If the process or the machine is killed, at
/// whatever moment, it is there as a whole or not at all. Reading a file of another length than it
/// was stored with is an error, and never yields shorter content.
///
/// A place is `2026-11-29/` and 32 hexadecimal digits. The day is the one on which the upload
/// ended, however long it took.
///
/// Otherwise it is like [`FsRepository`](super::FsRepository): content that has been read is
/// kept at hand, nothing else may change the folder, and it needs a tokio runtime, no thread of which waits for a
/// disk.
///
/// ```no_run
/// # async fn example(table: impl tower_presign::store::Catalog) -> std::io::Result<()> {
/// use tower_presign::store::{Composed, FsStore};
///
/// let repository = Composed::new(table, FsStore::open("/var/lib/content").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FsStore {
    pub(super) folder: Folder,
    /// The last day whose folder is known to survive a power failure.
    durable_day: Arc<Mutex<Option<Day>>>,
}

impl FsStore {
    /// Opens the folder, creates it if need be (for its owner alone, on systems that have such
    /// modes), and removes the remains of interrupted uploads.
    ///
    /// # Errors
    ///
    /// All of them name the path.
    ///
    /// - [`ErrorKind::WouldBlock`] when the folder is open already, in this process or another.
    /// - [`ErrorKind::DirectoryNotEmpty`] when something is in the folder, but `lost+found`, and it
    ///   was not made by this. Nothing is touched there.
    /// - Any error that the file system reports, also if it can neither move a file without
    ///   replacing another nor make hard links.
    pub async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        blocking(move || {
            Ok(Self {
                folder: Folder::open(&root, &LAYOUT)?,
                durable_day: Arc::default(),
            })
        })
        .await
    }

    fn publish(&self, staged: StagedFile, received: Received) -> Result<Stored, RepositoryError> {
        let place = self.new_place()?;
        let path = self.folder.path(CONTENT).join(place.as_str());
        staged.publish(&path)?;
        self.folder.sync_parent(&path)?;
        let (length, sha256) = (received.length, received.sha256);
        Ok(Stored::new(place, received.content_type, length, sha256))
    }

    /// Moves an upload that has come in parts to its place. Content that has been moved there
    /// stays: its record may have been made since.
    fn put_resumed(&self, whole: &Whole) -> Result<Stored, RepositoryError> {
        let unfinished = Unfinished::new(&self.folder, &whole.id)?;
        let _lock = unfinished.lock()?;
        let mut record = unfinished.read()?;
        let recorded = record
            .place
            .as_deref()
            .and_then(|place| Place::new(place).ok());
        let recorded = recorded.filter(|place| may_be_published(place.as_str()));
        if !unfinished.has_content()? {
            let place = recorded.ok_or(RepositoryError::NotFound)?;
            let path = self.path(&place).ok_or(RepositoryError::NotFound)?;
            return if path.try_exists().at("look for", &path)? {
                // The call that moved it there may not have come as far as this.
                self.folder.sync_parent(&path)?;
                Ok(whole.stored(place))
            } else {
                Err(RepositoryError::NotFound)
            };
        }
        let (staged, _) = whole.stage(&self.folder, &unfinished)?;
        let size = staged.length()?;
        let place = if let Some(place) = recorded {
            place
        } else {
            let place = self.new_place()?;
            unfinished.record_place(&mut record, &place)?;
            place
        };
        let path = self.path(&place).ok_or(RepositoryError::NotFound)?;
        match staged.publish(&path) {
            // Nothing else goes there. If files are moved by a link, an earlier try has made the
            // link, and no more.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let content = &unfinished.content;
                fs::remove_file(content).at("remove", content)?;
            }
            published => published?,
        }
        self.folder.budget.give_back(size);
        self.folder.sync_parent(&path)?;
        Ok(whole.stored(place))
    }

    /// A place that no other content ever had, in a folder that is there.
    fn new_place(&self) -> Result<Place, RepositoryError> {
        let day = Day::of(SystemTime::now());
        self.create_day(day)?;
        let place = Place::new(format!("{day}/{}", paths::unique_name()));
        place.map_err(RepositoryError::internal)
    }

    /// Makes the folder of a day, so that content put there survives a power failure.
    fn create_day(&self, day: Day) -> Result<(), FileError> {
        if *self.durable_day() == Some(day) {
            return Ok(());
        }
        let path = self.folder.path(CONTENT).join(day.to_string());
        create_folder(&path)?;
        // Also if another call has just created it: that call may not have come as far as this.
        self.folder.sync_parent(&path)?;
        *self.durable_day() = Some(day);
        Ok(())
    }

    /// Never held while a disk is waited for.
    fn durable_day(&self) -> MutexGuard<'_, Option<Day>> {
        let day = self.durable_day.lock();
        day.unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of the content at a place, if that may be one of ours.
    fn path(&self, place: &Place) -> Option<PathBuf> {
        let (day, name) = place.as_str().split_once('/')?;
        let is_day = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let is_ours = is_day && paths::is_unique_name(name.as_ref());
        is_ours.then(|| self.folder.path(CONTENT).join(day).join(name))
    }
}

impl ContentStore for FsStore {
    async fn put(&self, mut upload: Upload) -> Result<Stored, RepositoryError> {
        let store = self.clone();
        if let Some(id) = upload.take_resumed() {
            let whole = Whole::of(id, upload).await?;
            return blocking(move || store.put_resumed(&whole)).await;
        }
        let publish = move |staged, received| store.publish(staged, received);
        self.folder.receive(upload, || Ok(()), publish).await
    }

    async fn get(
        &self,
        place: &Place,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let path = self.path(place).ok_or(RepositoryError::NotFound)?;
        let locate = || {
            let folder = self.folder.clone();
            let failed = move |error: FileError| match error.kind() {
                ErrorKind::NotFound => folder.absent(),
                _ => error.into(),
            };
            (path, failed)
        };
        let name = Name {
            group: place.as_str(),
            member: "",
        };
        self.folder.read(name, range, locate).await
    }

    async fn delete(&self, place: &Place) -> Result<(), RepositoryError> {
        let Some(path) = self.path(place) else {
            return Ok(());
        };
        let (folder, place) = (self.folder.clone(), place.clone());
        blocking(move || {
            let removed = fs::remove_file(&path);
            folder.forget(place.as_str());
            match removed {
                // An earlier call may have come as far as this, and not have flushed it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.at("remove", &path)?,
            }
            match folder.sync_parent(&path) {
                // Nothing has ever been stored on that day.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                synced => Ok(synced?),
            }
        })
        .await
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        Some(&self.folder)
    }

    fn list(&self, day: Day) -> impl Stream<Item = Result<Place, RepositoryError>> + Send {
        let day = day.to_string();
        Places {
            found: Vec::new().into_iter(),
            listing: Listing::Paused(Entries {
                path: self.folder.path(CONTENT).join(&day),
                folder: None,
                day,
            }),
        }
    }
}

/// The places of a day, looked up some at a time where blocking is allowed.
struct Places {
    found: vec::IntoIter<Place>,
    listing: Listing,
}

enum Listing {
    Paused(Entries),
    Running(JoinHandle<Result<(Vec<Place>, Entries), FileError>>),
    Ended,
}

/// The entries of a day's folder.
struct Entries {
    day: String,
    path: PathBuf,
    /// `None` until it is opened.
    folder: Option<ReadDir>,
}

impl Entries {
    /// The next places; none at the end.
    fn next(mut self) -> Result<(Vec<Place>, Self), FileError> {
        let mut places = Vec::new();
        let folder = match &mut self.folder {
            Some(folder) => folder,
            None => match fs::read_dir(&self.path) {
                Ok(folder) => self.folder.insert(folder),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok((places, self)),
                Err(error) => return Err(FileError::new("list", &self.path, error)),
            },
        };
        for entry in folder {
            let name = entry.at("list", &self.path)?.file_name();
            if paths::is_unique_name(&name)
                && let Ok(place) = Place::new(format!("{}/{}", self.day, name.display()))
            {
                places.push(place);
            }
            if places.len() == LISTED_AT_ONCE {
                break;
            }
        }
        Ok((places, self))
    }
}

impl Stream for Places {
    type Item = Result<Place, RepositoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(place) = self.found.next() {
                return Poll::Ready(Some(Ok(place)));
            }
            let mut running = match std::mem::replace(&mut self.listing, Listing::Ended) {
                Listing::Ended => return Poll::Ready(None),
                Listing::Paused(entries) => spawn_blocking(move || entries.next()),
                Listing::Running(running) => running,
            };
            let Poll::Ready(found) = Pin::new(&mut running).poll(cx) else {
                self.listing = Listing::Running(running);
                return Poll::Pending;
            };
            let (found, entries) = match found {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Err(error) => return Poll::Ready(Some(Err(RepositoryError::internal(error)))),
            };
            if !found.is_empty() {
                self.listing = Listing::Paused(entries);
            }
            self.found = found.into_iter();
        }
    }
}
