// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads what tuxscope printed, as strictly as its contract is written.

use serde::Deserialize;

/// One event. The table has no timestamp: 0.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub pid: u32,
    pub ppid: u32,
    pub comm: String,
    pub event_type: String,
    pub timestamp_ns: u64,
}

impl Event {
    /// Everything but the time.
    pub fn key(&self) -> (&str, u32, u32, &str) {
        (&self.event_type, self.pid, self.ppid, &self.comm)
    }

    /// Whether this is an event of that kind and pid.
    pub fn is(&self, kind: &str, pid: u32) -> bool {
        self.event_type == kind && self.pid == pid
    }
}

/// The events of `--format json`: whole lines, each with the five keys in their order.
pub fn from_json(output: &[u8]) -> Vec<Event> {
    let text = whole_lines(output);
    let parse = |line: &str| {
        let event: Event = serde_json::from_str(line).expect(line);
        let comm = serde_json::to_string(&event.comm).expect("a string");
        let Event { pid, ppid, event_type, timestamp_ns, .. } = &event;
        let again = format!(
            "{{\"pid\":{pid},\"ppid\":{ppid},\"comm\":{comm},\"event_type\":\"{event_type}\",\
             \"timestamp_ns\":{timestamp_ns}}}"
        );
        assert_eq!(line, again, "keys, their order, no blanks");
        assert!(["fork", "exec", "exit"].contains(&event_type.as_str()), "{line}");
        event
    };
    text.lines().map(parse).collect()
}

/// The events of the table: whole lines, in columns. A comm that isn't ASCII is cut anyhow.
pub fn from_table(output: &[u8]) -> Vec<Event> {
    let text = whole_lines(output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("PID       PPID      COMM                EVENT"));
    let parse = |line: &str| {
        let (ids, rest) = line.split_at(20);
        let (comm, kind) = rest.rsplit_once(' ').expect(line);
        assert!(["FORK", "EXEC", "EXIT"].contains(&kind), "{line}");
        Event {
            pid: ids[..10].trim_end().parse().expect(line),
            ppid: ids[10..].trim_end().parse().expect(line),
            comm: comm.trim_end().to_owned(),
            event_type: kind.to_lowercase(),
            timestamp_ns: 0,
        }
    };
    lines.map(parse).collect()
}

fn whole_lines(output: &[u8]) -> &str {
    let text = std::str::from_utf8(output).expect("output is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "output ends in the middle of a line");
    text
}

/// A number for each kind: fork, exec, exit.
pub type ByKind = [u64; 3];

/// How many events there are of each kind.
pub fn count<'a>(events: impl IntoIterator<Item = &'a Event>) -> ByKind {
    let mut counts = [0; 3];
    for event in events {
        let kind = ["fork", "exec", "exit"].iter().position(|kind| *kind == event.event_type);
        counts[kind.expect("a known kind")] += 1;
    }
    counts
}

/// What the closing line says.
#[derive(Debug, PartialEq)]
pub struct Closing {
    pub printed: u64,
    pub lost: ByKind,
    pub unwritten: u64,
    pub seconds: f64,
}

impl Closing {
    /// `tuxscope: 12 events printed, 3 lost (fork 1, exec 0, exit 2) in 5.002 s`
    pub fn parse(line: &str) -> Self {
        Self::try_parse(line).unwrap_or_else(|| panic!("not a closing line: {line:?}"))
    }

    fn try_parse(line: &str) -> Option<Self> {
        let (printed, rest) = line.strip_prefix("tuxscope: ")?.split_once(" printed, ")?;
        let (printed, _) = printed.split_once(" event")?;
        let (lost, seconds) = rest.strip_suffix(" s")?.split_once(" in ")?;
        let (total, kinds) = lost.split_once(" lost")?;
        let (kinds, unwritten) =
            match kinds.strip_suffix(" not written because nobody read the output") {
                Some(kinds) => {
                    let (kinds, unwritten) = kinds.rsplit_once(", ")?;
                    (kinds, unwritten.parse().ok()?)
                }
                None => (kinds, 0),
            };
        // What follows is no loss of an event: unshown ones, and handlers that the kernel skipped
        // for another BPF program.
        let kinds = kinds.find(')').map_or("", |end| &kinds[..=end]);
        let mut counts = [0; 4];
        if !kinds.is_empty() {
            let kinds = kinds.strip_prefix(" (")?.strip_suffix(')')?;
            for (i, part) in kinds.split(", ").enumerate() {
                let (name, number) = part.split_once(' ')?;
                assert_eq!(name, ["fork", "exec", "exit", "cost"][i]);
                counts[i] = number.parse().ok()?;
            }
        }
        // A cost is no event.
        let [lost @ .., _cost] = counts;
        assert_eq!(total.parse::<u64>().ok()?, lost.iter().sum::<u64>(), "{line}");
        Some(Self {
            printed: printed.parse().ok()?,
            lost,
            unwritten,
            seconds: seconds.parse().ok()?,
        })
    }
}
