// SPDX-License-Identifier: MIT OR Apache-2.0
//! What signals ask for: the end, or the output's file anew.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// What SIGHUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The end, as SIGINT and SIGTERM do.
    End,
    /// To open the output's file anew.
    Reopen,
}

/// Set by [`on_hangup`]: a signal handler has no other way to say anything.
static REOPEN: AtomicBool = AtomicBool::new(false);

extern "C" fn on_hangup(_signal: libc::c_int) {
    REOPEN.store(true, Ordering::Relaxed);
}

/// The end was asked for. [`on_stop`] sets it, since the thread to which ctrlc's handler passes a
/// signal on may run later than what the signal came before.
static CAUGHT: AtomicBool = AtomicBool::new(false);
/// ctrlc's handler.
static CTRLC: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

extern "C" fn on_stop(signal: libc::c_int) {
    CAUGHT.store(true, Ordering::Relaxed);
    // SAFETY: `note_when_caught` stores what sigaction(2) gave as the handler that is installed, a
    // function of this type, before it installs this one.
    let tell: extern "C" fn(libc::c_int) =
        unsafe { std::mem::transmute(CTRLC.load(Ordering::Relaxed)) };
    tell(signal);
}

/// Puts [`on_stop`] before ctrlc's handler of this signal.
fn note_when_caught(signal: libc::c_int) {
    let mut action = installed(signal);
    CTRLC.store(action.sa_sigaction, Ordering::Relaxed);
    action.sa_sigaction = on_stop as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler stores to an atomic and calls the one that was there; all else stays.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// The wishes that have come by signals: SIGINT, SIGTERM and SIGHUP ask for the end.
///
/// [`Self::requested`] is what a loop looks at between its steps. What may wait in between, for
/// something to read or for room to write, waits for [`Self::fd`] as well (with `poll(2)` or
/// `epoll(7)`), and looks again at what it waits for only if this didn't end the wait. So nothing
/// depends on a system call that a signal interrupts: the signal may come to another thread, or
/// a moment before the call.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<Asked>,
    /// What to do on SIGINT, while that is ignored.
    on_interrupt: Option<libc::sighandler_t>,
}

#[derive(Debug)]
struct Asked {
    insisted: AtomicBool,
    /// An eventfd(2), never read: once it is readable, it stays so.
    event: OwnedFd,
}

/// Nearer signals are repetitions (a closing terminal sends SIGHUP twice) and must not cost the
/// drain.
const REPEAT: Duration = Duration::from_secs(1);

impl Stop {
    /// Installs the handler for the three signals.
    ///
    /// A signal that comes a second or more after the first ends the program at once: the way
    /// out of a system call that blocks for ever, as a write to a dead network's file may.
    ///
    /// A SIGHUP that was ignored from the start, as nohup(1) has it, stays so, unless it is to
    /// reopen the output. A SIGINT does not: shells ignore it for what a script runs in the
    /// background, which is where a capture is ended with `kill -INT`.
    ///
    /// # Errors
    /// The handler was installed before, or the system has no thread or descriptor left for it.
    pub fn on_signals(hangup: Hangup) -> Result<Self> {
        Self::install(hangup, || std::process::exit(130))
    }

    /// The same where a command runs that a terminal's Ctrl-C and Ctrl-\ reach, too: they are
    /// the command's to answer, and ignored here. A signal that comes a second or more after the
    /// first ends nothing at once, for the command would run on: see [`Self::insisted`].
    ///
    /// # Errors
    /// As for [`Self::on_signals`].
    pub fn on_termination(hangup: Hangup) -> Result<Self> {
        let stop = Self::install(hangup, || ())?;
        // SAFETY: no handler is installed, the signal is ignored.
        let [handler, _] = [libc::SIGINT, libc::SIGQUIT]
            .map(|signal| unsafe { libc::signal(signal, libc::SIG_IGN) });
        Ok(Self { on_interrupt: Some(handler), ..stop })
    }

    /// One that no signal requests.
    pub(crate) fn new() -> Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let event = event.context("can't install the signal handler")?;
        let asked = Asked { insisted: false.into(), event };
        Ok(Self { asked: Arc::new(asked), on_interrupt: None })
    }

    fn install(hangup: Hangup, insisted: impl Fn() + Send + 'static) -> Result<Self> {
        let stop = Self::new()?;
        let hangup_ignored = is_ignored(libc::SIGHUP);
        let asked = stop.clone();
        let mut first: Option<Instant> = None;
        ctrlc::set_handler(move || {
            if first.get_or_insert_with(Instant::now).elapsed() >= REPEAT {
                asked.asked.insisted.store(true, Ordering::Relaxed);
                insisted();
            }
            asked.request();
        })
        .context("can't install the signal handler")?;
        [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().for_each(note_when_caught);
        // A write over the limit of file sizes fails then, as any write may.
        for signal in hangup_ignored.then_some(libc::SIGHUP).into_iter().chain([libc::SIGXFSZ]) {
            // SAFETY: no handler is installed, the signal is ignored.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        if hangup == Hangup::Reopen {
            let handler = on_hangup as extern "C" fn(libc::c_int);
            // SAFETY: the handler stores to an atomic, which is safe in a signal's context.
            unsafe { libc::signal(libc::SIGHUP, handler as libc::sighandler_t) };
        }
        Ok(stop)
    }

    /// Lets the first SIGINT do nothing, and the next one end the program at once: for a program
    /// that reads what another one writes, which gets a terminal's Ctrl-C, too, and has an end to
    /// tell.
    pub fn spare_first_interrupt(&self) {
        extern "C" fn nothing(_signal: libc::c_int) {}
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: zeros are a value of sigaction, an empty mask among it; the handler does nothing.
        unsafe {
            let action = action.assume_init_mut();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
            libc::sigaction(libc::SIGINT, action, ptr::null_mut());
        }
    }

    /// Lets SIGQUIT ask for the end, too, where something has to be put right first: it would end
    /// the program as it stands.
    pub fn heed_quit(&self) {
        let action = installed(libc::SIGTERM);
        // SAFETY: the handler that `on_signals` has installed for SIGTERM.
        unsafe { libc::sigaction(libc::SIGQUIT, &raw const action, ptr::null_mut()) };
    }

    /// Once the command has ended, Ctrl-C is meant for us again.
    pub fn heed_interrupt(&self) {
        if let Some(handler) = self.on_interrupt {
            // SAFETY: the handler that `on_signals` had installed.
            unsafe { libc::signal(libc::SIGINT, handler) };
        }
    }

    /// Asks for the end.
    fn request(&self) {
        CAUGHT.store(true, Ordering::Relaxed);
        // It fails when 2^64 - 2 signals have come: it is readable then.
        let _ = rustix::io::write(&self.asked.event, &1_u64.to_ne_bytes());
    }

    /// Whether the end was asked for: by any signal that was delivered before.
    pub fn requested(&self) -> bool {
        CAUGHT.load(Ordering::Relaxed)
    }

    /// Whether it was asked for again, a second or more after the first time.
    pub fn insisted(&self) -> bool {
        self.asked.insisted.load(Ordering::Relaxed)
    }

    /// Becomes readable when the end is asked for, and stays so. Not to be read: others wait for
    /// it, too.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.asked.event.as_fd()
    }

    /// How long the output may take nothing, once the end is asked for: until then its reader may
    /// only be slow.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// Waits until `output` has room, or for `limit`; once the end is asked for, for
    /// [`Self::PATIENCE`] at most. Returns false where there is none then.
    pub fn await_room(&self, output: BorrowedFd<'_>, limit: Option<Duration>) -> bool {
        let room = PollFd::from_borrowed_fd(output, PollFlags::OUT);
        let asked = PollFd::from_borrowed_fd(self.fd(), PollFlags::IN);
        let ready = if self.requested() {
            poll(&mut [room], Timespec::try_from(Self::PATIENCE).ok().as_ref())
        } else {
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            poll(&mut [room, asked], limit.as_ref())
        };
        // What fails, or is interrupted, the next write tells.
        ready != Ok(0)
    }

    /// Whether the output's file was to be opened anew since this was last asked.
    pub fn reopen_requested(&self) -> bool {
        REOPEN.swap(false, Ordering::Relaxed)
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    installed(signal).sa_sigaction == libc::SIG_IGN
}

/// What is done on a signal.
fn installed(signal: libc::c_int) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action, the current one is written to `action`, of which zeros are a
    // value, too.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}
