// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: the reader, its filters and the summary. Needs neither root nor BPF.

#![allow(clippy::unwrap_used)]

// How tests are made.
mod diff;
mod events;
mod otlp;
mod program;

// What is tested.
mod bad_input;
mod captures;
mod chains;
mod columns;
mod expect;
mod filters;
mod groups;
mod joined;
mod lines;
mod memory;
mod no_args;
mod program_behaviour;
mod round_trip;
mod summary;
mod times;
