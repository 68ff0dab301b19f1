// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes a capture for benchmarks: the same events every time.
//!
//! `cargo run --release --example generate -- 10000000 basic > capture.jsonl`
//!
//! Some hundred shells start commands: most exec within a millisecond, some never, some twice;
//! some have threads (basic mode: their forks and exits are there, too); one in twenty fails.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use tuxscope::host::cgroup;
use tuxscope::model::event::{
    Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Meta, Totals, Wide,
};
use tuxscope::model::place::Place;
use tuxscope::view::{Json, Sink as _};

const COMMANDS: [&str; 24] = [
    "sh", "sed", "grep", "cat", "gcc", "cc1", "as", "ld", "make", "awk", "rm", "mkdir", "ls",
    "git", "python3", "basename", "dirname", "sort", "tr", "expr", "tar", "cmp", "perl", "rustc",
];
const SHELLS: u32 = 200;
const PID_MAX: u32 = 4_194_304;
const MILLISECOND: u64 = 1_000_000;
const BOOT_NS: u64 = 1_700_000_000_000_000_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wide = match args.get(1).map(String::as_str) {
        Some("basic") => false,
        Some("wide") => true,
        _ => return usage(),
    };
    let Some(count) = args.first().and_then(|n| n.parse().ok()) else { return usage() };
    match write(count, wide) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: generate EVENTS basic|wide > FILE");
    ExitCode::from(2)
}

fn write(count: u64, wide: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let mut buffer = Vec::new();
    let mut json = Json::new(wide);
    let meta = Meta { version: "0.1.0".to_owned(), clock_offset_ns: BOOT_NS, ..Meta::default() };
    json.begin(&meta, &mut buffer);
    let mut world = World::new(wide);
    for _ in 0..count {
        json.event(&world.next_event(), &mut buffer);
        if buffer.len() > 1 << 16 {
            output.write_all(&buffer)?;
            buffer.clear();
        }
    }
    let totals = Totals { printed: count, elapsed_ns: world.now, ..Totals::default() };
    json.end(&totals, &mut buffer);
    output.write_all(&buffer)
}

/// What happens next to a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A shell starts a command.
    Start,
    Exec,
    Thread,
    /// The end of a thread.
    ThreadEnd,
    End,
}

struct Process {
    parent: u32,
    command: usize,
    start_ns: u64,
    args: Option<Args>,
}

struct World {
    wide: bool,
    random: u64,
    now: u64,
    next_pid: u32,
    agenda: BinaryHeap<Reverse<(u64, Step, u32)>>,
    alive: BTreeMap<u32, Process>,
    place: Arc<Place>,
}

impl World {
    fn new(wide: bool) -> Self {
        let mut world = Self {
            wide,
            random: 1,
            now: 0,
            next_pid: 1000 + SHELLS,
            agenda: BinaryHeap::new(),
            alive: BTreeMap::new(),
            place: Arc::new(cgroup::place("/system.slice/ci-runner.service")),
        };
        for shell in 1000..1000 + SHELLS {
            let process = Process { parent: 1, command: 0, start_ns: 0, args: None };
            world.alive.insert(shell, process);
            world.plan(u64::from(shell), Step::Start, shell);
        }
        world
    }

    fn next_event(&mut self) -> Event {
        loop {
            // The shells always have something planned.
            let Some(Reverse((now, step, pid))) = self.agenda.pop() else { unreachable!() };
            self.now = now;
            match step {
                Step::Start => return self.start(pid),
                Step::Exec => return self.exec(pid),
                Step::Thread if self.wide => {}
                Step::Thread => return self.thread(pid),
                Step::ThreadEnd if self.wide => {}
                Step::ThreadEnd => return self.event(EventKind::Exit, pid, pid, 0, None),
                Step::End => return self.end(pid),
            }
        }
    }

    fn start(&mut self, shell: u32) -> Event {
        let child = self.new_pid();
        let pause = self.about(20 * MILLISECOND);
        self.plan(pause, Step::Start, shell);
        let exec = self.about(MILLISECOND / 2);
        let life = exec + self.about(8 * MILLISECOND);
        if self.one_in(12) {
            self.plan(life, Step::End, child);
        } else {
            self.plan(exec, Step::Exec, child);
            if self.one_in(20) {
                self.plan(exec + life, Step::Exec, child);
            }
            for _ in 0..if self.one_in(10) { 4 } else { 0 } {
                self.plan(exec + life, Step::Thread, child);
                self.plan(exec + 2 * life, Step::ThreadEnd, child);
            }
            self.plan(exec + 3 * life, Step::End, child);
        }
        let process = Process { parent: shell, command: 0, start_ns: self.now, args: None };
        self.alive.insert(child, process);
        let detail = Detail::Fork { thread: false, parent_tid: shell, made_by: None };
        // The basic mode takes the name from the task that forks: here, a shell, too.
        self.event(EventKind::Fork, child, child, shell, Some(detail))
    }

    fn exec(&mut self, pid: u32) -> Event {
        // Common commands are much more common.
        let command = (self.below(24) * self.below(24) / 24) as usize;
        let name = COMMANDS[command];
        let number = self.below(1000);
        let args = format!("{name}\0-o\0build/object{number}.o\0src/file{number}.c\0");
        let args = Args::new(args.as_bytes(), false);
        if let Some(process) = self.alive.get_mut(&pid) {
            process.command = command;
            process.args = Some(args.clone());
        }
        let filename = format!("/usr/bin/{name}").into_bytes();
        self.event(
            EventKind::Exec,
            pid,
            pid,
            0,
            Some(Detail::Exec { filename, args, filename_truncated: None }),
        )
    }

    fn thread(&mut self, pid: u32) -> Event {
        let tid = self.new_pid();
        self.event(EventKind::Fork, pid, tid, pid, None)
    }

    fn end(&mut self, pid: u32) -> Event {
        let status = match self.below(100) {
            0 => ExitStatus::from_wait(11 | 0x80),
            1..5 => ExitStatus::Code(1),
            _ => ExitStatus::Code(0),
        };
        let process = self.alive.get(&pid);
        let detail = Detail::exit(Ended {
            status,
            duration_ns: self.now - process.map_or(self.now, |process| process.start_ns),
            args: process.and_then(|process| process.args.clone()),
            ..Ended::default()
        });
        let event = self.event(EventKind::Exit, pid, pid, 0, Some(detail));
        self.alive.remove(&pid);
        event
    }

    /// An event of the process `owner` that the basic mode shows with the ids `pid` and `ppid`.
    fn event(
        &self,
        kind: EventKind,
        owner: u32,
        pid: u32,
        ppid: u32,
        detail: Option<Detail>,
    ) -> Event {
        let process = self.alive.get(&owner);
        let (command, parent, start_ns) = process
            .map_or((0, 1, 0), |process| (process.command, process.parent, process.start_ns));
        let wide = detail.filter(|_| self.wide).map(|detail| {
            Box::new(Wide {
                time_ns: BOOT_NS + self.now,
                tid: pid,
                uid: 1000,
                start_ns,
                cgroup_id: 4711,
                place: Some(self.place.clone()),
                ns_pid: None,
                pidns: None,
                login_uid: None,
                host: None,
                boot_id: None,
                detail,
            })
        });
        Event {
            kind,
            pid,
            ppid: if self.wide { parent } else { ppid },
            comm: Comm::new(COMMANDS[command].as_bytes()),
            timestamp_ns: self.now,
            wide,
        }
    }

    fn new_pid(&mut self) -> u32 {
        loop {
            self.next_pid = if self.next_pid + 1 == PID_MAX { 1000 } else { self.next_pid + 1 };
            if !self.alive.contains_key(&self.next_pid) {
                return self.next_pid;
            }
        }
    }

    fn plan(&mut self, delay: u64, step: Step, pid: u32) {
        self.agenda.push(Reverse((self.now + delay, step, pid)));
    }

    /// A time with a long tail: one in ten takes ten times as long.
    fn about(&mut self, typical: u64) -> u64 {
        let spread = typical / 2 + self.below(typical);
        if self.one_in(10) { spread * 10 } else { spread }
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// `SplitMix64`
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
