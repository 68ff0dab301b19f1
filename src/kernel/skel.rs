// SPDX-License-Identifier: MIT OR Apache-2.0
//! The generated skeletons, and in their `types` the records as `bpf/proc.h` has them.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    clippy::uninlined_format_args,
    clippy::use_self,
    missing_docs,
    unsafe_op_in_unsafe_fn
)]

pub mod proc {
    include!(concat!(env!("SKELETONS"), "/proc.skel.rs"));
}

pub mod wide {
    include!(concat!(env!("SKELETONS"), "/wide.skel.rs"));
}
