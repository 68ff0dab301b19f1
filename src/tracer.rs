// SPDX-License-Identifier: MIT OR Apache-2.0
//! The skeleton's life: open, configure, load, attach, read, detach. Nothing else touches it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, IntoRawFd as _};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::{Context as _, Result, anyhow};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore as _, MapFlags, OpenObject, PrintLevel, RingBuffer, RingBufferBuilder,
};

use crate::event::Lost;
use crate::failure::{Exit, Failure};
use crate::preflight;
use crate::report;

/// The generated skeleton of `bpf/proc.bpf.c`.
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    clippy::uninlined_format_args,
    clippy::use_self,
    missing_docs,
    unsafe_op_in_unsafe_fn
)]
mod proc_skel {
    include!(concat!(env!("OUT_DIR"), "/proc.skel.rs"));
}

use proc_skel::{ProcSkel, ProcSkelBuilder};

/// What to trace, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Keep only events whose `pid` is one of these; empty: keep all.
    pub pids: Vec<u32>,
    /// Size of the ring buffer in bytes: a power of two, and a multiple of the page size.
    pub buffer_size: u32,
    /// Let libbpf say on standard error what it does.
    pub verbose: bool,
}

/// Memory for the BPF object, which a [`Tracer`] borrows.
pub type Storage = MaybeUninit<OpenObject>;

/// A running trace of the basic view.
pub struct Tracer<'obj> {
    skel: ProcSkel<'obj>,
    links: RefCell<Vec<Link>>,
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("attached", &self.links.borrow().len()).finish()
    }
}

impl<'obj> Tracer<'obj> {
    /// Loads the BPF programs and attaches them. From its return on, no event is missed.
    ///
    /// # Errors
    /// A [`Failure`] where the kernel or the rights don't allow it.
    pub fn start(storage: &'obj mut Storage, config: &Config) -> Result<Self> {
        libbpf_rs::set_print(config.verbose.then_some((PrintLevel::Debug, print_libbpf)));
        let tracefs = preflight::basic_view()?;

        let mut open = ProcSkelBuilder::default()
            .open(storage)
            .map_err(|error| refused(&error, "open", config))?;
        open.maps.events.set_max_entries(config.buffer_size)?;
        open.maps.pids.set_max_entries(config.pids.len().max(1) as u32)?;
        let rodata = open.maps.rodata_data.as_mut().context("the BPF object has no rodata")?;
        rodata.wakeup_bytes = u64::from(config.buffer_size / 4);
        rodata.filter_pids = u8::from(!config.pids.is_empty());

        let skel = open.load().map_err(|error| refused(&error, "load", config))?;
        for pid in &config.pids {
            skel.maps.pids.update(&pid.to_ne_bytes(), &[1], MapFlags::ANY)?;
        }

        let programs = [
            ("sched_process_exit", &skel.progs.handle_exit),
            ("sched_process_exec", &skel.progs.handle_exec),
            ("sched_process_fork", &skel.progs.handle_fork),
        ];
        let mut links = Vec::new();
        for (name, program) in programs {
            let event = tracefs.open_sched_event(name).map_err(|error| no_event(name, &error))?;
            // The link owns the descriptor from here on, and closes it.
            let link = program
                .attach_perf_event(event.into_raw_fd())
                .map_err(|error| refused(&error, "attach", config))?;
            links.push(link);
        }
        let tracer = Self { skel, links: RefCell::new(links) };
        tracer.set_tracing(true);
        Ok(tracer)
    }

    /// Starts to read the ring buffer: `on_record` gets each record's bytes in the order in
    /// which the events happened. When it returns false, the reading stops behind this record.
    ///
    /// # Errors
    /// The ring buffer can't be mapped.
    pub fn records<'a, F>(&'a self, mut on_record: F) -> Result<Records<'a>>
    where
        F: FnMut(&[u8]) -> bool + 'a,
    {
        let mut builder = RingBufferBuilder::new();
        builder.add(&self.skel.maps.events, move |record| {
            if on_record(record) { 0 } else { -libc::ECANCELED }
        })?;
        let ring = builder.build()?;
        Ok(Records { ring, fd: self.skel.maps.events.as_fd() })
    }

    /// Events lost so far because the ring buffer was full. Reads memory, makes no system call.
    pub fn lost(&self) -> Lost {
        let Some(bss) = self.skel.maps.bss_data.as_deref() else { return Lost::default() };
        Lost::new(std::array::from_fn(|kind| {
            let count = (&raw const bss.lost[kind]).cast_mut();
            // SAFETY: libbpf keeps .bss mapped, writable and aligned for as long as the skeleton
            // lives; the BPF programs change the counter atomically, and nothing else does.
            unsafe { AtomicU64::from_ptr(count) }.load(Ordering::Relaxed)
        }))
    }

    /// Begins or ends the capture for all handlers at once.
    fn set_tracing(&self, on: bool) {
        let Some(bss) = self.skel.maps.bss_data.as_deref() else { return };
        let tracing = (&raw const bss.tracing).cast_mut();
        // SAFETY: as in `lost`; the BPF programs only read it.
        unsafe { AtomicU32::from_ptr(tracing) }.store(u32::from(on), Ordering::Relaxed);
    }

    /// Ends the tracing; what the ring buffer holds stays readable.
    pub fn detach(&self) {
        self.set_tracing(false);
        // The kernel waits for handlers that still run, so what they write is on the ring then.
        self.links.borrow_mut().clear();
    }
}

/// The reading end of the ring buffer.
#[derive(Debug)]
pub struct Records<'a> {
    ring: RingBuffer<'a>,
    fd: BorrowedFd<'a>,
}

impl Records<'_> {
    /// Hands out up to `limit` records that are ready; returns how many, 0 when there are none
    /// or the callback has stopped the reading.
    ///
    /// # Errors
    /// libbpf's, none is known.
    pub fn consume(&self, limit: usize) -> io::Result<usize> {
        match self.ring.consume_raw_n(limit) {
            n if n >= 0 => Ok(n as usize),
            n if n == -libc::ECANCELED => Ok(0),
            n => Err(io::Error::from_raw_os_error(-n)),
        }
    }

    /// Becomes readable when the BPF side wakes the reader.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd
    }
}

fn print_libbpf(_level: PrintLevel, message: String) {
    for line in message.lines() {
        report::say(format_args!("libbpf: {line}"));
    }
}

/// Tells why the kernel refused the BPF object at `step`.
fn refused(error: &libbpf_rs::Error, step: &str, config: &Config) -> anyhow::Error {
    let more = if config.verbose { "" } else { "; -v shows libbpf's account of it" };
    match error.kind() {
        ErrorKind::PermissionDenied if preflight::locked_down() => Failure::new(
            Exit::Kernel,
            "this kernel is locked down (confidentiality mode): BPF may not read its memory",
            "boot with lockdown=integrity or without lockdown",
        )
        .into(),
        ErrorKind::PermissionDenied => Failure::new(
            Exit::Rights,
            format!("the kernel refused to {step} the BPF programs: {error}"),
            format!(
                "run it as root outside of containers; before Linux 5.11 also: ulimit -l unlimited{more}"
            ),
        )
        .into(),
        ErrorKind::OutOfMemory => anyhow!(
            "no memory for a ring buffer of {} bytes\ngive a smaller --buffer-size",
            config.buffer_size
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel can't {step} the BPF programs: {error}"),
            format!("tuxscope needs Linux 5.8 or newer{more}"),
        )
        .into(),
    }
}

/// Tells why a tracepoint could not be opened.
fn no_event(name: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Rights,
            format!("may not open the tracepoint sched:{name}: {error}"),
            "run it as root (sudo tuxscope ...), in a container with CAP_PERFMON and tracefs",
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel gives no tracepoint sched:{name}: {error}"),
            "boot a kernel with CONFIG_FTRACE=y and CONFIG_PERF_EVENTS=y",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::proc_skel::types;
    use crate::wire::ProcEvent;

    /// The layout that clang gave `struct proc_event`, read back from the object's BTF.
    #[test]
    fn both_sides_lay_the_record_out_alike() {
        assert_eq!(size_of::<types::proc_event>(), size_of::<ProcEvent>());
        let offsets = [
            (offset_of!(types::proc_event, pid), offset_of!(ProcEvent, pid)),
            (offset_of!(types::proc_event, ppid), offset_of!(ProcEvent, ppid)),
            (offset_of!(types::proc_event, event_type), offset_of!(ProcEvent, event_type)),
            (offset_of!(types::proc_event, _padding), offset_of!(ProcEvent, _padding)),
            (offset_of!(types::proc_event, timestamp_ns), offset_of!(ProcEvent, timestamp_ns)),
            (offset_of!(types::proc_event, comm), offset_of!(ProcEvent, comm)),
        ];
        for (c, rust) in offsets {
            assert_eq!(c, rust);
        }
    }
}
