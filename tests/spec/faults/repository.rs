//! A repository that fails, waits for ever or panics at the point that it is told.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{BinaryKey, BinaryRepository, MemoryRepository};

use super::server::Census;

/// In how many parts a download comes.
pub const PARTS: usize = 8;

/// The places at which something may go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    Locate,
    Head,
    Read,
    /// Before a download's part of this number.
    Part(usize),
    /// Before an upload is polled.
    Write,
    /// After an upload's chunk of this number.
    Chunk(usize),
    /// After an upload's end.
    Commit,
}

#[derive(Clone, Copy)]
pub enum Fault {
    Error(fn() -> RepositoryError),
    Never,
    Panic,
}

#[derive(Clone)]
pub struct Faults {
    next: Arc<Mutex<Option<(Point, Fault)>>>,
    census: Census,
}

impl Faults {
    pub fn new(census: Census) -> Self {
        let next = Arc::default();
        Self { next, census }
    }

    /// It happens once.
    pub fn prepare(&self, point: Point, fault: Fault) {
        let unused = self.next.lock().unwrap().replace((point, fault));
        assert!(unused.is_none(), "the last one was never reached");
    }

    async fn at(&self, reached: Point) -> Result<(), RepositoryError> {
        let fault = self
            .next
            .lock()
            .unwrap()
            .take_if(|(point, _)| *point == reached);
        match fault {
            None => Ok(()),
            Some((_, Fault::Error(error))) => Err(error()),
            Some((_, Fault::Panic)) => panic!("as it was told to, at {reached:?}"),
            Some((_, Fault::Never)) => {
                let _stuck = self.census.enter(|counts| &mut counts.stuck);
                std::future::pending().await
            }
        }
    }
}

/// Each future, stream and upload of it is counted.
pub struct Faulty {
    pub repository: MemoryRepository,
    pub faults: Faults,
    pub census: Census,
}

impl BinaryRepository for Faulty {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let _future = self.census.enter(|counts| &mut counts.alive);
        self.faults.at(Point::Locate).await?;
        self.repository.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let _future = self.census.enter(|counts| &mut counts.alive);
        self.faults.at(Point::Head).await?;
        self.repository.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let _future = self.census.enter(|counts| &mut counts.alive);
        self.faults.at(Point::Read).await?;
        let mut content = self.repository.read(key, range).await?;
        let (metadata, range) = (content.metadata().clone(), content.range());
        let mut bytes = BytesMut::new();
        while let Some(chunk) = content.next().await {
            bytes.extend_from_slice(&chunk?);
        }

        let part = bytes.len().div_ceil(PARTS);
        let (faults, census) = (self.faults.clone(), self.census.clone());
        let counted = census.enter(|counts| &mut counts.streams);
        let stream = stream::try_unfold(
            (bytes.freeze(), 0, counted),
            move |(mut rest, number, counted)| {
                let (faults, census) = (faults.clone(), census.clone());
                async move {
                    census.add(|counts| &mut counts.sent, 1);
                    faults.at(Point::Part(number)).await?;
                    let next = rest.split_to(part.min(rest.len()));
                    let is_end = next.is_empty();
                    Ok((!is_end).then_some((next, (rest, number + 1, counted))))
                }
            },
        );
        Ok(Content::new(metadata, range, stream))
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        let _future = self.census.enter(|counts| &mut counts.alive);
        self.faults.at(Point::Write).await?;
        if self.repository.head(key).await.is_ok() {
            return Err(RepositoryError::AlreadyWritten);
        }
        let mut chunks: Vec<Bytes> = Vec::new();
        while let Some(chunk) = upload.next().await {
            let chunk = chunk?;
            self.census.add(|counts| &mut counts.received, chunk.len());
            self.faults.at(Point::Chunk(chunks.len())).await?;
            chunks.push(chunk);
        }
        self.faults.at(Point::Commit).await?;
        let content_type = upload.content_type().clone();
        let whole = Upload::new(content_type, stream::iter(chunks.into_iter().map(Ok)));
        self.repository.write(key, whole).await
    }
}
