// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON lines: one object a line. [`crate::json`] writes them.

use super::{Across, Shape, Sink, Speaks, View};
use crate::json::{self, Writer};
use crate::model::event::{Event, Lost, Meta, Totals};

/// `--format json`
pub static VIEW: View = View {
    name: "json",
    help: "One JSON object per line",
    needs_wide: false,
    shape: Shape::Lines,
    speaks: Speaks::AsItHappens,
    across: Across::Shown,
    takes: &[],
    start: |settings| Box::new(Json::new(settings.wide)),
};

/// The sink of `--format json`: the five keys of the basic mode, and all that an event of the
/// wide mode has beyond them. Records about the capture are told recognized by their `event_type`;
/// the basic mode, whose contract is one object an event, has none.
#[derive(Debug, Default)]
pub struct Json {
    wide: bool,
    writer: Writer,
}

impl Json {
    /// The lines of the wide mode, or of the basic one.
    pub fn new(wide: bool) -> Self {
        Self { wide, writer: Writer::default() }
    }
}

impl Sink for Json {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        if self.wide {
            json::write_meta(meta, out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.writer.event(event, self.wide, out);
    }

    fn lost(&mut self, lost: &Lost, time_ns: u64, out: &mut Vec<u8>) {
        if self.wide {
            json::write_lost(lost, time_ns, out);
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        if self.wide {
            json::write_summary(totals, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::cgroup;
    use crate::model::event::{Args, Comm, Detail, Ended, EventKind, ExitStatus, Wide};

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
            place: Some(Arc::new(cgroup::place("/system.slice/cron.service"))),
            ns_pid: Some(7),
            pidns: Some(4_026_532_000),
            login_uid: Some(1000),
            host: Some("vm".into()),
            boot_id: Some("0a".into()),
            detail,
        })
    }

    const BASIC: &str = "{\"pid\":4521,\"ppid\":3890,\"comm\":\"bash\",\"event_type\":\"KIND\",\
         \"timestamp_ns\":128934567890";
    const COMMON: &str = ",\"time\":\"2023-11-14T22:13:20.000000042Z\",\"tid\":4521,\"uid\":1000,\
         \"start_ns\":128900000000,\"cgroup_id\":77,\"cgroup\":\"/system.slice/cron.service\",\
         \"unit\":\"cron.service\",\"ns_pid\":7,\"pidns\":4026532000,\"login_uid\":1000,\
         \"host\":\"vm\",\"boot_id\":\"0a\"";

    #[test]
    fn basic_is_the_contract_to_the_byte() {
        let want = BASIC.replace("KIND", "fork") + "}\n";
        assert_eq!(event(EventKind::Fork, b"bash", None), want);
    }

    #[test]
    fn wide_adds_its_keys_behind_the_basic_ones() {
        let fork = Detail::Fork { thread: false, parent_tid: 3891, made_by: None };
        let want =
            BASIC.replace("KIND", "fork") + COMMON + ",\"thread\":false,\"parent_tid\":3891}\n";
        assert_eq!(event(EventKind::Fork, b"bash", wide(fork)), want);

        let args = Args::new(b"ls\0a \"b\"\0\xff\0\0", true);
        let exec = Detail::Exec {
            filename: b"/bin/ls".to_vec(),
            args: args.clone(),
            filename_truncated: None,
        };
        let want = BASIC.replace("KIND", "exec")
            + COMMON
            + ",\"filename\":\"/bin/ls\",\"args\":[\"ls\",\"a \\\"b\\\"\",\"\u{fffd}\",\"\"],\
               \"args_truncated\":true}\n";
        assert_eq!(event(EventKind::Exec, b"bash", wide(exec)), want);

        let exit = Detail::exit(Ended {
            thread: false,
            status: ExitStatus::from_wait(0x8b),
            duration_ns: 34_567_890,
            args: Some(Args::new(b"ls\0", false)),
            born_to: Some(12),
            cpu_ns: Some(812_411),
            minor_faults: Some(96),
            write_bytes: Some(0),
            ..Ended::default()
        });
        let want = BASIC.replace("KIND", "exit")
            + COMMON
            + ",\"thread\":false,\"signal\":\"SIGSEGV\",\"core_dumped\":true,\
               \"duration_ns\":34567890,\"args\":[\"ls\"],\"born_to\":12,\
               \"cpu_ns\":812411,\"minor_faults\":96,\"write_bytes\":0}\n";
        assert_eq!(event(EventKind::Exit, b"bash", wide(exit)), want);
    }

    #[test]
    fn records_about_the_capture_are_in_the_wide_mode_only() {
        let meta = Meta { version: "1.2.3".to_owned(), clock_offset_ns: 5, ..Meta::default() };
        let totals = Totals {
            printed: 9,
            lost: Lost::new([1, 0, 2, 0], 6),
            lost_unshown: 5,
            missed: 4,
            elapsed_ns: 10,
            ..Totals::default()
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
             \"lost\":{\"fork\":1,\"exec\":0,\"exit\":2,\"cost\":6}}"
        );
        assert_eq!(
            lines[2],
            "{\"event_type\":\"summary\",\"complete\":false,\"printed\":9,\
             \"lost\":{\"fork\":1,\"exec\":0,\"exit\":2,\"cost\":6},\"elapsed_ns\":10,\"missed\":4,\"lost_unshown\":5}"
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
