//! Presigned URLs: what they are made of, what holds of each, and when one works.

mod base;
mod keys;
mod lifetime;
mod order;
mod properties;
mod vectors;
