// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an event costs in user space: decoding its record, completing it, formatting it.
//!
//! `cargo bench`; each iteration is a batch of 1,000.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tuxscope::capture::enrich::Enricher;
use tuxscope::host::users::Users;
use tuxscope::kernel::wire::{self, Decoded, RingRecord, WireError};
use tuxscope::model::event::Event;
use tuxscope::text::style::Style;
use tuxscope::view::{Json, Sink, Table, WideTable};

const BATCH: usize = 1_000;

fn main() {
    divan::main();
}

/// Records lie at addresses that are multiples of 8, as on the ring.
#[repr(align(8))]
struct Aligned<const N: usize>([u8; N]);

/// Fork, exec (`/bin/ls ls -l`) and exit, as the BPF programs sent them.
const BASIC: [&[u8]; 3] = [
    &Aligned(*include_bytes!("../fuzz/seeds/wire/basic-fork")).0,
    &Aligned(*include_bytes!("../fuzz/seeds/wire/basic-exec")).0,
    &Aligned(*include_bytes!("../fuzz/seeds/wire/basic-exit")).0,
];
const WIDE: [&[u8]; 3] = [
    &Aligned(*include_bytes!("../fuzz/seeds/wire/wide-fork")).0,
    &Aligned(*include_bytes!("../fuzz/seeds/wire/wide-exec")).0,
    &Aligned(*include_bytes!("../fuzz/seeds/wire/wide-exit")).0,
];

type Decode = fn(&[u8]) -> Result<Decoded, WireError>;

/// A batch of them, in turn, and what decodes it.
type Lives = (Vec<&'static [u8]>, Decode);

fn basic() -> Lives {
    (BASIC.into_iter().cycle().take(BATCH).collect(), wire::decode_basic)
}

fn wide() -> Lives {
    (WIDE.into_iter().cycle().take(BATCH).collect(), wire::decode_wide)
}

fn records((lives, decode): &Lives) -> impl Iterator<Item = RingRecord> {
    lives.iter().filter_map(|record| decode(record).ok()?.event())
}

fn decode(bencher: Bencher<'_, '_>, lives: &Lives) {
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| records(black_box(lives)).map(black_box).count());
}

fn format(bencher: Bencher<'_, '_>, lives: &Lives, mut sink: impl Sink) {
    let mut enricher = Enricher::new(4096);
    let mut complete = |mut record: RingRecord| {
        enricher.complete(&mut record, false);
        record.event
    };
    let events: Vec<Event> = records(lives).map(&mut complete).collect();
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
    decode(bencher, &basic());
}

#[divan::bench]
fn decode_wide(bencher: Bencher<'_, '_>) {
    decode(bencher, &wide());
}

#[divan::bench]
fn decode_and_complete_wide(bencher: Bencher<'_, '_>) {
    let lives = wide();
    let mut enricher = Enricher::new(4096);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for mut record in records(black_box(&lives)) {
            enricher.complete(&mut record, false);
            black_box(record);
        }
    });
}

#[divan::bench]
fn format_table(bencher: Bencher<'_, '_>) {
    format(bencher, &basic(), Table::default());
}

#[divan::bench]
fn format_json(bencher: Bencher<'_, '_>) {
    format(bencher, &basic(), Json::new(false));
}

#[divan::bench]
fn format_wide_table(bencher: Bencher<'_, '_>) {
    format(bencher, &wide(), WideTable::new(Style::default(), Users::read(), &[]));
}

#[divan::bench]
fn format_wide_json(bencher: Bencher<'_, '_>) {
    format(bencher, &wide(), Json::new(true));
}
