// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a record of the ring buffer, of either mode.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuxscope::json::read::{Decoder, Record};
use tuxscope::kernel::wire::{Decoded, decode_basic, decode_wide, glance};
use tuxscope::model::event::Event;
use tuxscope::view::{Json, Sink as _, Table};

fuzz_target!(|bytes: &[u8]| {
    // Records lie at addresses that are multiples of 8.
    let mut aligned = vec![0_u64; bytes.len().div_ceil(8)];
    for (word, chunk) in aligned.iter_mut().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        *word = u64::from_ne_bytes(padded);
    }
    let words = aligned.as_ptr().cast::<u8>();
    // SAFETY: the words are at least `bytes.len()` initialised bytes, and outlive the slice.
    let record = unsafe { std::slice::from_raw_parts(words, bytes.len()) };
    for decode in [decode_basic, decode_wide] {
        if let Some(decoded) = decode(record).ok().and_then(Decoded::event) {
            show(&decoded.event);
        }
    }
    // What waits is cut to what a glance takes for the record, and decoded later.
    match (glance(record), decode_wide(record)) {
        (Ok(seen), decoded) => assert_eq!(decode_wide(&record[..seen.len]).ok(), decoded.ok()),
        (Err(_), decoded) => assert!(decoded.is_err(), "{decoded:?}"),
    }
});

fn show(event: &Event) {
    let mut out = Vec::new();
    Table::default().event(event, &mut out);
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "a control character");
    out.clear();
    Json::new(true).event(event, &mut out);
    match Decoder::default().decode(&out) {
        Ok(Record::Event(read)) => assert_eq!(read.wide.is_some(), event.wide.is_some()),
        other => panic!("{} became {other:?}", String::from_utf8_lossy(&out)),
    }
}
