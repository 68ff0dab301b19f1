// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a capture: read, filtered, summed up, and each event written and read again.
//!
//! `cargo fuzz run -s none reader` works with a stable compiler.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuxscope::json::read::{Decoder, Record};
use tuxscope::model::conditions::Conditions;
use tuxscope::model::event::{Event, Totals};
use tuxscope::process::filter::Filter;
use tuxscope::replay::{Line, Lines};
use tuxscope::text::style::Style;
use tuxscope::view::{Json, Ranking, Sink, Summary, Table};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = Lines::new(bytes);
    let mut decoder = Decoder::default();
    let conditions = Conditions { pids: vec![1, 7], follow: true, ..Conditions::default() };
    let mut filter = Filter::new(conditions);
    let mut sinks: [Box<dyn Sink>; 3] = [
        Box::new(Table::default()),
        Box::new(Summary::text(Style::default(), Ranking::default())),
        Box::new(Summary::json(Ranking::default())),
    ];
    let mut out = Vec::new();
    while let Ok(Some(line)) = lines.next_line() {
        let (Line::Whole(text) | Line::Last(text)) = line else { continue };
        match decoder.decode(text) {
            Ok(Record::Event(event)) => {
                // A blank makes it a line that is not as tuxscope writes it, and goes another way.
                let other = Decoder::default().decode(&[b" ", text].concat());
                assert_eq!(other, Ok(Record::Event(event.clone())));
                round_trip(&event);
                assert!(filter.keeps(&event).is_ok(), "these conditions need no wide mode");
                for sink in &mut sinks {
                    sink.event(&event, &mut out);
                }
                for_terminal(&out);
            }
            Ok(Record::Lost { time_ns, lost }) => {
                for sink in &mut sinks {
                    sink.lost(&lost, time_ns, &mut out);
                }
            }
            Ok(_) => {}
            Err(reason) => assert!(!reason.is_empty()),
        }
        out.clear();
    }
    let [table, summary, summary_json] = &mut sinks;
    table.end(&Totals::default(), &mut out);
    summary.end(&Totals::default(), &mut out);
    for_terminal(&out);
    summary_json.end(&Totals::default(), &mut out);
    assert!(std::str::from_utf8(&out).is_ok(), "every format is UTF-8");
});

fn for_terminal(text: &[u8]) {
    let text = std::str::from_utf8(text).expect("text is UTF-8");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "a control character");
}

/// What was read once is what will be read again. Text that had been cut inside a character, or
/// held a NUL, changes on its first way only.
fn round_trip(event: &Event) {
    let write = |event: &Event| {
        let mut line = Vec::new();
        Json::new(true).event(event, &mut line);
        line
    };
    let read = |line: &[u8]| match Decoder::default().decode(line) {
        Ok(Record::Event(event)) => event,
        other => panic!("{} became {other:?}", String::from_utf8_lossy(line)),
    };
    let settled = read(&write(event));
    assert_eq!(read(&write(&settled)), settled);
}
