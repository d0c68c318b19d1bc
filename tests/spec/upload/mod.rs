//! `PUT` on a write URL.

mod content;
mod headers;
mod refusals;
mod wire;
