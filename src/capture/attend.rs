// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture attends to besides its records, whatever it waits for: the command, the wish
//! for the end, the service manager.

use std::io;
use std::time::{Duration, Instant};

use crate::capture::launch::Launched;
use crate::capture::wait::{Waiter, Woken};
use crate::capture::writer::Writer;
use crate::output::Output;
use crate::runtime::service::Service;
use crate::runtime::stop::Stop;

/// How often the command, the service manager and the time are looked at while the output is
/// blocked.
const LOOK: Duration = Duration::from_millis(90);
/// How long a pipe may take nothing once the command has ended, whose status somebody waits for.
pub const READER: Duration = Duration::from_secs(10);

/// The others that a capture has to do with.
pub struct Attend<'a> {
    pub waiter: &'a Waiter,
    pub stop: &'a Stop,
    pub command: Option<&'a mut Launched>,
    pub command_ended: bool,
    pub service: Service,
    /// What the waiter knows of the output.
    room_awaited: bool,
}

impl<'a> Attend<'a> {
    /// That nobody reads `output` any more ends the capture; `None` where nothing is ever written.
    ///
    /// # Errors
    /// The output or the stop can't be waited for.
    pub fn new(
        waiter: &'a Waiter,
        stop: &'a Stop,
        command: Option<&'a mut Launched>,
        output: Option<&Output>,
    ) -> io::Result<Self> {
        waiter.add_stop(stop)?;
        if let Some(output) = output {
            waiter.watch_output(output)?;
        }
        let room_awaited = output.is_some_and(Output::is_blocked);
        let service = Service::ready();
        Ok(Self { waiter, stop, command, command_ended: false, service, room_awaited })
    }

    /// Waits at most this long, and attends to what ended the wait.
    ///
    /// # Errors
    /// Of the wait.
    pub fn wait(&mut self, timeout: Duration, writer: &mut Writer<'_>) -> io::Result<Woken> {
        if self.room_awaited != writer.is_blocked() {
            self.room_awaited = writer.is_blocked();
            self.waiter.watch_output(writer.output)?;
        }
        let woken = self.waiter.wait(timeout)?;
        match woken {
            Woken::Output => writer.output_woke(),
            Woken::CommandEnded => {
                self.command_ended = true;
                if let Some(Err(error)) = self.command.as_mut().map(|command| command.reap()) {
                    writer.end_failed(error);
                }
                self.stop.heed_interrupt();
            }
            Woken::Timer | Woken::Ring | Woken::Keys | Woken::Stop => {}
        }
        self.look();
        Ok(woken)
    }

    /// Passes on what others are to be told now.
    pub fn look(&mut self) {
        self.service.alive();
        if let Some(command) = &mut self.command {
            command.pass_on(self.stop);
        }
    }

    /// The output is another file now.
    ///
    /// # Errors
    /// It can't be waited for.
    pub fn watch_anew(&mut self, output: &Output) -> io::Result<()> {
        self.room_awaited = output.is_blocked();
        self.waiter.watch_output(output)
    }

    /// At the end: waits until the output has taken all that it was given, or gives it up where
    /// its reader is not to be waited for any longer.
    pub fn settle(&mut self, writer: &mut Writer<'_>) {
        let mut left = writer.left();
        let mut moved = Instant::now();
        while writer.is_blocked() {
            if self.patience(writer.output).is_some_and(|patience| moved.elapsed() >= patience) {
                writer.give_up();
                break;
            }
            if let Err(error) = self.wait(LOOK, writer) {
                writer.end_failed(error.into());
                break;
            }
            if writer.left() != left {
                left = writer.left();
                moved = Instant::now();
            }
        }
    }

    /// How long the output may take nothing; `None`: as long as its reader likes.
    fn patience(&self, output: &Output) -> Option<Duration> {
        if self.stop.insisted() {
            Some(Duration::ZERO)
        } else if self.stop.requested() {
            Some(Stop::PATIENCE)
        } else {
            // At a terminal a person has pressed Ctrl-S.
            (self.command_ended && !output.is_terminal()).then_some(READER)
        }
    }
}
