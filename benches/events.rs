// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an event costs in user space: decoding its record, completing it, formatting it.
//!
//! `cargo bench`; each iteration is a batch of 1,000.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tuxscope::capture::enrich::Enricher;
use tuxscope::host::users::Users;
use tuxscope::kernel::wire::{self, Record};
use tuxscope::model::event::Event;
use tuxscope::text::style::Style;
use tuxscope::view::{Json, Sink, Table, WideTable};

const BATCH: usize = 1_000;

fn main() {
    divan::main();
}

/// Records lie at addresses that are multiples of 8, as on the ring.
#[repr(align(8))]
struct Aligned([u8; 128]);

/// A record of 40 bytes.
fn basic(kind: u8) -> (Aligned, usize) {
    let mut bytes = [0; 128];
    bytes[..4].copy_from_slice(&4521_u32.to_ne_bytes());
    bytes[4..8].copy_from_slice(&3890_u32.to_ne_bytes());
    bytes[8] = kind;
    bytes[16..24].copy_from_slice(&128_934_567_890_u64.to_ne_bytes());
    bytes[24..28].copy_from_slice(b"make");
    (Aligned(bytes), 40)
}

/// One of 72 and more. An exec's is `/bin/ls ls -l`.
fn wide(kind: u8) -> (Aligned, usize) {
    let (Aligned(mut bytes), _) = basic(kind);
    bytes[40..48].copy_from_slice(&128_900_000_000_u64.to_ne_bytes());
    bytes[48..56].copy_from_slice(&1_u64.to_ne_bytes());
    bytes[56..60].copy_from_slice(&4521_u32.to_ne_bytes());
    if kind == 1 {
        bytes[64..68].copy_from_slice(&8_u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&6_u32.to_ne_bytes());
        bytes[72..86].copy_from_slice(b"/bin/ls\0ls\0-l\0");
    }
    (Aligned(bytes), 88)
}

type Lives = Vec<(Aligned, usize)>;

/// Fork, exec and exit, in turn.
fn lives(record: fn(u8) -> (Aligned, usize)) -> Lives {
    (0..3).cycle().take(BATCH).map(record).collect()
}

fn events(lives: &Lives) -> impl Iterator<Item = Event> {
    lives.iter().filter_map(|(Aligned(bytes), len)| match wire::decode(&bytes[..*len]) {
        Ok(Record::Event(event)) => Some(event),
        _ => None,
    })
}

fn decode(bencher: Bencher<'_, '_>, lives: &Lives) {
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| events(black_box(lives)).map(black_box).count());
}

fn format(bencher: Bencher<'_, '_>, lives: &Lives, mut sink: impl Sink) {
    let mut enricher = Enricher::new(4096);
    let mut complete = |mut event: Event| {
        enricher.complete(&mut event);
        event
    };
    let events: Vec<Event> = events(lives).map(&mut complete).collect();
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        out.clear();
        for event in black_box(&events) {
            sink.event(event, &mut out);
        }
        black_box(&out).len()
    });
}

#[divan::bench]
fn decode_basic(bencher: Bencher<'_, '_>) {
    decode(bencher, &lives(basic));
}

#[divan::bench]
fn decode_wide(bencher: Bencher<'_, '_>) {
    decode(bencher, &lives(wide));
}

#[divan::bench]
fn decode_and_complete_wide(bencher: Bencher<'_, '_>) {
    let lives = lives(wide);
    let mut enricher = Enricher::new(4096);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for mut event in events(black_box(&lives)) {
            enricher.complete(&mut event);
            black_box(event);
        }
    });
}

#[divan::bench]
fn format_table(bencher: Bencher<'_, '_>) {
    format(bencher, &lives(basic), Table::default());
}

#[divan::bench]
fn format_json(bencher: Bencher<'_, '_>) {
    format(bencher, &lives(basic), Json::new(false));
}

#[divan::bench]
fn format_wide_table(bencher: Bencher<'_, '_>) {
    format(bencher, &lives(wide), WideTable::new(Style::default(), Users::read()));
}

#[divan::bench]
fn format_wide_json(bencher: Bencher<'_, '_>) {
    format(bencher, &lives(wide), Json::new(true));
}
