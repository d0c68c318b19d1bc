//! The quick way over members that have nothing to them.

use bytes::Bytes;
use memchr::memchr3;

use super::{Format, Purpose, Scanner, State};
use crate::attachments::frames::Name;

/// A string is looked at eight bytes at a time up to this length, in bytes.
const SHORT: usize = 16;

impl Scanner {
    /// Reads on from a name, as long as there is nothing to it: no white space, no escapes, no
    /// strings that are looked for. Most members of most documents are like that. All else is left
    /// to [`step`](Self::step), byte by byte.
    pub(super) fn read_members(&mut self, bytes: &Bytes) {
        let chunk = &bytes[..];
        let is_patch = self.format == Format::Patch;
        while let Some(name) = plain_text(chunk, self.at) {
            self.name = Name::of(name, is_patch);
            self.at += name.len() + 1;
            self.state = State::Colon;
            match &chunk[self.at..] {
                [b':', b'"', ..] if self.purpose() == Purpose::Nothing => {
                    let Some(value) = plain_text(chunk, self.at + 2) else {
                        return;
                    };
                    self.at += value.len() + 3;
                    self.state = State::AfterValue;
                }
                [b':', b'{', b'"', ..] => {
                    self.at += 2;
                    self.open(true);
                }
                [b':', b'[', b'{', b'"', ..] => {
                    self.at += 2;
                    self.open(false);
                    if self.state == State::FirstElement {
                        self.at += 1;
                        self.open(true);
                    }
                }
                _ => return,
            }
            while self.state == State::AfterValue
                && let Some(end @ (b'}' | b']')) = chunk.get(self.at)
            {
                self.at += 1;
                self.close(*end == b'}');
            }
            match (self.state, &chunk[self.at..]) {
                (State::FirstName, _) => self.at += 1,
                (State::AfterValue, [b',', b'"', ..]) if self.frames.is_in_object() => self.at += 2,
                (State::AfterValue, [b',', b'{', b'"', ..]) if !self.frames.is_in_object() => {
                    self.at += 2;
                    self.open(true);
                    if self.state != State::FirstName {
                        return;
                    }
                    self.at += 1;
                }
                _ => return,
            }
        }
        self.begin_text(bytes, Purpose::Name);
    }
}

/// The string that begins here, if it is whole and has no escapes.
#[inline]
fn plain_text(chunk: &[u8], start: usize) -> Option<&[u8]> {
    let rest = &chunk[start..];
    let end = end_of_plain_text(rest)?;
    (rest[end] == b'"').then(|| &rest[..end])
}

/// The place of the first quotation mark, backslash or end of a line.
///
/// Most strings are short: a look at eight bytes at once takes less time than the search that
/// longer ones deserve.
#[inline]
pub(super) fn end_of_plain_text(text: &[u8]) -> Option<usize> {
    let (words, _) = text.as_chunks::<8>();
    let words = &words[..words.len().min(SHORT / 8)];
    for (at, word) in words.iter().enumerate() {
        let ends = ends_in(u64::from_le_bytes(*word));
        if ends != 0 {
            return Some(8 * at + ends.trailing_zeros() as usize / 8);
        }
    }
    let start = 8 * words.len();
    Some(memchr3(b'"', b'\\', b'\n', &text[start..])? + start)
}

/// The high bit of each byte that ends a plain text, up to the first of them.
#[inline]
fn ends_in(word: u64) -> u64 {
    let is = |end: u8| {
        let difference = word ^ u64::from_le_bytes([end; 8]);
        difference.wrapping_sub(u64::from_le_bytes([1; 8])) & !difference
    };
    (is(b'"') | is(b'\\') | is(b'\n')) & u64::from_le_bytes([0x80; 8])
}
