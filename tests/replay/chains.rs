// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stacks of commands and what the end waited for, against a plain recount of the lines of the same
//! capture.

use std::collections::{BTreeMap, HashMap};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use tuxscope::text::elapsed::Elapsed;

use crate::program::{META, end, replay, wide};

/// A time that no other event has.
const STEP: u64 = 1_000;
const NAMES: [&str; 4] = ["make", "cc", "a b", "x;y"];

/// One that is to be made: where among the earlier ones its parent is, when it begins within the
/// parent's life, how long it lives, in steps; its name, and what it used, in parts of a hundred.
type Plan = (usize, u64, u64, usize, Option<u64>);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    vec((0..20_usize, 0..100_u64, 1..400_u64, 0..4_usize, option::of(0..=100_u64)), 1..18)
}

/// The lines of a capture: the first process has a parent that began before.
fn lines(plans: &[Plan]) -> String {
    let mut lives: Vec<(u64, u64, usize)> = Vec::new();
    let mut lines = BTreeMap::new();
    let pid = |i: usize| 100 + i as u32;
    for (i, &(parent, begin, length, name, used)) in plans.iter().enumerate() {
        let parent = (i > 0).then(|| parent % i);
        let above = parent.map_or((10_000, u64::MAX, 4), |parent| lives[parent]);
        let within = if i == 0 { 0 } else { ((above.1 - above.0) / STEP - 1) * begin / 100 };
        // Later by so few nanoseconds that no two are at once.
        let (nth, times) = (4 * i as u64 + 4, 1 + plans.len() as u64 * 4);
        let from = above.0 / STEP * STEP + (within + 1) * STEP + nth;
        let to = from + length * times * STEP + 2;
        lives.push((from, to, name));
        let ppid = parent.map_or(10, pid);
        let maker = NAMES.get(above.2).unwrap_or(&"bash");
        let fork = format!("\"thread\":false,\"parent_tid\":{ppid}");
        lines.insert(from, wide("fork", pid(i), ppid, maker, from, from, &fork));
        let exec = format!("\"filename\":\"/bin/x\",\"args\":[\"{}\"]", NAMES[name]);
        let line = wide("exec", pid(i), ppid, NAMES[name], from + 1, from, &exec);
        lines.insert(from + 1, line);
        let cost = used.map(|part| {
            let cpu_ns = (to - from) * part / 100;
            format!(",\"cpu_ns\":{},\"cpu_wait_ns\":{}", cpu_ns + 1, (to - from - cpu_ns) / 2)
        });
        let exit = format!(
            "\"thread\":false,\"exit_code\":0,\"duration_ns\":{}{}",
            to - from,
            cost.unwrap_or_default()
        );
        let ppid = if to > above.1 { 1 } else { ppid };
        lines.insert(to, wide("exit", pid(i), ppid, NAMES[name], to, from, &exit));
    }
    let lines: String = lines.into_values().collect();
    [META, &lines, &end(true, 0)].concat()
}

/// A process, as the lines have it.
struct Told {
    pid: u64,
    parent: Option<usize>,
    name: String,
    begin: u64,
    end: u64,
    cpu_ns: Option<u64>,
}

fn read(capture: &str) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for line in capture.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| line[key].as_u64();
        let (pid, ns) = (number("pid").unwrap_or(0), number("timestamp_ns").unwrap_or(0));
        let name = line["comm"].as_str().unwrap_or_default().to_owned();
        match line["event_type"].as_str().unwrap() {
            "fork" => {
                let parent = all.iter().position(|one| Some(one.pid) == number("ppid"));
                all.push(Told { pid, parent, name, begin: ns, end: 0, cpu_ns: None });
            }
            "exit" => {
                let one = all.iter_mut().find(|one| one.pid == pid).unwrap();
                (one.end, one.name, one.cpu_ns) = (ns, name, number("cpu_ns"));
            }
            _ => {}
        }
    }
    all
}

fn stack(all: &[Told], one: &Told) -> String {
    let above = one.parent.map_or("bash".to_owned(), |parent| stack(all, &all[parent]));
    above + ";" + &one.name.replace([' ', ';'], "_")
}

/// How long nobody below it ran, from end to end of what could change that.
fn alone(all: &[Told], i: usize) -> u64 {
    let below: Vec<&Told> = all.iter().filter(|one| one.parent == Some(i)).collect();
    let ends = below.iter().flat_map(|one| [one.begin, one.end]);
    let mut ends: Vec<u64> = ends.chain([all[i].begin, all[i].end]).collect();
    ends.sort_unstable();
    let within = |two: &&[u64]| two[0] >= all[i].begin && two[1] <= all[i].end;
    let free = |two: &&[u64]| !below.iter().any(|one| one.begin <= two[0] && two[1] <= one.end);
    ends.windows(2).filter(within).filter(free).map(|two| two[1] - two[0]).sum()
}

/// Backwards: who, from where to where.
fn chain(all: &[Told], i: usize, mut until: u64, found: &mut Vec<(usize, u64)>) {
    let last = |until: u64| {
        let ended = |one: &&Told| one.parent == Some(i) && one.end <= until;
        all.iter().filter(ended).max_by_key(|one| one.end)
    };
    while let Some(child) = last(until) {
        found.push((i, until - child.end));
        let index = all.iter().position(|one| one.pid == child.pid).unwrap();
        chain(all, index, child.end, found);
        until = child.begin;
    }
    found.push((i, until - all[i].begin));
}

fn folded(capture: &str, weight: &str) -> BTreeMap<String, u64> {
    let ran = replay(capture.as_bytes(), &["--format", "folded", "--weight", weight]);
    let line = |line: &str| {
        let (stack, number) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), number.parse().unwrap())
    };
    ran.out.lines().map(line).collect()
}

/// The first cell of each row of a table of the view, and a later one.
fn rows(view: &str, title: &str, cell: std::ops::Range<usize>) -> Vec<(String, String)> {
    let (_, table) = view.split_once(title).unwrap();
    let rows = table.lines().skip(2).take_while(|row| !row.is_empty());
    let rows = rows.filter(|row| !row[..9].trim().is_empty());
    rows.map(|row| {
        let end = cell.end.min(row.len());
        (row[..9].trim().to_owned(), row[cell.start..end].trim().to_owned())
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 30, ..Default::default() })]

    #[test]
    fn stacks_come_to_what_the_lines_do(plans in plans()) {
        let capture = lines(&plans);
        let all = read(&capture);
        type Figure<'a> = (&'static str, &'a dyn Fn(usize) -> u64);
        let figures: [Figure<'_>; 3] = [
            ("cpu", &|i| all[i].cpu_ns.unwrap_or(0)),
            ("duration", &|i| alone(&all, i)),
            ("count", &|_| 1),
        ];
        for (weight, figure) in figures {
            let mut want: BTreeMap<String, u64> = BTreeMap::new();
            for (i, one) in all.iter().enumerate() {
                *want.entry(stack(&all, one)).or_default() += figure(i);
            }
            want.retain(|_, weight| *weight > 0);
            let unknown = all.iter().filter(|one| one.cpu_ns.is_none()).count();
            if weight == "cpu" && unknown > 0 {
                let processes = if unknown == 1 { "process" } else { "processes" };
                want.insert(format!("({unknown}_{processes}_of_unknown_cost)"), 1);
            }
            prop_assert_eq!(folded(&capture, weight), want, "{}\n{}", weight, capture);
        }
        // And to what another view does.
        let summary = replay(capture.as_bytes(), &["--format", "summary-json"]);
        let summary: Value = serde_json::from_str(&summary.out).unwrap();
        let stacks = folded(&capture, "cpu");
        let sum: u64 = stacks.iter().filter(|(stack, _)| !stack.starts_with('(')).map(|(_, ns)| ns).sum();
        prop_assert_eq!(summary["cpu"]["used_ns"].as_u64(), Some(sum));
    }

    #[test]
    fn the_chain_is_what_the_lines_say(plans in plans()) {
        let capture = lines(&plans);
        let all = read(&capture);
        let mut found = Vec::new();
        chain(&all, 0, all[0].end, &mut found);
        found.retain(|(_, length)| *length > 0);
        found.reverse();
        let whole: u64 = found.iter().map(|(_, length)| length).sum();
        prop_assert_eq!(whole, all[0].end - all[0].begin);
        let view = replay(capture.as_bytes(), &["--format", "path"]).out;
        let elapsed = |ns: u64| Elapsed(ns).to_string();
        let title = format!("The end of 100, after {}: ", elapsed(whole));
        prop_assert!(view.starts_with(&title), "{}", view);
        let want: Vec<_> =
            found.iter().map(|&(i, length)| (elapsed(length), all[i].pid.to_string())).collect();
        prop_assert_eq!(rows(&view, "It waited for", 43..52), want, "{}", view);
        let mut sums: HashMap<&str, u64> = HashMap::new();
        found.iter().for_each(|&(i, length)| *sums.entry(&all[i].name).or_default() += length);
        for (length, name) in rows(&view, "By command", 54..usize::MAX) {
            prop_assert_eq!(sums.remove(name.as_str()).map(elapsed), Some(length), "{}", view);
        }
        prop_assert!(sums.is_empty(), "{:?} {}", sums, view);
    }
}
