//! `GET` and `HEAD` on a read URL.

mod conditions;
mod content;
mod headers;
mod ranges;
