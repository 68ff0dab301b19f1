// SPDX-License-Identifier: MIT OR Apache-2.0
//! The output formats: one sink a file.
//!
//! A sink turns events into bytes and does no I/O; [`crate::output`] writes them.

use crate::event::Event;

mod json;
mod table;
mod text;

pub use json::Json;
pub use table::Table;

/// One output format.
pub trait Sink {
    /// Appends what comes before the first event.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Appends one event.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);
}
