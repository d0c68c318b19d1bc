//! A request body that comes in pieces, as the fuzzer wills.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

#[derive(Arbitrary, Debug, Clone)]
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    /// A piece of this many bytes.
    Long(u16),
    Empty,
    /// Not yet.
    Pending,
    Trailers,
    /// The connection breaks.
    Break,
    /// The client does not go on in time.
    Stall,
}

impl Piece<'_> {
    pub(super) fn is_error(&self) -> bool {
        matches!(self, Self::Break | Self::Stall)
    }

    fn data(&self) -> Option<Vec<u8>> {
        match self {
            Self::Data(data) => Some(data.to_vec()),
            Self::Long(length) => Some((0..*length).map(|at| at.to_le_bytes()[0]).collect()),
            Self::Empty => Some(Vec::new()),
            _ => None,
        }
    }
}

/// All data up to an error.
pub(super) fn content(pieces: &[Piece]) -> Vec<u8> {
    let before_error = pieces.iter().take_while(|piece| !piece.is_error());
    before_error.filter_map(Piece::data).flatten().collect()
}

pub(super) struct Body {
    pieces: IntoIter<Step>,
    length: Option<u64>,
}

enum Step {
    Frame(Frame<Bytes>),
    Pending,
    Error(io::ErrorKind),
}

impl Body {
    pub(super) fn new(pieces: &[Piece], knows_length: bool) -> Self {
        let step = |piece: &Piece| match piece {
            Piece::Pending => Step::Pending,
            Piece::Trailers => Step::Frame(Frame::trailers(HeaderMap::new())),
            Piece::Break => Step::Error(io::ErrorKind::ConnectionReset),
            Piece::Stall => Step::Error(io::ErrorKind::TimedOut),
            data => Step::Frame(Frame::data(data.data().unwrap_or_default().into())),
        };
        let steps: Vec<_> = pieces.iter().map(step).collect();
        Self {
            pieces: steps.into_iter(),
            length: knows_length.then(|| content(pieces).len() as u64),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.pieces.next() {
            Some(Step::Frame(frame)) => {
                let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.length = self.length.map(|length| length.saturating_sub(sent));
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Error(kind)) => Poll::Ready(Some(Err(kind.into()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}
