// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the BPF programs with clang and generates their skeletons into `OUT_DIR`.
//!
//! `CLANG` names another compiler, `BPF_CFLAGS` adds flags to it.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

const MODES: [&str; 2] = ["proc", "wide"];

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-changed=vmlinux/vmlinux.h");
    println!("cargo:rerun-if-env-changed=CLANG");
    println!("cargo:rerun-if-env-changed=BPF_CFLAGS");

    let out_dir = env::var("OUT_DIR").context("OUT_DIR is set by cargo")?;
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let extra = env::var("BPF_CFLAGS").unwrap_or_default();
    // The objects name their sources: not where these were built.
    let dir = env::var("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is set by cargo")?;
    let sources = format!("-ffile-prefix-map={dir}=.");
    // The kernel's byte order, whatever the compiler's is: libbpf-cargo says `-target bpf`, which is
    // the latter.
    let order = match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
        Ok("big") => "-mbig-endian",
        _ => "-mlittle-endian",
    };
    // v3 is in every kernel from 5.1; without it each clang chooses its own.
    let flags = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-mcpu=v3", "-Ivmlinux"];
    let flags = flags.into_iter().chain([order, &sources]).chain(extra.split_whitespace());
    let flags: Vec<&str> = flags.collect();

    // As src/kernel/skel.rs sees it: what can panic there names the file, which is not to depend on
    // where this was built either.
    let below = Path::new(&out_dir).strip_prefix(&dir).map(|out| Path::new("../..").join(out));
    let skeletons = below.unwrap_or_else(|_| (&out_dir).into());
    println!("cargo:rustc-env=SKELETONS={}", skeletons.display());

    for mode in MODES {
        SkeletonBuilder::new()
            .source(format!("bpf/{mode}.bpf.c"))
            .clang(&clang)
            .clang_args(&flags)
            .build_and_generate(Path::new(&out_dir).join(format!("{mode}.skel.rs")))
            .with_context(|| {
                format!("{clang} could not build bpf/{mode}.bpf.c (Debian: apt-get install clang)")
            })?;
    }
    Ok(())
}
