//! The uploads that run, up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::BinaryKey;

/// The most uploads to one version at once: a second is the repeat of one whose connection hangs.
const MAX_TO_A_VERSION: usize = 2;

/// The uploads that run through a layer, and all clones of it.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<Running>);

#[derive(Default)]
struct Running {
    /// In all.
    count: usize,
    to_a_version: HashMap<BinaryKey, usize>,
}

/// The limit that an upload would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    ToThisVersion,
    InAll,
}

/// An upload that runs until this is dropped.
pub(crate) struct RunningUpload {
    uploads: Arc<Uploads>,
    key: BinaryKey,
}

impl Uploads {
    /// Begins an upload to the version that `key` names, unless `max` run already.
    pub(crate) fn begin(
        self: &Arc<Self>,
        key: &BinaryKey,
        max: usize,
    ) -> Result<RunningUpload, TooMany> {
        let mut running = self.lock();
        if running.to_a_version.get(key) >= Some(&MAX_TO_A_VERSION) {
            return Err(TooMany::ToThisVersion);
        }
        if running.count >= max {
            return Err(TooMany::InAll);
        }
        running.count += 1;
        *running.to_a_version.entry(key.clone()).or_default() += 1;
        Ok(RunningUpload {
            uploads: Arc::clone(self),
            key: key.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningUpload {
    fn drop(&mut self) {
        let mut running = self.uploads.lock();
        running.count -= 1;
        if let Some(count) = running.to_a_version.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                running.to_a_version.remove(&self.key);
            }
        }
    }
}
