// SPDX-License-Identifier: MIT OR Apache-2.0
//! Traces the life of processes with eBPF. The program is `src/main.rs`; README.md tells how to
//! use it, docs/design.md how it fits together.

pub mod capture;
pub mod cgroup;
pub mod check;
pub mod cli;
pub mod destination;
pub mod enrich;
pub mod event;
pub mod failure;
pub mod filter;
pub mod follow;
pub mod format;
pub mod host;
pub mod launch;
pub mod output;
pub mod preflight;
pub mod progress;
pub mod replay;
pub mod report;
pub mod rights;
pub mod ring;
pub mod running;
pub mod sandbox;
pub mod service;
pub mod signal;
pub mod stop;
pub mod terminal;
pub mod tracepoint;
pub mod tracer;
pub mod users;
pub mod wait;
pub mod wire;
