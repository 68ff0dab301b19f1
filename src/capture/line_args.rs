// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of a command line goes into a line. Any user chooses it, and with it how fast a service's
//! files fill up: JSON writes a control character as six bytes, and both exec and exit tell it.

use crate::json;
use crate::model::event::{Args, Detail, Event};

/// Too little to be worth a bound.
const LEAST: usize = 1 << 10;

/// Bounds the arguments of lines, beyond what the kernel's side was told to copy.
#[derive(Debug)]
pub struct LineArgs {
    /// Bytes that they take at most in JSON: twice what is copied. Ordinary command lines never
    /// get there: each argument adds three bytes, to one that it has at its end already.
    room: usize,
    /// Exits tell them, too.
    of_exits: bool,
}

impl LineArgs {
    /// `max_args`: bytes of arguments that are copied.
    pub fn new(max_args: u32, of_exits: bool) -> Self {
        Self { room: (2 * max_args as usize).max(LEAST), of_exits }
    }

    /// Cuts the arguments of an event, or leaves them out.
    pub fn fit(&self, event: &mut Event) {
        match event.wide.as_deref_mut().map(|wide| &mut wide.detail) {
            Some(Detail::Exec { args, .. }) => self.cut(args),
            Some(Detail::Exit(ended)) if !self.of_exits => ended.args = None,
            Some(Detail::Exit(ended)) => {
                if let Some(args) = &mut ended.args {
                    self.cut(args);
                }
            }
            _ => {}
        }
    }

    fn cut(&self, args: &mut Args) {
        // The most that a byte can take: most lists need no second look.
        const MOST: usize = 6;
        if args.len() * MOST + 2 > self.room {
            let fits = json::args_that_fit(args, self.room);
            if fits < args.len() {
                *args = args.cut(fits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Comm, Ended, EventKind, Wide};
    use crate::view::{Json, Sink as _};

    fn event(detail: Detail) -> Event {
        let wide =
            Wide { time_ns: 0, tid: 7, uid: 0, start_ns: 1, cgroup_id: 1, place: None, detail };
        Event {
            kind: EventKind::Exec,
            pid: 7,
            ppid: 1,
            comm: Comm::new(b"sh"),
            timestamp_ns: 2,
            wide: Some(Box::new(wide)),
        }
    }

    fn exec(args: Args) -> Event {
        event(Detail::Exec { filename: b"/bin/sh".to_vec(), args })
    }

    fn args_of(mut event: Event, lines: &LineArgs) -> Option<Args> {
        lines.fit(&mut event);
        event.detail().and_then(Detail::args).cloned()
    }

    /// What the list takes in a line.
    fn written(args: &Args) -> usize {
        let line = |args: Args| {
            let mut out = Vec::new();
            Json::new(true).event(&exec(args), &mut out);
            out.len()
        };
        let mut plain = args.clone();
        plain.truncated = false;
        line(plain) - line(Args::default()) + "[]".len()
    }

    #[test]
    fn what_json_must_escape_is_cut_to_its_room() {
        let lines = LineArgs::new(4096, true);
        let hostile: [&[u8]; 8] = [
            b"\x01",
            b"\0",
            b"\xff",
            b"a\0",
            b"\"",
            "\u{202e}".as_bytes(),
            b"\x01\0",
            b"\x1b[31m\0",
        ];
        for bytes in hostile {
            let args = Args::new(&bytes.repeat(4096 / bytes.len()), false);
            let fitted = args_of(exec(args.clone()), &lines).expect("an exec's");
            let takes = written(&fitted);
            assert!(takes <= 8192, "{bytes:?}: {takes}");
            assert_eq!(fitted.truncated, written(&args) > 8192, "{bytes:?}");
            // And not to less.
            assert!(!fitted.truncated || takes > 8192 - 20, "{bytes:?}: {takes}");
        }
    }

    #[test]
    fn ordinary_arguments_are_left_as_they_are() {
        let lines = LineArgs::new(4096, true);
        for arg in ["x\0", "-o\0", "\"quoted\"\0", "/usr/lib/日本語\0"] {
            let args = Args::new(&arg.as_bytes().repeat(4095 / arg.len()), false);
            assert_eq!(args_of(exec(args.clone()), &lines), Some(args), "{arg}");
        }
    }

    #[test]
    fn exits_tell_arguments_unless_they_are_left_out() {
        let args = Args::new(b"ls\0", false);
        let exit = || event(Detail::Exit(Ended { args: Some(args.clone()), ..Ended::default() }));
        assert_eq!(args_of(exit(), &LineArgs::new(4096, true)), Some(args.clone()));
        assert_eq!(args_of(exit(), &LineArgs::new(4096, false)), None);
        assert_eq!(args_of(exec(args.clone()), &LineArgs::new(4096, false)), Some(args.clone()));
    }
}
