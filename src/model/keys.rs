// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the wide mode tells of an event: the one place where a key is named.
//!
//! A line is a field of the model, the [`Form`](crate::json) that it has in JSON, and, as its doc
//! comment, what docs/json.md and the schema say of it. From this list come the model's types
//! (`model/event.rs`), the writer and the reader of lines (`json/event.rs`), the schema and the
//! tables of keys (`json/describe.rs`). Keys are written in the order that they have here, and new
//! ones come last: keys are only ever added.

/// Calls a macro with the list.
macro_rules! event_keys {
    ($with:ident) => {
        $with! {
            /// What the wide mode knows of every event.
            Wide {
                /// Wall clock, UTC, RFC 3339, nanoseconds; follows adjustments of the clock,
                /// `timestamp_ns` does not.
                time_ns: u64 as Time,
                /// The task: fork: the new one; exec, exit: the one that did it.
                tid: u32 as Id,
                /// Real user id, as the initial user namespace numbers it.
                uid: u32 as Number,
                /// When the process began, on the clock of `timestamp_ns`; with `pid` it identifies
                /// a process uniquely within a boot. Of `proc -- COMMAND`: when that was released
                /// (inside a PID namespace: forked).
                start_ns: u64 as Count,
                /// The cgroup in the v2 hierarchy (which hybrid systems have, too): its directory's
                /// inode number.
                cgroup_id: u64 as Count,
                /// The path of that cgroup, as `/proc/PID/cgroup` has it; `null` where it lies
                /// outside of the cgroup namespace that tuxscope runs in (unless the whole hierarchy is
                /// mounted there), or where it and the names taken from it would need more than 4 KiB
                /// (with `--buffer-size 4K`: than 1 KiB).
                place: Option<Arc<Place>> as Where,
                /// The process id in the PID namespace that it is in, as it is seen inside of a
                /// container; missing in the initial namespace.
                ns_pid: Option<u32> as Optional<Id>,
                /// That namespace: the inode number of `/proc/PID/ns/pid`; missing with `ns_pid`.
                pidns: Option<u32> as Optional<Number>,
                /// Who logged in at first, whatever sudo and su came since, as the initial user
                /// namespace numbers it (`/proc/PID/loginuid`); missing where nobody did, and on
                /// kernels without audit (`CONFIG_AUDIT`).
                login_uid: Option<u32> as Optional<Number>,
                /// The host's name (only with `--host-fields`, as that of the `meta` record).
                host: Option<Arc<str>> as Optional<Shared>,
                /// The kernel's id of this boot (likewise).
                boot_id: Option<Arc<str>> as Optional<Shared>,
            }
            /// A process began, or with `thread` one of its threads.
            Fork {
                /// Only a thread began (shown with `--threads`).
                thread: bool as Flag,
                /// The task that made it. With `CLONE_PARENT` it isn't one of the process `ppid`.
                parent_tid: u32 as Id,
                /// The process that made it, where that isn't `ppid`: with `CLONE_PARENT`.
                made_by: Option<u32> as Optional<Id>,
            }
            /// A process replaced its program.
            Exec {
                /// What was executed, as the caller gave it.
                filename: Vec<u8> as Text,
                /// The arguments, `argv[0]` included.
                args: Args as Arguments,
                /// `true` where more of `filename` would take more than 4 KiB in JSON, which it can only
                /// where characters have to be escaped; else missing.
                filename_truncated: Option<bool> as Optional<Flag>,
            }
            /// An exec failed (only with `--failed-execs`).
            ExecFailed {
                /// What was to be executed, as the caller gave it, or as the kernel calls it where
                /// that was relative to a descriptor (`/dev/fd/3`); of a search along PATH the last
                /// file that was tried. Missing where it could not be read,
                /// or is longer than a name may be.
                filename: Option<Vec<u8>> as Optional<Text>,
                /// The arguments that it was to have, `argv[0]` included: at most 128, and 4 KiB.
                args: Args as Arguments,
                /// Why it failed: the name of the error, such as `ENOENT`. Of a search along PATH
                /// what execvp(3) returns: `EACCES` wins over what says that nothing is there.
                errno: Errno as ErrorName,
                /// How many files were tried: 1, or the number of them in a search along PATH,
                /// which is one event (and none, if one of the directories has the file).
                tried: u32 as Number,
                /// `true` where more of `filename` would take more than 4 KiB in JSON, which it can only
                /// where characters have to be escaped; else missing.
                filename_truncated: Option<bool> as Optional<Flag>,
            }
            /// A process ended, or with `thread` one of its threads.
            Ended {
                /// Only a thread ended (shown with `--threads`; not one that the kernel made for
                /// itself, as `io_uring` does, whose start can't be seen).
                thread: bool as Flag,
                /// How it ended, as wait(2) tells its parent.
                status: ExitStatus as Status,
                /// `timestamp_ns` less `start_ns`; of a thread: since that began. It counts up to
                /// where the kernel reports the end: up to Linux 6.15 that is after the process has
                /// given back its memory, from 6.16 on before that.
                duration_ns: u64 as Count,
                /// The arguments of its last exec; missing if there was none since the fork,
                /// or with `--no-exit-args`. Of processes that ran before the capture: from /proc.
                args: Option<Args> as Optional<Arguments>,
                /// The parent at the time of the fork, where `ppid` is another by now (an
                /// orphan's). Missing also where the fork isn't known: it was lost, excluded by a
                /// filter, or came before the capture.
                born_to: Option<u32> as Optional<Id>,
                /// `true`, and no `args`, where the arguments of its last exec aren't known: that
                /// exec was lost, or came before the capture and /proc didn't tell; else missing.
                args_unknown: Option<bool> as Optional<Flag>,
                /// With `signal`: how that came about, `si_code` of sigaction(2): `SI_USER`,
                /// `SI_KERNEL`, `SEGV_MAPERR`, ..., or a number without a name. Missing where it
                /// isn't known.
                signal_code: Option<Vec<u8>> as Optional<Text>,
                /// With `signal`: the process that sent it, if one did; with `SI_TKILL` often the
                /// process itself, by abort(3).
                killed_by_pid: Option<u32> as Optional<Id>,
                /// The name of that process, when it sent the signal.
                killed_by: Option<Vec<u8>> as Optional<Text>,
                /// Its real user id.
                killed_by_uid: Option<u32> as Optional<Number>,
                /// `true` where the kernel's OOM killer chose the process; else missing.
                oom: Option<bool> as Optional<Flag>,
                /// CPU time that it used from its fork to its very end, user and system, all its
                /// threads together, without its children's, in nanoseconds. Of `proc -- COMMAND`:
                /// since that was let go. This and the following keys are missing where the kernel
                /// didn't tell within 100 ms (nobody has waited for the process), or where that
                /// was lost. A thread has this one and the next (a leader that ends before the
                /// other threads has none).
                cpu_ns: Option<u64> as Optional<Count>,
                /// How long it was ready to run and had no CPU, in nanoseconds. Missing for a
                /// process that ever had a second thread: the kernel doesn't sum it up.
                cpu_wait_ns: Option<u64> as Optional<Count>,
                /// The highest resident set of its last program. Before Linux 6.16 it is missing
                /// where what the process ran before that came to more, or isn't known.
                max_rss_bytes: Option<u64> as Optional<Count>,
                /// Page faults that took no I/O.
                minor_faults: Option<u64> as Optional<Count>,
                /// Page faults that took I/O.
                major_faults: Option<u64> as Optional<Count>,
                /// How often it gave up its CPU because it had to wait.
                voluntary_switches: Option<u64> as Optional<Count>,
                /// How often its CPU was given to another task.
                involuntary_switches: Option<u64> as Optional<Count>,
                /// Bytes that were read from block devices for it: not what was in memory already.
                read_bytes: Option<u64> as Optional<Count>,
                /// Bytes that it wrote and that are to go to a block device.
                write_bytes: Option<u64> as Optional<Count>,
            }
        }
    };
}

pub(crate) use event_keys;
