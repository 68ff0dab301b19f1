// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture tells of where it was made.

use std::{env, fs};

use rustix::system::uname;

use crate::model::event::Meta;
use crate::model::trace::TraceContext;

/// `filters`: the options that choose the events. `clock_offset_ns`: wall clock less
/// `CLOCK_MONOTONIC`.
pub fn meta(filters: Vec<String>, clock_offset_ns: u64) -> Meta {
    let name = uname();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Meta {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: name.release().to_string_lossy().into_owned(),
        host: name.nodename().to_string_lossy().into_owned(),
        boot_id: boot_id.trim().to_owned(),
        filters,
        clock_offset_ns,
        cpus: cpus_online(),
        ..Meta::default()
    }
}

/// The place in a trace of a command that is to be run: a new one, or below the span that TRACEPARENT
/// in the environment names. None where the kernel gives no random ids.
pub fn trace() -> Option<TraceContext> {
    let random = || {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").ok()?;
        u128::from_str_radix(&uuid.trim().replace('-', ""), 16).ok()
    };
    // A UUID has its version in the upper half.
    let span_id = random()? as u64;
    let given = env::var("TRACEPARENT").ok();
    let below = given.and_then(|given| TraceContext::below(&given, span_id));
    below.or_else(|| Some(TraceContext { trace_id: random()?, span_id, parent_span_id: None }))
}

/// How many CPUs the machine has, whichever of them this process may use; 0 where that isn't known.
fn cpus_online() -> u32 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let is_one = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| !rest.starts_with(' '));
    stat.lines().filter(is_one).count() as u32
}
