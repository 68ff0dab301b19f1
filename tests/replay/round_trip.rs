// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the JSON sink writes, the reader reads.

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

use tuxscope::json::read::{Decoder, Record};
use tuxscope::model::event::{Args, Comm, Detail, Event, EventKind, Lost, Meta, Totals};
use tuxscope::view::{Json, Sink as _};

use crate::{events, program};

fn json(event: &Event) -> Vec<u8> {
    let mut line = Vec::new();
    Json::new(true).event(event, &mut line);
    line
}

fn read(line: &[u8]) -> Result<Record, String> {
    Decoder::default().decode(line)
}

/// The event with all its bytes as UTF-8, which is all that JSON can hold.
fn lossy(event: &Event) -> Event {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_bytes();
    let args = |args: &Args| {
        let bytes: Vec<u8> = args.iter().flat_map(|arg| [text(arg), vec![0]].concat()).collect();
        Args::new(&bytes, args.truncated)
    };
    let mut event = event.clone();
    event.comm = Comm::new(&text(event.comm.as_bytes()));
    match event.wide.as_deref_mut().map(|wide| &mut wide.detail) {
        Some(Detail::Exec { filename, args: list, .. }) => {
            *filename = text(filename);
            *list = args(list);
        }
        Some(Detail::ExecFailed { filename, args: list, .. }) => {
            if let Some(filename) = filename {
                *filename = text(filename);
            }
            *list = args(list);
        }
        Some(Detail::Exit(ended)) => ended.args = ended.args.as_ref().map(args),
        _ => {}
    }
    event
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() })]

    #[test]
    fn an_event_comes_back_as_it_was(event in events::event()) {
        let line = json(&event);
        let Ok(Record::Event(back)) = read(&line) else { panic!("{:?}", read(&line)) };
        prop_assert_eq!(&back, &lossy(&event));
        prop_assert_eq!(json(&back), line);
    }

    /// A line of the same meaning that is not as tuxscope writes it goes another way.
    #[test]
    fn order_and_blanks_mean_nothing(event in events::event()) {
        let line = json(&event);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let keys: Vec<String> = value.as_object().unwrap().iter().rev()
            .map(|(key, value)| format!(" \"{key}\" :\t{value} "))
            .collect();
        let other = format!("{{{}}}\r\n", keys.join(","));
        prop_assert_eq!(read(other.as_bytes()), read(&line));
    }

    #[test]
    fn a_cut_line_is_no_event(event in events::event(), at in any::<proptest::sample::Index>()) {
        let line = json(&event);
        let whole = line.len() - 1; // without the line end
        prop_assert_eq!(read(&line[..at.index(whole)]).is_err(), true);
    }

    #[test]
    fn one_wrong_byte_is_an_error_or_another_record(
        event in events::event(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut line = json(&event);
        let at = at.index(line.len());
        line[at] = byte;
        if let Ok(Record::Event(other)) = read(&line) {
            // The blank makes it a line that is not as tuxscope writes it.
            prop_assert_eq!(read(&[b" ", &line[..]].concat()), Ok(Record::Event(other.clone())));
            prop_assert_eq!(read(&json(&other)), Ok(Record::Event(lossy(&other))));
        }
    }
}

#[test]
fn records_about_the_capture_come_back() {
    let meta = Meta {
        version: "1.2.3".to_owned(),
        kernel: "6.18.0".to_owned(),
        host: "a \"host\"".to_owned(),
        boot_id: "0a".to_owned(),
        filters: vec!["--pid 1".to_owned()],
        clock_offset_ns: 7,
        began_ns: 8,
        cpus: 8,
        command_pid: 9,
        no_args: true,
        trace: None,
    };
    let lost = Lost::new([1, 2, u64::MAX, 3], 6);
    let totals = Totals {
        printed: 9,
        lost,
        lost_unshown: 4,
        missed: 3,
        elapsed_ns: 10,
        ..Totals::default()
    };
    let mut json = Json::new(true);
    let mut out = Vec::new();
    json.begin(&meta, &mut out);
    json.lost(&lost, 951_782_400_000_000_001, &mut out);
    json.end(&totals, &mut out);
    let records: Vec<Record> =
        out.split_inclusive(|&byte| byte == b'\n').map(|line| read(line).unwrap()).collect();
    let want = [
        Record::Meta(Box::new(meta)),
        Record::Lost { time_ns: 951_782_400_000_000_001, lost: Box::new(lost) },
        Record::Summary(Box::new(totals)),
    ];
    assert_eq!(records, want);
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let line = r#"{"pid":1,"ppid":0,"comm":"a","event_type":"exec","timestamp_ns":2,"new":[{}]}"#;
    let Ok(Record::Event(event)) = read(line.as_bytes()) else {
        panic!("{:?}", read(line.as_bytes()))
    };
    assert_eq!((event.kind, event.pid, event.wide), (EventKind::Exec, 1, None));
    let other = r#"{"event_type":"oom","pid":"many","timestamp_ns":{}}"#;
    assert_eq!(read(other.as_bytes()), Ok(Record::Unknown));
}

#[test]
fn what_is_wrong_is_said_in_a_few_words() {
    let whys = [
        ("", "not a JSON object"),
        ("tuxscope", "not a JSON object"),
        (r#"[1,2,"sh","fork",3]"#, "not a JSON object"),
        ("{", "not JSON: EOF while parsing an object at column 1"),
        ("{}", "missing field `event_type`"),
        (
            r#"{"event_type":"fork","ppid":0,"comm":"","timestamp_ns":1}"#,
            "an event without \"pid\"",
        ),
        (r#"{"event_type":"fork","pid":-1}"#, "invalid value: integer `-1`, expected u32"),
        (r#"{"event_type":"fork","pid":4294967296}"#, "invalid value"),
        (r#"{"event_type":"lost"}"#, "missing field `lost`"),
        (r#"{"event_type":"summary","complete":1}"#, "invalid type: integer `1`"),
    ];
    for (line, why) in whys {
        let error = read(line.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
    assert_eq!(read(b"\xff{}"), Err("not UTF-8".to_owned()));
}

/// Captures of 0.1.0 had no such keys, but the path names the unit all the same.
#[test]
fn an_older_captures_path_tells_the_unit() {
    let line = program::wide(
        "exit",
        7,
        1,
        "sh",
        5,
        2,
        "\"thread\":false,\"exit_code\":0,\"duration_ns\":5",
    );
    let unit_of = |keys: &str| {
        let line = line.replace("\"/a/b\"", keys);
        let Ok(Record::Event(event)) = read(line.trim_end().as_bytes()) else { panic!("{line}") };
        event.wide.unwrap().place.unwrap().unit.clone()
    };
    assert_eq!(unit_of("\"/a.slice/b.service\"").as_deref(), Some("b.service"));
    let told = "\"/a.slice/b.service\",\"unit\":\"other.service\"";
    assert_eq!(unit_of(told).as_deref(), Some("other.service"), "what is told comes first");
}

#[test]
fn a_line_means_the_same_whatever_came_before_it() {
    let exit = "\"thread\":false,\"exit_code\":0,\"duration_ns\":5";
    let alone = program::wide("exit", 7, 1, "sh", 5, 2, exit).replace("/a/b", "/a.slice/b.service");
    let told = alone.replace(exit, &format!("\"unit\":\"other.service\",{exit}"));
    let mut decoder = Decoder::default();
    for line in [&alone, &told, &alone] {
        let line = line.trim_end().as_bytes();
        assert!(matches!(read(line), Ok(Record::Event(Event { wide: Some(_), .. }))), "{line:?}");
        assert_eq!(decoder.decode(line), read(line));
    }
}
