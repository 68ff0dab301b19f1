// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which process of a capture is the command that it was made of.

use crate::model::event::{Event, Meta};

/// The command of a capture, looked for among its events.
///
/// The `meta` record names it by its id in the PID namespace that tuxscope ran in. In a namespace
/// below that another process may have this id, and an id comes back. But whoever else is in the
/// capture descends from the command, so of those that have its id, it is the one that began first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Command {
    /// 0 where none was run.
    ns_pid: u32,
    /// The kernel's own id of who is taken for it, and when that began.
    found: Option<(u32, u64)>,
}

impl Command {
    /// None was found yet.
    pub fn of(meta: &Meta) -> Self {
        Self { ns_pid: meta.command_pid, found: None }
    }

    /// Whether an event is of the command, as far as this one and those before tell. What changes
    /// [`Self::found`] shows that who was taken for it is another.
    pub fn takes(&mut self, event: &Event) -> bool {
        let wide = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread());
        let Some(wide) = wide.filter(|_| self.ns_pid != 0) else { return false };
        let id = (event.pid, wide.start_ns);
        if self.found == Some(id) {
            return true;
        }
        let has_its_pid = wide.ns_pid.unwrap_or(event.pid) == self.ns_pid;
        let began_first = self.found.is_none_or(|(_, start_ns)| wide.start_ns < start_ns);
        if has_its_pid && began_first {
            self.found = Some(id);
        }
        has_its_pid && began_first
    }

    /// Who is taken for it: its id, as the kernel numbers it, and its start.
    pub fn found(&self) -> Option<(u32, u64)> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    /// Its end; `ns_pid` as the process' own namespace has it.
    fn end(pid: u32, ns_pid: Option<u32>, start_ns: u64) -> Event {
        let mut story = Story::default();
        story.exit(9, pid, 1, 0);
        let mut event = story.events.remove(0);
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        (wide.ns_pid, wide.start_ns) = (ns_pid, start_ns);
        event
    }

    fn command(command_pid: u32) -> Command {
        Command::of(&Meta { command_pid, ..Meta::default() })
    }

    #[test]
    fn it_is_known_by_its_id_in_the_tracers_namespace() {
        assert!(command(50).takes(&end(50, None, 1_000)));
        assert!(command(50).takes(&end(1_050, Some(50), 1_000)));
        assert!(!command(50).takes(&end(50, Some(7), 1_000)), "the kernel's id is another's");
        assert!(!command(0).takes(&end(50, None, 1_000)), "none was run");
        let mut of_thread = Story::default();
        of_thread.thread_exit(9, 50, 51, 1);
        assert!(!command(50).takes(&of_thread.events[0]));
    }

    #[test]
    fn whoever_has_its_id_later_is_another() {
        let mut command = command(50);
        assert!(command.takes(&end(50, None, 1_000)));
        assert!(!command.takes(&end(60, Some(50), 2_000)), "in a namespace below");
        assert!(!command.takes(&end(50, None, 3_000)), "the id came back");
        assert!(command.takes(&end(50, None, 1_000)));
        assert_eq!(command.found(), Some((50, 1_000)));
    }

    /// Of a capture that has only ends, the command's is the last.
    #[test]
    fn who_began_earlier_is_it_after_all() {
        let mut command = command(50);
        assert!(command.takes(&end(60, Some(50), 2_000)));
        assert!(command.takes(&end(50, None, 1_000)));
        assert_eq!(command.found(), Some((50, 1_000)));
        assert!(!command.takes(&end(60, Some(50), 2_000)));
    }
}
