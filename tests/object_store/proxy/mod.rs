//! Between a client and its store: a link, which knows bytes, and a front, which knows
//! requests.

pub mod front;
pub mod link;
