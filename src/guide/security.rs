//! Security: the powers of a presigned URL, its leaks, and the ways to take it back.
//!
//! A presigned URL is a password that stands in address bars. It grants `GET` and `HEAD` of one
//! version of one Binary, or one successful `PUT` of content of one type, up to a length. It works
//! until it expires, for everyone who has it, from anywhere.
//!
//! | question | answer |
//! |---|---|
//! | its leaks | The logs of proxies and servers (not ours: [`RedactedUri`]), a browser's history, a message that is passed on. Downloads forbid the `Referer` of links in the content. Keep lifetimes short: [`Terms::lifetime`]. |
//! | its readable parts | Id, version, file name and context are signed, not encrypted. A file name with a patient's name is readable in every log that has the URL. |
//! | taking one back | [`AccessPolicy::redeem`] refuses it by its [`id`](crate::Terms::id) or by its context. [`who_may_have_a_url`] has a program for each, in memory, and [`audit`] one by id, over a database. |
//! | taking many back | Deleting the Binary ends all URLs of it. Dropping their key ends all that it signed: [`UrlSigner::set_keyring`]. |
//! | transfers that run | They are not cut short, neither by that nor by the expiry. |
//! | what strangers upload | It is shown from your origin: with `nosniff`, a `Content-Security-Policy` that runs and loads nothing, and as an attachment unless it is a raster image, audio, video, PDF or plain text. An origin of its own for the storage base URL, on another domain than your cookies, is the second line of defence. |
//! | scanning | [`AccessPolicy::accept`] sees an upload before anybody else does. Bytes are not compared with their type otherwise. |
//! | uses | A read URL works any number of times, unless it is for one download ([`Terms::single_use`]) or the policy refuses. |
//! | encryption | None: that is the disk's, the bucket's and TLS's. Over plain HTTP everyone on the way can read the URL. |
//! | a cloud store's own URLs | They are outside of all this: see `offload` of `ObjectStoreRepository`. |
//!
//! `SECURITY.md` in the repository has each promise with the test that holds it.
//!
//! [`AccessPolicy::accept`]: crate::AccessPolicy::accept
//! [`AccessPolicy::redeem`]: crate::AccessPolicy::redeem
//! [`RedactedUri`]: crate::RedactedUri
//! [`Terms::lifetime`]: crate::Terms::lifetime
//! [`Terms::single_use`]: crate::Terms::single_use
//! [`UrlSigner::set_keyring`]: crate::UrlSigner::set_keyring
//! [`audit`]: super::audit
//! [`who_may_have_a_url`]: super::who_may_have_a_url
