// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON line: how a capture is written and read. Knows the model, and how times and
//! odd characters are written.

mod quick;
pub mod read;
mod write;

pub use write::write;
