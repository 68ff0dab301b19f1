// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program as a process of this system: signals, rights, the sandbox, systemd, writes that
//! don't block, and what it says on standard error. Knows nothing of events.

pub mod inherited;
pub mod report;
pub mod rights;
pub mod sandbox;
pub mod service;
pub mod stop;
pub mod suspend;
pub mod unblocked;
