// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an exit tells of its process' cost, against `wait4(2)` and /proc.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::cgroups::Cgroup;
use crate::program::{self, Tuxscope};
use crate::wide::{Capture, Event, exits};
use crate::worker::{Life, Usage};
use crate::{machine, process, worker};

const JSON: [&str; 3] = ["--wide", "--format", "json"];
const BIG: [&str; 5] = ["--wide", "--format", "json", "--buffer-size", "64M"];

/// `wait4` cuts user and system time each to whole microseconds.
const ROUNDED_NS: u64 = 3_000;

/// A capture of what is run, in which all of it has its cost. On a machine that is very busy the
/// kernel may be late with that by more than 100 ms: then once more.
fn with_costs(args: &[&str], run: impl Fn() -> Vec<Life>) -> (Capture, Vec<Life>) {
    for _ in 0..10 {
        let tuxscope = Tuxscope::start(&[&BIG[..], args].concat());
        let lives = run();
        let capture = Capture::complete(&tuxscope.stop());
        let has_cost = |life: &Life| capture.one("exit", life.pid).cpu_ns.is_some();
        if lives.iter().all(has_cost) {
            return (capture, lives);
        }
    }
    panic!("ten times, there was an exit without its cost")
}

/// Whether this exit tells what `wait4` told.
fn same(exit: &Event, life: &Life) {
    let used = &life.used;
    let cpu_ns = exit.cpu_ns.unwrap_or_else(|| panic!("no cost: {exit:?}"));
    assert!(cpu_ns.abs_diff(used.cpu_us * 1000) <= ROUNDED_NS, "{exit:?} {life:?}");
    let counts = [
        (exit.minor_faults, used.minor_faults),
        (exit.major_faults, used.major_faults),
        (exit.voluntary_switches, used.voluntary_switches),
        (exit.involuntary_switches, used.involuntary_switches),
    ];
    for (told, truth) in counts {
        assert_eq!(told, Some(truth), "{exit:?} {life:?}");
    }
    let bytes = [(exit.read_bytes, used.blocks_in), (exit.write_bytes, used.blocks_out)];
    for (told, blocks) in bytes {
        let counted = Path::new("/proc/self/io").exists();
        assert_eq!(told, counted.then_some(blocks * 512), "{exit:?} {life:?}");
    }
    let max_rss = used.max_rss_kb * 1024;
    match exit.max_rss_bytes {
        // Whatever it ran before may have had more.
        told if life.execs > 0 => assert!(told.is_none_or(|told| told <= max_rss), "{exit:?}"),
        told => assert_eq!(told, Some(max_rss), "{exit:?} {life:?}"),
    }
}

/// Every way of living and ending that the worker knows: vfork, exec from a thread, a leader that
/// goes first, threads, a core dump, an orphan, a tracer.
#[test]
fn an_exit_tells_what_wait4_tells() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = with_costs(&[], || worker::case("all"));
    assert!(lives.len() > 70, "{} lives", lives.len());
    for life in &lives {
        same(capture.one("exit", life.pid), life);
    }
}

/// 0.1 ms to 1 s, up to 100 threads, memory that grows and shrinks, programs one after the other,
/// files past the page cache.
#[test]
fn much_of_one_thing_is_told_exactly() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (capture, lives) = with_costs(&[], || worker::costs(dir.path()));
    assert_eq!(lives.len(), 15);
    let waits_are_counted = Path::new("/proc/self/schedstat").exists();
    for life in &lives {
        let exit = capture.one("exit", life.pid);
        same(exit, life);
        if life.cpu_ns.is_some() {
            assert_eq!(exit.cpu_ns, life.cpu_ns, "to the nanosecond: {life:?}");
        }
        let wait_ns = life.wait_ns.filter(|_| waits_are_counted);
        assert_eq!(exit.cpu_wait_ns, wait_ns, "none with threads: {exit:?} {life:?}");
        if let (Some(told), Some(image_kb)) = (exit.max_rss_bytes, life.image_kb) {
            // The kernel's counters are a little behind on each CPU.
            assert!(told.abs_diff(image_kb * 1024) < 2 << 20, "{exit:?} {life:?}");
        }
    }
    let told = |case: &str| {
        let life = lives.iter().find(|life| life.case == case).expect(case);
        capture.one("exit", life.pid)
    };
    assert!(told("1s").cpu_ns >= Some(1_000_000_000));
    assert!(told("shrinks").max_rss_bytes >= Some(64 << 20));
    assert!(told("large-after-small").max_rss_bytes >= Some(64 << 20), "it has more than before");
}

/// Whose parent is the tracer's, and none that waits for it by itself.
#[test]
fn a_traced_process_has_its_cost() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = with_costs(&[], || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null"]);
        strace.arg(worker::path()).args(["case", "fork-exec"]);
        vec![serde_json::from_str(&process::output(&mut strace)).expect("a life")]
    });
    same(capture.one("exit", lives[0].pid), &lives[0]);
}

#[test]
fn one_whose_parent_ignores_its_end_has_its_cost() {
    let Some(_machine) = machine::shared() else { return };
    let once = || {
        let tuxscope = Tuxscope::start(&BIG);
        let usage = worker::unreaped();
        let exit = Capture::complete(&tuxscope.stop()).one("exit", usage.pid).clone();
        exit.cpu_ns.is_some().then_some((exit, usage))
    };
    let (exit, Usage { cpu_us, minor_faults, .. }) =
        (0..10).find_map(|_| once()).expect("its cost in one of ten");
    assert!(exit.cpu_ns >= Some(cpu_us * 1000), "{exit:?}");
    assert!(exit.minor_faults >= Some(minor_faults), "{exit:?}");
}

/// A worker with a child that has ended and isn't reaped.
struct Zombie {
    worker: Child,
    told: Lines<BufReader<ChildStdout>>,
    pid: u32,
}

impl Zombie {
    fn make() -> Self {
        let mut worker = worker::command(&["zombie"]);
        let mut worker = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(worker.stdout.take().unwrap()).lines();
        let line = told.next().expect("its pid").unwrap();
        let pid = serde_json::from_str::<Value>(&line).unwrap()["pid"].as_u64().unwrap() as u32;
        Self { worker, told, pid }
    }

    /// What `wait4` tells now.
    fn reap(mut self) -> Usage {
        drop(self.worker.stdin.take());
        let line = self.told.next().expect("its usage").unwrap();
        assert!(self.worker.wait().unwrap().success());
        serde_json::from_str(&line).unwrap()
    }
}

/// Its line comes while it is still one, and has no cost.
#[test]
fn a_zombie_that_nobody_reaps_is_told_without_its_cost() {
    let Some(_machine) = machine::shared() else { return };
    let (tuxscope, pipe) = Tuxscope::start_piped(&JSON);
    let zombie = Zombie::make();
    let pid = zombie.pid;
    let mut lines = BufReader::new(pipe).lines().map(|line| line.expect("a line"));
    let exit = lines
        .by_ref()
        .filter(|line| line.starts_with("{\"pid\":"))
        .map(|line| serde_json::from_str::<Event>(&line).expect("an event"))
        .find(|event| event.is("exit", pid))
        .expect("its exit");
    assert_eq!((exit.exit_code, exit.cpu_ns, exit.minor_faults), (Some(7), None, None));
    zombie.reap();
    // Its cost comes now, and makes no second line.
    let rest = thread::spawn(move || lines.filter(|line| line.contains("\"exit\"")).count());
    thread::sleep(Duration::from_millis(300));
    tuxscope.signal(Signal::INT);
    tuxscope.end().success();
    assert!(rest.join().unwrap() >= 1, "the worker's own");
}

/// Long after its exit: views that sum have been told of that without.
#[test]
fn a_zombies_cost_is_in_the_sums_once_it_is_reaped() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let metrics = dir.path().join("m.prom");
    for format in ["summary-json", "folded", "otlp", "perfetto"] {
        let args = ["--comm", "worker", "--format", format, "--metrics", metrics.to_str().unwrap()];
        let tuxscope = Tuxscope::start(&args);
        let zombie = Zombie::make();
        thread::sleep(Duration::from_millis(400));
        let Usage { cpu_us, .. } = zombie.reap();
        thread::sleep(Duration::from_secs(1)); // it comes within 200 ms, where others let it
        let ended = tuxscope.stop();
        ended.success();
        let shown = String::from_utf8(ended.stdout).unwrap();
        let (used_ns, is_whole) = match format {
            "folded" => {
                let stacks = shown.lines().filter(|line| line.contains("worker "));
                let weights = stacks.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap());
                (weights.max().unwrap_or(0), !shown.contains("unknown_cost"))
            }
            "otlp" => (spans_cpu_ns(&shown), true),
            "perfetto" => (counted_cpu_ns(&shown), true),
            _ => {
                let figures: Value = serde_json::from_str(&shown).unwrap();
                let unknown = &figures["groups"][0]["cost_unknown"];
                let is_whole = figures["cpu"]["unknown"] == 0 && *unknown == 0;
                (figures["groups"][0]["cpu_ns"].as_u64().unwrap(), is_whole)
            }
        };
        // The worker's own is far less than the 50 ms of its child.
        let of_wait4 = cpu_us * 1000..cpu_us * 1000 + 25_000_000;
        assert!(is_whole && of_wait4.contains(&used_ns), "{cpu_us} us: {shown}");
        let text = fs::read_to_string(&metrics).unwrap();
        let seconds = text.lines().filter(|line| line.contains("processes_cpu_seconds_total{"));
        let seconds: f64 =
            seconds.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum();
        assert!(of_wait4.contains(&((seconds * 1e9).round() as u64)), "{cpu_us} us: {text}");
    }
}

/// The most that a span of OpenTelemetry's tells.
fn spans_cpu_ns(shown: &str) -> u64 {
    let told = shown.split("\"tuxscope.cpu_ns\",\"value\":{\"intValue\":\"").skip(1);
    told.map(|told| told.split('"').next().unwrap().parse().unwrap()).max().unwrap_or(0)
}

/// What the counter of a trace for Perfetto comes to: CPUs, each up to the next time.
fn counted_cpu_ns(shown: &str) -> u64 {
    let trace: Value = serde_json::from_str(shown).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of_it = |event: &&Value| event["name"] == "CPUs used by those that ended";
    let counted: Vec<(f64, f64)> = events
        .iter()
        .filter(of_it)
        .map(|event| {
            let cpus = event["args"].as_object().unwrap().values().next().unwrap();
            (event["ts"].as_f64().unwrap(), cpus.as_f64().unwrap())
        })
        .collect();
    let us: f64 = counted.windows(2).map(|two| (two[1].0 - two[0].0) * two[0].1).sum();
    (us * 1e3) as u64
}

/// Each exit is there once, and without its cost where that was lost, which is counted.
#[test]
fn a_lost_cost_is_counted_and_makes_an_exit_without_it() {
    let Some(_machine) = machine::alone() else { return };
    let args = ["--comm", "worker", "--buffer-size", "4096", "--strict"];
    let once = || {
        let tuxscope = Tuxscope::start(&[&JSON[..], &args].concat());
        let mut made = 0;
        for _ in 0..10 {
            made += 1 + worker::storm("fork", 5, 1).exits;
            // What they have cost comes while nobody reads, and a second storm takes the room.
            tuxscope.signal(Signal::STOP);
            made += 1 + worker::storm("fork", 100, 1).exits;
            thread::sleep(Duration::from_millis(60));
            tuxscope.signal(Signal::CONT);
            thread::sleep(Duration::from_millis(150));
        }
        let run = tuxscope.stop();
        assert_eq!(run.code, Some(3), "--strict: {:#?}", run.stderr);
        assert!(run.stderr.iter().any(|line| line.contains(", cost ")), "{:#?}", run.stderr);
        let capture = Capture::parse(&run.stdout);
        let lost = &capture.summary.as_ref().expect("a summary")["lost"];
        let count = |key: &str| lost[key].as_u64().unwrap_or_default();
        let exits: Vec<_> = capture.events.iter().filter(|e| e.event_type == "exit").collect();
        assert_eq!(exits.len() as u64 + count("exit"), made, "printed + lost = happened");
        let without = exits.iter().filter(|exit| exit.cpu_ns.is_none()).count() as u64;
        assert!(without > 0, "{lost}");
        without <= count("cost")
    };
    // Where the machine has more to do than it can, a cost may also come after 100 ms.
    assert!((0..5).any(|_| once()), "some exits had no cost though none was lost");
}

/// What a filter leaves out takes no room on the ring.
#[test]
fn what_is_not_told_has_no_cost_either() {
    let Some(_machine) = machine::alone() else { return };
    for who in [
        ["--comm", "nobody-at-all"],
        ["--unit", "nobodys.service"],
        ["--container", "0123456789ab"],
    ] {
        let args = [&JSON[..], &who, &["--buffer-size", "4096"]].concat();
        let tuxscope = Tuxscope::start(&args);
        tuxscope.signal(Signal::STOP);
        worker::storm("fork", 1000, 2);
        thread::sleep(Duration::from_millis(60));
        tuxscope.signal(Signal::CONT);
        let capture = Capture::parse(&tuxscope.stop().stdout);
        let lost = &capture.summary.as_ref().expect("a summary")["lost"];
        assert_eq!(lost.get("cost"), None, "{who:?}: {lost}");
    }
}

/// It comes in a task that is nowhere near: that the exit was told is what counts.
#[test]
fn what_a_unit_or_a_container_has_cost_is_told() {
    let Some(_machine) = machine::shared() else { return };
    let slice = Cgroup::make("cost.slice");
    let id = "0123456789abcdef".repeat(4);
    let dir = slice.0.join(format!("docker-{id}.scope/costly.service"));
    fs::create_dir_all(&dir).unwrap();
    let unit = format!("docker-{id}.scope");
    for who in [["--unit", &unit], ["--container", &id]] {
        let (capture, lives) =
            with_costs(&who, || vec![worker::into_cgroup(dir.to_str().unwrap())]);
        same(capture.one("exit", lives[0].pid), &lives[0]);
    }
}

/// The command alone: not what was used to hold it until then.
#[test]
fn a_command_has_its_own_cost() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("capture");
    let mut command = program::command(&[]);
    command.args(JSON).arg("-o").arg(&file).arg("--").arg(worker::path()).arg("usage");
    let mut once = || {
        let usage: Usage = serde_json::from_str(&process::output(&mut command)).expect("usage");
        let exit = Capture::parse(&std::fs::read(&file).unwrap()).one("exit", usage.pid).clone();
        Some((exit.cpu_ns?, exit, usage))
    };
    let (cpu_ns, exit, usage) = (0..10).find_map(|_| once()).expect("its cost in one of ten");
    assert!(cpu_ns >= 3_000_000, "what it did itself: {exit:?}");
    let counted = Path::new("/proc/self/io").exists();
    assert_eq!((exit.read_bytes.is_some(), exit.write_bytes.is_some()), (counted, counted));
    // It counts what came before it, too, and after this nothing more touches memory.
    let held = usage.minor_faults - exit.minor_faults.expect("with the CPU time");
    assert!(held > 20, "{exit:?} {usage:?}");
}

#[test]
fn a_thread_has_its_own_cost() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (capture, lives) = with_costs(&["--threads"], || worker::costs(dir.path()));
    let life = lives.iter().find(|life| life.case == "100-threads").unwrap();
    let process = capture.one("exit", life.pid);
    same(process, life);
    let events = capture.of(life.pid);
    let threads = events.iter().filter(|e| e.event_type == "exit" && e.thread == Some(true));
    let threads: Vec<u64> = threads.map(|exit| exit.cpu_ns.expect("its own")).collect();
    assert_eq!(threads.len(), 100);
    assert!(threads.iter().all(|&cpu_ns| cpu_ns >= 1_000_000), "each has spun: {threads:?}");
    // The rest is the leader's.
    assert!(threads.iter().sum::<u64>() < process.cpu_ns.unwrap(), "{process:?}");
}

/// All that processes of a few hundred microseconds use is told: nothing else shows them. In one of
/// twelve storms: others may keep the machine so busy that the kernel is late.
#[test]
fn the_costs_of_a_storm_add_up() {
    let Some(_machine) = machine::alone() else { return };
    for kind in ["fork", "vfork-exec"] {
        let storms: Vec<_> = (0..12).map_while(|_| missing_in_a_storm(kind).err()).collect();
        assert!(storms.len() < 12, "{kind}: {storms:#?}");
    }
}

/// The error is that more of a storm is missing than may be.
fn missing_in_a_storm(kind: &str) -> Result<(), String> {
    let tuxscope = Tuxscope::start(&BIG);
    let storm = worker::storm(kind, 10_000, 2);
    let capture = Capture::complete(&tuxscope.stop());
    let mut exits = exits(&capture.family(storm.pid));
    exits.retain(|_, exit| exit.pid != storm.pid); // its children's are counted
    assert_eq!(exits.len() as u64, storm.exits, "{kind}");
    let costs: Vec<u64> = exits.values().filter_map(|exit| exit.cpu_ns).collect();
    let without = exits.len() - costs.len();
    let (told, truth) = (costs.iter().sum::<u64>(), storm.cpu_us * 1000);
    assert!(told <= truth + truth / 50, "{kind}: {told} ns, wait4 says {truth}");
    if without * 1000 <= exits.len() && truth.saturating_sub(told) * 50 <= truth {
        Ok(())
    } else {
        Err(format!("{without} of {} without; {told} ns, wait4 says {truth}", exits.len()))
    }
}
