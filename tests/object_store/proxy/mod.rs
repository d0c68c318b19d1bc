//! What is between a client and its store.

pub mod link;
