// SPDX-License-Identifier: MIT OR Apache-2.0
//! What ended a process that died of a signal, in words.

use std::fmt::Write as _;

use crate::model::event::{Ended, ExitStatus};
use crate::text;

/// Appends `killed by SIGKILL, which 4711 (systemd) sent`; nothing where no signal ended it.
pub fn by(pid: u32, ended: &Ended, out: &mut String) {
    if !matches!(ended.status, ExitStatus::Signal { .. }) {
        return;
    }
    // Writing to a String can't fail.
    let _ = write!(out, "killed by {}", ended.status);
    match ended {
        Ended { oom: Some(true), .. } => out.push_str(", which the OOM killer sent"),
        Ended { killed_by_pid: Some(by), .. } if *by == pid => {
            out.push_str(", which it sent itself");
        }
        Ended { killed_by_pid: Some(by), killed_by, .. } => {
            let _ = write!(out, ", which {by} (");
            text::escape(killed_by.as_deref().unwrap_or_default(), out);
            out.push_str(") sent");
        }
        Ended { signal_code: Some(code), .. } => {
            out.push_str(" (");
            text::escape(code, out);
            out.push(')');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ended: Ended) -> String {
        let mut out = String::new();
        by(7, &ended, &mut out);
        out
    }

    #[test]
    fn it_says_what_is_known() {
        let killed = |number, core_dumped| Ended {
            status: ExitStatus::Signal { number, core_dumped },
            ..Ended::default()
        };
        let sent = |pid, name: &[u8]| Ended {
            signal_code: Some(b"SI_USER".to_vec()),
            killed_by_pid: Some(pid),
            killed_by: Some(name.to_vec()),
            killed_by_uid: Some(0),
            ..killed(9, false)
        };
        assert_eq!(words(Ended::default()), "");
        assert_eq!(words(killed(9, false)), "killed by SIGKILL");
        assert_eq!(words(sent(4711, b"systemd")), "killed by SIGKILL, which 4711 (systemd) sent");
        assert_eq!(
            words(sent(4711, b"a\x1b[2J")),
            "killed by SIGKILL, which 4711 (a\\x1b[2J) sent"
        );
        assert_eq!(words(sent(7, b"sh")), "killed by SIGKILL, which it sent itself");
        let oom = Ended { oom: Some(true), ..sent(7, b"sh") };
        assert_eq!(words(oom), "killed by SIGKILL, which the OOM killer sent");
        let fault = Ended { signal_code: Some(b"SEGV_MAPERR".to_vec()), ..killed(11, true) };
        assert_eq!(words(fault), "killed by SIGSEGV (core dumped) (SEGV_MAPERR)");
    }
}
