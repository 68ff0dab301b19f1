// SPDX-License-Identifier: MIT OR Apache-2.0
//! Process ids.

/// `PID_MAX_LIMIT` of include/linux/threads.h on 64-bit kernels: no pid is larger.
pub const PID_MAX_LIMIT: u32 = 1 << 22;
