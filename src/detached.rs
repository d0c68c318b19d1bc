//! Work that goes on after its request has ended.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::thread;

/// Polls work that is mostly about to end, and leaves the rest to the runtime. Without a runtime of
/// tokio, the rest is not done.
#[cfg_attr(not(feature = "tokio"), expect(unused_variables))]
pub(crate) fn detach(mut work: Pin<Box<dyn Future<Output = ()> + Send>>) {
    let mut context = Context::from_waker(Waker::noop());
    // A second panic would end the process.
    let is_done = !thread::panicking() && work.as_mut().poll(&mut context).is_ready();
    #[cfg(feature = "tokio")]
    if !is_done && let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}
