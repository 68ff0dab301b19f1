// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records as the BPF side makes them, and as nobody should.

use super::fixtures::{Aligned, ROOM, aligned};
use super::*;
use wide::types::wide_killer;

fn comm() -> [u8; 16] {
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"bash");
    comm
}

fn basic() -> ProcEvent {
    ProcEvent {
        pid: 4521,
        ppid: 3890,
        event_type: 0,
        timestamp_ns: 128_934_567_890,
        comm: comm(),
        ..ProcEvent::default()
    }
}

fn wide(kind: proc_event_type, flags: u32) -> wide_event {
    wide_event {
        header: wide_header { kind, flags: wide_flags(flags) },
        timestamp_ns: 128_934_567_890,
        start_ns: 128_900_000_000,
        exec_id: 3,
        cgroup_id: 77,
        pid: 4521,
        ppid: 3890,
        tid: 4522,
        uid: 1000,
        comm: comm(),
        ns_pid: 12,
        pidns: 4_026_532_000,
        login_uid: NO_LOGIN,
        _padding: 0,
    }
}

/// Bytes of the records.
const FORK: usize = size_of::<wide_fork>();
const EXEC: usize = size_of::<wide_exec>();
const EXIT: usize = size_of::<wide_exit>();

const HIDDEN: u32 = wide_flags::WIDE_HIDDEN.0;
const THREAD: u32 = wide_flags::WIDE_THREAD.0;
const NO_EXEC: u32 = wide_flags::WIDE_NO_EXEC.0;
const CUT: u32 = wide_flags::WIDE_ARGS_CUT.0;

fn exec_record(flags: u32, filename_len: u32, args_len: u32, tail: &[u8]) -> Aligned {
    let event = wide(proc_event_type::PROC_EXEC, flags);
    let (max_rss, caller_tid, _padding) = (3, 4522, 0);
    let exec = wide_exec { event, max_rss, filename_len, args_len, caller_tid, _padding };
    aligned(&exec, tail)
}

fn detail(record: &[u8]) -> Detail {
    let decoded = decode_wide(record).expect("a good record").event().expect("an event");
    decoded.event.wide.expect("of the wide mode").detail
}

#[test]
fn decodes_each_field_from_its_place() {
    let want = Event {
        kind: EventKind::Fork,
        pid: 4521,
        ppid: 3890,
        comm: Comm::new(b"bash"),
        timestamp_ns: 128_934_567_890,
        wide: None,
    };
    let record = aligned(&basic(), b"");
    let none = Image::default();
    let basic = RingRecord {
        event: want.clone(),
        hidden: false,
        image: none,
        caller_tid: None,
        start_boot_ns: 0,
        max_rss_before: 0,
    };
    assert_eq!(decode_basic(&record.0[..40]), Ok(Decoded::Event(basic)));

    let more = Wide {
        time_ns: 0,
        tid: 4522,
        uid: 1000,
        start_ns: 128_900_000_000,
        cgroup_id: 77,
        place: None,
        ns_pid: Some(12),
        pidns: Some(4_026_532_000),
        login_uid: None,
        host: None,
        boot_id: None,
        detail: Detail::Fork { thread: true, parent_tid: 9, made_by: None },
    };
    let event = Event { wide: Some(Box::new(more)), ..want };
    let image = Image { exec_id: 3, inherited: true };
    let fork = |flags| {
        let event = wide(proc_event_type::PROC_FORK, flags);
        aligned(&wide_fork { event, parent_tid: 9, maker: 4521 }, b"")
    };
    for (more, hidden) in [(0, false), (HIDDEN, true)] {
        let event = event.clone();
        let want = RingRecord {
            event,
            hidden,
            image,
            caller_tid: None,
            start_boot_ns: 0,
            max_rss_before: 0,
        };
        let decoded = decode_wide(&fork(THREAD | NO_EXEC | more).0[..FORK]);
        assert_eq!(decoded, Ok(Decoded::Event(want)));
    }
    assert_eq!(decode_wide(&fork(0).0[..FORK - 1]), Err(WireError::Shape { len: FORK - 1 }));
}

/// Under `CLONE_PARENT` the parent is not the one who made it.
#[test]
fn a_fork_tells_its_maker_where_that_is_not_the_parent() {
    let made_by = |flags, maker| {
        let event = wide(proc_event_type::PROC_FORK, flags);
        match detail(&aligned(&wide_fork { event, parent_tid: 9, maker }, b"").0[..FORK]) {
            Detail::Fork { made_by, .. } => made_by,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(made_by(0, 3890), None);
    assert_eq!(made_by(0, 7), Some(7));
    assert_eq!(made_by(THREAD, 4521), None, "a process makes its own threads");
}

#[test]
fn an_exec_brings_its_name_and_arguments_and_may_have_slack() {
    let record = exec_record(0, 8, 6, b"/bin/ls\0ls\0-l\0slack");
    let want = Detail::Exec {
        filename: b"/bin/ls".to_vec(),
        args: Args::new(b"ls\0-l\0", false),
        filename_truncated: None,
    };
    assert_eq!(detail(&record.0[..EXEC + 24]), want);
    let decoded = decode_wide(&record.0[..EXEC + 24]).expect("a good record").event();
    let decoded = decoded.expect("an event");
    assert_eq!((decoded.max_rss_before, decoded.caller_tid), (bytes(3), Some(4522)));
    let record = exec_record(CUT, 2, 2, b"x\0ls");
    let want = Detail::Exec {
        filename: b"x".to_vec(),
        args: Args::new(b"ls", true),
        filename_truncated: None,
    };
    assert_eq!(detail(&record.0[..EXEC + 8]), want);
}

#[test]
fn a_failed_exec_brings_what_was_tried_and_why_it_failed() {
    let failed = |flags, dirfd, (filename_len, args_len), tail: &[u8]| {
        let event = wide(proc_event_type::PROC_EXEC_FAILED, flags);
        let error = libc::ENOENT as u32;
        aligned(&wide_exec_failed { event, dirfd, error, filename_len, args_len }, tail)
    };
    let want = |filename: Option<&[u8]>, args| Detail::ExecFailed {
        filename: filename.map(<[u8]>::to_vec),
        args,
        errno: Errno(libc::ENOENT as u16),
        tried: 1,
        filename_truncated: None,
    };
    let record = failed(0, -100, (3, 6), b"no\0no\0-l\0slack");
    let args = Args::new(b"no\0-l\0", false);
    assert_eq!(detail(&record.0), want(Some(b"no"), args));
    // Relative to a descriptor, or that itself, or not relative at all.
    for (name, whole) in [("no\0", "/dev/fd/3/no"), ("\0", "/dev/fd/3"), ("/no\0", "/no")] {
        let record = failed(CUT, 3, (name.len() as u32, 0), name.as_bytes());
        assert_eq!(detail(&record.0), want(Some(whole.as_bytes()), Args::new(b"", true)));
    }
    let record = failed(wide_flags::WIDE_ARGS_UNREAD.0, 3, (0, 0), b"");
    assert_eq!(detail(&record.0), want(None, Args::new(b"", true)), "nothing could be read");
    let room = (ROOM - size_of::<wide_exec_failed>()) as u32;
    for lengths in [(room + 1, 0), (0, room + 1), (room, 1), (u32::MAX, u32::MAX)] {
        let record = failed(0, 0, lengths, b"");
        assert_eq!(decode_wide(&record.0), Err(WireError::Shape { len: ROOM }), "{lengths:?}");
    }
}

#[test]
fn an_exit_brings_its_status_and_age() {
    let record = |flags| {
        let record = wide_exit {
            event: wide(proc_event_type::PROC_EXIT, flags),
            began_ns: 128_900_000_001,
            start_boot_ns: 228_900_000_000,
            max_rss: 5,
            status: 42 << 8,
            _padding: 0,
        };
        aligned(&record, b"")
    };
    let want = |thread, max_rss_bytes| {
        Detail::exit(Ended {
            thread,
            status: ExitStatus::Code(42),
            duration_ns: 34_567_889,
            max_rss_bytes,
            ..Ended::default()
        })
    };
    assert_eq!(detail(&record(0).0[..EXIT]), want(false, None));
    let known = record(wide_flags::WIDE_RSS_KNOWN.0);
    assert_eq!(detail(&known.0[..EXIT]), want(false, Some(bytes(5))));
    assert_eq!(detail(&record(THREAD).0[..EXIT]), want(true, None));
    let decoded = decode_wide(&known.0[..EXIT]).expect("a good record").event().expect("an event");
    assert_eq!(decoded.start_boot_ns, 228_900_000_000);
    assert_eq!(decode_wide(&record(0).0[..EXIT - 1]), Err(WireError::Shape { len: EXIT - 1 }));
}

#[test]
fn a_death_brings_what_is_known_of_the_signal() {
    let killed = |flags: killer_flags, code| {
        let event = wide(proc_event_type::WIDE_KILLED, 0);
        let exit = wide_exit {
            event,
            began_ns: 128_900_000_001,
            start_boot_ns: 0,
            max_rss: 0,
            status: 9,
            _padding: 0,
        };
        let killer = wide_killer { flags, code, pid: 4711, uid: 1000, comm: comm() };
        let record = aligned(&wide_killed { exit, killer }, b"");
        match detail(&record.0[..size_of::<wide_killed>()]) {
            Detail::Exit(ended) => *ended,
            other => panic!("{other:?}"),
        }
    };
    let known = Ended {
        status: ExitStatus::from_wait(9),
        duration_ns: 34_567_889,
        signal_code: Some(b"SI_KERNEL".to_vec()),
        ..Ended::default()
    };
    assert_eq!(killed(killer_flags::KILLER_KNOWN, 0x80), known);
    let both = |flag: killer_flags| killer_flags(killer_flags::KILLER_KNOWN.0 | flag.0);
    let oom = Ended { oom: Some(true), ..known.clone() };
    assert_eq!(killed(both(killer_flags::KILLER_OOM), 0x80), oom);
    let named = Ended {
        signal_code: Some(b"SI_USER".to_vec()),
        killed_by_pid: Some(4711),
        killed_by: Some(b"bash".to_vec()),
        killed_by_uid: Some(1000),
        ..known
    };
    assert_eq!(killed(both(killer_flags::KILLER_NAMED), 0), named);
}

#[test]
fn an_exit_names_the_task_whose_cost_is_to_come() {
    let waits = |flags, tid| {
        let event = wide_event { tid, ..wide(proc_event_type::PROC_EXIT, flags) };
        let began_ns = 5;
        let record = aligned(&wide_exit { event, began_ns, ..Default::default() }, b"");
        glance(&record.0[..EXIT]).expect("a good record").what
    };
    let of = |tid, room| What::Exit { task: Task { tid, start_ns: 5 }, room };
    assert_eq!(waits(0, 4522), of(4521, size_of::<wide_cost>()));
    assert_eq!(waits(THREAD, 4522), of(4522, size_of::<wide_task_cost>()));
    assert_eq!(waits(THREAD, 4521), What::Other, "a leader stays until its threads have ended");
    assert_eq!(waits(HIDDEN, 4521), What::Other, "nobody asked for it");
}

/// What a glance takes for a record is one, and as long as that.
#[test]
fn a_glance_sees_as_much_as_the_decoder() {
    let exec = exec_record(0, 8, 4, b"/bin/ls\0ls\0\0slack");
    let seen = glance(&exec.0).expect("a good record");
    assert_eq!(seen, Glance { timestamp_ns: 128_934_567_890, len: EXEC + 12, what: What::Other });
    assert_eq!(decode_wide(&exec.0[..seen.len]), decode_wide(&exec.0));
    for (name, args) in [(ROOM as u32, 0), (0, ROOM as u32), (u32::MAX, u32::MAX)] {
        let record = exec_record(0, name, args, b"");
        assert_eq!(glance(&record.0), Err(WireError::Shape { len: ROOM }));
    }
    for number in 0..16 {
        let record = aligned(&wide(proc_event_type(number), 0), b"");
        for len in (0..ROOM).step_by(8) {
            let (seen, decoded) = (glance(&record.0[..len]), decode_wide(&record.0[..len]));
            assert!(seen.is_ok() || decoded.is_err(), "{number}, {len}: {seen:?}");
        }
    }
}

#[test]
fn a_cost_tells_what_the_kernel_counts_and_no_more() {
    let cost = |flags| {
        let header = wide_header { kind: proc_event_type::PROC_COST, flags: wide_flags(flags) };
        let (start_ns, cpu_ns, cpu_wait_ns, tid) = (5, 1, 2, 4521);
        let task =
            wide_task_cost { header, start_ns, cpu_ns, cpu_wait_ns, tid, ..Default::default() };
        let record = wide_cost {
            task,
            max_rss: 3,
            minor_faults: 4,
            major_faults: 5,
            voluntary_switches: 6,
            involuntary_switches: 7,
            read_blocks: 8,
            written_blocks: 9,
        };
        match decode_wide(&aligned(&record, b"").0[..size_of::<wide_cost>()]) {
            Ok(Decoded::Cost { task: Task { tid: 4521, start_ns: 5 }, cost }) => cost,
            other => panic!("{other:?}"),
        }
    };
    let process = ProcessCost {
        max_rss_bytes: bytes(3),
        minor_faults: 4,
        major_faults: 5,
        voluntary_switches: 6,
        involuntary_switches: 7,
        blocks: None,
    };
    let want = Cost { cpu_ns: 1, cpu_wait_ns: None, process: Some(process) };
    assert_eq!(cost(0), want);
    let (wait, blocks) = (wide_flags::WIDE_WAIT_KNOWN.0, wide_flags::WIDE_BLOCKS_KNOWN.0);
    let process = ProcessCost { blocks: Some((8 * 512, 9 * 512)), ..process };
    let want = Cost { cpu_ns: 1, cpu_wait_ns: Some(2), process: Some(process) };
    assert_eq!(cost(wait | blocks), want);
}

#[test]
fn a_threads_cost_is_its_cpu_time_and_its_wait() {
    let cost = |flags| {
        let kind = proc_event_type::WIDE_THREAD_COST;
        let header = wide_header { kind, flags: wide_flags(flags) };
        let (start_ns, cpu_ns, cpu_wait_ns, tid) = (5, 1, 2, 4522);
        let record =
            wide_task_cost { header, start_ns, cpu_ns, cpu_wait_ns, tid, ..Default::default() };
        match decode_wide(&aligned(&record, b"").0[..size_of::<wide_task_cost>()]) {
            Ok(Decoded::Cost { task: Task { tid: 4522, start_ns: 5 }, cost }) => cost,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cost(0), Cost { cpu_ns: 1, ..Cost::default() });
    let known = Cost { cpu_ns: 1, cpu_wait_ns: Some(2), process: None };
    assert_eq!(cost(wide_flags::WIDE_WAIT_KNOWN.0), known);
}

/// The kind alone says what a record is: no length makes another one of it.
#[test]
fn refuses_every_length_that_the_kind_does_not_have() {
    let basic = aligned(&basic(), b"");
    for len in (0..40).chain(41..ROOM) {
        assert_eq!(decode_basic(&basic.0[..len]), Err(WireError::Shape { len }));
    }
    for number in 0..5 {
        let record = aligned(&wide(proc_event_type(number), 0), b"");
        for len in 0..FORK {
            assert_eq!(decode_wide(&record.0[..len]), Err(WireError::Shape { len }));
        }
    }
}

#[test]
fn never_trusts_a_length_inside_a_record() {
    let room = (ROOM - EXEC) as u32;
    let more = room + 1;
    for (name, args) in [(more, 0), (0, more), (room, 1), (u32::MAX, u32::MAX), (1, u32::MAX)] {
        let record = exec_record(0, name, args, b"");
        assert_eq!(decode_wide(&record.0), Err(WireError::Shape { len: ROOM }), "{name} {args}");
    }
    assert!(decode_wide(&exec_record(0, room, 0, b"").0).is_ok());
}

#[test]
fn refuses_a_record_that_is_not_aligned() {
    let record = aligned(&basic(), b"");
    assert_eq!(decode_basic(&record.0[1..41]), Err(WireError::Shape { len: 40 }));
    let record = exec_record(0, 0, 0, b"");
    assert_eq!(decode_wide(&record.0[1..105]), Err(WireError::Shape { len: 104 }));
}

#[test]
fn refuses_every_unknown_kind() {
    for kind in 3..=255 {
        let record = aligned(&ProcEvent { event_type: kind, ..basic() }, b"");
        let number = kind.into();
        assert_eq!(decode_basic(&record.0[..40]), Err(WireError::Kind(number)));
        let wide_only = [
            proc_event_type::PROC_COST,
            proc_event_type::PROC_EXEC_FAILED,
            proc_event_type::WIDE_CGROUP,
            proc_event_type::WIDE_KILLED,
            proc_event_type::WIDE_THREAD_COST,
        ];
        if !wide_only.contains(&proc_event_type(number)) {
            let record = aligned(&wide(proc_event_type(number), 0), b"");
            assert_eq!(decode_wide(&record.0[..FORK]), Err(WireError::Kind(number)));
        }
    }
    let record = aligned(&wide(proc_event_type(u32::MAX), 0), b"");
    assert_eq!(decode_wide(&record.0), Err(WireError::Kind(u32::MAX)));
}

#[test]
fn a_cgroups_names_come_from_the_leaf_up() {
    let cgroup = |names: &[u8], whole, names_len| {
        let header = wide_header { kind: proc_event_type::WIDE_CGROUP, ..Default::default() };
        let record = aligned(&wide_cgroup { header, id: 77, names_len, whole }, names);
        decode_wide(&record.0[..size_of::<wide_cgroup>() + 32])
    };
    let path = |path: &str| Ok(Decoded::Cgroup { id: 77, path: Some(path.to_owned()) });
    assert_eq!(cgroup(b"cron.service\0system.slice\0", 1, 26), path("/system.slice/cron.service"));
    assert_eq!(cgroup(b"a\0slack", 1, 2), path("/a"));
    assert_eq!(cgroup(b"", 1, 0), path("/"), "the root has no name");
    assert_eq!(cgroup(b"a\0", 0, 2), Ok(Decoded::Cgroup { id: 77, path: None }));
    assert!(matches!(cgroup(b"", 1, 33), Err(WireError::Shape { .. })), "more than there is");
}

#[test]
fn takes_any_comm() {
    let record = aligned(&ProcEvent { comm: [0xff; 16], ..basic() }, b"");
    let decoded = decode_basic(&record.0[..40]).expect("any comm is good");
    assert_eq!(decoded.event().expect("an event").event.comm.as_bytes(), [0xff; 16]);
}

/// What the fuzzer starts from is what the BPF programs sent once.
#[test]
fn every_seed_of_the_fuzzer_is_a_record() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/wire");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(seeds).expect("seeds").map(|entry| entry.expect("a seed")) {
        let bytes = std::fs::read(entry.path()).expect("a seed");
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        // SAFETY: u64 has no padding and is aligned to 8.
        let record = unsafe { plain::as_mut_bytes(words.as_mut_slice()) };
        record[..bytes.len()].copy_from_slice(&bytes);
        let record = &record[..bytes.len()];
        let name = entry.file_name().into_string().expect("a name");
        let decoded = match name.starts_with("basic-") {
            true => decode_basic(record),
            false => decode_wide(record),
        };
        let decoded = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = match &decoded {
            Decoded::Event(record) => record.event.kind.name(),
            Decoded::Cost { .. } => "cost",
            Decoded::Cgroup { .. } => "cgroup",
        };
        assert!(name.ends_with(kind), "{name}: {decoded:?}");
        names.push(name);
    }
    names.sort_unstable();
    let want = [
        "basic-exec",
        "basic-exit",
        "basic-fork",
        "wide-cost",
        "wide-exec",
        "wide-exec_failed",
        "wide-exit",
        "wide-fork",
    ];
    assert_eq!(names, want);
}
