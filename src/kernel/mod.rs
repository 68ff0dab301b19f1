// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BPF side's counterpart: the skeletons, the ring buffer, its records, tracefs, and what the
//! kernel must have. All that names libbpf is here. Knows the model, the host and the rights.

pub mod config;
pub mod failed_execs;
mod loaded;
mod place;
pub mod preflight;
mod refusal;
pub mod ring;
mod skel;
pub mod tracepoint;
pub mod tracer;
pub mod wire;
