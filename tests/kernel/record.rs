// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes on the ring themselves, and the notes beside it.

use std::io::Read as _;
use std::process::Stdio;

use tuxscope::kernel::config::{Config, Mode};
use tuxscope::kernel::tracer::{Learning, Storage, Tracer};
use tuxscope::model::conditions::Conditions;

use crate::{machine, process, worker};

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

/// Of a process with more children than are noted when it ends, not all are found.
#[test]
fn children_that_are_not_noted_are_counted() {
    let Some(_machine) = machine::alone() else { return };
    for (children, unnoted) in [(500, 0), (600, 1)] {
        let mut held = worker::command(&["hold", &children.to_string()]);
        let mut held = held.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a worker");
        held.stdout.as_mut().unwrap().read_exact(&mut [0]).expect("all are there");
        let choice = Conditions { pids: vec![held.id()], follow: true, ..Conditions::default() };
        for mode in [Mode::Basic, Mode::Wide { threads: false, max_args: 4096 }] {
            let config = Config {
                mode,
                choice: choice.clone(),
                adopt: false,
                buffer_size: 1 << 20,
                verbose: false,
            };
            let mut storage = Storage::uninit();
            let tracer = Tracer::attach(&mut storage, &config).expect("attached");
            tracer.set_learning(Learning::All);
            tracer.begin();
            if mode == Mode::Basic {
                continue; // only that it can be loaded
            }
            held.kill().unwrap();
            assert!(!process::wait(&mut held).success());
            let noted = tracer.makers().iter().filter(|(_, maker)| maker.tgid == held.id()).count();
            assert_eq!((noted, tracer.lost_unshown()), (children.min(512), unnoted));
        }
    }
}
