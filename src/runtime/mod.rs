// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program as a process of this system: signals, rights, the sandbox, systemd. Knows nothing
//! of events.

pub mod rights;
pub mod sandbox;
pub mod service;
pub mod stop;
