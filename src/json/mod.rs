// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON line: written, read and described from one definition. Knows the model, and
//! how times and odd characters are written.
//!
//! The keys of events are listed in `model/keys.rs`, those of the records about a capture in
//! `about.rs`. docs/json.md and `schema.json` are made of both (`describe.rs`).

mod about;
mod arguments;
#[cfg(test)]
mod describe;
mod event;
mod form;
mod place;
mod quick;
pub mod read;
mod write;

pub use about::{write_lost, write_meta, write_summary};
pub use event::Writer;
pub use place::len as place_len;
pub use write::{args_that_fit, string_that_fits, write};

/// JSON Schema of a line, of either mode.
pub const SCHEMA: &str = include_str!("schema.json");

/// Changes with the meaning of what is there, not with keys that are added.
pub const SCHEMA_VERSION: u32 = 1;
