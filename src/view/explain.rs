// SPDX-License-Identifier: MIT OR Apache-2.0
//! One plain sentence an event, for those who learn what fork, exec and exit do.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::lives::{Life, LifeId, Lives, Step};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Comm, Detail, Event, ExitStatus, Lost, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::killed;
use crate::text::quantity::were;

/// `--format explain`
pub static VIEW: View = View {
    name: "explain",
    help: "One plain sentence per event",
    needs_wide: true,
    shape: Shape::Lines,
    speaks: Speaks::AsItHappens,
    across: Across::Refused,
    takes: &[],
    start: |_| Box::new(Explain::default()),
};

/// Children of one process that are named when it ends; more are counted.
const MAX_NAMED: usize = 4;

/// The sink of `--format explain`.
#[derive(Debug)]
pub struct Explain {
    lives: Lives,
    /// Of each process that has any, the children that haven't ended.
    children: HashMap<LifeId, Children>,
    /// Lives that were folded when `children` was last cleared of them.
    folded: usize,
}

/// Children that haven't ended.
#[derive(Debug, Default)]
struct Children {
    living: BTreeSet<LifeId>,
    /// Those of them that haven't exec'd: in the basic mode they may be threads.
    silent: usize,
}

impl Default for Explain {
    fn default() -> Self {
        Self { lives: Lives::for_the_living(), children: HashMap::new(), folded: 0 }
    }
}

impl Sink for Explain {
    fn runs_already(&mut self, process: &Running) {
        self.lives.runs_already(process);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let before = self.lives.with_pid(event.pid);
        let before_id = before.map(|(id, _)| id);
        let silent_before = before.is_some_and(|(_, life)| life.never_execed());
        let start_ns = event.wide.as_deref().map_or(0, |wide| wide.start_ns);
        let name_before = self.lives.name_of(event.pid, start_ns);
        let adopter_before = before.and_then(|(_, life)| life.adopter());

        let step = self.lives.event(event);
        let (Step::Born(id)
        | Step::ThreadBorn(id)
        | Step::Execed(id)
        | Step::ExecFailed(id)
        | Step::ThreadEnded(id)
        | Step::Ended(id)) = step;
        let mut text = String::new();
        if let Some(life) = self.lives.get(id) {
            if life.adopter() != adopter_before {
                self.adoption(life, &mut text);
            }
            match step {
                Step::Born(_) => self.birth(event, &mut text),
                Step::ThreadBorn(_) => {
                    let _ = write!(text, "{} started the thread {}", who(life), tid(event));
                }
                Step::Execed(_) => exec(life, name_before, &mut text),
                Step::ExecFailed(_) => failed_exec(event, life, &mut text),
                Step::ThreadEnded(_) => {
                    let (thread, lived) = (tid(event), Elapsed(thread_lived_ns(event)));
                    let _ = write!(
                        text,
                        "thread {thread} of {} ended after {lived}; the process goes on",
                        who(life)
                    );
                }
                Step::Ended(_) => self.end_of(event, id, life, &mut text),
            }
        }
        text.push('\n');
        out.extend_from_slice(text.as_bytes());
        if silent_before && matches!(step, Step::Execed(_)) && before_id == Some(id) {
            if let Some(siblings) = self.siblings(id) {
                siblings.silent = siblings.silent.saturating_sub(1);
            }
        }
        self.forget(step, id, before_id);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, out: &mut Vec<u8>) {
        if lost.total() == 0 {
            return; // what is missing is no step
        }
        let lost = were(lost.total(), "event");
        let line = format!("({lost} lost up to here: some steps are missing)\n");
        out.extend_from_slice(line.as_bytes());
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        if totals.cut_off {
            out.extend_from_slice(b"(the capture was cut off here: more happened)\n");
        }
    }
}

impl Explain {
    fn birth(&self, event: &Event, out: &mut String) {
        let (child, parent) = (event.pid, event.ppid);
        let maker = named(parent, Some(event.comm));
        let detail = event.detail();
        let _ = match detail {
            Some(&Detail::Fork { parent_tid, made_by, .. }) if parent_tid != parent => {
                // A thread of the parent, or under CLONE_PARENT a process of its own.
                match self.lives.with_pid(made_by.unwrap_or(parent_tid)) {
                    Some((_, life)) => {
                        write!(out, "{} made {child}, but as a child of {parent}", who(life))
                    }
                    None => write!(
                        out,
                        "{maker} forked {child} from its thread {parent_tid}: \
                         a new process that is a copy of it"
                    ),
                }
            }
            Some(_) => {
                write!(out, "{maker} forked {child}: a new process that is a copy of it")
            }
            None => {
                write!(out, "{maker} made {child}: a new process that is a copy of it, or a thread")
            }
        };
    }

    fn adoption(&self, life: &Life, out: &mut String) {
        let (Some(parent), Some(adopter)) = (life.born_to(), life.adopter()) else { return };
        let adopter = named(adopter, self.lives.name_of(adopter, 0));
        let _ = writeln!(out, "{}'s parent {parent} is gone; {adopter} adopted it", life.pid);
    }

    fn end_of(&self, event: &Event, id: LifeId, life: &Life, out: &mut String) {
        let who = named(event.pid, Some(event.comm));
        let none = Children::default();
        let children = self.children.get(&id).unwrap_or(&none);
        let Some(status) = life.status() else {
            // The basic mode: an exit for each thread, and no word of which it is.
            let _ = match children.silent {
                0 => write!(out, "{who} ended"),
                _ => write!(out, "{who} ended, or one of its threads did"),
            };
            return;
        };
        let _ = match status {
            ExitStatus::Code(0) => write!(out, "{who} ended with status 0, success"),
            ExitStatus::Code(code) => write!(out, "{who} ended with status {code}, a failure"),
            ExitStatus::Signal { .. } => {
                let _ = write!(out, "{who} was ");
                if let Some(ended) = event.ended() {
                    killed::by(event.pid, ended, out);
                }
                Ok(())
            }
        };
        if let Some(lived) = life.lived_ns(event.timestamp_ns) {
            let _ = write!(out, ", after {}", Elapsed(lived));
            if let Some(cpu_ns) = life.cpu_ns() {
                let _ = write!(out, " with {} of CPU time", Elapsed(cpu_ns));
            }
        }
        if life.never_execed() {
            out.push_str(" and without an exec");
        }
        let count = children.living.len();
        if count > MAX_NAMED {
            let _ = write!(out, "; its {count} children go on and get a new parent");
            return;
        }
        let pids = children.living.iter().filter_map(|id| Some(self.lives.get(*id)?.pid));
        let pids: Vec<_> = pids.map(|pid| pid.to_string()).collect();
        let _ = match pids.as_slice() {
            [] => Ok(()),
            [pid] => write!(out, "; its child {pid} goes on and gets a new parent"),
            [pids @ .., last] => {
                let pids = pids.join(", ");
                write!(out, "; its children {pids} and {last} go on and get a new parent")
            }
        };
    }

    fn siblings(&mut self, id: LifeId) -> Option<&mut Children> {
        let parent = self.lives.get(id)?.parent?;
        self.children.get_mut(&parent)
    }

    /// Keeps what is alive, and nothing else: a capture may go on for weeks.
    fn forget(&mut self, step: Step, id: LifeId, before: Option<LifeId>) {
        if let Some(before) = before.filter(|&before| before != id) {
            self.bury(before);
        }
        match step {
            Step::Born(_) => {
                if let Some(parent) = self.lives.get(id).and_then(|life| life.parent) {
                    let siblings = self.children.entry(parent).or_default();
                    siblings.living.insert(id);
                    siblings.silent += 1;
                }
            }
            Step::Ended(_) => {
                let wide = self.lives.get(id).is_some_and(|life| life.status().is_some());
                if wide || !self.children.contains_key(&id) {
                    self.bury(id);
                }
            }
            Step::ThreadBorn(_) | Step::Execed(_) | Step::ExecFailed(_) | Step::ThreadEnded(_) => {}
        }
        if self.lives.folded() != self.folded {
            self.folded = self.lives.folded();
            let lives = &self.lives;
            self.children.retain(|parent, children| {
                children.living.retain(|&child| lives.get(child).is_some());
                let silent = |id: &&LifeId| lives.get(**id).is_some_and(Life::never_execed);
                children.silent = children.living.iter().filter(silent).count();
                lives.get(*parent).is_some() && !children.living.is_empty()
            });
        }
    }

    fn bury(&mut self, id: LifeId) {
        self.children.remove(&id);
        let Some(life) = self.lives.remove(id) else { return };
        let Some(parent) = life.parent else { return };
        let Some(siblings) = self.children.get_mut(&parent) else { return };
        if siblings.living.remove(&id) && life.never_execed() {
            siblings.silent = siblings.silent.saturating_sub(1);
        }
        if siblings.living.is_empty() {
            self.children.remove(&parent);
        }
    }
}

fn exec(life: &Life, name_before: Option<Comm>, out: &mut String) {
    let Some(exec) = life.execs().last() else { return };
    let again = if life.exec_count() > 1 { " again" } else { "" };
    let _ = write!(out, "{} exec'd{again}", named(life.pid, name_before));
    if let Some(filename) = exec.filename() {
        out.push(' ');
        text::escape(filename, out);
    }
    if let (Some(ns), "") = (life.fork_to_exec_ns(), again) {
        let _ = write!(out, " {} after its fork", Elapsed(ns));
    }
    let _ = write!(out, ": same pid, new program: {}", exec.command_line());
}

/// `4521 (bash) could not exec /usr/bin/no, the last of 9 files that it tried: ENOENT (No such ...)`
fn failed_exec(event: &Event, life: &Life, out: &mut String) {
    let Some(Detail::ExecFailed { filename, args, errno, tried, .. }) = event.detail() else {
        return;
    };
    let _ = write!(out, "{} could not exec ", who(life));
    match filename.as_deref().or_else(|| args.iter().next()) {
        Some(file) => text::escape(file, out),
        None => out.push_str("a file"),
    }
    if *tried > 1 {
        let _ = write!(out, ", the last of {tried} files that it tried");
    }
    let _ = write!(out, ": {errno}; it still runs the same program");
}

/// `4521 (bash)`
fn named(pid: u32, comm: Option<Comm>) -> String {
    let mut out = pid.to_string();
    if let Some(comm) = comm {
        out.push_str(" (");
        text::escape(comm.as_bytes(), &mut out);
        out.push(')');
    }
    out
}

fn who(life: &Life) -> String {
    named(life.pid, life.comm())
}

fn thread_lived_ns(event: &Event) -> u64 {
    event.ended().map_or(0, |ended| ended.duration_ns)
}

fn tid(event: &Event) -> u32 {
    event.wide.as_deref().map_or(event.pid, |wide| wide.tid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventKind;
    use crate::view::fixtures::{self, Random, Story, basic, run};

    #[test]
    fn a_pipeline() {
        assert_eq!(
            run(Explain::default(), &fixtures::pipeline()),
            "\
3890 (bash) forked 4521: a new process that is a copy of it
4521 (bash) exec'd /bin/sh 600 us after its fork: same pid, new program: \
sh -c 'cat /etc/passwd | grep root'
4521 (sh) forked 4522: a new process that is a copy of it
4521 (sh) forked 4523: a new process that is a copy of it
4522 (sh) exec'd /bin/cat 500 us after its fork: same pid, new program: cat /etc/passwd
4523 (sh) exec'd /bin/grep 600 us after its fork: same pid, new program: grep root
4522 (cat) ended with status 0, success, after 1.30 ms
4523 (grep) ended with status 1, a failure, after 1.50 ms
4521 (sh) ended with status 1, a failure, after 4.00 ms
"
        );
    }

    #[test]
    fn a_daemon_and_its_thread() {
        let text = run(Explain::default(), &fixtures::daemon());
        let lines: Vec<_> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "5001 (daemon) ended with status 0, success, after 2.00 ms and without an exec; \
                 its child 5002 goes on and gets a new parent",
                "5000 (daemon) ended with status 0, success, after 4.00 ms",
                "5002's parent 5001 is gone; 1 adopted it",
                "5002 (daemon) exec'd /bin/sh 3.00 ms after its fork: same pid, new program: \
                 sh -c 'exec work'",
                "5002 (sh) exec'd again /bin/work: same pid, new program: work",
                "5002 (work) started the thread 5003",
                "thread 5003 of 5002 (work) ended after 1.00 us; the process goes on",
                "5002 (work) forked 5004: a new process that is a copy of it",
                "5002 (work) was killed by SIGSEGV (core dumped), after 18.0 ms; \
                 its child 5004 goes on and gets a new parent",
            ]
        );
    }

    #[test]
    fn what_it_cost_is_said_where_it_is_known() {
        let mut events = fixtures::pipeline();
        let Some(Detail::Exit(ended)) = events[6].wide.as_mut().map(|wide| &mut wide.detail) else {
            panic!("cat's end: {:?}", events[6])
        };
        ended.cpu_ns = Some(812_000);
        let text = run(Explain::default(), &events);
        let line = text.lines().nth(6);
        let want = "4522 (cat) ended with status 0, success, after 1.30 ms with 812 us of CPU time";
        assert_eq!(line, Some(want));
    }

    #[test]
    fn a_command_that_is_not_there() {
        let text = run(Explain::default(), &fixtures::not_found());
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "4522 (bash) could not exec /bin/no, the last of 2 files that it tried: \
                 ENOENT (No such file or directory); it still runs the same program",
                "4522 (bash) ended with status 127, a failure, after 900 us and without an exec",
            ]
        );
    }

    #[test]
    fn the_basic_mode_claims_no_more_than_it_knows() {
        use EventKind::{Exec, Exit, Fork};
        let events = [
            basic(Fork, 0, 10, 9, "bash"),
            basic(Exec, 100, 10, 0, "prog"),
            basic(Fork, 200, 11, 10, "prog"),
            basic(Exit, 300, 10, 0, "prog"),
            basic(Fork, 400, 12, 9, "bash"),
            basic(Exit, 500, 12, 0, "bash"),
        ];
        assert_eq!(
            run(Explain::default(), &events),
            "\
9 (bash) made 10: a new process that is a copy of it, or a thread
10 (bash) exec'd 100 us after its fork: same pid, new program: prog
10 (prog) made 11: a new process that is a copy of it, or a thread
10 (prog) ended, or one of its threads did
9 (bash) made 12: a new process that is a copy of it, or a thread
12 (bash) ended
"
        );
    }

    #[test]
    fn takes_any_events_and_has_a_line_for_each() {
        for seed in 1..300 {
            let events = Random(seed).capture();
            let text = run(Explain::default(), &events);
            assert!(!fixtures::steers_a_terminal(&text), "seed {seed}: {text}");
            let about_parents = text.matches(" is gone; ").count();
            assert_eq!(text.lines().count(), events.len() + about_parents, "seed {seed}");
        }
    }

    #[test]
    fn forgets_the_dead() {
        let mut explain = Explain::default();
        for _ in 0..100 {
            for event in fixtures::pipeline() {
                explain.event(&event, &mut Vec::new());
            }
        }
        assert_eq!(explain.lives.iter().count(), 1, "the shell that was there before");
        assert!(explain.children.is_empty());
    }

    #[test]
    fn keeps_no_more_than_it_may_where_no_end_is_ever_told() {
        let mut explain = Explain { lives: Lives::within(64 << 10), ..Explain::default() };
        let mut story = Story::default();
        (0..5_000).for_each(|i| _ = story.fork(u64::from(i), 10 + i, 9 + i / 100));
        story.events.iter().for_each(|event| explain.event(event, &mut Vec::new()));
        assert!(explain.lives.iter().count() < 500);
        let kept: usize = explain.children.values().map(|children| children.living.len()).sum();
        assert!(kept < 500, "{kept} children of those that are forgotten");
    }

    #[test]
    fn ends_of_thousands_of_threads() {
        use EventKind::{Exit, Fork};
        let mut events = vec![basic(Fork, 0, 10, 9, "bash")];
        events.extend((0..50_000).map(|i| basic(Fork, 1, 11 + i, 10, "prog")));
        events.extend((0..50_000).map(|_| basic(Exit, 2, 10, 0, "prog")));
        let text = run(Explain::default(), &events);
        assert_eq!(text.matches("10 (prog) ended, or one of its threads did\n").count(), 50_000);
    }
}
