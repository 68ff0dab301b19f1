// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes on the ring themselves.

use std::cell::Cell;

use tuxscope::filter::Conditions;
use tuxscope::tracer::{Config, Storage, Tracer, View};

use crate::{machine, worker};

/// The ring hands its memory out again and again: what a handler doesn't write is an old record.
#[test]
fn the_padding_is_zero_on_used_memory() {
    let Some(_machine) = machine::alone() else { return };
    let config = Config {
        view: View::Basic,
        choice: Conditions::default(),
        adopt: false,
        buffer_size: 4096,
        verbose: false,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config).expect("attached");
    tracer.set_tracing(true);
    let seen = Cell::new(0_u64);
    let dirty = Cell::new(0_u64);
    let records = tracer
        .records(|record| {
            assert_eq!(record.len(), 40);
            seen.set(seen.get() + 1);
            dirty.set(dirty.get() + u64::from(record[9..16] != [0; 7]));
            true
        })
        .expect("the ring buffer");
    for _ in 0..20 {
        worker::storm("fork", 30, 1);
        while records.consume(1000).expect("reading") > 0 {}
    }
    assert!(seen.get() > 1000, "the ring was gone round: {}", seen.get());
    assert_eq!(dirty.get(), 0, "of {} records", seen.get());
}
