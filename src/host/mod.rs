// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine that the program runs on, as /proc, the cgroup hierarchy and /etc tell of it.
//! Knows the model only.

pub mod cgroup;
pub mod clock;
pub mod container;
pub mod identity;
pub mod running;
pub mod unit;
pub mod usage;
pub mod users;
