// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nothing, where only the rules' outcomes are asked for.

use super::{Across, Shape, Sink, Speaks, View};
use crate::model::event::Event;

/// `--format none`
pub static VIEW: View = View {
    name: "none",
    help: "Nothing: for --expect",
    needs_wide: false,
    shape: Shape::Nothing,
    speaks: Speaks::AtTheEnd,
    across: Across::Shown,
    takes: &[],
    start: |_| Box::new(Nothing),
};

#[derive(Debug)]
struct Nothing;

impl Sink for Nothing {
    fn event(&mut self, _event: &Event, _out: &mut Vec<u8>) {}
}
