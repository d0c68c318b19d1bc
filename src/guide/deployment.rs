//! Deployment: limits, clients that leave, keys, replicas and folders.
//!
//! [`layers_nests_and_gateways`](super::layers_nests_and_gateways) has the program: the layers around
//! this one, nested routers, and gateways in front of the server.
//!
//! - **Events.** The reason of a 500 or 503 is an event: without the feature `tracing` and a subscriber
//!   nobody sees it. [`events`](../../events/index.html) lists them all.
//! - **CDN.** Downloads are `private, no-store`, or with [`PresignLayer::cache_downloads`] for
//!   browsers alone. So no shared cache can serve them without a signature.
//! - **Time limits.** An upload may take as long as it likes: put a limit of time on request bodies
//!   in front. A refusal does not wait for the body. The rest of it is read and thrown away, so
//!   that clients that read only after they have sent all get it too: up to 1 MiB and for 10
//!   seconds, or 256 MiB and 2 minutes if the URL is genuine. Then the connection is closed.
//! - **Size limits.** Uploads are streamed, and end at [`PresignLayer::max_upload`] or
//!   [`Terms::max_length`], whichever is less. A `RequestBodyLimitLayer` in front counts too.
//! - **Slow readers.** A download holds up to 128 KiB of content, however slowly it is read, and
//!   hyper keeps more: 400 kB of each over HTTP/1, unless the server sets
//!   `http1::Builder::max_buf_size`, and as much of each stream over HTTP/2
//!   (`http2::Builder::max_send_buf_size`). The example servers set both; `axum::serve` has no such
//!   settings.
//! - **Clients that leave.** An upload is completed once its last byte has arrived, even if its
//!   client does not wait for the answer. If a client closes its half of the connection early,
//!   hyper drops its request before anybody has seen it, unless the server sets
//!   `http1::Builder::half_close(true)`, as the example servers do; `axum::serve` has no such
//!   setting.
//! - **Small downloads** wait for 40 ms where a connection delays bytes that it could send at once:
//!   set `TCP_NODELAY` on each, as the example servers do. For `axum::serve`,
//!   `listener.tap_io(|socket| drop(socket.set_nodelay(true)))` of its `ListenerExt` does so.
//! - **Key rotation.** [`Keyring`] has the three steps. [`UrlSigner::set_keyring`] takes each while
//!   serving, so keep a clone of the signer.
//! - **Replicas** need the same keys and base URL, and a repository that they share. Their clocks are
//!   within a minute of each other.
//! - **A folder** belongs to one process: a second one's [`FsRepository::open`] fails with
//!   `WouldBlock`. The lock ends with the process, however it ends, so a crash leaves nothing to
//!   clean up. Stop the old server before the new one starts.
//!
//! [`FsRepository::open`]: ../../store/struct.FsRepository.html#method.open
//! [`Keyring`]: crate::Keyring
//! [`PresignLayer::cache_downloads`]: crate::PresignLayer::cache_downloads
//! [`PresignLayer::max_upload`]: crate::PresignLayer::max_upload
//! [`Terms::max_length`]: crate::Terms::max_length
//! [`UrlSigner::set_keyring`]: crate::UrlSigner::set_keyring
