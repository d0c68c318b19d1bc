//! Finds, in JSON that arrives in chunks, the members `url` whose text is looked for.
//!
//! It walks over the bytes and keeps a frame for each container that is open, and nothing else: no
//! value is built, and no byte is copied but those of a name or a `url` that a chunk's end cuts in
//! two. It checks the structure, not the grammar of each number: where that is broken, the rest of
//! the document passes as it is.

mod members;

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::{memchr, memmem};

use self::members::end_of_plain_text;
use super::frames::{Broken, Frames, Name, Verdict, Wait};
use super::reference::{Reference, Sought, decode};

/// The longest `url` that is looked at, in bytes: longer ones are of no interest.
const MAX_URL: usize = 8 * 1024;

/// Longer than each name of interest, even if each of its letters is an escape.
const MAX_NAME: usize = 128;

/// The kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One resource, as the media type says.
    Resource,
    /// One document, which is a resource if it has a `resourceType`.
    Json,
    /// A resource a line.
    Lines,
    /// One document, which is a patch: also its members `value`, `valueUri` and `valueUrl` count.
    Patch,
}

/// A part of the document, in order.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes that stay as they are.
    Kept(Bytes),
    /// The inside of a string that is looked for.
    Found {
        raw: Bytes,
        reference: Reference,
        /// The facts that must be known before it may be replaced.
        wait: Wait,
    },
    /// No bytes: the resource at this depth has turned out to be one that may be replaced in, or
    /// not, or none at all.
    Settled { depth: usize, verdict: Verdict },
    /// No bytes: the facts that are still awaited will never be known.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a document.
    Start,
    Value,
    FirstElement,
    FirstName,
    NextName,
    Colon,
    AfterValue,
    Scalar,
    Text(Purpose),
    /// After the document.
    End,
    /// The rest passes as it is, up to the end of the line in [`Format::Lines`].
    Broken,
}

/// The purpose for which a string is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Name,
    ResourceType,
    Url,
    Nothing,
}

pub(super) struct Scanner {
    sought: Sought,
    format: Format,
    state: State,
    frames: Frames,
    /// The last name that was read.
    name: Name,
    /// The string that is read has a backslash.
    has_escape: bool,
    /// The chunk before ended after a backslash.
    is_escaped: bool,
    /// The part of the string that came with chunks before.
    text: Vec<u8>,
    chunk: Bytes,
    /// The place of the scan in the chunk.
    at: usize,
    /// The bytes from here on have not been put out.
    kept: usize,
    /// The beginning, in the chunk, of the string that is read.
    token: usize,
    /// Something was found whose resource has no type yet.
    is_waiting: bool,
    out: VecDeque<Piece>,
}

impl Scanner {
    pub(super) fn new(sought: Sought, format: Format) -> Self {
        Self {
            sought,
            format,
            state: State::Start,
            frames: Frames::default(),
            name: Name::Other,
            has_escape: false,
            is_escaped: false,
            text: Vec::new(),
            chunk: Bytes::new(),
            at: 0,
            kept: 0,
            token: 0,
            is_waiting: false,
            out: VecDeque::new(),
        }
    }

    /// True if a whole document has nothing in it that is looked for. This look at its bytes is
    /// much faster than the scan, and most answers have nothing.
    pub(super) fn finds_nothing(&self, document: &[u8]) -> bool {
        self.state == State::Start
            && match self.sought {
                // No other escape stands for a letter.
                Sought::References(_) => [&b"Binary"[..], b"\\u"]
                    .iter()
                    .all(|part| memmem::find(document, part).is_none()),
                Sought::Urls(_) => false,
            }
    }

    /// Takes the next chunk, when [`next`](Self::next) has returned `None`.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        self.chunk = chunk;
        (self.at, self.kept, self.token) = (0, 0, 0);
    }

    /// The next part of the chunk that was fed; `None` once there is no more of it.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.out.is_empty() && !self.chunk.is_empty() {
            self.scan();
        }
        self.out.pop_front()
    }

    /// Ends the document, when [`next`](Self::next) has returned `None`. The parts that are left
    /// follow.
    pub(super) fn finish(&mut self) {
        if !self.text.is_empty() && self.state == State::Text(Purpose::Url) {
            let held = std::mem::take(&mut self.text);
            self.out.push_back(Piece::Kept(held.into()));
        }
        self.abandon();
        self.state = State::Broken;
    }

    /// Goes on until something is found, or the chunk ends.
    fn scan(&mut self) {
        let chunk = self.chunk.clone();
        while self.out.is_empty() {
            let Some(&byte) = chunk.get(self.at) else {
                self.end_chunk(&chunk);
                return;
            };
            match self.state {
                State::Text(purpose) => self.read_text(&chunk, purpose),
                State::Scalar if is_scalar(byte) => self.at += 1,
                State::Scalar => self.state = State::AfterValue,
                State::Broken => self.skip_broken(&chunk),
                _ => self.step(&chunk, byte),
            }
        }
    }

    /// One byte of the structure, or a string.
    #[inline]
    fn step(&mut self, chunk: &Bytes, byte: u8) {
        self.at += 1;
        match (self.state, byte) {
            (State::FirstName | State::NextName, b'"') => self.read_members(chunk),
            (State::Colon, b':') => self.state = State::Value,
            (State::Value | State::FirstElement, b'"') => {
                let purpose = self.purpose();
                self.begin_text(chunk, purpose);
            }
            (State::AfterValue, b',') => {
                self.state = if self.frames.is_in_object() {
                    State::NextName
                } else {
                    State::Value
                };
            }
            (State::FirstName | State::AfterValue, b'}') => self.close(true),
            (State::FirstElement | State::AfterValue, b']') => self.close(false),
            (State::Start | State::Value | State::FirstElement, b'{') => self.open(true),
            (State::Start | State::Value | State::FirstElement, b'[') => self.open(false),
            // White space, and a byte order mark.
            (_, b' ' | b'\t' | b'\r') | (State::Start, 0xEF | 0xBB | 0xBF) => {}
            (_, b'\n') => self.end_line(),
            (State::Value | State::FirstElement, _) if is_scalar(byte) => {
                self.state = State::Scalar;
            }
            _ => {
                self.at -= 1;
                self.break_off();
            }
        }
    }

    /// The purpose of a string that is a value.
    fn purpose(&self) -> Purpose {
        match self.name {
            Name::Url if self.frames.is_attachment() => Purpose::Url,
            Name::ResourceType if self.frames.wants_type() => Purpose::ResourceType,
            _ => Purpose::Nothing,
        }
    }

    fn begin_text(&mut self, chunk: &Bytes, purpose: Purpose) {
        self.token = self.at;
        self.has_escape = false;
        self.text.clear();
        self.state = State::Text(purpose);
        self.read_text(chunk, purpose);
    }

    /// Reads on in a string, to its end or that of the chunk.
    fn read_text(&mut self, chunk: &Bytes, purpose: Purpose) {
        if std::mem::take(&mut self.is_escaped) {
            self.at += 1;
        }
        loop {
            let rest = &chunk[self.at..];
            let next = end_of_plain_text(rest);
            let Some(next) = next else {
                self.at = chunk.len();
                return;
            };
            self.at += next;
            match chunk[self.at] {
                b'"' => {
                    self.end_text(chunk, purpose);
                    return;
                }
                b'\\' => {
                    self.has_escape = true;
                    self.is_escaped = self.at + 1 == chunk.len();
                    self.at = chunk.len().min(self.at + 2);
                }
                _ if self.format == Format::Lines => {
                    self.break_off();
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    fn end_text(&mut self, chunk: &Bytes, purpose: Purpose) {
        let end = self.at;
        self.at += 1;
        self.state = State::AfterValue;
        match purpose {
            Purpose::Nothing => return,
            Purpose::Url => {
                self.end_url(chunk, end);
                return;
            }
            Purpose::Name | Purpose::ResourceType => {}
        }
        let mut text = std::mem::take(&mut self.text);
        let raw = if text.is_empty() {
            &chunk[self.token..end]
        } else {
            text.extend_from_slice(&chunk[..end]);
            &text[..]
        };
        if purpose == Purpose::Name {
            self.name = self.name_of(raw);
            self.state = State::Colon;
        } else {
            let is_binary = raw == b"Binary"
                || self.has_escape && decode(raw).is_some_and(|name| name == "Binary");
            let settled = self.frames.learn_type(is_binary);
            self.settle(settled);
        }
        self.text = text;
        self.text.clear();
    }

    fn name_of(&self, raw: &[u8]) -> Name {
        let is_patch = self.format == Format::Patch;
        if !self.has_escape {
            return Name::of(raw, is_patch);
        }
        decode(raw).map_or(Name::Other, |name| Name::of(name.as_bytes(), is_patch))
    }

    fn end_url(&mut self, chunk: &Bytes, end: usize) {
        let is_held = !self.text.is_empty();
        let raw = if is_held {
            self.text.extend_from_slice(&chunk[..end]);
            Bytes::from(std::mem::take(&mut self.text))
        } else {
            chunk.slice(self.token..end)
        };
        let found = self.sought.find(&raw).zip(self.wait());
        if let Some((reference, wait)) = found {
            if !is_held {
                self.keep(chunk, self.token);
            }
            self.is_waiting |= !wait.is_over();
            self.out.push_back(Piece::Found {
                raw,
                reference,
                wait,
            });
            self.kept = end;
        } else if is_held {
            self.out.push_back(Piece::Kept(raw));
            self.kept = end;
        }
    }

    fn wait(&self) -> Option<Wait> {
        self.frames.wait(self.format == Format::Json)
    }

    fn settle(&mut self, (depth, verdict): (usize, Verdict)) {
        if self.is_waiting {
            self.out.push_back(Piece::Settled { depth, verdict });
        }
    }

    fn open(&mut self, is_object: bool) {
        if self.frames.open(is_object, self.name).is_err() {
            self.at -= 1;
            self.break_off();
        } else if is_object {
            self.state = State::FirstName;
        } else {
            self.state = State::FirstElement;
        }
    }

    fn close(&mut self, is_object: bool) {
        match self.frames.close(is_object) {
            Err(Broken) => {
                self.at -= 1;
                self.break_off();
                return;
            }
            Ok(Some(settled)) => self.settle(settled),
            Ok(None) => {}
        }
        self.state = State::AfterValue;
        if self.frames.is_empty() {
            self.state = State::End;
            self.is_waiting = false;
        }
    }

    /// The end of a line, which in [`Format::Lines`] is that of the document.
    fn end_line(&mut self) {
        if self.format != Format::Lines {
            return;
        }
        self.abandon();
        self.frames.clear();
        self.state = State::Start;
    }

    fn skip_broken(&mut self, chunk: &Bytes) {
        let rest = &chunk[self.at..];
        let line = match self.format {
            Format::Lines => memchr(b'\n', rest),
            _ => None,
        };
        match line {
            Some(end) => {
                self.at += end + 1;
                self.end_line();
            }
            None => self.at = chunk.len(),
        }
    }

    /// This is no document, or too deep a one: the rest of it passes as it is.
    fn break_off(&mut self) {
        if self.state == State::Text(Purpose::Url) && !self.text.is_empty() {
            let held = std::mem::take(&mut self.text);
            self.out.push_back(Piece::Kept(held.into()));
        }
        self.abandon();
        self.state = State::Broken;
    }

    fn abandon(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.out.push_back(Piece::Abandoned);
        }
    }

    /// Puts out the bytes before `end`.
    fn keep(&mut self, chunk: &Bytes, end: usize) {
        if end > self.kept {
            self.out.push_back(Piece::Kept(chunk.slice(self.kept..end)));
        }
        self.kept = end;
    }

    /// Puts out the rest of the chunk, but for a `url` that its end cuts in two.
    fn end_chunk(&mut self, chunk: &Bytes) {
        let part = &chunk[self.token.min(chunk.len())..];
        match self.state {
            State::Text(Purpose::Url) => {
                self.text.extend_from_slice(part);
                self.keep(chunk, self.token);
                if self.text.len() > MAX_URL {
                    let held = std::mem::take(&mut self.text);
                    self.out.push_back(Piece::Kept(held.into()));
                    self.state = State::Text(Purpose::Nothing);
                }
            }
            State::Text(Purpose::Name | Purpose::ResourceType) => {
                let room = MAX_NAME.saturating_sub(self.text.len());
                self.text.extend_from_slice(&part[..part.len().min(room)]);
                self.keep(chunk, chunk.len());
            }
            _ => self.keep(chunk, chunk.len()),
        }
        self.chunk = Bytes::new();
    }
}

/// True if a byte is one of a number, or of `true`, `false` and `null`.
fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
