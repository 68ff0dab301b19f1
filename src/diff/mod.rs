// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures of the same work, before and after a change: what each came to, and what differs. Knows
//! the figures of summaries and the lives of processes; reads nothing by itself.

mod compare;
mod normal;
mod run;
mod text;

pub use compare::{Options, Report, compare};
pub use run::{Collecting, Run};
pub use text::render;
