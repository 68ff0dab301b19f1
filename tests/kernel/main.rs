// SPDX-License-Identifier: MIT OR Apache-2.0
//! The basic view on the real kernel. Root only; without root each test says that it is skipped.
//!
//! The machine runs other things meanwhile, so tests look only at processes that they made, and
//! assert no time but with generous bounds.

#![allow(clippy::unwrap_used)]

// How tests are made.
mod events;
mod machine;
mod namespace;
mod process;
mod program;
mod tracefs;
mod worker;

// What is tested.
mod check;
mod comms;
mod ending;
mod environment;
mod kernel_agreement;
mod latency;
mod loss;
mod output;
mod pid_filter;
mod record;
mod rotation;
mod sandbox;
mod sequence;
mod service;
mod storm;
mod threads;
mod usage;
