// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--no-args`: any view, without the arguments of what it shows.

use std::ops::ControlFlow;

use super::Sink;
use crate::host::running::Running;
use crate::model::event::{Args, Detail, Event, Lost, Meta, Totals};

/// A view that gets to see no arguments.
pub struct NoArgs(pub Box<dyn Sink>);

impl Sink for NoArgs {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        self.0.begin(&Meta { no_args: true, ..meta.clone() }, out);
    }

    fn runs_already(&mut self, process: &Running) {
        self.0.runs_already(process);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut event = event.clone();
        match event.wide.as_deref_mut().map(|wide| &mut wide.detail) {
            Some(Detail::Exec { args, .. } | Detail::ExecFailed { args, .. }) => {
                *args = args.program();
            }
            Some(Detail::Exit(ended)) => ended.args = ended.args.as_ref().map(Args::program),
            Some(Detail::Fork { .. }) | None => {}
        }
        self.0.event(&event, out);
    }

    fn cost(&mut self, exit: &Event) {
        self.0.cost(exit);
    }

    fn lost(&mut self, lost: &Lost, time_ns: u64, out: &mut Vec<u8>) {
        self.0.lost(lost, time_ns, out);
    }

    fn tick(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        self.0.tick(now_ns, out);
    }

    fn look(&mut self, out: &mut Vec<u8>) -> ControlFlow<()> {
        self.0.look(out)
    }

    fn resize(&mut self, columns: usize, out: &mut Vec<u8>) {
        self.0.resize(columns, out);
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.0.end(totals, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;
    use crate::view::{ALL, Settings, Shape};

    #[test]
    fn no_view_tells_an_argument() {
        let mut story = Story::default();
        story.fork(0, 77, 4).exec(1_000, 77, 4, &["curl", "-u", "me:secret"]);
        story.exec_failed(1_500, 77, 4, &["wget", "secret"]);
        story.exit(2_000, 77, 4, 1 << 8).costs(500, None);
        if let Some(Detail::Exit(ended)) = story
            .events
            .last_mut()
            .and_then(|last| last.wide.as_deref_mut())
            .map(|wide| &mut wide.detail)
        {
            ended.args = Some(Args::new(b"curl\0secret\0", false));
        }
        for view in ALL {
            let settings = Settings { wide: true, ..Settings::default() };
            let mut sink = NoArgs((view.start)(&settings));
            let mut out = Vec::new();
            sink.begin(&Meta::default(), &mut out);
            story.events.iter().for_each(|event| sink.event(event, &mut out));
            sink.end(&Totals::default(), &mut out);
            let text = String::from_utf8(out).expect("every view is UTF-8");
            assert!(!text.contains("secret"), "{view:?}: {text}");
            assert!(text.contains("curl") || view.shape == Shape::Nothing, "{view:?}: {text}");
        }
    }
}
