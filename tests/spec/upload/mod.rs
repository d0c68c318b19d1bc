//! `PUT` on a write URL.

mod at_once;
mod content;
mod departures;
mod headers;
mod refusals;
mod wire;
