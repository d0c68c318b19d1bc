//! The promises of the crate, a module a subject: each reads as the specification of its subject,
//! and holds the crate to it through its public interface, in this process.
//!
//! Tests that take a process of their own have a binary of their own, beside this one: the example
//! servers (`servers`), disks that fail (`disk`), object stores (`object_store`), load (`soak`).

#[path = "../support/mod.rs"]
mod support;

mod api;
mod attachments;
mod attacks;
mod clients;
mod concurrency;
mod documents;
mod download;
mod events;
mod faults;
mod fhir;
mod gateways;
mod hosts;
mod house;
mod logs;
mod minting;
mod operation;
mod own_routes;
mod people;
mod policy;
mod redirect;
mod refusals;
mod repositories;
mod resumable;
mod routing;
mod security_policy;
mod stores;
mod upload;
mod url;
