// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which events are kept. Live, all conditions but the pattern are checked in BPF.

use anyhow::Result;

use crate::host::{cgroup, container};
use crate::model::conditions::Conditions;
use crate::model::event::{Detail, Event, EventKind};
use crate::model::failure::{Exit, Failure};
use crate::model::pid::PID_MAX_LIMIT;
use crate::model::place::Place;
use crate::process::table::Table;

/// Conditions, and who is followed.
#[derive(Debug)]
pub struct Filter {
    conditions: Conditions,
    /// Descendants of `pids`, while they live.
    followed: Table<()>,
    /// Scratch for an argument list as one text.
    line: Vec<u8>,
}

impl Filter {
    /// Keeps the events that meet all conditions.
    pub fn new(mut conditions: Conditions) -> Self {
        conditions.cgroup = conditions.cgroup.as_deref().map(cgroup::below_root);
        // So many that nobody is forgotten, but in a capture that was made up.
        let followed = Table::new(PID_MAX_LIMIT as usize);
        Self { conditions, followed, line: Vec::new() }
    }

    /// The same conditions, for processes of another host.
    pub fn for_another_host(&self) -> Self {
        Self::new(self.conditions.clone())
    }

    /// The options that say the same.
    pub fn words(&self) -> Vec<String> {
        self.conditions.words()
    }

    /// Whether it looks at arguments.
    pub fn matches_args(&self) -> bool {
        self.conditions.pattern.is_some()
    }

    /// The host that it asks for, which each event must tell then.
    pub fn host(&self) -> Option<&str> {
        self.conditions.host.as_deref()
    }

    /// The processes that are named.
    pub fn pids(&self) -> &[u32] {
        &self.conditions.pids
    }

    /// Whether their descendants are meant, too.
    pub fn follows(&self) -> bool {
        self.conditions.follow
    }

    /// Whether to keep this event. Events must come in the order of the capture.
    ///
    /// # Errors
    /// A condition is about something that the capture does not tell.
    pub fn keeps(&mut self, event: &Event) -> Result<bool, Failure> {
        let wide = event.wide.as_deref();
        if wide.is_none() {
            self.basic_suffices()?;
        }
        // Before all else: a fork that isn't shown still makes a descendant.
        let chosen = self.follow(event);
        let Conditions { ppids, comm, uid, kinds, cgroup, unit, container, failed, .. } =
            &self.conditions;
        let host = self.conditions.host.as_deref();
        let place = wide.and_then(|wide| wide.place.as_deref());
        Ok(chosen
            && any(ppids, |&ppid| ppid == event.ppid)
            && any(kinds, |&kind| kind == event.kind)
            && comm.as_ref().is_none_or(|comm| comm.as_bytes() == event.comm.as_bytes())
            && uid.is_none_or(|uid| wide.is_some_and(|wide| wide.uid == uid))
            && cgroup.as_ref().is_none_or(|path| place.is_some_and(|own| lies_below(own, path)))
            && unit.as_ref().is_none_or(|unit| place.is_some_and(|own| is_of_unit(own, unit)))
            && container
                .as_ref()
                .is_none_or(|id| place.is_some_and(|own| is_in_container(own, id)))
            && host.is_none_or(|host| wide.is_some_and(|wide| wide.host.as_deref() == Some(host)))
            && (!failed || has_failed(event))
            && self.is_in_time(event)
            && self.matches(event))
    }

    fn basic_suffices(&self) -> Result<(), Failure> {
        let Conditions { ppids, uid, cgroup, unit, container, failed, .. } = &self.conditions;
        let Conditions { since_ns, until_ns, min_duration_ns, min_cpu_ns, host, .. } =
            &self.conditions;
        let option = match () {
            // Only its forks have a parent, and that is a task.
            () if !ppids.is_empty() => "--ppid",
            () if uid.is_some() => "--uid",
            () if cgroup.is_some() => "--cgroup",
            () if unit.is_some() => "--unit",
            () if container.is_some() => "--container",
            () if *failed => "--failed",
            () if since_ns.is_some() => "--since",
            () if until_ns.is_some() => "--until",
            () if min_duration_ns.is_some() => "--min-duration",
            () if min_cpu_ns.is_some() => "--min-cpu",
            () if host.is_some() => "--host",
            () => return Ok(()),
        };
        Err(Failure::new(
            Exit::Usage,
            format!("{option} can't be applied to this capture: it was made in basic mode"),
            "capture with: tuxscope proc --wide --format json",
        ))
    }

    fn follow(&mut self, event: &Event) -> bool {
        let Conditions { pids, follow, .. } = &self.conditions;
        let named = any(pids, |&pid| pid == event.pid);
        if !follow || pids.is_empty() {
            return named;
        }
        let knows = |pid| pids.contains(&pid) || self.followed.has(pid);
        let start_ns = event.wide.as_deref().map_or(0, |wide| wide.start_ns);
        let tid = event.wide.as_deref().map(|wide| wide.tid);
        let mut ended = false;
        match (event.kind, event.detail()) {
            (EventKind::Fork, detail) if !detail.is_some_and(Detail::is_of_thread) => {
                // Under CLONE_PARENT the parent is not who made it, but a sibling.
                let made_by = match detail {
                    // Older captures only have the task's id.
                    Some(&Detail::Fork { parent_tid, made_by, .. }) => {
                        made_by.unwrap_or(parent_tid)
                    }
                    _ => event.ppid,
                };
                // The basic mode does not say which exit is the process' last, so that a pid is
                // followed until somebody else's child gets it.
                if knows(event.ppid) || knows(made_by) {
                    self.followed.begin(event.pid, start_ns, ());
                } else {
                    self.followed.end(event.pid, start_ns);
                }
            }
            // A thread may make its process' siblings, which only its own id connects with it.
            (EventKind::Fork, Some(_)) if knows(event.pid) => {
                if let Some(tid) = tid {
                    self.followed.begin(tid, 0, ());
                }
            }
            (EventKind::Exit, Some(detail)) if !detail.is_of_thread() => ended = true,
            (EventKind::Exit, Some(_)) => {
                if let Some(tid) = tid.filter(|&tid| tid != event.pid) {
                    self.followed.end(tid, 0);
                }
            }
            _ => {}
        }
        let chosen = named || self.followed.has(event.pid);
        if ended {
            self.followed.end(event.pid, start_ns);
        }
        chosen
    }

    /// Whether it happened then, and whether what ended lived so long and used so much.
    fn is_in_time(&self, event: &Event) -> bool {
        let Conditions { since_ns, until_ns, min_duration_ns, min_cpu_ns, .. } = self.conditions;
        let at_ns = event.wide.as_deref().map_or(0, |wide| wide.time_ns);
        let ended = event.ended();
        let at_least = |least: Option<u64>, value: Option<u64>| {
            least.is_none_or(|least| value.is_some_and(|value| value >= least))
        };
        since_ns.is_none_or(|since| at_ns >= since)
            && until_ns.is_none_or(|until| at_ns < until)
            && at_least(min_duration_ns, ended.map(|ended| ended.duration_ns))
            && at_least(min_cpu_ns, ended.and_then(|ended| ended.cpu_ns))
    }

    /// Whether the pattern is found in the name or the arguments; without one, always.
    pub fn matches(&mut self, event: &Event) -> bool {
        let Some(pattern) = &self.conditions.pattern else { return true };
        if pattern.is_match(&event.comm.to_text()) {
            return true;
        }
        let Some(args) = event.detail().and_then(Detail::args) else { return false };
        self.line.clear();
        for (i, arg) in args.iter().enumerate() {
            self.line.extend_from_slice(if i == 0 { b"" } else { b" " });
            self.line.extend_from_slice(arg);
        }
        pattern.is_match(&String::from_utf8_lossy(&self.line))
    }
}

/// Whether one of them fits, or there are none.
fn any<T>(list: &[T], fits: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(fits)
}

/// A process that did not succeed, or an exec.
fn has_failed(event: &Event) -> bool {
    event.kind == EventKind::ExecFailed
        || event.ended().is_some_and(|end| !end.thread && end.status.failed())
}

fn lies_below(place: &Place, path: &str) -> bool {
    let rest = place.cgroup.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_of_unit(place: &Place, unit: &str) -> bool {
    [&place.unit, &place.user_unit].into_iter().flatten().any(|own| **own == *unit)
}

/// One that is in a container inside of it is in both.
fn is_in_container(place: &Place, id: &str) -> bool {
    place.container.as_deref().is_some_and(|own| container::is_meant(own, id))
        || container::holds(id, &place.cgroup)
}
