// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events made up for the tests of the views.

use std::collections::HashMap;
use std::sync::Arc;

use super::Sink;
use crate::host::running::Running;
use crate::model::errno::Errno;
use crate::model::event::{
    Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Lost, Meta, Totals, Wide,
};
use crate::model::place::Place;
use crate::text;

/// Everything that a sink writes for these events.
pub fn run(mut sink: impl Sink, events: &[Event]) -> String {
    let mut out = Vec::new();
    sink.begin(&Meta::default(), &mut out);
    events.iter().for_each(|event| sink.event(event, &mut out));
    sink.end(&Totals::default(), &mut out);
    String::from_utf8(out).expect("every view is UTF-8")
}

/// A process that began 1 s before all stories.
pub fn running(pid: u32, comm: &str) -> Running {
    Running { pid, ppid: 1, start_boot_ns: 7, start_ns: 7, comm: Comm::new(comm.as_bytes()) }
}

/// An event of the basic mode, `us` microseconds after 1 s.
pub fn basic(kind: EventKind, us: u64, pid: u32, ppid: u32, comm: &str) -> Event {
    let comm = Comm::new(comm.as_bytes());
    Event { kind, pid, ppid, comm, timestamp_ns: 1_000_000_000 + us * 1_000, wide: None }
}

/// Tells a story in events of the wide mode; times are in microseconds.
#[derive(Default)]
pub struct Story {
    /// What happened so far.
    pub events: Vec<Event>,
    starts: HashMap<u32, u64>,
    comms: HashMap<u32, Comm>,
}

impl Story {
    fn wide(&mut self, kind: EventKind, us: u64, ids: (u32, u32, u32), detail: Detail) {
        let (pid, tid, ppid) = ids;
        let comm = *self.comms.entry(pid).or_insert(Comm::new(b"bash"));
        let event = basic(kind, us, pid, ppid, "");
        let wide = Wide {
            time_ns: 1_700_000_000_000_000_000 + us * 1_000,
            tid,
            uid: 1000,
            // That of a thread is its own.
            start_ns: if tid == pid { *self.starts.entry(pid).or_insert(7) } else { 8 },
            cgroup_id: 1,
            place: None,
            ns_pid: None,
            pidns: None,
            login_uid: None,
            host: None,
            boot_id: None,
            detail,
        };
        self.events.push(Event { comm, wide: Some(Box::new(wide)), ..event });
    }

    /// `ppid` forks `pid`.
    pub fn fork(&mut self, us: u64, pid: u32, ppid: u32) -> &mut Self {
        let comm = *self.comms.entry(ppid).or_insert(Comm::new(b"bash"));
        self.comms.insert(pid, comm);
        self.starts.insert(pid, 1_000_000_000 + us * 1_000);
        let detail = Detail::Fork { thread: false, parent_tid: ppid, made_by: None };
        self.wide(EventKind::Fork, us, (pid, pid, ppid), detail);
        self
    }

    /// `pid` starts a thread.
    pub fn thread(&mut self, us: u64, pid: u32, tid: u32, ppid: u32) -> &mut Self {
        let detail = Detail::Fork { thread: true, parent_tid: pid, made_by: None };
        self.wide(EventKind::Fork, us, (pid, tid, ppid), detail);
        self
    }

    /// A thread of `pid` ends.
    pub fn thread_exit(&mut self, us: u64, pid: u32, tid: u32, ppid: u32) -> &mut Self {
        let detail = Detail::exit(Ended { thread: true, duration_ns: 1_000, ..Ended::default() });
        self.wide(EventKind::Exit, us, (pid, tid, ppid), detail);
        self
    }

    /// `pid` execs a program in /bin.
    pub fn exec(&mut self, us: u64, pid: u32, ppid: u32, args: &[&str]) -> &mut Self {
        self.comms.insert(pid, Comm::new(args[0].as_bytes()));
        let bytes: Vec<u8> =
            args.iter().flat_map(|arg| [arg, "\0"].concat().into_bytes()).collect();
        let filename = format!("/bin/{}", args[0]).into_bytes();
        let detail =
            Detail::Exec { filename, args: Args::new(&bytes, false), filename_truncated: None };
        self.wide(EventKind::Exec, us, (pid, pid, ppid), detail);
        self
    }

    /// `pid` fails to exec a program in /bin that isn't there.
    pub fn exec_failed(&mut self, us: u64, pid: u32, ppid: u32, args: &[&str]) -> &mut Self {
        let bytes: Vec<u8> =
            args.iter().flat_map(|arg| [arg, "\0"].concat().into_bytes()).collect();
        let (filename, args) = (Some(format!("/bin/{}", args[0]).into()), Args::new(&bytes, false));
        let (errno, tried, filename_truncated) = (Errno(libc::ENOENT as u16), 2, None);
        let detail = Detail::ExecFailed { filename, args, errno, tried, filename_truncated };
        self.wide(EventKind::ExecFailed, us, (pid, pid, ppid), detail);
        self
    }

    /// The one that ended last used a CPU for so many microseconds, and had none for so many.
    pub fn costs(&mut self, cpu_us: u64, wait_us: Option<u64>) -> &mut Self {
        let detail = self.events.last_mut().and_then(|event| event.wide.as_deref_mut());
        if let Some(Detail::Exit(ended)) = detail.map(|wide| &mut wide.detail) {
            ended.cpu_ns = Some(cpu_us * 1_000);
            ended.cpu_wait_ns = wait_us.map(|us| us * 1_000);
        }
        self
    }

    /// `pid`, whose parent is `ppid` then, ends with a status word of wait(2).
    pub fn exit(&mut self, us: u64, pid: u32, ppid: u32, status: u32) -> &mut Self {
        let start = self.starts.get(&pid).copied().unwrap_or(7);
        let detail = Detail::exit(Ended {
            status: ExitStatus::from_wait(status),
            duration_ns: 1_000_000_000 + us * 1_000 - start,
            ..Ended::default()
        });
        self.wide(EventKind::Exit, us, (pid, pid, ppid), detail);
        self
    }
}

/// `sh -c 'cat /etc/passwd | grep root'`, where grep finds nothing.
pub fn pipeline() -> Vec<Event> {
    let mut story = Story::default();
    story.fork(0, 4521, 3890).exec(600, 4521, 3890, &["sh", "-c", "cat /etc/passwd | grep root"]);
    story.fork(1_200, 4522, 4521).fork(1_300, 4523, 4521);
    story.exec(1_700, 4522, 4521, &["cat", "/etc/passwd"]);
    story.exec(1_900, 4523, 4521, &["grep", "root"]);
    story.exit(2_500, 4522, 4521, 0).exit(2_800, 4523, 4521, 1 << 8).exit(
        4_000,
        4521,
        3890,
        1 << 8,
    );
    story.events
}

/// A shell that doesn't find a command, after a search along PATH.
pub fn not_found() -> Vec<Event> {
    let mut story = Story::default();
    story.fork(0, 4522, 4521).exec_failed(500, 4522, 4521, &["no", "-l"]);
    story.exit(900, 4522, 4521, 127 << 8);
    story.events
}

/// A double fork: 5002 is the daemon, 5001 is gone before it execs twice.
pub fn daemon() -> Vec<Event> {
    let mut story = Story::default();
    story.fork(0, 5000, 3890).exec(500, 5000, 3890, &["daemon"]);
    story.fork(1_000, 5001, 5000).fork(2_000, 5002, 5001);
    story.exit(3_000, 5001, 5000, 0).exit(4_000, 5000, 3890, 0);
    story.exec(5_000, 5002, 1, &["sh", "-c", "exec work"]).exec(6_000, 5002, 1, &["work"]);
    story.thread(7_000, 5002, 5003, 1).thread_exit(8_000, 5002, 5003, 1);
    story.fork(9_000, 5004, 5002).exit(20_000, 5002, 1, 11 | 0x80);
    story.events
}

/// Numbers that look random and are the same in every run.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        const NASTY: [&str; 9] = [
            "\x1b[2J", "</title>", "&amp;\"'", "\u{202e}", "\u{ffff}", "\0", "\r\n", "日本", "a b",
        ];
        match self.below(3) {
            0 => b"sh".to_vec(),
            1 => NASTY[self.below(9) as usize].repeat(self.below(3) as usize).into_bytes(),
            _ => (0..self.below(most)).map(|_| self.next() as u8).collect(),
        }
    }

    fn pid(&mut self) -> u32 {
        match self.below(40) {
            0 => u32::MAX,
            1 => 0,
            _ => self.below(12) as u32,
        }
    }

    fn time(&mut self, near: u64) -> u64 {
        match self.below(60) {
            0 => 0,
            1 => u64::MAX,
            2 => self.next(),
            _ => near.saturating_add(self.below(2_000)),
        }
    }

    /// Any event at all. With `wide`, it may be one of the wide mode.
    pub fn event(&mut self, near: u64, wide: bool) -> Event {
        let kind = if wide {
            EventKind::ALL[self.below(4) as usize]
        } else {
            EventKind::USUAL[self.below(3) as usize]
        };
        let args = Args::new(&self.bytes(40), self.one_in(5));
        let detail = match kind {
            EventKind::Fork => {
                Detail::Fork { thread: self.one_in(4), parent_tid: self.pid(), made_by: None }
            }
            EventKind::Exec => {
                Detail::Exec { filename: self.bytes(20), args, filename_truncated: None }
            }
            EventKind::ExecFailed => Detail::ExecFailed {
                filename: self.one_in(2).then(|| self.bytes(20)),
                args,
                errno: Errno(self.below(600) as u16),
                tried: self.pid(),
                filename_truncated: None,
            },
            EventKind::Exit => Detail::exit(Ended {
                thread: self.one_in(4),
                status: ExitStatus::from_wait(self.next() as u32 & 0xffff),
                duration_ns: self.time(0),
                args: self.one_in(2).then_some(args),
                born_to: self.one_in(3).then(|| self.pid()),
                cpu_ns: self.one_in(2).then(|| self.next()),
                max_rss_bytes: self.one_in(2).then(|| self.next()),
                ..Ended::default()
            }),
        };
        let wide = wide && (!self.one_in(20) || kind == EventKind::ExecFailed);
        let wide = wide.then(|| {
            Box::new(Wide {
                time_ns: self.time(1 << 60),
                tid: self.pid(),
                uid: self.pid(),
                start_ns: self.below(3),
                cgroup_id: self.next(),
                place: self.one_in(2).then(|| Arc::new(self.place())),
                ns_pid: self.one_in(3).then(|| self.pid()),
                pidns: None,
                login_uid: self.one_in(3).then(|| self.pid()),
                host: None,
                boot_id: None,
                detail,
            })
        });
        let (pid, ppid, comm) = (self.pid(), self.pid(), Comm::new(&self.bytes(16)));
        Event { kind, pid, ppid, comm, timestamp_ns: self.time(near), wide }
    }

    fn place(&mut self) -> Place {
        let mut text = || String::from_utf8_lossy(&self.bytes(30)).into();
        let [cgroup, unit, user, id, runtime, pod] = std::array::from_fn(|_| text());
        let (unit, user_unit, container) = (Some(unit), Some(user), Some(id));
        let (runtime, pod_uid, line) = (Some(runtime), Some(pod), Default::default());
        Place { cgroup, unit, user_unit, container, runtime, pod_uid, line }
    }

    /// A capture that no kernel would make.
    pub fn capture(&mut self) -> Vec<Event> {
        let wide = self.one_in(2);
        (0..self.below(300)).map(|i| self.event(1_000_000 + i * 1_000, wide)).collect()
    }
}

/// What a terminal would take for more than text.
pub fn steers_a_terminal(drawn: &str) -> bool {
    drawn.chars().any(|c| text::misleads(c) && c != '\n')
}

/// Any totals.
pub fn totals(lost: u64) -> Totals {
    Totals { lost: Lost::new([lost, 0, 0, 0], 0), ..Totals::default() }
}
