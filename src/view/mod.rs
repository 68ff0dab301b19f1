// SPDX-License-Identifier: MIT OR Apache-2.0
//! The output formats: one sink a file.
//!
//! A sink turns events into bytes and does no I/O; [`crate::output`] writes them.

use crate::model::event::{Event, Lost, Meta, Totals};

mod explain;
#[cfg(test)]
mod fixtures;
mod json;
mod lives;
mod perfetto;
mod summary;
mod table;
mod timeline;
mod tree;
mod wide_table;

pub use explain::Explain;
pub use json::{Json, SCHEMA};
pub use perfetto::Perfetto;
pub use summary::Summary;
pub use table::Table;
pub use timeline::Timeline;
pub use tree::Tree;
pub use wide_table::WideTable;

/// One output format. A format that needs the whole capture appends its bytes at the end.
pub trait Sink {
    /// Appends what comes before the first event.
    fn begin(&mut self, _meta: &Meta, _out: &mut Vec<u8>) {}

    /// Appends one event.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Appends word of events that were lost before this point of the capture, counted since
    /// its beginning. `time_ns` is when that was noticed, in nanoseconds since 1970.
    fn lost(&mut self, _lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {}

    /// Appends what comes after the last event.
    fn end(&mut self, _totals: &Totals, _out: &mut Vec<u8>) {}
}
