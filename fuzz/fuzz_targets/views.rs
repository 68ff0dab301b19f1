// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a capture, drawn by each view that there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuxscope::json::read::{Decoder, Record};
use tuxscope::model::event::{Meta, Totals};
use tuxscope::replay::{Line, Lines};
use tuxscope::text::style::Style;
use tuxscope::view;

fuzz_target!(|bytes: &[u8]| {
    let style = Style { unicode: true, ..Style::default() };
    let settings = view::Settings { wide: true, style, ..view::Settings::default() };
    for view in view::ALL {
        let mut sink = (view.start)(&settings);
        let mut lines = Lines::new(bytes);
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        sink.begin(&Meta::default(), &mut out);
        while let Ok(Some(line)) = lines.next_line() {
            let (Line::Whole(text) | Line::Last(text)) = line else { continue };
            match decoder.decode(text) {
                Ok(Record::Event(event)) => sink.event(&event, &mut out),
                Ok(Record::Lost { time_ns, lost }) => sink.lost(&lost, time_ns, &mut out),
                _ => {}
            }
        }
        sink.end(&Totals::default(), &mut out);
        let text = std::str::from_utf8(&out).expect("every view is UTF-8");
        let for_people = view.shape != view::Shape::Document && !view.name.contains("json");
        assert!(
            !for_people || text.chars().all(|c| c == '\n' || !c.is_control()),
            "a control character in {view:?}"
        );
    }
});
