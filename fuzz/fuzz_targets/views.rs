// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a capture, drawn by each view that keeps what it saw until the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuxscope::json::read::{Decoder, Record};
use tuxscope::model::event::Totals;
use tuxscope::replay::{Line, Lines};
use tuxscope::text::style::Style;
use tuxscope::view::{Explain, Perfetto, Sink, Timeline, Tree};

fuzz_target!(|bytes: &[u8]| {
    let style = Style { unicode: true, ..Style::default() };
    let mut sinks: [Box<dyn Sink>; 4] = [
        Box::new(Explain::default()),
        Box::new(Tree::new(style)),
        Box::new(Timeline::default()),
        Box::new(Perfetto::default()),
    ];
    for (i, sink) in sinks.iter_mut().enumerate() {
        let mut lines = Lines::new(bytes);
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        while let Ok(Some(line)) = lines.next_line() {
            let (Line::Whole(text) | Line::Last(text)) = line else { continue };
            if let Ok(Record::Event(event)) = decoder.decode(text) {
                sink.event(&event, &mut out);
            }
        }
        sink.end(&Totals::default(), &mut out);
        let text = std::str::from_utf8(&out).expect("every view is UTF-8");
        // The first two are for terminals.
        assert!(
            i >= 2 || text.chars().all(|c| c == '\n' || !c.is_control()),
            "a control character"
        );
    }
});
