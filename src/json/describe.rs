// SPDX-License-Identifier: MIT OR Apache-2.0
//! The definition -> `schema.json` and the tables of keys in docs/json.md. `make manual` writes
//! them anew; the test fails where they say something else than the definition.

use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value, json};

use super::SCHEMA_VERSION;
use super::about::{
    Counts, Digits, LostLine, Mark, MetaLine, Moment, Schema, Seldom, SummaryLine, Tool,
};
use super::arguments::Arguments;
use super::form::{
    Count, ErrorName, Flag, Form as _, Id, Number, Optional, Shared, Status, Text, Time,
};
use crate::model::event::EventKind;
use crate::model::keys::event_keys;

/// A key of a line.
pub struct Key {
    name: &'static str,
    doc: String,
    schema: Value,
    required: bool,
    /// What must hold besides, of all keys together.
    rule: Option<Value>,
}

impl Key {
    /// One that is always there; `doc` is what comments say.
    pub fn new(name: &'static str, doc: String, schema: Value) -> Self {
        Self { name, doc, schema, required: true, rule: None }
    }

    /// It may be missing.
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// Something must hold besides.
    pub fn with_rule(self, rule: Value) -> Self {
        Self { rule: Some(rule), ..self }
    }

    fn with_schema(self, schema: Value) -> Self {
        Self { schema, ..self }
    }
}

/// A type of a record about the capture, as the schema has it.
pub trait Describe {
    /// Completes the key.
    fn describe(key: Key) -> Key;
}

macro_rules! describe {
    ($($type:ty: $schema:expr,)*) => {
        $(impl Describe for $type {
            fn describe(key: Key) -> Key {
                key.with_schema($schema)
            }
        })*
    };
}

describe! {
    Tool: json!({ "const": "tuxscope" }),
    Schema: json!({ "const": SCHEMA_VERSION }),
    String: json!({ "type": "string" }),
    Vec<String>: json!({ "type": "array", "items": { "type": "string" } }),
    bool: json!({ "type": "boolean" }),
    u64: json!({ "$ref": "#/$defs/count" }),
    Moment: json!({ "$ref": "#/$defs/time" }),
    Counts: json!({ "$ref": "#/$defs/counts" }),
}

impl Describe for Mark {
    fn describe(key: Key) -> Key {
        key.with_schema(json!({ "const": true })).optional()
    }
}

impl Describe for Digits {
    fn describe(key: Key) -> Key {
        key.with_schema(json!({ "type": "string", "pattern": "^[0-9a-f]+$" })).optional()
    }
}

impl Describe for Seldom {
    fn describe(key: Key) -> Key {
        key.with_schema(json!({ "type": "integer", "minimum": 1 })).optional()
    }
}

/// Keys that belong together: what all events have, or what a kind of line has.
struct Group {
    name: &'static str,
    about: String,
    keys: Vec<Key>,
}

/// Comments as one line.
fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

macro_rules! groups {
    ($(
        $(#[doc = $about:literal])*
        $group:ident { $($(#[doc = $doc:literal])* $name:ident: $_type:ty as $form:ty,)* }
    )*) => {
        /// What the wide mode tells of events.
        fn events() -> Vec<Group> {
            use super::place::Where;
            vec![$(Group {
                name: match stringify!($group) {
                    "Wide" => "wide",
                    "Fork" => "fork",
                    "Exec" => "exec",
                    "ExecFailed" => "exec_failed",
                    _ => "exit",
                },
                about: text(&[$($about),*]),
                keys: [$(<$form>::keys(stringify!($name), text(&[$($doc),*])),)*]
                    .into_iter()
                    .flatten()
                    .collect(),
            },)*]
        }
    };
}

event_keys!(groups);

fn about_capture() -> Vec<Group> {
    let group = |name, about: &str, keys| Group { name, about: about.trim().to_owned(), keys };
    vec![
        group(MetaLine::NAME, MetaLine::ABOUT, MetaLine::keys()),
        group(LostLine::NAME, LostLine::ABOUT, LostLine::keys()),
        group(SummaryLine::NAME, SummaryLine::ABOUT, SummaryLine::keys()),
    ]
}

/// The five keys of the basic mode, which never change, as it means them and as the wide mode does.
const BASIC: [(&str, &str, &str); 5] = [
    (
        "pid",
        "fork: the child's task id (a new thread has its own); exec, exit: the process id.",
        "The process id, also where the event is a thread's.",
    ),
    (
        "ppid",
        "fork: the parent's task id; exec, exit: 0.",
        "The process id of the parent at that moment.",
    ),
    (
        "comm",
        "The task's name at the time, at most 15 bytes; at a fork it is the parent's.",
        "The name of the process, at most 15 bytes.",
    ),
    (
        "event_type",
        "`fork`, `exec`, `exit` (one for each task, threads included).",
        "`fork`, `exec`, `exit` (one for each process), `exec_failed`.",
    ),
    (
        "timestamp_ns",
        "`CLOCK_MONOTONIC`: nanoseconds since boot, suspend not counted.",
        "`CLOCK_MONOTONIC`: nanoseconds since boot, suspend not counted.",
    ),
];

fn basic(
    kinds: &[EventKind],
    of: fn(&(&'static str, &'static str, &'static str)) -> &'static str,
) -> Vec<Key> {
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let schema = |name: &str| match name {
        "pid" | "ppid" => json!({ "$ref": "#/$defs/id" }),
        "comm" => json!({ "type": "string", "maxLength": 15 }),
        "event_type" => json!({ "enum": kinds }),
        _ => json!({ "$ref": "#/$defs/count" }),
    };
    BASIC.iter().map(|key| Key::new(key.0, of(key).to_owned(), schema(key.0))).collect()
}

fn definition(about: &str, keys: Vec<Key>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut rules = Vec::new();
    for Key { name, doc, schema, required: always, rule } in keys {
        let mut property = Map::from_iter([("description".to_owned(), doc.into())]);
        property.extend(schema.as_object().cloned().unwrap_or_default());
        properties.insert(name.to_owned(), property.into());
        required.extend(always.then(|| Value::from(name)));
        rules.extend(rule);
    }
    let mut definition = Map::from_iter([
        ("description".to_owned(), about.into()),
        ("properties".to_owned(), properties.into()),
        ("required".to_owned(), required.into()),
    ]);
    if !rules.is_empty() {
        definition.insert("allOf".to_owned(), rules.into());
    }
    definition
}

fn schema() -> String {
    let mut definitions = Map::new();
    let mut basic_line =
        definition("An event of the basic mode.", basic(&EventKind::USUAL, |key| key.1));
    basic_line.insert("not".to_owned(), json!({ "required": ["time"] }));
    definitions.insert("basic".to_owned(), basic_line.into());
    for Group { name, about, mut keys } in events().into_iter().chain(about_capture()) {
        let wide = name == "wide";
        if wide {
            keys.splice(0..0, basic(&EventKind::ALL, |key| key.2));
        }
        let mut line = definition(&about, keys);
        if !wide {
            let properties = line.get_mut("properties").and_then(Value::as_object_mut);
            let properties = properties.expect("made above");
            properties.insert("event_type".to_owned(), json!({ "const": name }));
        }
        if EventKind::ALL.iter().any(|kind| kind.name() == name) {
            line.insert("$ref".to_owned(), json!("#/$defs/wide"));
        }
        definitions.insert(name.to_owned(), line.into());
    }
    let count = json!({ "type": "integer", "minimum": 0 });
    let more = json!({
        "id": { "type": "integer", "minimum": 0, "maximum": 4_194_304 },
        "u32": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        "count": count,
        "time": {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$",
        },
        "counts": {
            "description": "A number for each kind of event, and `cost` for processes.",
            "type": "object",
            "required": ["fork", "exec", "exit"],
            "properties": {
                "fork": count, "exec": count, "exit": count,
                "exec_failed": { "type": "integer", "minimum": 1 },
                "cost": { "type": "integer", "minimum": 1 },
            },
        },
    });
    definitions.extend(more.as_object().cloned().expect("an object"));
    let lines = ["basic", "fork", "exec", "exit", "exec_failed", "meta", "lost", "summary"];
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of tuxscope proc --format json",
        "description": format!(
            "Schema version {SCHEMA_VERSION}. Keys are only ever added: readers ignore those that \
             they don't know. Lines of the basic mode have the five keys of $defs/basic, those of \
             the wide mode more, and it has records about the capture besides."),
        "type": "object",
        "required": ["event_type"],
        "oneOf": lines.map(|line| json!({ "$ref": format!("#/$defs/{line}") })),
        "$defs": definitions,
    });
    serde_json::to_string_pretty(&whole).expect("JSON") + "\n"
}

fn basic_table() -> String {
    let rows = BASIC.iter().map(|(name, doc, _)| format!("| `{name}` | {doc} |\n"));
    format!("| key | meaning |\n|---|---|\n{}", rows.collect::<String>())
}

/// A row for each meaning of a key, in the order in which the keys were first named.
fn table(groups: Vec<Group>) -> String {
    let mut rows: Vec<(&str, Vec<&str>, String)> = Vec::new();
    for group in &groups {
        let kind = if group.name == "wide" { "all" } else { group.name };
        for key in &group.keys {
            let same = |row: &&mut (&str, Vec<&str>, String)| row.0 == key.name && row.2 == key.doc;
            if let Some(row) = rows.iter_mut().find(same) {
                row.1.push(kind);
            } else {
                let last = rows.iter().rposition(|row| row.0 == key.name);
                let at = last.map_or(rows.len(), |at| at + 1);
                rows.insert(at, (key.name, vec![kind], key.doc.clone()));
            }
        }
    }
    let rows = rows
        .iter()
        .map(|(name, kinds, doc)| format!("| `{name}` | {} | {doc} |\n", kinds.join(", ")));
    format!("| key | in | meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// The page with this table behind the mark.
fn with_table(page: &str, mark: &str, table: &str) -> String {
    let mark = format!("<!-- keys: {mark} -->\n");
    let (before, after) = page.split_once(&mark).expect("the page has the mark");
    let rest = after.trim_start_matches('\n');
    let old: usize =
        rest.split_inclusive('\n').take_while(|l| l.starts_with('|')).map(str::len).sum();
    format!("{before}{mark}{table}{}", &rest[old..])
}

/// `UPDATE=1` writes the file instead of comparing it.
fn check(file: &str, wanted: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let found = fs::read_to_string(&path).expect("a file");
    let wanted = wanted(&found);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, wanted).expect("written");
    } else {
        assert!(found == wanted, "{file} is not what the definition says: make manual");
    }
}

#[test]
fn the_schema_and_the_tables_of_keys_are_those_of_the_definition() {
    check("src/json/schema.json", |_| schema());
    check("docs/json.md", |page| {
        let mut events = events();
        events[0].keys.splice(0..0, basic(&EventKind::ALL, |key| key.2));
        let page = with_table(page, "basic mode", &basic_table());
        let page = with_table(&page, "events", &table(events));
        with_table(&page, "capture", &table(about_capture()))
    });
}
