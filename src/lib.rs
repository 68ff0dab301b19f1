// SPDX-License-Identifier: MIT OR Apache-2.0
//! Traces the life of processes with eBPF. The program is `src/main.rs`; README.md tells how to
//! use it, docs/design.md how it fits together.
//!
//! A folder a floor; imports point downwards only, in this order:

pub mod cli;

pub mod capture;
pub mod replay;

pub mod diff;
pub mod expect;
pub mod kernel;
pub mod metrics;
pub mod output;
pub mod top;
pub mod view;

pub mod json;
pub mod process;

pub mod host;
pub mod runtime;
pub mod sorted;
pub mod text;

pub mod model;
