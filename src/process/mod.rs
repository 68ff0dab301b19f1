// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who lives, who is the command, and whose events are kept: state that is kept over a sequence of
//! events, live or of a capture. Knows the model and the host.

pub mod command;
pub mod filter;
pub mod recent;
pub mod table;
pub mod words;
