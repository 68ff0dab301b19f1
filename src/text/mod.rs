// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text for people: escaping, quoting, units, colours. Knows the model only.

pub mod bytes;
pub mod command;
pub mod elapsed;
mod escape;
pub mod killed;
pub mod moment;
pub mod quantity;
pub mod style;
pub mod time;
pub mod values;
pub mod xml;

pub use escape::{escape, fit, misleads, pad, push_hex};
