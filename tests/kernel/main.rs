// SPDX-License-Identifier: MIT OR Apache-2.0
//! Both modes on the real kernel. Root only: see `machine`.
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
mod strace;
mod tracefs;
mod wide;
mod worker;

// What is tested.
mod cgroups;
mod check;
mod clock;
mod comms;
mod cost;
mod diff;
mod ending;
mod environment;
mod expect;
mod failed_execs;
mod filters;
mod follow;
mod held;
mod kernel_agreement;
mod kernel_threads;
mod killed;
mod latency;
mod loss;
mod metrics;
mod output;
mod ownership;
mod path;
mod pid_filter;
mod real_build;
mod record;
mod rights;
mod rotation;
mod run_mode;
mod run_plain;
mod sandbox;
mod sequence;
mod service;
mod storm;
mod threads;
mod top;
mod trace;
mod usage;
mod wide_args;
mod wide_identity;
mod wide_lives;
mod wide_records;
mod wide_terminal;
