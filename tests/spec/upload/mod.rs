//! `PUT` on a write URL.

mod content;
mod departures;
mod headers;
mod refusals;
mod wire;
