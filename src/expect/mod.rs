// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about a capture: how they are written. Knows processes, the host, the text and the model.

pub mod parse;
pub mod rule;
