// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of every shape.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

use tuxscope::host::cgroup;
use tuxscope::model::errno::Errno;
use tuxscope::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Wide};
use tuxscope::model::place::Place;

/// Names and arguments: mostly bytes that mean something to somebody.
pub fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => b'a'..=b'z',
        1 => prop_oneof![Just(b'"'), Just(b'\\'), Just(b'\n'), Just(0x1b), Just(0x7f), Just(b' ')],
        1 => 1..=255_u8,
    ];
    vec(byte, 0..=max)
}

pub fn event() -> impl Strategy<Value = Event> {
    prop_oneof![basic_event(any::<u32>(), any::<u64>()), wide_event(any::<u32>(), any::<u64>())]
}

/// Few pids, and times that are near each other and in no order: everything that is not what a
/// kernel would do.
pub fn disordered() -> impl Strategy<Value = Vec<Event>> {
    let event = || prop_oneof![basic_event(1..9_u32, 0..99_u64), wide_event(1..9_u32, 0..99_u64)];
    vec(event(), 0..200)
}

fn basic_event(
    ids: impl Strategy<Value = u32> + Clone,
    times: impl Strategy<Value = u64>,
) -> impl Strategy<Value = Event> {
    let kind = (0..3_u8).prop_map(|number| EventKind::from_number(number).unwrap());
    (kind, ids.clone(), ids, bytes(15), times).prop_map(|(kind, pid, ppid, comm, timestamp_ns)| {
        Event { kind, pid, ppid, comm: Comm::new(&comm), timestamp_ns, wide: None }
    })
}

fn wide_event(
    ids: impl Strategy<Value = u32> + Clone,
    times: impl Strategy<Value = u64> + Clone,
) -> impl Strategy<Value = Event> {
    let place = option::of(place().prop_map(Arc::new));
    let common =
        (any::<u64>(), any::<u32>(), any::<u32>(), times.clone(), any::<u64>(), place, run());
    let origin = option::of(bytes(20).prop_map(|text| String::from_utf8_lossy(&text).into()));
    (basic_event(ids, times), common, origin, detail()).prop_map(
        |(basic, common, origin, detail)| {
            let (time_ns, tid, uid, start_ns, cgroup_id, place, (ns_pid, pidns, login_uid)) =
                common;
            let kind = match detail {
                Detail::Fork { .. } => EventKind::Fork,
                Detail::Exec { .. } => EventKind::Exec,
                Detail::ExecFailed { .. } => EventKind::ExecFailed,
                Detail::Exit(_) => EventKind::Exit,
            };
            let wide = Wide {
                time_ns,
                tid,
                uid,
                start_ns,
                cgroup_id,
                place,
                ns_pid,
                pidns,
                login_uid,
                host: origin.clone(),
                boot_id: origin,
                detail,
            };
            Event { kind, wide: Some(Box::new(wide)), ..basic }
        },
    )
}

/// The rest of where it runs.
fn run() -> impl Strategy<Value = (Option<u32>, Option<u32>, Option<u32>)> {
    any::<(Option<u32>, Option<u32>, Option<u32>)>()
}

/// What a path names, or anything at all.
fn place() -> impl Strategy<Value = Place> {
    let text = || bytes(30).prop_map(|bytes| String::from_utf8_lossy(&bytes).into());
    let name = prop_oneof![Just("/a.slice/b.service"), Just("/docker"), Just("/")];
    let id = prop_oneof![Just(String::new()), Just(format!("/{}", "0123456789abcdef".repeat(4)))];
    let named = (name, id).prop_map(|(name, id)| cgroup::place(&format!("{name}{id}")));
    let some = || option::of(text());
    let any = (text(), text(), some(), some(), some(), some()).prop_map(
        |(cgroup, unit, user_unit, container, runtime, pod_uid): (Box<str>, _, _, _, _, _)| Place {
            cgroup,
            unit: Some(unit),
            user_unit,
            container,
            runtime,
            pod_uid,
            ..Place::default()
        },
    );
    prop_oneof![named, any]
}

fn detail() -> BoxedStrategy<Detail> {
    let status = any::<u16>().prop_map(|word| ExitStatus::from_wait(word.into()));
    prop_oneof![
        (any::<bool>(), any::<u32>(), option::of(any::<u32>()))
            .prop_map(|(thread, parent_tid, made_by)| Detail::Fork { thread, parent_tid, made_by }),
        (bytes(40), args(), option::of(Just(true))).prop_map(
            |(filename, args, filename_truncated)| Detail::Exec {
                filename,
                args,
                filename_truncated
            }
        ),
        (option::of(bytes(40)), args(), 1..600_u16, any::<u32>(), option::of(Just(true))).prop_map(
            |(filename, args, errno, tried, filename_truncated)| {
                let errno = Errno(errno);
                Detail::ExecFailed { filename, args, errno, tried, filename_truncated }
            }
        ),
        (
            any::<bool>(),
            status,
            any::<u64>(),
            option::of(args()),
            option::of(any::<u32>()),
            killer(),
            cost()
        )
            .prop_map(|(thread, status, duration_ns, args, born_to, killer, cost)| {
                let [cpu_ns, cpu_wait_ns, max_rss_bytes, minor_faults, major_faults, rest @ ..] =
                    cost;
                let [voluntary_switches, involuntary_switches, read_bytes, write_bytes] = rest;
                Detail::exit(Ended {
                    thread,
                    status,
                    duration_ns,
                    args_unknown: args.is_none().then_some(true),
                    args,
                    born_to,
                    cpu_ns,
                    cpu_wait_ns,
                    max_rss_bytes,
                    minor_faults,
                    major_faults,
                    voluntary_switches,
                    involuntary_switches,
                    read_bytes,
                    write_bytes,
                    ..killer
                })
            }),
    ]
    .boxed()
}

/// Each key may be there without the others.
fn killer() -> impl Strategy<Value = Ended> {
    let text =
        || option::of(bytes(20).prop_map(|text| String::from_utf8_lossy(&text).into_owned()));
    (text(), text(), option::of(any::<u32>()), option::of(any::<u32>()), any::<bool>()).prop_map(
        |(code, name, pid, uid, oom)| Ended {
            signal_code: code.map(String::into_bytes),
            killed_by: name.map(String::into_bytes),
            killed_by_pid: pid,
            killed_by_uid: uid,
            oom: oom.then_some(true),
            ..Ended::default()
        },
    )
}

fn cost() -> impl Strategy<Value = [Option<u64>; 9]> {
    std::array::from_fn(|_| option::of(any::<u64>()))
}

fn args() -> impl Strategy<Value = Args> {
    (vec(bytes(20), 0..6), any::<bool>()).prop_map(|(list, truncated)| {
        let bytes: Vec<u8> = list.into_iter().flat_map(|arg| [arg, vec![0]].concat()).collect();
        Args::new(&bytes, truncated)
    })
}
