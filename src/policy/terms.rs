//! The terms on which a URL is given.

use std::time::Duration;

use crate::filename::Filename;
use crate::id::UrlId;

/// The terms on which a URL is given. The layer's settings hold for those that are not set.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) max_length: Option<u64>,
    pub(crate) filename: Option<Filename>,
    pub(crate) attachment: bool,
    pub(crate) context: Option<Box<str>>,
    pub(crate) id: Option<UrlId>,
    pub(crate) single_use: bool,
}

impl Terms {
    /// The layer's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The lifetime of the URL, in whole seconds: at least 1, and at most the signer's maximum
    /// lifetime, to which longer ones are cut. The layer's
    /// [`expiry_granularity`](crate::PresignLayer::expiry_granularity), if it has one, adds to it.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The longest upload, in bytes. The layer's own limit holds in any case.
    #[must_use]
    pub fn max_length(mut self, bytes: u64) -> Self {
        self.max_length = Some(bytes);
        self
    }

    /// The name under which browsers save a download, made safe as [`Filename::new`] describes;
    /// none when nothing remains.
    #[must_use]
    pub fn filename(mut self, name: impl AsRef<str>) -> Self {
        self.filename = Filename::new(name);
        self
    }

    /// Has browsers save the download, even if they could show it.
    #[must_use]
    pub fn attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Gives the URL an id of its own, by which an audit trail finds its uses again:
    /// [`UrlId::random`] for instance. It stands in the URL as `Id=`, so the host or the caller can
    /// name the URL later, to take it back. URLs with different ids differ, also within an
    /// [`expiry_granularity`](crate::PresignLayer::expiry_granularity). Default: none.
    #[must_use]
    pub fn id(mut self, id: UrlId) -> Self {
        self.id = Some(id);
        self
    }

    /// The URL is for one download. It gets a random [`id`](Self::id), unless it has one, by which
    /// the layer's [`use_ledger`](crate::PresignLayer::use_ledger) remembers its use.
    ///
    /// It is used when the first byte of content has gone out, of the whole or of a range, so a
    /// download that breaks after that cannot be resumed. A refusal, a `304`, a `416` and a `HEAD`
    /// do not use it up. But while such a request runs, another is refused: 410 `used`. The layer
    /// always serves the content itself, never by a storage's own URL. Without effect on a write
    /// URL, which writes once in any case.
    #[must_use]
    pub fn single_use(mut self) -> Self {
        self.single_use = true;
        self
    }

    /// A text of the host's own that goes with the URL, signed: the caller's tenant for instance.
    /// Everyone who has the URL can read it. Default: none.
    ///
    /// - The repository gets it in [`locate`](crate::store::BinaryRepository::locate), as
    ///   [`Target::context`](crate::store::Target::context), and has to put it into the key that it
    ///   returns there ([`Target::key`](crate::store::Target::key) does). It is then in the key of
    ///   every later call.
    /// - The policy gets that key, too: in [`minted`](crate::AccessPolicy::minted),
    ///   [`redeem`](crate::AccessPolicy::redeem) and [`settled`](crate::AccessPolicy::settled), as
    ///   `grant().key.context()`.
    #[must_use]
    pub fn context(mut self, context: impl Into<Box<str>>) -> Self {
        self.context = Some(context.into());
        self
    }
}
