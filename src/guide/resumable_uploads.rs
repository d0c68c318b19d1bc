//! Uploads that survive lost connections, closed laptops and restarted servers, at one write URL.
//!
//! A scan or a video has gigabytes, and a phone loses its network. With
//! [`resumable_uploads`](crate::PresignLayer::resumable_uploads), whoever holds a write URL may send
//! the content in parts, over a day if need be:
//!
//! ```text
//! POST  W  Tus-Resumable: 1.0.0  Upload-Length: 900000000      201, Location: U
//! PATCH U  Upload-Offset: 0  …                                 cut off on the way
//! HEAD  U                                                      200, Upload-Offset: 371195904
//! PATCH U  Upload-Offset: 371195904  …the rest…                204, ETag: "1"
//! ```
//!
//! ```
//! use tower_presign::{AllowAll, MemoryRepository, PresignLayer, SigningKey, UrlSigner};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
//! let signer = UrlSigner::new(key, "https://storage.example.com/binary")?;
//! let layer = PresignLayer::new(signer, MemoryRepository::new(), AllowAll).resumable_uploads(true);
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - A write URL means one upload, as ever. Type, length, digests and write-once hold over all parts
//!   together, and the version becomes visible at the one moment at which an upload in one request
//!   would. Of two uploads one wins; the other gets 412, unless its bytes are the same.
//! - `U` is a presigned URL with the claims of `W`, and the upload's id. It opens that upload and
//!   nothing else, and any server with the keys and the store can go on with it. It may outlive `W`
//!   ([`resume_lifetime`](crate::PresignLayer::resume_lifetime)).
//! - The policy is asked ([`redeem`](crate::AccessPolicy::redeem)) at the beginning and at each
//!   part, and has the last word about the whole ([`accept`](crate::AccessPolicy::accept)).
//! - An offset that a client was given is durable, and never goes back. The bytes that came before
//!   a connection broke are kept. A part with a digest is kept only if all of it has come.
//! - The newest request to `U` ends the one before: a client comes back while the server still waits
//!   for its old connection.
//! - Two unfinished uploads to a version are kept, the two that were touched last. An upload that
//!   nobody goes on with is removed when its lifetime is over.
//!
//! # Two protocols
//!
//! Uppy, tus-js-client, TUSKit and tus-android speak [tus
//! 1.0](https://tus.io/protocols/resumable-upload): give them `W` as their endpoint. Its extensions
//! creation, creation-with-upload, creation-defer-length, expiration, checksum and termination are
//! there. Concatenation is refused, since its parts would be uploads to no version.
//! checksum-trailer is left out, since no client was found to send it.
//!
//! iOS speaks interop version 8 of
//! [draft-ietf-httpbis-resumable-upload](https://datatracker.ietf.org/doc/draft-ietf-httpbis-resumable-upload/).
//! Over HTTP/1.1, a server whose connections are [`InterimIo`](../../struct.InterimIo.html)s sends 104,
//! so that an upload in one request can be resumed as well. Interim responses with an `Upload-Offset`
//! are left out: `HEAD` says the same. A request with the headers of both protocols gets the answer
//! of tus alone.
//!
//! A page of another origin needs the methods `POST`, `PATCH`, `HEAD` and `DELETE` allowed by CORS,
//! any request header, and `Location`, `Upload-Offset`, `Upload-Length`, `Upload-Expires`,
//! `Upload-Complete`, `Upload-Limit`, `Tus-Resumable`, `Tus-Version`, `Tus-Extension` and
//! `Tus-Max-Size` exposed.
//!
//! A client that asks the operation learns from
//! [`describe_urls`](crate::PresignLayer::describe_urls) that its write URL is `resumable`.
//!
//! A proxy in front must let a part through: nginx takes 1 MB at once, unless
//! `client_max_body_size` says more. If the proxy gathers a part first, as nginx does without
//! `proxy_request_buffering off`, nothing has come of a part that is cut.
//!
//! # A repository of your own
//!
//! It implements [`Resumable`](crate::store::Resumable), and returns that from
//! [`BinaryRepository::resumable`](crate::BinaryRepository::resumable).
//! [`FsRepository`](../../store/struct.FsRepository.html), [`MemoryRepository`](crate::MemoryRepository), a bucket
//! of one of the clouds and a [`Composed`](crate::Composed) whose store has it do so. The module
//! `store::contract` (feature `test-util`) has a test for each of its promises.
