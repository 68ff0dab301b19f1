// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where formatted events go: a terminal, a pipe or a file, in whole lines, without waiting for a
//! reader; whose files, and what links may not do; rotation; progress. Knows the floors of the system, and nothing
//! of events.

mod compressor;
pub mod destination;
mod lines;
mod links;
mod ownership;
pub mod progress;
mod replaced;
mod rotation;
mod stream;
pub mod terminal;

pub use replaced::Replaced;
pub use rotation::Rotation;
pub use stream::{Output, WRITE_SIZE, WriteFailed};
