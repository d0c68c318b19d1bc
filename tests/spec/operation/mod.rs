//! `[base]/Binary/[id]/$presigned-url`.

mod calls;
mod format;
mod parameters;
mod terms;
