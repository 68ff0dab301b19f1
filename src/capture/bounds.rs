// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of names and arguments goes into a line. Any user chooses them, and with them how fast a
//! service's files fill up: JSON writes a control character as six bytes.
//!
//! So a line takes at most twice `--max-args` and 9 KiB.

use crate::json;
use crate::model::event::{Args, Detail, Event};
use crate::model::place::Place;

/// Too little to be worth a bound.
const LEAST: usize = 1 << 10;
/// Of a file's name, without its quotes. Without escapes any fits: `PATH_MAX` of
/// include/uapi/linux/limits.h.
const NAME: usize = 4 << 10;
/// Of a cgroup's path and what that names: the lines of all events in it have them.
const PLACE: usize = 4 << 10;
/// The most that a byte can take: most need no second look.
const MOST: usize = 6;

/// Bounds the names and arguments of lines, beyond what the kernel's side was told to copy.
#[derive(Debug)]
pub struct Bounds {
    /// Bytes that arguments take at most in JSON: twice what is copied. Ordinary command lines
    /// never get there: each argument adds three bytes, to one that it has at its end already.
    args: usize,
    /// Exits tell them, too.
    of_exits: bool,
}

impl Bounds {
    /// `max_args`: bytes of arguments that are copied.
    pub fn new(max_args: u32, of_exits: bool) -> Self {
        Self { args: (2 * max_args as usize).max(LEAST), of_exits }
    }

    /// Cuts the file's name and the arguments of an event, or leaves these out.
    pub fn fit(&self, event: &mut Event) {
        match event.wide.as_deref_mut().map(|wide| &mut wide.detail) {
            Some(Detail::Exec { filename, args, filename_truncated }) => {
                self.cut(args);
                cut_name(filename, filename_truncated);
            }
            Some(Detail::ExecFailed { filename, args, filename_truncated, .. }) => {
                self.cut(args);
                if let Some(filename) = filename {
                    cut_name(filename, filename_truncated);
                }
            }
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
        if args.len() * MOST + 2 > self.args {
            let fits = json::args_that_fit(args, self.args);
            if fits < args.len() {
                *args = args.cut(fits);
            }
        }
    }
}

fn cut_name(name: &mut Vec<u8>, truncated: &mut Option<bool>) {
    let fits = match name.len() * MOST <= NAME {
        true => name.len(),
        false => json::string_that_fits(name, NAME + "\"\"".len()),
    };
    if fits < name.len() {
        name.truncate(fits);
        *truncated = Some(true);
    }
}

/// Whether lines may tell this place.
pub fn is_short(place: &Place) -> bool {
    json::place_len(place) <= PLACE
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::cgroup;
    use crate::model::event::{Comm, Ended, EventKind, Wide};
    use crate::view::{Json, Sink as _};

    fn event(detail: Detail) -> Event {
        let wide = Wide {
            time_ns: 0,
            tid: 7,
            uid: 0,
            start_ns: 1,
            cgroup_id: 1,
            place: None,
            ns_pid: None,
            pidns: None,
            login_uid: None,
            host: None,
            boot_id: None,
            detail,
        };
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
        event(Detail::Exec { filename: b"/bin/sh".to_vec(), args, filename_truncated: None })
    }

    fn args_of(mut event: Event, lines: &Bounds) -> Option<Args> {
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
        let lines = Bounds::new(4096, true);
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
        let lines = Bounds::new(4096, true);
        for arg in ["x\0", "-o\0", "\"quoted\"\0", "/usr/lib/日本語\0"] {
            let args = Args::new(&arg.as_bytes().repeat(4095 / arg.len()), false);
            assert_eq!(args_of(exec(args.clone()), &lines), Some(args), "{arg}");
        }
    }

    #[test]
    fn exits_tell_arguments_unless_they_are_left_out() {
        let args = Args::new(b"ls\0", false);
        let exit = || event(Detail::exit(Ended { args: Some(args.clone()), ..Ended::default() }));
        assert_eq!(args_of(exit(), &Bounds::new(4096, true)), Some(args.clone()));
        assert_eq!(args_of(exit(), &Bounds::new(4096, false)), None);
        assert_eq!(args_of(exec(args.clone()), &Bounds::new(4096, false)), Some(args.clone()));
    }

    /// The largest line that can be: what docs/fleet.md says.
    #[test]
    fn no_line_takes_more_than_what_is_documented() {
        let hostile: [&[u8]; 6] =
            [b"\x01", b"\xff", b"\"", "\u{202e}".as_bytes(), "\u{e0041}".as_bytes(), b"x"];
        for bytes in hostile {
            let many = |len: usize| bytes.repeat(len / bytes.len());
            // As long as is told, of components that systemd might have named.
            let path = |n: usize| {
                let name = String::from_utf8_lossy(&many(240)).into_owned();
                format!("/{name}.service").repeat(n)
            };
            let places = (1..20).rev().map(|n| cgroup::place(&path(n)));
            let place = places.into_iter().find(is_short).expect("a short one");
            let args = Args::new(&many(4095), true);
            let filename = many(4095);
            let exec = Detail::Exec { filename: filename.clone(), args, filename_truncated: None };
            let mut event = event(exec);
            event.comm = Comm::new(&[1; 15]);
            (event.pid, event.ppid, event.timestamp_ns) = (u32::MAX, u32::MAX, u64::MAX);
            let wide = event.wide.as_deref_mut().expect("wide");
            (wide.tid, wide.uid, wide.start_ns) = (u32::MAX, u32::MAX, u64::MAX);
            (wide.time_ns, wide.cgroup_id) = (u64::MAX, u64::MAX);
            wide.place = Some(Arc::new(place));
            (wide.ns_pid, wide.pidns) = (Some(u32::MAX), Some(u32::MAX));
            wide.login_uid = Some(u32::MAX - 1);
            // As long as the kernel allows, and a UUID.
            wide.host = Some(String::from_utf8_lossy(&many(64)).into());
            wide.boot_id = Some("0123456789abcdef0123456789abcdef0123".into());
            Bounds::new(4096, true).fit(&mut event);
            let mut line = Vec::new();
            Json::new(true).event(&event, &mut line);
            let takes = line.len();
            assert!(takes <= (2 * 4 + 9) << 10, "{bytes:?}: {takes}");
            let line = String::from_utf8(line).expect("JSON is UTF-8");
            let Some(Detail::Exec { filename: told, filename_truncated, .. }) = event.detail()
            else {
                unreachable!("it is an exec")
            };
            assert_eq!(*filename_truncated, (*told != filename).then_some(true), "{bytes:?}");
            assert_eq!(line.contains("\"filename_truncated\":true"), *told != filename);
            assert_eq!(*told == filename, bytes == b"x", "{bytes:?}");
        }
    }
}
