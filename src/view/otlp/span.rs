// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages of OpenTelemetry's protocol in their JSON form: `trace.proto`, `common.proto` and
//! `resource.proto` of opentelemetry-proto 1.x. Ids are in hexadecimal digits and 64-bit numbers in
//! quotes, as its specification has it.

use serde::{Serialize, Serializer};

/// `ExportTraceServiceRequest`; a line of a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    pub resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans<'a> {
    pub resource: Resource<'a>,
    pub scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
pub struct Resource<'a> {
    pub attributes: &'a [Attribute],
}

#[derive(Serialize)]
pub struct ScopeSpans<'a> {
    pub scope: Scope<'a>,
    pub spans: &'a [Span],
}

#[derive(Serialize)]
pub struct Scope<'a> {
    pub name: &'static str,
    pub version: &'a str,
}

/// A process.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    #[serde(serialize_with = "hex128")]
    pub trace_id: u128,
    #[serde(serialize_with = "hex64")]
    pub span_id: u64,
    #[serde(serialize_with = "hex64_or_none", skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<u64>,
    pub name: String,
    /// `SPAN_KIND_INTERNAL`
    pub kind: u8,
    #[serde(serialize_with = "quoted")]
    pub start_time_unix_nano: u64,
    #[serde(serialize_with = "quoted")]
    pub end_time_unix_nano: u64,
    pub attributes: Vec<Attribute>,
    pub status: Status,
}

/// How it ended.
#[derive(Default, Serialize)]
pub struct Status {
    /// `STATUS_CODE_ERROR` is 2; 0 is unset, as conventions want it of what did not fail.
    #[serde(skip_serializing_if = "is_unset")]
    pub code: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

fn is_unset(code: &u8) -> bool {
    *code == 0
}

#[derive(Serialize)]
pub struct Attribute {
    pub key: &'static str,
    pub value: Value,
}

/// `AnyValue`
#[derive(Serialize)]
pub enum Value {
    #[serde(rename = "stringValue")]
    String(String),
    #[serde(rename = "intValue", serialize_with = "quoted_signed")]
    Int(i64),
    #[serde(rename = "boolValue")]
    Bool(bool),
    #[serde(rename = "arrayValue")]
    Array { values: Vec<Self> },
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

fn hex128<S: Serializer>(id: &u128, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{id:032x}"))
}

fn hex64<S: Serializer>(id: &u64, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{id:016x}"))
}

fn hex64_or_none<S: Serializer>(id: &Option<u64>, out: S) -> Result<S::Ok, S::Error> {
    hex64(&id.unwrap_or_default(), out)
}

fn quoted<S: Serializer>(number: &u64, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(number)
}

fn quoted_signed<S: Serializer>(number: &i64, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(number)
}
