// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON lines: one object a line, keys in a fixed order, no blanks. docs/json.md describes them;
//! keys are only ever added.

use std::num::NonZero;

use serde::{Serialize, Serializer};

use super::{Shape, Sink, Speaks, View};
use crate::json;
use crate::model::event::{
    Args, Detail, Ended, Event, EventKind, ExitStatus, Lost, Meta, Totals, Wide,
};
use crate::model::signal;
use crate::text::time::Rfc3339;

/// JSON Schema of a line, of either mode.
pub const SCHEMA: &str = include_str!("../json/schema.json");

/// Changes with the meaning of what is there, not with keys that are added.
const SCHEMA_VERSION: u32 = 1;

/// `--format json`
pub static VIEW: View = View {
    name: "json",
    help: "One JSON object a line",
    needs_wide: false,
    shape: Shape::Lines,
    speaks: Speaks::AsItHappens,
    start: |wide, _| Box::new(Json::new(wide)),
};

/// The sink of `--format json`: the five keys of the basic mode, and all that an event of the
/// wide mode has beyond them. Records about the capture are told apart by their `event_type`;
/// the basic mode, whose contract is one object an event, has none.
#[derive(Debug, Default)]
pub struct Json {
    wide: bool,
}

impl Json {
    /// The lines of the wide mode, or of the basic one.
    pub fn new(wide: bool) -> Self {
        Self { wide }
    }
}

/// The basic mode's keys.
#[derive(Serialize)]
struct Basic<'a> {
    pid: u32,
    ppid: u32,
    comm: &'a str,
    event_type: &'static str,
    timestamp_ns: u64,
}

/// The wide mode's keys behind the basic ones.
#[derive(Default, Serialize)]
struct More<'a> {
    time: Rfc3339,
    tid: u32,
    uid: u32,
    start_ns: u64,
    cgroup_id: u64,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_tid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "arguments")]
    args: Option<&'a Args>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    args_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    born_to: Option<u32>,
}

fn arguments<S: Serializer>(args: &Option<&Args>, out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(args.iter().flat_map(|args| args.iter()).map(String::from_utf8_lossy))
}

#[derive(Serialize)]
struct LostCounts {
    fork: u64,
    exec: u64,
    exit: u64,
}

impl From<&Lost> for LostCounts {
    fn from(lost: &Lost) -> Self {
        let [fork, exec, exit] = EventKind::ALL.map(|kind| lost.of(kind));
        Self { fork, exec, exit }
    }
}

/// Records about the capture.
#[derive(Serialize)]
#[serde(tag = "event_type", rename_all = "lowercase")]
enum Record<'a> {
    Meta {
        tool: &'static str,
        version: &'a str,
        schema: u32,
        kernel: &'a str,
        host: &'a str,
        boot_id: &'a str,
        filters: &'a [String],
        clock_offset_ns: u64,
    },
    Lost {
        time: Rfc3339,
        lost: LostCounts,
    },
    Summary {
        complete: bool,
        printed: u64,
        lost: LostCounts,
        elapsed_ns: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        missed: Option<NonZero<u64>>,
    },
}

impl Sink for Json {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        if self.wide {
            let Meta { version, kernel, host, boot_id, filters, clock_offset_ns } = meta;
            let (tool, schema) = ("tuxscope", SCHEMA_VERSION);
            let clock_offset_ns = *clock_offset_ns;
            line(
                &Record::Meta {
                    tool,
                    version,
                    schema,
                    kernel,
                    host,
                    boot_id,
                    filters,
                    clock_offset_ns,
                },
                out,
            );
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let basic = Basic {
            pid: event.pid,
            ppid: event.ppid,
            comm: &event.comm.to_text(),
            event_type: event.kind.name(),
            timestamp_ns: event.timestamp_ns,
        };
        line(&basic, out);
        if let Some(wide) = event.wide.as_deref().filter(|_| self.wide) {
            more(wide, out);
        }
    }

    fn lost(&mut self, lost: &Lost, time_ns: u64, out: &mut Vec<u8>) {
        if self.wide {
            line(&Record::Lost { time: Rfc3339(time_ns), lost: lost.into() }, out);
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        if self.wide {
            let Totals { printed, lost, missed, elapsed_ns, cut_off: _ } = *totals;
            let (complete, lost) = (totals.complete(), LostCounts::from(&lost));
            let missed = NonZero::new(missed);
            line(&Record::Summary { complete, printed, lost, elapsed_ns, missed }, out);
        }
    }
}

fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    json::write(value, out);
    out.push(b'\n');
}

/// Continues the line of the basic keys: `...}\n` + `{...}\n` -> `...,...}\n`. Serde's own
/// `flatten` goes through a map of allocated values, at four times the cost.
fn more(wide: &Wide, out: &mut Vec<u8>) {
    let end_of_basic = out.len() - 2;
    let text;
    let mut keys = More {
        time: Rfc3339(wide.time_ns),
        tid: wide.tid,
        uid: wide.uid,
        start_ns: wide.start_ns,
        cgroup_id: wide.cgroup_id,
        cgroup: wide.cgroup.as_deref(),
        ..More::default()
    };
    match &wide.detail {
        Detail::Fork { thread, parent_tid } => {
            keys.thread = Some(*thread);
            keys.parent_tid = Some(*parent_tid);
        }
        Detail::Exec { filename, args } => {
            text = String::from_utf8_lossy(filename);
            keys.filename = Some(&text);
            keys.args = Some(args);
            keys.args_truncated = args.truncated;
        }
        Detail::Exit(Ended { thread, status, duration_ns, args, born_to }) => {
            keys.thread = Some(*thread);
            match *status {
                ExitStatus::Code(code) => keys.exit_code = Some(code),
                ExitStatus::Signal { number, core_dumped } => {
                    text = signal::name(number);
                    keys.signal = Some(&text);
                    keys.core_dumped = Some(core_dumped);
                }
            }
            keys.duration_ns = Some(*duration_ns);
            keys.args = args.as_ref();
            keys.args_truncated = args.as_ref().is_some_and(|args| args.truncated);
            keys.born_to = *born_to;
        }
    }
    out.truncate(end_of_basic);
    let joint = out.len();
    line(&keys, out);
    out[joint] = b',';
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Comm;

    fn event(kind: EventKind, comm: &[u8], wide: Option<Wide>) -> String {
        let event = Event {
            kind,
            pid: 4521,
            ppid: 3890,
            comm: Comm::new(comm),
            timestamp_ns: 128_934_567_890,
            wide: wide.map(Box::new),
        };
        let mut out = Vec::new();
        Json::new(event.wide.is_some()).event(&event, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    fn wide(detail: Detail) -> Option<Wide> {
        Some(Wide {
            time_ns: 1_700_000_000_000_000_042,
            tid: 4521,
            uid: 1000,
            start_ns: 128_900_000_000,
            cgroup_id: 77,
            cgroup: Some("/system.slice/cron.service".into()),
            detail,
        })
    }

    const BASIC: &str = "{\"pid\":4521,\"ppid\":3890,\"comm\":\"bash\",\"event_type\":\"KIND\",\
         \"timestamp_ns\":128934567890";
    const COMMON: &str = ",\"time\":\"2023-11-14T22:13:20.000000042Z\",\"tid\":4521,\"uid\":1000,\
         \"start_ns\":128900000000,\"cgroup_id\":77,\"cgroup\":\"/system.slice/cron.service\"";

    #[test]
    fn basic_is_the_contract_to_the_byte() {
        let want = BASIC.replace("KIND", "fork") + "}\n";
        assert_eq!(event(EventKind::Fork, b"bash", None), want);
    }

    #[test]
    fn wide_adds_its_keys_behind_the_basic_ones() {
        let fork = Detail::Fork { thread: false, parent_tid: 3891 };
        let want =
            BASIC.replace("KIND", "fork") + COMMON + ",\"thread\":false,\"parent_tid\":3891}\n";
        assert_eq!(event(EventKind::Fork, b"bash", wide(fork)), want);

        let args = Args::new(b"ls\0a \"b\"\0\xff\0\0", true);
        let exec = Detail::Exec { filename: b"/bin/ls".to_vec(), args: args.clone() };
        let want = BASIC.replace("KIND", "exec")
            + COMMON
            + ",\"filename\":\"/bin/ls\",\"args\":[\"ls\",\"a \\\"b\\\"\",\"\u{fffd}\",\"\"],\
               \"args_truncated\":true}\n";
        assert_eq!(event(EventKind::Exec, b"bash", wide(exec)), want);

        let exit = Detail::Exit(Ended {
            thread: false,
            status: ExitStatus::from_wait(0x8b),
            duration_ns: 34_567_890,
            args: Some(Args::new(b"ls\0", false)),
            born_to: Some(12),
        });
        let want = BASIC.replace("KIND", "exit")
            + COMMON
            + ",\"thread\":false,\"signal\":\"SIGSEGV\",\"core_dumped\":true,\
               \"duration_ns\":34567890,\"args\":[\"ls\"],\"born_to\":12}\n";
        assert_eq!(event(EventKind::Exit, b"bash", wide(exit)), want);
    }

    #[test]
    fn records_about_the_capture_are_in_the_wide_mode_only() {
        let meta = Meta { version: "1.2.3".to_owned(), clock_offset_ns: 5, ..Meta::default() };
        let totals = Totals {
            printed: 9,
            lost: Lost::new([1, 0, 2]),
            missed: 4,
            elapsed_ns: 10,
            cut_off: false,
        };
        let run = |mut json: Json| {
            let mut out = Vec::new();
            json.begin(&meta, &mut out);
            json.lost(&totals.lost, 951_782_400_000_000_001, &mut out);
            json.end(&totals, &mut out);
            String::from_utf8(out).expect("JSON is UTF-8")
        };
        assert_eq!(run(Json::new(false)), "");
        let lines = run(Json::new(true));
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(
            lines[0],
            "{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"1.2.3\",\"schema\":1,\
             \"kernel\":\"\",\"host\":\"\",\"boot_id\":\"\",\"filters\":[],\"clock_offset_ns\":5}"
        );
        assert_eq!(
            lines[1],
            "{\"event_type\":\"lost\",\"time\":\"2000-02-29T00:00:00.000000001Z\",\
             \"lost\":{\"fork\":1,\"exec\":0,\"exit\":2}}"
        );
        assert_eq!(
            lines[2],
            "{\"event_type\":\"summary\",\"complete\":false,\"printed\":9,\
             \"lost\":{\"fork\":1,\"exec\":0,\"exit\":2},\"elapsed_ns\":10,\"missed\":4}"
        );
    }

    #[test]
    fn survives_every_byte_in_a_comm() {
        for byte in 1..=255 {
            let comm = [b'a', byte, b'z'];
            let text = event(EventKind::Fork, &comm, None);
            assert_eq!(text.matches('\n').count(), 1, "byte {byte}");
            let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
            let got = value["comm"].as_str().expect("a string");
            assert_eq!(got, String::from_utf8_lossy(&comm), "byte {byte}");
        }
    }
}
