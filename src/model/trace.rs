// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a capture stands in a distributed trace: ids as W3C's Trace Context has them.

use std::fmt;

/// A span, the trace that it is of, and the span above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the trace; never 0.
    pub trace_id: u128,
    /// Of the span; never 0.
    pub span_id: u64,
    /// Of the span above it, in a trace that was there before.
    pub parent_span_id: Option<u64>,
}

impl TraceContext {
    /// A span in the trace that the environment variable TRACEPARENT names; none where that is
    /// none of version 00's form.
    pub fn below(traceparent: &str, span_id: u64) -> Option<Self> {
        let mut fields = traceparent.split('-');
        let mut next = |len: usize| {
            let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            fields.next().filter(|text| text.len() == len && text.chars().all(is_hex))
        };
        let [version, trace, parent, _flags] = [next(2)?, next(32)?, next(16)?, next(2)?];
        let trace_id = u128::from_str_radix(trace, 16).ok()?;
        let parent = u64::from_str_radix(parent, 16).ok()?;
        // Later versions may have more fields.
        let is_known = version == "00" && fields.next().is_none();
        let is_valid = version != "ff" && (is_known || version != "00");
        let is_whole = is_valid && trace_id != 0 && parent != 0 && span_id != 0;
        is_whole.then_some(Self { trace_id, span_id, parent_span_id: Some(parent) })
    }
}

/// The value of TRACEPARENT for what runs below the span.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparents_are_those_of_trace_context() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::below(given, 0x1234).expect("the standard's own example");
        assert_eq!(context.parent_span_id, Some(0xb7ad_6b71_6920_3331));
        let ours = "00-0af7651916cd43dd8448eb211c80319c-0000000000001234-01";
        assert_eq!(context.to_string(), ours);
        let wrong = [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ];
        for text in wrong {
            assert_eq!(TraceContext::below(text, 1), None, "{text}");
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(TraceContext::below(later, 1).is_some());
    }
}
