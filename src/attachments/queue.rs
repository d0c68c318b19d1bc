//! The parts that have been scanned and not yet sent on, in order.

use std::collections::VecDeque;
use std::mem;

use bytes::{Bytes, BytesMut};

use super::frames::{Verdict, Wait};
use super::reference::Reference;
use super::scan::Piece;

/// The most that may be held back for a resource whose type comes after its attachments, in bytes.
/// Beyond that, these stay.
const MAX_HELD: usize = 1024 * 1024;

/// A frame that is put together of small parts is about this long, in bytes.
const FRAME: usize = 16 * 1024;

/// A part of at least this length is a frame of its own, which is not copied.
const LARGE: usize = 4 * 1024;

#[derive(Debug)]
enum Part {
    Kept(Bytes),
    /// The replacement of a text that was found.
    Made(Bytes),
    /// Boxed, since most are known when they are found, and few are ever in the queue.
    Found(Box<Found>),
}

#[derive(Debug)]
struct Found {
    raw: Bytes,
    reference: Reference,
    wait: Wait,
}

impl Part {
    /// As it leaves, unless more is to be known first.
    fn bytes(&self) -> &Bytes {
        match self {
            Self::Kept(bytes) | Self::Made(bytes) => bytes,
            Self::Found(found) => &found.raw,
        }
    }
}

/// The fate of a text that was found.
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
    /// The number of parts that have been found, and not turned out to stay.
    found: usize,
    /// The number of those that wait for the type of a resource.
    waiting: usize,
    /// The number of those that wait for their replacement.
    asked: usize,
}

impl Queue {
    /// The number of texts in it that were found.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// The length of all parts.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// True if the fate of every part is known.
    pub(super) fn is_ready(&self) -> bool {
        self.waiting == 0 && self.asked == 0
    }

    /// True if nothing goes on until more has been scanned.
    pub(super) fn is_stuck(&self) -> bool {
        self.parts.front().is_some_and(is_waiting)
    }

    /// Appends a scanned piece. `replace` is asked about each reference that is now known to be
    /// replaced.
    pub(super) fn push(
        &mut self,
        piece: Piece,
        mut replace: impl FnMut(&Reference) -> Replacement,
    ) {
        match piece {
            Piece::Kept(bytes) => self.append(Part::Kept(bytes)),
            Piece::Found {
                raw,
                reference,
                wait,
            } => {
                let part = if wait.is_over() {
                    replaced(raw, reference, &mut replace)
                } else {
                    found(raw, reference, wait)
                };
                self.append(part);
            }
            Piece::Settled { depth, verdict } => {
                self.settle(|wait| after(wait, depth, verdict), replace);
            }
            Piece::Abandoned => self.settle(|_| None, replace),
        }
        if self.waiting > 0 && self.bytes > MAX_HELD {
            self.settle(|_| None, |_| Replacement::None);
        }
    }

    /// Asks again about the references whose replacement was not known.
    pub(super) fn resolve(&mut self, mut replace: impl FnMut(&Reference) -> Replacement) {
        self.each(self.asked, is_asked, |it| {
            replaced(it.raw, it.reference, &mut replace)
        });
    }

    /// Goes through the parts that wait: `after` has the wait of each from now on, and `None` for
    /// one that stays.
    fn settle(
        &mut self,
        after: impl Fn(Wait) -> Option<Wait>,
        mut replace: impl FnMut(&Reference) -> Replacement,
    ) {
        self.each(self.waiting, is_waiting, |it| match after(it.wait) {
            None => Part::Kept(it.raw),
            Some(wait) if wait.is_over() => replaced(it.raw, it.reference, &mut replace),
            Some(wait) => found(it.raw, it.reference, wait),
        });
    }

    /// Changes each part of a kind of those that were found; `count` is their number.
    fn each(
        &mut self,
        count: usize,
        is_of_kind: fn(&Part) -> bool,
        mut change: impl FnMut(Found) -> Part,
    ) {
        // They are among the last, if a resource's type comes late.
        let (mut start, mut left) = (self.parts.len(), count);
        while left > 0 && start > 0 {
            start -= 1;
            left -= usize::from(is_of_kind(&self.parts[start]));
        }
        for at in start..self.parts.len() {
            if !is_of_kind(&self.parts[at]) {
                continue;
            }
            let part = mem::replace(&mut self.parts[at], Part::Kept(Bytes::new()));
            self.count(&part, usize::wrapping_sub);
            let part = match part {
                Part::Found(found) => change(*found),
                part => part,
            };
            self.count(&part, usize::wrapping_add);
            self.parts[at] = part;
        }
    }

    fn append(&mut self, part: Part) {
        self.count(&part, usize::wrapping_add);
        self.parts.push_back(part);
    }

    /// Adds a part to the counts, or subtracts it.
    fn count(&mut self, part: &Part, change: impl Fn(usize, usize) -> usize) {
        self.bytes = change(self.bytes, part.bytes().len());
        let is_kept = matches!(part, Part::Kept(_));
        self.found = change(self.found, usize::from(!is_kept));
        self.waiting = change(self.waiting, usize::from(is_waiting(part)));
        self.asked = change(self.asked, usize::from(is_asked(part)));
    }

    /// Takes the bytes that can go on; `None` if the first part cannot.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let first = self.pop_part()?;
        if first.len() >= LARGE || self.parts.is_empty() {
            return Some(first);
        }
        let mut frame = BytesMut::with_capacity(FRAME.min(self.bytes + first.len()) + LARGE);
        frame.extend_from_slice(&first);
        while frame.len() < FRAME
            && self
                .parts
                .front()
                .is_some_and(|part| part.bytes().len() < LARGE)
            && let Some(part) = self.pop_part()
        {
            frame.extend_from_slice(&part);
        }
        Some(frame.freeze())
    }

    fn pop_part(&mut self) -> Option<Bytes> {
        if matches!(self.parts.front()?, Part::Found(_)) {
            return None;
        }
        let part = self.parts.pop_front()?;
        self.count(&part, usize::wrapping_sub);
        match part {
            Part::Kept(bytes) | Part::Made(bytes) => Some(bytes),
            Part::Found(_) => None,
        }
    }
}

fn is_waiting(part: &Part) -> bool {
    matches!(part, Part::Found(found) if !found.wait.is_over())
}

fn is_asked(part: &Part) -> bool {
    matches!(part, Part::Found(found) if found.wait.is_over())
}

fn found(raw: Bytes, reference: Reference, wait: Wait) -> Part {
    Part::Found(Box::new(Found {
        raw,
        reference,
        wait,
    }))
}

/// A text that may be replaced: as a part that waits, or as its replacement.
fn replaced(
    raw: Bytes,
    reference: Reference,
    replace: &mut impl FnMut(&Reference) -> Replacement,
) -> Part {
    match replace(&reference) {
        Replacement::Text(text) => Part::Made(text),
        Replacement::None => Part::Kept(raw),
        Replacement::Pending => found(raw, reference, Wait::default()),
    }
}

/// The wait of a part after the resource at `depth` has been settled; `None` if it stays.
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
