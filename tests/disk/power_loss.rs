//! `FsRepository` and `FsStore` on a disk that loses its power, after each single change, and with
//! it more or less of what was not flushed; and on a disk on which each single change fails.
//!
//! Acknowledged content is there and whole. All else is there and whole, or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use tempfile::TempDir;
use tower_presign::store::{
    Begun, Content, ContentStore as _, Day, FsStore, Noted, Part, Place, RepositoryError,
    Resumable as _, Target, Upload, UploadError,
};
use tower_presign::{
    Access, BinaryKey, BinaryRepository as _, ContentType, FsRepository, UploadId, VersionId,
};

use super::recorder::{Change, Loss, Recorder, lose_power};
use crate::support::body::content;
use crate::support::id;

/// Fits into what is gathered before it is written.
const SMALL: usize = 5_000;

/// Is written in several pieces.
const LARGE: usize = 270_000;

/// The path of the folder on the disk, of which nothing is there at first.
const FOLDER: &str = "some/where/content";

#[tokio::test]
async fn whenever_the_power_fails_each_version_is_whole_or_absent_and_what_was_acknowledged_is_there()
 {
    for (settings, acts) in [(&[] as &[&str], acts()), (&["plain-rename"], few_acts())] {
        let Some(mut disk) = Recorder::mount(settings).await else {
            return;
        };
        let folder = disk.path().join(FOLDER);
        let repository = FsRepository::open(&folder).await.unwrap();
        let mut history = Vec::new();
        for act in acts {
            let begun = disk.position();
            act.run(&repository).await.unwrap();
            let ended = disk.position();
            history.push(Event {
                act,
                begun,
                ended: Some(ended),
            });
        }
        drop(repository);
        let points = disk.position();
        assert!(points > 200 || !settings.is_empty(), "{points}");
        for point in 1..=points {
            for loss in losses(point) {
                let left = Left::after(&disk.changes()[..point], loss);
                left.assert_repository(&history, point).await;
            }
        }
    }
}

#[tokio::test]
async fn whichever_change_fails_a_repeat_succeeds_and_what_was_acknowledged_survives_a_power_loss()
{
    let Some(mut disk) = Recorder::mount(&[]).await else {
        return;
    };
    for failing in 1.. {
        let run = disk.path().join(format!("run-{failing}"));
        let offset = disk.position();
        std::fs::create_dir_all(&run).unwrap();
        let folder = run.join("content");
        disk.fail_at(failing);
        let mut failures = 0;
        let mut opened = FsRepository::open(&folder).await;
        if opened.is_err() {
            failures += 1;
            opened = FsRepository::open(&folder).await;
        }
        let repository = opened.unwrap();
        let mut history = Vec::new();
        for act in few_acts() {
            for may_fail in [true, false] {
                let begun = disk.position() - offset;
                let result = act.run(&repository).await;
                let ended = disk.position() - offset;
                let is_done = result.is_ok();
                history.push(Event {
                    act,
                    begun,
                    ended: is_done.then_some(ended),
                });
                if is_done {
                    break;
                }
                assert!(may_fail, "{failing}: {act:?}: {result:?}");
                failures += 1;
            }
        }
        drop(repository);
        let end = disk.position() - offset;
        for loss in losses(failing) {
            let left = Left::in_folder(
                &disk.changes()[offset..],
                loss,
                &format!("run-{failing}/content"),
            );
            left.assert_repository(&history, end).await;
        }
        // A failure without consequence is, for instance, that of removing a leftover.
        if failures == 0 && failing >= end {
            assert!(failing > 50, "{failing}");
            break;
        }
    }
}

#[tokio::test]
async fn whenever_the_power_fails_a_store_has_what_it_has_acknowledged_and_nothing_in_part() {
    let Some(mut disk) = Recorder::mount(&[]).await else {
        return;
    };
    let store = FsStore::open(disk.path().join(FOLDER)).await.unwrap();
    let mut contents = Vec::new();
    for number in 0..30 {
        let bytes = content(if number < 3 { LARGE } else { SMALL }, number);
        let begun = disk.position();
        let stored = store.put(upload(&bytes)).await.unwrap();
        let stored_at = disk.position();
        let mut kept = Kept {
            bytes,
            place: stored.place,
            begun,
            stored_at,
            deleted: None,
        };
        if number == 3 {
            let broken = store.put(broken_upload(LARGE)).await;
            assert!(
                matches!(broken, Err(RepositoryError::Upload(_))),
                "{broken:?}"
            );
        } else if number % 2 == 0 {
            let begun = disk.position();
            store.delete(&kept.place).await.unwrap();
            kept.deleted = Some((begun, disk.position()));
        }
        contents.push(kept);
    }
    drop(store);
    let points = disk.position();
    assert!(points > 200, "{points}");
    for point in 1..=points {
        for loss in losses(point) {
            let left = Left::after(&disk.changes()[..point], loss);
            left.assert_store(&contents, point).await;
        }
    }
}

#[tokio::test]
async fn content_deleted_from_a_store_on_the_second_try_stays_deleted() {
    let Some(mut disk) = Recorder::mount(&[]).await else {
        return;
    };
    let store = FsStore::open(disk.path().join(FOLDER)).await.unwrap();
    let place = store.put(upload(&content(SMALL, 1))).await.unwrap().place;
    // The file is removed, and its folder cannot be flushed.
    disk.fail_at(2);
    store.delete(&place).await.unwrap_err();
    store.delete(&place).await.unwrap();
    drop(store);
    disk.position();
    let left = Left::after(disk.changes(), Loss::Everything);
    let store = FsStore::open(&left.folder).await.unwrap();
    let gone = store.get(&place, None).await;
    assert!(matches!(gone, Err(RepositoryError::NotFound)), "{gone:?}");
}

#[tokio::test]
async fn an_offset_that_was_reported_survives_a_power_loss_and_is_never_beyond_what_is_there() {
    let upload = UploadId::new("0123456789abcdef0123456789abcdef").unwrap();
    let whole = content(2 * SMALL + LARGE, 5);
    let ends = [SMALL, SMALL + LARGE, whole.len()];
    let Some(mut disk) = Recorder::mount(&[]).await else {
        return;
    };
    let mut changes = 0;
    // Without a failure, and then once with each.
    for failing in 0.. {
        let folder = format!("{failing}/content");
        let before = disk.position();
        let repository = FsRepository::open(disk.path().join(&folder)).await.unwrap();
        let resumable = repository.resumable().unwrap();
        let opened = disk.position();
        // The offsets that were reported, each with its moment.
        let mut reported = Vec::new();
        disk.fail_at(failing);
        let begun = Begun::new(SystemTime::now() + Duration::from_secs(3600), "note");
        if resumable.begin(&upload, begun.clone()).await.is_err() {
            let repeated = resumable.begin(&upload, begun).await;
            assert!(
                failing > 0 && repeated.is_err() || failing == 1,
                "{failing}"
            );
        }
        let mut tries = 0;
        while let Ok(progress) = resumable.progress(&upload).await {
            let offset = usize::try_from(progress.offset).unwrap();
            reported.push((disk.position(), offset));
            let Some(end) = ends.iter().find(|end| **end > offset) else {
                break;
            };
            drop(resumable.append(&upload, part(&whole, offset, *end)).await);
            tries += 1;
            assert!(tries <= 4, "{failing}: it does not go on");
        }
        let points = disk.position();
        let first = if failing == 0 { opened } else { points };
        for point in first..=points {
            for loss in losses(point + failing) {
                let left = Left::in_folder(&disk.changes()[before..point], loss, &folder);
                let what = format!("{failing}: {}", left.what);
                let repository = FsRepository::open(&left.folder).await.unwrap();
                let resumable = repository.resumable().unwrap();
                let least = reported.iter().rfind(|(since, _)| *since <= point);
                let progress = match (resumable.progress(&upload).await, least) {
                    (Ok(progress), _) => progress,
                    (Err(RepositoryError::NotFound), None) => continue,
                    (Err(error), _) => panic!("{what}: {error}"),
                };
                let offset = usize::try_from(progress.offset).unwrap();
                assert!(
                    offset >= least.map_or(0, |(_, offset)| *offset),
                    "{what}: {offset}"
                );
                if offset > 0 {
                    let file = format!("resumable/{upload}.content");
                    let file = std::fs::read(left.folder.join(file)).unwrap();
                    assert!(
                        file[HEADER..].starts_with(&whole[..offset]),
                        "{what}: other bytes"
                    );
                }
                let rest = part(&whole, offset, whole.len());
                let progress = resumable.append(&upload, rest).await;
                let progress = progress.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(progress.offset, whole.len() as u64, "{what}");
            }
        }
        if failing == 0 {
            changes = points - opened;
        } else if failing == changes {
            break;
        }
    }
}

/// Room before the content of an upload that comes in parts, in bytes.
const HEADER: usize = 2048;

fn part(whole: &Bytes, start: usize, end: usize) -> Part {
    Part::new(start as u64, Chunks(vec![whole.slice(start..end)]))
}

/// The rest of a part, its last chunk first.
struct Chunks(Vec<Bytes>);

impl Stream for Chunks {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

impl Noted for Chunks {
    fn note(&self) -> Bytes {
        Bytes::from_static(b"note")
    }
}

/// All kinds, and one of those that a seed makes.
fn losses(seed: usize) -> [Loss; 5] {
    [
        Loss::Nothing,
        Loss::Everything,
        Loss::Content,
        Loss::ContentAsZeros,
        Loss::Some(seed as u64),
    ]
}

/// A request of a host or its client to a repository.
#[derive(Debug, Clone, Copy)]
enum Act {
    Create(&'static str),
    Write(&'static str, u64),
    /// An upload that breaks off.
    Break(&'static str, u64),
    Delete(&'static str),
}

fn few_acts() -> Vec<Act> {
    use Act::{Create, Delete, Write};
    vec![
        Create("a"),
        Write("a", 1),
        Write("a", 2),
        Create("b"),
        Write("b", 1),
        Delete("b"),
    ]
}

fn acts() -> Vec<Act> {
    use Act::{Break, Create, Delete, Write};
    let mut acts = few_acts();
    acts.extend([
        Create("Capital"),
        // A repeat.
        Write("a", 2),
        Break("a", 3),
        Write("a", 3),
        Write("Capital", 1),
    ]);
    for id in ["c", "d", "e", "f", "g", "h"] {
        acts.extend([Create(id), Write(id, 1), Delete(id)]);
    }
    acts.extend([
        Write("a", 4),
        Create("never-written"),
        Delete("never-written"),
    ]);
    acts
}

impl Act {
    fn id(&self) -> &'static str {
        match self {
            Self::Create(id) | Self::Write(id, _) | Self::Break(id, _) | Self::Delete(id) => id,
        }
    }

    async fn run(&self, repository: &FsRepository) -> Result<(), RepositoryError> {
        let done = match *self {
            Self::Create(name) => repository.create(id(name), png()).await.map(drop),
            Self::Write(id, version) => {
                let upload = upload(&bytes_of(id, version));
                repository.write(&key(id, version), upload).await.map(drop)
            }
            Self::Break(id, version) => {
                let broken = repository
                    .write(&key(id, version), broken_upload(LARGE))
                    .await;
                assert!(broken.is_err());
                return Ok(());
            }
            Self::Delete(name) => repository.delete(id(name)).await,
        };
        match done {
            // To a client this means that it is there.
            Err(RepositoryError::AlreadyWritten) => Ok(()),
            done => done,
        }
    }
}

/// An act, and how many changes there had been before it and when it was acknowledged, if it was.
struct Event {
    act: Act,
    begun: usize,
    ended: Option<usize>,
}

/// A content in a store.
struct Kept {
    bytes: Bytes,
    place: Place,
    begun: usize,
    stored_at: usize,
    /// Between which changes.
    deleted: Option<(usize, usize)>,
}

/// The rest on a disk, in a copy of it.
struct Left {
    _copy: TempDir,
    folder: PathBuf,
    /// For messages.
    what: String,
}

impl Left {
    fn after(changes: &[Change], loss: Loss) -> Self {
        Self::in_folder(changes, loss, FOLDER)
    }

    fn in_folder(changes: &[Change], loss: Loss, folder: &str) -> Self {
        // In memory, where it can be.
        let copy = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let copy = copy.unwrap();
        lose_power(changes, loss, copy.path());
        Self {
            folder: copy.path().join(folder),
            _copy: copy,
            what: format!("after {} changes, {loss:?} lost", changes.len()),
        }
    }

    async fn assert_repository(&self, history: &[Event], point: usize) {
        let what = &self.what;
        let opened = FsRepository::open(&self.folder).await;
        let repository = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_nothing_staged(&self.folder, what);

        let mut binaries: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
        for event in history.iter().filter(|event| event.begun < point) {
            binaries.entry(event.act.id()).or_default().push(event);
        }
        let last = history.iter().rfind(|event| event.begun < point);
        let last = last.map(|event| event.act.id());
        for (name, events) in binaries {
            let what = &format!("{what}: Binary {name}");
            let has = |act: &dyn Fn(Act) -> bool| {
                let events = events.iter().filter(|event| act(event.act));
                let ended = events.map(|event| event.ended.is_some_and(|ended| ended <= point));
                ended.reduce(|one, other| one || other)
            };
            let created = has(&|act| matches!(act, Act::Create(_)));
            let deleted = has(&|act| matches!(act, Act::Delete(_)));
            let target = Target::new(id(name), Access::Write);
            match repository.locate(&target).await {
                Ok(_) => assert!(
                    created.is_some() && deleted != Some(true),
                    "{what} is there"
                ),
                Err(RepositoryError::NotFound) => {
                    assert!(
                        created != Some(true) && deleted.is_none(),
                        "{what} is not there"
                    );
                    continue;
                }
                Err(RepositoryError::Deleted) => {
                    assert!(deleted.is_some(), "{what} is deleted");
                    let again = repository.create(id(name), png()).await;
                    assert!(
                        matches!(again, Err(RepositoryError::Deleted)),
                        "{what}: {again:?}"
                    );
                    let read = repository.read(&key(name, 1), None).await;
                    assert!(
                        matches!(read, Err(RepositoryError::Deleted)),
                        "{what}: {read:?}"
                    );
                    continue;
                }
                Err(error) => panic!("{what}: {error}"),
            }
            let mut next = 1;
            for version in 1..=5 {
                let what = &format!("{what}, version {version}");
                let written = has(&|act| matches!(act, Act::Write(_, number) if number == version));
                match repository.read(&key(name, version), None).await {
                    Ok(content) => {
                        assert!(written.is_some(), "{what} is there");
                        assert_eq!(next, version, "{what} follows a gap");
                        assert_whole(content, &bytes_of(name, version), what).await;
                        next = version + 1;
                    }
                    Err(RepositoryError::NotFound) => {
                        assert!(written != Some(true), "{what} is not there");
                    }
                    Err(error) => panic!("{what}: {error}"),
                }
            }
            // It goes on from there, above all where it was interrupted.
            if last != Some(name) {
                continue;
            }
            let (key, bytes) = (key(name, next), bytes_of(name, next));
            let written = repository.write(&key, upload(&bytes)).await;
            written.unwrap_or_else(|error| panic!("{what}, the next version: {error}"));
            let content = repository.read(&key, None).await.unwrap();
            assert_whole(content, &bytes, what).await;
        }
    }

    async fn assert_store(&self, contents: &[Kept], point: usize) {
        let what = &self.what;
        let opened = FsStore::open(&self.folder).await;
        let store = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_nothing_staged(&self.folder, what);

        for kept in contents {
            let what = &format!("{what}: {}", kept.place.as_str());
            let is_deleted = kept
                .deleted
                .map(|(begun, ended)| (begun < point, ended <= point));
            match store.get(&kept.place, None).await {
                Ok(content) => {
                    assert!(kept.begun < point, "{what} is there");
                    assert!(
                        !is_deleted.is_some_and(|(_, ended)| ended),
                        "{what} is there again"
                    );
                    assert_whole(content, &kept.bytes, what).await;
                }
                Err(RepositoryError::NotFound) => {
                    let may_be_gone = is_deleted.is_some_and(|(begun, _)| begun);
                    assert!(kept.stored_at > point || may_be_gone, "{what} is not there");
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
        // The sweep sees contents of ours alone.
        let listed = store.list(Day::of(SystemTime::now()));
        let listed: Vec<_> = listed.collect().await;
        for place in listed {
            let place = place.unwrap();
            assert!(
                contents.iter().any(|kept| kept.place == place),
                "{what}: {place:?}"
            );
        }
        // It goes on from there.
        let bytes = content(SMALL, 99);
        let stored = store.put(upload(&bytes)).await.unwrap();
        assert_whole(store.get(&stored.place, None).await.unwrap(), &bytes, what).await;
    }
}

fn assert_nothing_staged(folder: &Path, what: &str) {
    let staging = std::fs::read_dir(folder.join("staging")).unwrap();
    assert_eq!(staging.count(), 0, "{what}: leftovers");
}

async fn assert_whole(mut content: Content, expected: &[u8], what: &str) {
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    // Not `assert_eq`, which would print both.
    assert!(bytes == expected, "{what} is not what was sent");
}

/// Second versions are large.
fn bytes_of(id: &str, version: u64) -> Bytes {
    let number = usize::try_from(version).unwrap();
    content(
        [LARGE, SMALL][number % 2],
        10 * usize::from(id.as_bytes()[0]) + number,
    )
}

fn upload(bytes: &Bytes) -> Upload {
    let chunks: Vec<_> = bytes
        .chunks(64 * 1024)
        .map(Bytes::copy_from_slice)
        .collect();
    Upload::new(png(), stream::iter(chunks.into_iter().map(Ok)))
}

fn broken_upload(length: usize) -> Upload {
    let chunks = [Ok(content(length, 7)), Err(UploadError::Incomplete(None))];
    Upload::new(png(), stream::iter(chunks))
}

fn key(name: &str, version: u64) -> BinaryKey {
    BinaryKey::new(id(name), VersionId::from(version))
}

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}
