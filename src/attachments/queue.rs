//! What has been scanned and not yet sent on, in order.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::frames::{Verdict, Wait};
use super::reference::Reference;
use super::scan::Piece;

/// How much may be held back for a resource whose type comes after its attachments, in bytes.
/// Beyond that they stay.
const MAX_HELD: usize = 1024 * 1024;

/// A frame that is put together of small parts is about this long, in bytes.
const FRAME: usize = 16 * 1024;

/// A part of at least this length is a frame of its own, which is not copied.
const LARGE: usize = 4 * 1024;

#[derive(Debug)]
enum Part {
    Kept(Bytes),
    Found {
        raw: Bytes,
        reference: Reference,
        wait: Wait,
    },
}

/// What becomes of a text that was found.
pub(super) enum Replacement {
    /// It is not known yet.
    Pending,
    Text(Bytes),
    /// It stays.
    None,
}

#[derive(Default)]
pub(super) struct Queue {
    parts: VecDeque<Part>,
    /// Of all parts.
    bytes: usize,
    /// How many parts have been found.
    found: usize,
    /// How many of those wait for the type of a resource.
    waiting: usize,
}

impl Queue {
    /// How many texts that were found are in it.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether nothing goes on until more has been scanned.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.parts.front(), Some(Part::Found { wait, .. }) if !wait.is_over())
    }

    /// Appends what was scanned. `ready` gets each reference that is now known to be replaced.
    pub(super) fn push(&mut self, piece: Piece, mut ready: impl FnMut(Reference)) {
        match piece {
            Piece::Kept(bytes) => {
                self.bytes += bytes.len();
                self.parts.push_back(Part::Kept(bytes));
            }
            Piece::Found {
                raw,
                reference,
                wait,
            } => {
                self.bytes += raw.len();
                self.found += 1;
                if wait.is_over() {
                    ready(reference);
                } else {
                    self.waiting += 1;
                }
                self.parts.push_back(Part::Found {
                    raw,
                    reference,
                    wait,
                });
            }
            Piece::Settled { depth, verdict } => {
                self.settle(|wait| after(wait, depth, verdict), ready);
            }
            Piece::Abandoned => self.settle(|_| None, ready),
        }
        if self.waiting > 0 && self.bytes > MAX_HELD {
            self.settle(|_| None, |_| {});
        }
    }

    /// Goes through the parts that wait: `after` has what each waits for now, and `None` for one
    /// that stays.
    fn settle(&mut self, after: impl Fn(Wait) -> Option<Wait>, mut ready: impl FnMut(Reference)) {
        let is_waiting =
            |part: &&mut Part| matches!(part, Part::Found { wait, .. } if !wait.is_over());
        for part in self.parts.iter_mut().filter(is_waiting) {
            let Part::Found {
                raw,
                reference,
                wait,
            } = part
            else {
                continue;
            };
            if let Some(left) = after(*wait) {
                *wait = left;
                if left.is_over() {
                    self.waiting -= 1;
                    ready(*reference);
                }
            } else {
                self.waiting -= 1;
                self.found -= 1;
                *part = Part::Kept(std::mem::take(raw));
            }
        }
    }

    /// Whether `replace` knows what becomes of every part.
    pub(super) fn is_ready(&self, mut replace: impl FnMut(&Reference) -> Replacement) -> bool {
        self.waiting == 0
            && self.parts.iter().all(|part| match part {
                Part::Kept(_) => true,
                Part::Found { reference, .. } => {
                    !matches!(replace(reference), Replacement::Pending)
                }
            })
    }

    /// The length of all parts, where [`is_ready`](Self::is_ready).
    pub(super) fn final_length(&self, mut replace: impl FnMut(&Reference) -> Replacement) -> u64 {
        let length = |part: &Part| match part {
            Part::Kept(bytes) => bytes.len(),
            Part::Found { raw, reference, .. } => match replace(reference) {
                Replacement::Text(text) => text.len(),
                Replacement::Pending | Replacement::None => raw.len(),
            },
        };
        self.parts.iter().map(length).sum::<usize>() as u64
    }

    /// Takes what can go on; `None` if the first part cannot.
    pub(super) fn pop(
        &mut self,
        mut replace: impl FnMut(&Reference) -> Replacement,
    ) -> Option<Bytes> {
        let first = self.pop_part(&mut replace)?;
        if first.len() >= LARGE || self.parts.is_empty() {
            return Some(first);
        }
        let mut frame = BytesMut::new();
        let mut next = Some(first);
        while let Some(part) = next {
            if frame.is_empty() {
                frame.reserve(FRAME.min(self.bytes * 2 + part.len()));
            }
            frame.extend_from_slice(&part);
            let is_large =
                matches!(self.parts.front(), Some(Part::Kept(kept)) if kept.len() >= LARGE);
            if is_large || frame.len() >= FRAME {
                break;
            }
            next = self.pop_part(&mut replace);
        }
        Some(frame.freeze())
    }

    fn pop_part(&mut self, replace: &mut impl FnMut(&Reference) -> Replacement) -> Option<Bytes> {
        let text = match self.parts.front()? {
            Part::Kept(bytes) => {
                self.bytes -= bytes.len();
                None
            }
            Part::Found { wait, .. } if !wait.is_over() => return None,
            Part::Found { raw, reference, .. } => {
                let text = match replace(reference) {
                    Replacement::Pending => return None,
                    Replacement::Text(text) => Some(text),
                    Replacement::None => None,
                };
                self.bytes -= raw.len();
                self.found -= 1;
                text
            }
        };
        let (Part::Kept(raw) | Part::Found { raw, .. }) = self.parts.pop_front()?;
        Some(text.unwrap_or(raw))
    }
}

/// What a part waits for after the resource at `depth` has been settled; `None` if it stays.
fn after(wait: Wait, depth: usize, verdict: Verdict) -> Option<Wait> {
    let mut left = wait;
    if depth == 0 {
        if wait.root && matches!(verdict, Verdict::NoResource { .. }) {
            return None;
        }
        left.root = false;
    }
    if wait.resource == Some(depth) {
        left.resource = match verdict {
            Verdict::Replaced => None,
            Verdict::Binary => return None,
            Verdict::NoResource { is_binary, .. } if is_binary => return None,
            Verdict::NoResource { outer, .. } => outer,
        };
    }
    Some(left)
}
