//! The example servers, each as its own process.

#[path = "../support/mod.rs"]
mod support;

mod axum;
mod browser;
#[cfg(unix)]
mod crash_safety;
mod hyper_and_tonic;
mod minimal;
#[cfg(target_os = "linux")]
mod strangers;
