// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's own record of the same events: a tracefs instance, on a mount that nobody sees.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;
use std::{fs, io};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::events::Event;

const EVENTS: [&str; 3] = ["sched_process_fork", "sched_process_exec", "sched_process_exit"];

/// A recording that goes on.
pub struct Instance {
    dir: PathBuf,
    /// The mount goes with its descriptor.
    _root: OwnedFd,
}

impl Instance {
    /// Records from its return on.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).expect("fsopen");
        fsconfig_create(&context).expect("fsconfig");
        let root =
            fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tuxscope-test-{}-{number}", std::process::id());
        let dir = PathBuf::from(format!("/proc/self/fd/{}/instances/{name}", root.as_raw_fd()));
        fs::create_dir(&dir).expect("a tracefs instance");
        let instance = Self { dir, _root: root };
        instance.set("trace_clock", "mono"); // the clock of tuxscope's timestamps
        instance.set("buffer_size_kb", "16384"); // a CPU
        for event in EVENTS {
            instance.set(&format!("events/sched/{event}/enable"), "1");
        }
        instance
    }

    /// Ends the recording and returns it: fork with task ids, exec with the file's name as comm,
    /// exit with the task's id (not the process'). Times are cut to microseconds.
    pub fn stop(self) -> Vec<Event> {
        self.set("tracing_on", "0");
        for cpu in fs::read_dir(self.dir.join("per_cpu")).unwrap() {
            let stats = fs::read_to_string(cpu.unwrap().path().join("stats")).unwrap();
            assert!(stats.contains("\noverrun: 0\n"), "the kernel's buffer is too small: {stats}");
        }
        let text = fs::read(self.dir.join("trace")).unwrap();
        String::from_utf8_lossy(&text).lines().filter_map(parse).collect()
    }

    fn set(&self, file: &str, value: &str) {
        fs::write(self.dir.join(file), value).expect(file);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for event in EVENTS {
            self.set(&format!("events/sched/{event}/enable"), "0");
        }
        // What another test forks just then holds its files open until it execs.
        let mut looks = 0;
        while let Err(error) = fs::remove_dir(&self.dir) {
            looks += 1;
            let busy = error.kind() == io::ErrorKind::ResourceBusy;
            assert!(busy && looks < 100, "removing the tracefs instance: {error}");
            sleep(Duration::from_millis(50));
        }
    }
}

/// `  bash-1234  [000] .....  1856.545509: sched_process_fork: comm=bash pid=1234 child_comm=...`
fn parse(line: &str) -> Option<Event> {
    let (head, rest) = line.split_once(": sched_process_")?;
    let (kind, fields) = rest.split_once(": ")?;
    let (secs, micros) = head.rsplit_once(' ')?.1.split_once('.')?;
    let timestamp_ns = (secs.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?) * 1000;
    let (comm, pid, ppid) = match kind {
        "fork" => {
            let (parent, child) = fields.strip_prefix("comm=")?.split_once(" child_comm=")?;
            let (comm, ppid) = parent.rsplit_once(" pid=")?;
            (comm, child.rsplit_once(" child_pid=")?.1, ppid)
        }
        "exec" => {
            let (file, pids) = fields.strip_prefix("filename=")?.rsplit_once(" pid=")?;
            let name = file.rsplit('/').next()?;
            (name, pids.split(' ').next()?, "0")
        }
        "exit" => {
            let (comm, rest) = fields.strip_prefix("comm=")?.rsplit_once(" pid=")?;
            (comm, rest.split(' ').next()?, "0")
        }
        _ => return None,
    };
    Some(Event {
        pid: pid.parse().ok()?,
        ppid: ppid.parse().ok()?,
        comm: comm.chars().take(15).collect(), // TASK_COMM_LEN
        event_type: kind.to_owned(),
        timestamp_ns,
    })
}
