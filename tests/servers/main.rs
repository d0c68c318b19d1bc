//! The example servers, each as its own process.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "fs")]
mod axum;
#[cfg(feature = "fs")]
mod browser;
#[cfg(all(unix, feature = "fs"))]
mod crash_safety;
mod hyper_and_tonic;
