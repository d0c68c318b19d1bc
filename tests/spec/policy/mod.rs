//! The moments of a policy after a URL was minted: an upload before anybody sees it, the one use of
//! a URL for one download, and the end of every use.

mod accept;
mod settled;
mod single_use;
