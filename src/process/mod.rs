// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who lives, and whose events are kept: state that is kept over a sequence of events, live or of
//! a capture. Knows the model and the host.

pub mod filter;
pub mod recent;
pub mod table;
pub mod words;
