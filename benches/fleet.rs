// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the lines of many hosts, for a store of them, on the pattern of a real capture.
//!
//! `cargo run --release --example fleet -- CAPTURE HOSTS DAYS EVENTS BEGIN > lines.jsonl`
//!
//! CAPTURE is cut into families: a process that the capture has from its fork to its exit, and all of
//! its descendants of which that is true. Each host starts families at random, most of them out of a few
//! of its own, and as many
//! families as come to EVENTS in DAYS from BEGIN on (seconds since 1970); lines come in the order of their time,
//! as at the receiver of all of them. What a family does, in which order, its programs and how they end
//! are those of the capture. Drawn anew are its ids, its times (it runs up to twice as fast or as slow),
//! what it used (within a quarter), and in one of three its numbers in arguments (files' names, say). Where the capture
//! has no units, each family gets one of sixteen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use tuxscope::host::cgroup;
use tuxscope::json::read::{Decoder, Record};
use tuxscope::model::event::{Args, Detail, Ended, Event, EventKind, Meta, Totals};
use tuxscope::model::place::Place;
use tuxscope::view::{Json, Sink as _};

/// So many processes may belong together; what goes beyond begins families of its own.
const LARGEST: usize = 200;
/// Of so many different families a host is made. One in twenty that it starts is of any.
const HABITS: u64 = 40;
const DAY_NS: u64 = 86_400_000_000_000;
const UNITS: [&str; 16] = [
    "/system.slice/cron.service",
    "/system.slice/nginx.service",
    "/system.slice/postgresql@15-main.service",
    "/system.slice/ssh.service",
    "/system.slice/docker.service",
    "/system.slice/ci-runner.service",
    "/system.slice/backup.service",
    "/system.slice/logrotate.service",
    "/system.slice/prometheus-node-exporter.service",
    "/system.slice/apt-daily.service",
    "/system.slice/php8.2-fpm.service",
    "/system.slice/rsyslog.service",
    "/system.slice/system-getty.slice/getty@tty1.service",
    "/user.slice/user-1000.slice/session-1.scope",
    "/user.slice/user-1001.slice/session-7.scope",
    "/system.slice/app.service",
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [capture, numbers @ ..] = &args[..] else { return usage() };
    let numbers: Option<Vec<u64>> = numbers.iter().map(|n| n.parse().ok()).collect();
    let Some(&[hosts, days, events, begin_s]) = numbers.as_deref() else { return usage() };
    if [hosts, days, events, begin_s].contains(&0) {
        return usage();
    }
    match families(capture)
        .and_then(|families| write(&families, hosts, days, events, begin_s * 1_000_000_000))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: fleet CAPTURE HOSTS DAYS EVENTS BEGIN > FILE");
    ExitCode::from(2)
}

/// What a process did, from its fork to its exit.
struct Life {
    /// Its parent's place in the family; the first has none.
    parent: Option<usize>,
    pid: u32,
    start_ns: u64,
    events: Vec<Event>,
}

/// Processes that belong together, each behind its parent.
struct Family {
    lives: Vec<Life>,
    /// When the last of them ended.
    end_ns: u64,
    place: Option<Arc<Place>>,
}

impl Family {
    fn events(&self) -> usize {
        self.lives.iter().map(|life| life.events.len()).sum()
    }
}

fn families(path: &str) -> io::Result<Vec<Family>> {
    let mut decoder = Decoder::default();
    let mut open: HashMap<u32, Life> = HashMap::new();
    let mut ended: BTreeMap<u64, Life> = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let Ok(Record::Event(event)) = decoder.decode(&line?) else { continue };
        let Some(wide) = &event.wide else { continue };
        if wide.detail.is_of_thread() {
            continue;
        }
        let (kind, pid, start_ns) = (event.kind, event.pid, wide.start_ns);
        if kind == EventKind::Fork {
            open.insert(pid, Life { parent: None, pid, start_ns, events: Vec::new() });
        }
        let Some(life) = open.get_mut(&pid).filter(|life| life.start_ns == start_ns) else {
            continue;
        };
        life.events.push(event);
        if kind == EventKind::Exit {
            let Some(life) = open.remove(&pid) else { continue };
            ended.insert(life.start_ns, life);
        }
    }
    // In the order of their starts: parents come first.
    let mut families: Vec<Family> = Vec::new();
    let mut whose: HashMap<u32, (usize, usize, u64)> = HashMap::new();
    for mut life in ended.into_values() {
        let parent = life.events[0].ppid;
        let end_ns = life.events.last().map_or(0, |event| event.timestamp_ns);
        let known = whose.get(&parent).filter(|&&(family, _, parent_ended)| {
            life.start_ns <= parent_ended && families[family].lives.len() < LARGEST
        });
        let number = if let Some(&(family, member, _)) = known {
            life.parent = Some(member);
            family
        } else {
            families.push(Family { lives: Vec::new(), end_ns: 0, place: None });
            families.len() - 1
        };
        families[number].end_ns = families[number].end_ns.max(end_ns);
        whose.insert(life.pid, (number, families[number].lives.len(), end_ns));
        families[number].lives.push(life);
    }
    for (number, family) in families.iter_mut().enumerate() {
        let told = family.lives[0].events[0].wide.as_ref().and_then(|wide| wide.place.as_ref());
        if told.is_none_or(|place| place.unit.is_none()) {
            family.place = Some(Arc::new(cgroup::place(UNITS[number % UNITS.len()])));
        }
    }
    if families.is_empty() {
        return Err(io::Error::other("no process of the capture has both fork and exit"));
    }
    Ok(families)
}

struct Host {
    name: Arc<str>,
    boot_id: Arc<str>,
    booted_ns: u64,
    last_pid: u32,
    habits: Vec<usize>,
}

/// A family at one of its turns.
struct Turn {
    family: usize,
    host: usize,
    /// Its beginning, since 1970.
    begin_ns: u64,
    pids: Vec<u32>,
    /// How much slower than in the capture it runs, and how much more it uses, in 1/1024.
    slower: u64,
    more: u64,
    /// Where its numbers in arguments are others.
    other_numbers: Option<u64>,
}

fn write(families: &[Family], hosts: u64, days: u64, wanted: u64, begin_ns: u64) -> io::Result<()> {
    let mut random = Random(1);
    let mut output = io::stdout().lock();
    let mut buffer = Vec::new();
    let mut json = Json::new(true);
    let mut hosts: Vec<Host> =
        (0..hosts).map(|n| Host::new(n, begin_ns, families, &mut random)).collect();
    for host in &hosts {
        let meta = Meta {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: "6.12.57".to_owned(),
            host: host.name.to_string(),
            boot_id: host.boot_id.to_string(),
            clock_offset_ns: host.booted_ns,
            began_ns: begin_ns - host.booted_ns,
            cpus: 8,
            ..Meta::default()
        };
        json.begin(&meta, &mut buffer);
    }
    // A host's turns come to this many events each.
    let mean = hosts
        .iter()
        .flat_map(|host| host.habits.iter().map(|&habit| families[habit].events() as u64))
        .sum::<u64>() as f64
        / (hosts.len() as f64 * HABITS as f64);
    let pause_ns = (days * DAY_NS) as f64 * mean / wanted as f64;

    let mut agenda: BinaryHeap<Reverse<(u64, u64, u32, u32)>> = BinaryHeap::new();
    let mut turns: HashMap<u64, Turn> = HashMap::new();
    let mut next_turn_ns = begin_ns as f64;
    let (mut number, mut written) = (0_u64, 0_u64);
    while written < wanted {
        let next = agenda.peek().map(|Reverse((at, ..))| *at);
        if next.is_none_or(|at| at >= next_turn_ns as u64) {
            let at = next_turn_ns as u64;
            next_turn_ns += -pause_ns * (1.0 - random.fraction()).ln();
            number += 1;
            let turn = Turn::new(at, families, &mut hosts, &mut random);
            let family = &families[turn.family];
            let first_ns = family.lives[0].start_ns;
            for (member, life) in family.lives.iter().enumerate() {
                for (step, event) in life.events.iter().enumerate() {
                    let at = turn.time(event.timestamp_ns - first_ns);
                    agenda.push(Reverse((at, number, member as u32, step as u32)));
                }
            }
            turns.insert(number, turn);
            continue;
        }
        let Some(Reverse((at, turn_number, member, step))) = agenda.pop() else { continue };
        let Some(turn) = turns.get(&turn_number) else { continue };
        let event = turn.event(
            at,
            families,
            member as usize,
            step as usize,
            &hosts[turn.host],
            &mut random,
        );
        json.event(&event, &mut buffer);
        written += 1;
        let family = &families[turn.family];
        if family.lives[member as usize].events[step as usize].timestamp_ns == family.end_ns {
            turns.remove(&turn_number);
        }
        if buffer.len() > 1 << 18 {
            output.write_all(&buffer)?;
            buffer.clear();
        }
    }
    json.end(
        &Totals { printed: written, elapsed_ns: days * DAY_NS, ..Totals::default() },
        &mut buffer,
    );
    output.write_all(&buffer)
}

impl Host {
    fn new(number: u64, begin_ns: u64, families: &[Family], random: &mut Random) -> Self {
        let boot_id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            random.below(1 << 32),
            random.below(1 << 16),
            random.below(1 << 12),
            random.below(1 << 12),
            random.below(1 << 48)
        );
        Self {
            name: format!("host{number:03}").into(),
            boot_id: boot_id.into(),
            booted_ns: begin_ns - random.below(90 * DAY_NS) - 1,
            last_pid: random.below(100_000) as u32,
            habits: (0..HABITS).map(|_| random.below(families.len() as u64) as usize).collect(),
        }
    }

    fn new_pid(&mut self) -> u32 {
        self.last_pid = if self.last_pid >= 4_194_303 { 300 } else { self.last_pid + 1 };
        self.last_pid
    }
}

impl Turn {
    fn new(begin_ns: u64, families: &[Family], hosts: &mut [Host], random: &mut Random) -> Self {
        let host = random.below(hosts.len() as u64) as usize;
        let family = if random.below(20) == 0 {
            random.below(families.len() as u64) as usize
        } else {
            hosts[host].habits[random.below(HABITS) as usize]
        };
        let pids = families[family].lives.iter().map(|_| hosts[host].new_pid()).collect();
        let slower = (512.0 * 4_f64.powf(random.fraction())) as u64;
        let more = 768 + random.below(512);
        let other_numbers = (random.below(3) == 0).then(|| random.next());
        Self { family, host, begin_ns, pids, slower, more, other_numbers }
    }

    fn time(&self, offset_ns: u64) -> u64 {
        // What is below a microsecond is as random as the beginning.
        self.begin_ns + (u128::from(offset_ns) * u128::from(self.slower) / 1024) as u64
    }

    fn event(
        &self,
        at: u64,
        families: &[Family],
        member: usize,
        step: usize,
        host: &Host,
        random: &mut Random,
    ) -> Event {
        let family = &families[self.family];
        let life = &family.lives[member];
        let mut event = life.events[step].clone();
        let pid = |old: u32| {
            let position = family.lives.iter().position(|life| life.pid == old);
            position.map_or(1, |position| self.pids[position])
        };
        event.ppid = life.parent.map_or(1, |parent| self.pids[parent]);
        event.pid = self.pids[member];
        event.timestamp_ns = at - host.booted_ns;
        let Some(wide) = &mut event.wide else { return event };
        wide.time_ns = at;
        wide.tid = self.pids[member];
        wide.start_ns = self.time(life.start_ns - family.lives[0].start_ns) - host.booted_ns;
        wide.host = Some(host.name.clone());
        wide.boot_id = Some(host.boot_id.clone());
        if let Some(place) = &family.place {
            wide.place = Some(place.clone());
            wide.cgroup_id = 4000 + (self.family % UNITS.len()) as u64 * 36;
        }
        let duration_ns = event.timestamp_ns - wide.start_ns;
        match &mut wide.detail {
            Detail::Fork { parent_tid, made_by, .. } => {
                *parent_tid = event.ppid;
                *made_by = made_by.map(pid);
            }
            Detail::Exec { args, .. } | Detail::ExecFailed { args, .. } => self.renumber(args),
            Detail::Exit(ended) => {
                ended.duration_ns = duration_ns;
                ended.born_to = ended.born_to.map(pid);
                ended.killed_by_pid = ended.killed_by_pid.map(pid);
                self.use_more(ended, random);
            }
        }
        event
    }

    fn use_more(&self, ended: &mut Ended, random: &mut Random) {
        for used in [
            &mut ended.cpu_ns,
            &mut ended.cpu_wait_ns,
            &mut ended.minor_faults,
            &mut ended.major_faults,
            &mut ended.voluntary_switches,
            &mut ended.involuntary_switches,
        ] {
            // A hundredth is the process' own.
            *used = used.map(|n| n * self.more / 1024 + random.below(n / 100 + 1));
        }
        for bytes in [&mut ended.max_rss_bytes, &mut ended.read_bytes, &mut ended.write_bytes] {
            *bytes = bytes.map(|n| n / 4096 * self.more / 1024 * 4096);
        }
    }

    /// Other digits for numbers of two and more.
    fn renumber(&self, args: &mut Args) {
        let Some(seed) = self.other_numbers else { return };
        let mut bytes: Vec<u8> = Vec::with_capacity(args.len());
        for arg in args.iter() {
            bytes.extend_from_slice(arg);
            bytes.push(0);
        }
        // A number that appears twice in a family's lines, such as a file's name, is the same again.
        let mut start = 0;
        while start < bytes.len() {
            let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length >= 2 {
                let number = &mut bytes[start..start + length];
                let sum = number
                    .iter()
                    .fold(seed, |sum, &digit| sum.wrapping_mul(31).wrapping_add(u64::from(digit)));
                let mut own = Random(sum);
                number.fill_with(|| b'0' + own.below(10) as u8);
            }
            start += length.max(1);
        }
        *args = Args::new(&bytes, args.truncated);
    }
}

/// `SplitMix64`
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// 0 to 1
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
