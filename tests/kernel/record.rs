// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes on the ring themselves.

use tuxscope::kernel::config::{Config, Mode};
use tuxscope::kernel::tracer::{Storage, Tracer};
use tuxscope::model::conditions::Conditions;

use crate::{machine, worker};

/// The ring hands its memory out again and again: what a handler doesn't write is an old record.
#[test]
fn the_padding_is_zero_on_used_memory() {
    let Some(_machine) = machine::alone() else { return };
    let config = Config {
        mode: Mode::Basic,
        choice: Conditions::default(),
        adopt: false,
        buffer_size: 4096,
        verbose: false,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config).expect("attached");
    tracer.begin();
    let (mut seen, mut dirty) = (0_u64, 0_u64);
    let mut ring = tracer.ring().expect("the ring buffer");
    let mut look = |record: &[u8]| {
        assert_eq!(record.len(), 40);
        seen += 1;
        dirty += u64::from(record[9..16] != [0; 7]);
        true
    };
    for _ in 0..20 {
        worker::storm("fork", 30, 1);
        while ring.consume(1000, &mut look).expect("reading") > 0 {}
    }
    assert!(seen > 1000, "the ring was gone round: {seen}");
    assert_eq!(dirty, 0, "of {seen} records");
}
