// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outcomes in `JUnit`'s XML, which many CI systems show: a test case a rule.

use super::{Outcome, Verdict};
use crate::text::xml;

/// The whole document.
pub fn document(outcomes: &[Outcome]) -> String {
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let (failed, unknown) = (count(Verdict::Failed), count(Verdict::Unknown));
    let sums = format!("tests=\"{}\" failures=\"{failed}\" errors=\"{unknown}\"", outcomes.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {sums}>\n\
         <testsuite name=\"tuxscope\" {sums}>\n"
    );
    for outcome in outcomes {
        case(outcome, &mut out);
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn case(Outcome { rule, verdict, measured, offenders }: &Outcome, out: &mut String) {
    let escaped = |text: &str| {
        let mut escaped = String::new();
        xml::escape(text, &mut escaped);
        escaped
    };
    let (rule, measured) = (escaped(rule), escaped(measured));
    out.push_str(&format!("<testcase classname=\"tuxscope.expect\" name=\"{rule}\""));
    // What isn't known counts as an error of the test, not as a failure of what it tests.
    let element = match verdict {
        Verdict::Ok => {
            out.push_str("/>\n");
            return;
        }
        Verdict::Failed => "failure",
        Verdict::Unknown => "error",
    };
    out.push_str(&format!(">\n<{element} message=\"{measured}\">{measured}\n"));
    for offender in offenders {
        out.push_str(&escaped(offender));
        out.push('\n');
    }
    out.push_str(&format!("</{element}>\n</testcase>\n"));
}
