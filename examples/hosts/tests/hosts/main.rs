//! The host, as its clients and its operator see it: a process, a PostgreSQL, a folder or a bucket.

mod crash;
mod records;
mod scan;
mod serving;
mod support;
