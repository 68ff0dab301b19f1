// SPDX-License-Identifier: MIT OR Apache-2.0
//! The terminal while the view has it: raw, on its second screen, and given back whatever happens.

use std::io::{self, Write as _};
use std::panic;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use crate::model::failure::{Exit, Failure};
use crate::output::terminal;
use crate::runtime::suspend;

/// The second screen, without a cursor, and lines that don't wrap.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &[u8] = b"\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal is the view's while this lives.
#[derive(Debug)]
pub struct Screen {
    before: Termios,
}

impl Screen {
    /// Fails where there is no terminal to show anything on, or none that knows keys.
    ///
    /// # Errors
    /// A [`Failure`] that says so.
    pub fn check() -> Result<(), Failure> {
        let is_terminal = isatty(io::stdin()) && isatty(io::stdout());
        if is_terminal && terminal::wraps() {
            return Ok(());
        }
        let what = match is_terminal {
            true => "this terminal (TERM) can't show a full screen",
            false => "`tuxscope top` needs a terminal as standard input and output",
        };
        let remedy = "use `tuxscope proc --format summary --every 10s` for a log";
        Err(Failure::new(Exit::Usage, what, remedy))
    }

    /// Takes the terminal.
    ///
    /// # Errors
    /// It is gone.
    pub fn enter() -> Result<Self> {
        let before = take()?;
        let screen = Self { before: before.clone() };
        // Panics abort, and nothing is dropped then.
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave(&before);
            report(panic);
        }));
        Ok(screen)
    }

    /// Gives the terminal back, stops this process, and takes the terminal again, as it is then,
    /// when the process goes on.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn suspend(&mut self) -> Result<()> {
        leave(&self.before);
        suspend::stop();
        self.before = take()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave(&self.before);
    }
}

/// Returns how the terminal was before.
fn take() -> Result<Termios> {
    let before = tcgetattr(io::stdin())?;
    let mut raw = before.clone();
    raw.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
    let entered = io::stdout().write_all(ENTER).and_then(|()| io::stdout().flush());
    if let Err(error) = entered {
        leave(&before);
        return Err(error.into());
    }
    Ok(before)
}

/// A terminal that is gone is none to give back.
fn leave(before: &Termios) {
    let _ = io::stdout().write_all(LEAVE).and_then(|()| io::stdout().flush());
    let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
}

/// Its columns and lines. A serial console knows none and says 0: it is as large as a terminal
/// usually is.
pub fn size() -> (usize, usize) {
    let (columns, lines) =
        tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()));
    (if columns == 0 { 80 } else { columns }, if lines == 0 { 24 } else { lines })
}

/// The bytes of keys that were pressed since the last time; doesn't wait. None where the terminal
/// is gone.
pub fn pressed() -> Option<Vec<u8>> {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap_or(0) == 0 {
        return Some(Vec::new());
    }
    let mut bytes = vec![0; 256];
    let read = rustix::io::read(&stdin, &mut bytes).unwrap_or(0);
    bytes.truncate(read);
    (read > 0).then_some(bytes)
}
