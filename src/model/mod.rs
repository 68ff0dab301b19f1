// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happened, in the words of wait(2) and the kernel: events, statuses, signals, losses, and
//! what can go wrong. Knows nothing of the rest of the program.

pub mod conditions;
pub mod cost;
pub mod errno;
pub mod event;
pub mod failure;
pub(crate) mod keys;
pub mod pid;
pub mod place;
pub mod signal;
pub mod signal_code;
pub mod trace;
