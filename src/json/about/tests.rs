// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::json::read::{Decoder, Record};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    write(&mut line);
    String::from_utf8(line).expect("lines are UTF-8")
}

fn read(line: &str) -> Result<Record, String> {
    Decoder::default().decode(line.trim_end().as_bytes())
}

fn full() -> Meta {
    Meta {
        version: "1.2.3".to_owned(),
        kernel: "6.18.1".to_owned(),
        host: "a\"b".to_owned(),
        boot_id: "b00t".to_owned(),
        filters: vec!["--pid 7".to_owned(), "--failed".to_owned()],
        clock_offset_ns: 1_700_000_000_000_000_000,
        began_ns: 42,
        cpus: 2,
        command_pid: 4711,
        no_args: true,
        trace: Some(TraceContext {
            trace_id: 1 << 100,
            span_id: 1,
            parent_span_id: Some(u64::MAX),
        }),
    }
}

#[test]
fn lines_have_the_keys_that_are_known() {
    assert_eq!(
        written(|out| write_meta(&full(), out)),
        "{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"1.2.3\",\"schema\":1,\"kernel\":\"6.18.1\",\
         \"host\":\"a\\\"b\",\"boot_id\":\"b00t\",\"filters\":[\"--pid 7\",\"--failed\"],\
         \"clock_offset_ns\":1700000000000000000,\"timestamp_ns\":42,\"cpus\":2,\"command_pid\":4711,\
         \"no_args\":true,\"trace_id\":\"00000010000000000000000000000000\",\
         \"span_id\":\"0000000000000001\",\"parent_span_id\":\"ffffffffffffffff\"}\n"
    );
    assert_eq!(
        written(|out| write_meta(&Meta::default(), out)),
        "{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"\",\"schema\":1,\"kernel\":\"\",\"host\":\"\",\
         \"boot_id\":\"\",\"filters\":[],\"clock_offset_ns\":0}\n"
    );
    assert_eq!(
        written(|out| write_lost(&Lost::new([1, 2, 3, 4], 5), 1_000_000_000, out)),
        "{\"event_type\":\"lost\",\"time\":\"1970-01-01T00:00:01.000000000Z\",\
         \"lost\":{\"fork\":1,\"exec\":2,\"exit\":3,\"exec_failed\":4,\"cost\":5}}\n"
    );
    let totals =
        Totals { printed: 9, missed: 3, lost_unshown: 2, elapsed_ns: 8, ..Totals::default() };
    assert_eq!(
        written(|out| write_summary(&totals, out)),
        "{\"event_type\":\"summary\",\"complete\":false,\"printed\":9,\"lost\":{\"fork\":0,\"exec\":0,\"exit\":0},\
         \"elapsed_ns\":8,\"missed\":3,\"lost_unshown\":2}\n"
    );
    assert_eq!(
        written(|out| write_summary(&Totals::default(), out)),
        "{\"event_type\":\"summary\",\"complete\":true,\"printed\":0,\"lost\":{\"fork\":0,\"exec\":0,\"exit\":0},\
         \"elapsed_ns\":0}\n"
    );
}

#[test]
fn what_is_written_is_read() {
    for meta in [full(), Meta::default(), Meta { no_args: false, trace: None, ..full() }] {
        let line = written(|out| write_meta(&meta, out));
        assert_eq!(read(&line), Ok(Record::Meta(Box::new(meta))), "{line}");
    }
    let lost = Lost::new([1, 2, 3, 4], 5);
    let line = written(|out| write_lost(&lost, 1_234_567_890, out));
    assert_eq!(read(&line), Ok(Record::Lost { time_ns: 1_234_567_890, lost: Box::new(lost) }));
    for totals in [
        Totals::default(),
        Totals { printed: 1, lost, missed: 2, lost_unshown: 3, elapsed_ns: 4, ..Totals::default() },
        Totals { printed: 1, cut_off: true, ..Totals::default() },
    ] {
        let line = written(|out| write_summary(&totals, out));
        assert_eq!(read(&line), Ok(Record::Summary(Box::new(totals))), "{line}");
    }
}

#[test]
fn an_id_of_zero_or_of_other_letters_is_none() {
    let trace = |trace_id: &str, span_id: &str, above: &str| {
        let line = format!(
            "{{\"event_type\":\"meta\",\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\",\"parent_span_id\":\"{above}\"}}"
        );
        match read(&line) {
            Ok(Record::Meta(meta)) => meta.trace,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        trace("10", "2", ""),
        Some(TraceContext { trace_id: 16, span_id: 2, parent_span_id: None })
    );
    assert_eq!(trace("10", "2", "0").and_then(|trace| trace.parent_span_id), None);
    for (trace_id, span_id) in
        [("0", "1"), ("1", "0"), ("", "1"), ("1", ""), ("x", "1"), ("1", "x")]
    {
        assert_eq!(trace(trace_id, span_id, "1"), None, "{trace_id} {span_id}");
    }
}

#[test]
fn what_another_version_or_program_wrote_is_taken_as_far_as_it_goes() {
    let line =
        "{\"event_type\":\"meta\",\"tool\":[\"other\"],\"schema\":\"new\",\"cpus\":4294967296}";
    assert_eq!(read(line), Ok(Record::Meta(Box::default())));
    let lost = "\"lost\":{\"fork\":0,\"exec\":0,\"exit\":1}";
    let time_ns = |time: &str| read(&format!("{{\"event_type\":\"lost\",{time}{lost}}}"));
    for time in ["", "\"time\":null,"] {
        assert!(matches!(time_ns(time), Ok(Record::Lost { time_ns: 0, .. })), "{time}");
    }
    assert!(time_ns("\"time\":\"noon\",").is_err());
    assert!(read("{\"event_type\":\"lost\"}").is_err());
}
