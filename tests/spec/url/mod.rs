//! Presigned URLs: what they are made of, what holds of each, and when one works.

mod base;
mod keys_and_time;
mod properties;
mod redacted;
mod vectors;
