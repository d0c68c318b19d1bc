//! Digests of the bytes that have arrived so far.

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256, Sha512};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Algorithm {
    Sha256,
    Sha512,
    Sha1,
    Md5,
}

impl Algorithm {
    /// In bytes.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha256 => Sha256::output_size(),
            Self::Sha512 => Sha512::output_size(),
            Self::Sha1 => Sha1::output_size(),
            Self::Md5 => Md5::output_size(),
        }
    }
}

/// The hashes of those algorithms that were begun.
#[derive(Clone, Default)]
pub(super) struct Hashes {
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

impl Hashes {
    pub(super) fn begin(&mut self, algorithm: Algorithm) {
        match algorithm {
            Algorithm::Sha256 => self.sha256 = Some(Sha256::new()),
            Algorithm::Sha512 => self.sha512 = Some(Sha512::new()),
            Algorithm::Sha1 => self.sha1 = Some(Sha1::new()),
            Algorithm::Md5 => self.md5 = Some(Md5::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        update(&mut self.sha256, bytes);
        update(&mut self.sha512, bytes);
        update(&mut self.sha1, bytes);
        update(&mut self.md5, bytes);
    }

    /// The digest so far. `None` if it was not begun.
    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<Vec<u8>> {
        match algorithm {
            Algorithm::Sha256 => digest(self.sha256.as_ref()),
            Algorithm::Sha512 => digest(self.sha512.as_ref()),
            Algorithm::Sha1 => digest(self.sha1.as_ref()),
            Algorithm::Md5 => digest(self.md5.as_ref()),
        }
    }

    /// The state from which [`restore`](Self::restore) goes on.
    pub(super) fn save(&self) -> Vec<(Algorithm, Vec<u8>)> {
        [
            (Algorithm::Sha256, save(self.sha256.as_ref())),
            (Algorithm::Sha512, save(self.sha512.as_ref())),
            (Algorithm::Sha1, save(self.sha1.as_ref())),
            (Algorithm::Md5, save(self.md5.as_ref())),
        ]
        .into_iter()
        .filter_map(|(algorithm, state)| Some((algorithm, state?)))
        .collect()
    }

    /// `None` if [`save`](Self::save) did not make it.
    pub(super) fn restore(saved: &[(Algorithm, Vec<u8>)]) -> Option<Self> {
        let mut hashes = Self::default();
        for (algorithm, state) in saved {
            match algorithm {
                Algorithm::Sha256 => hashes.sha256 = Some(restore(state)?),
                Algorithm::Sha512 => hashes.sha512 = Some(restore(state)?),
                Algorithm::Sha1 => hashes.sha1 = Some(restore(state)?),
                Algorithm::Md5 => hashes.md5 = Some(restore(state)?),
            }
        }
        Some(hashes)
    }
}

fn update<D: Digest>(hash: &mut Option<D>, bytes: &[u8]) {
    if let Some(hash) = hash {
        hash.update(bytes);
    }
}

fn digest<D: Digest + Clone>(hash: Option<&D>) -> Option<Vec<u8>> {
    Some(hash?.clone().finalize().to_vec())
}

fn save<D: SerializableState>(hash: Option<&D>) -> Option<Vec<u8>> {
    Some(hash?.serialize().to_vec())
}

fn restore<D: SerializableState>(state: &[u8]) -> Option<D> {
    let state = SerializedState::<D>::try_from(state).ok()?;
    D::deserialize(&state).ok()
}
