// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a rule is written: `measure[filter=value,...] comparison value`.

use std::fmt;

use regex_lite::Regex;
use unicode_width::UnicodeWidthStr as _;

use super::rule::{Comparison, Measure, Rule, Unit};
use crate::host::unit;
use crate::model::conditions::Conditions;
use crate::process::words;
use crate::text::{self, values};

/// The conditions that a filter may have, as options have them.
const FILTERS: [&str; 6] = ["comm", "match", "uid", "unit", "container", "ppid"];

/// What may have been forgotten where a value ends too soon.
const QUOTES: &str = "; a value with ] or , in it is put in double quotes";

/// Why a text is no rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What should be there.
    what: String,
    text: String,
    /// The byte of the text where it goes wrong.
    at: usize,
}

/// What should be there, the text, and a mark below the place.
impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |part: &str| {
            let mut shown = String::new();
            text::escape(part.as_bytes(), &mut shown);
            shown
        };
        let (before, behind) = self.text.split_at(self.at);
        let (before, behind) = (escaped(before), escaped(behind));
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {before}{behind}")?;
        write!(f, "  {:width$}^", "", width = before.width())
    }
}

/// Reads one rule.
///
/// # Errors
/// It is none.
pub fn rule(text: &str) -> Result<Rule, SyntaxError> {
    let mut rest = Rest { text, at: 0 };
    let measure = rest.measure()?;
    let filter = rest.filter(measure)?;
    let comparison = rest.comparison()?;
    let value = rest.value(measure)?;
    Ok(Rule { text: text.trim().to_owned(), measure, filter, comparison, value })
}

/// Reads the rules of a file, one a line; lines that are blank or begin with `#` say nothing, nor does
/// the mark of UTF-8 that some editors begin a file with.
///
/// # Errors
/// The number of the first line that is no rule, and why it is none.
pub fn rules(text: &str) -> Result<Vec<Rule>, (usize, SyntaxError)> {
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().filter(|(_, line)| says(line));
    lines.map(|(i, line)| rule(line).map_err(|error| (i + 1, error))).collect()
}

/// What is still to be read of a rule.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn left(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, what: impl Into<String>) -> SyntaxError {
        SyntaxError { what: what.into(), text: self.text.to_owned(), at: self.at }
    }

    fn skip_blanks(&mut self) {
        self.at += self.left().len() - self.left().trim_start().len();
    }

    /// Goes beyond a sign, if that comes next.
    fn skip(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let found = self.left().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    /// The letters and hyphens that come next.
    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let left = self.left();
        let end = left.find(|c: char| !c.is_ascii_alphabetic() && c != '-').unwrap_or(left.len());
        self.at += end;
        &left[..end]
    }

    fn measure(&mut self) -> Result<Measure, SyntaxError> {
        let word = self.word();
        let found = Measure::ALL.into_iter().find(|measure| measure.name() == word);
        found.ok_or_else(|| {
            self.at -= word.len();
            let names = Measure::ALL.map(Measure::name);
            self.error(format!("a rule begins with a measure: {}", names.join(", ")))
        })
    }

    fn filter(&mut self, measure: Measure) -> Result<Conditions, SyntaxError> {
        let mut filter = Conditions::default();
        let start = self.at;
        if !self.skip("[") {
            return Ok(filter);
        }
        if !measure.takes_filter() {
            self.at = start;
            return Err(self.error(format!("{} takes no filter", measure.name())));
        }
        loop {
            self.condition(&mut filter)?;
            if self.skip("]") {
                return Ok(filter);
            }
            if !self.skip(",") {
                return Err(self.error("here , or ] should be"));
            }
        }
    }

    fn condition(&mut self, filter: &mut Conditions) -> Result<(), SyntaxError> {
        let name = self.word();
        let wrong_name = |rest: &Self, what: &str| {
            Err(Self { text: rest.text, at: rest.at - name.len() }.error(what))
        };
        if !FILTERS.contains(&name) {
            return wrong_name(self, "a filter is comm, match, uid, unit, container or ppid");
        }
        let conditions = filter.words().len();
        let name_end = self.at;
        if !self.skip("=") {
            return Err(self.error(format!("here = and a value of {name} should be")));
        }
        self.skip_blanks();
        let at = self.at;
        let value = self.filter_value()?;
        let read = match name {
            "comm" => words::comm(&value).map(|comm| filter.comm = Some(comm)),
            "match" => regex(&value).map(|pattern| filter.pattern = Some(pattern)),
            "uid" => words::uid(&value).map(|uid| filter.uid = Some(uid)),
            "unit" => unit::whole_name(&value).map(|unit| filter.unit = Some(unit)),
            "container" => words::container(&value).map(|id| filter.container = Some(id)),
            _ => words::pid(&value).map(|ppid| filter.ppids.push(ppid)),
        };
        let cut_short = self.left().starts_with(']') && !self.text[at..].starts_with('"');
        let quotes = if name == "match" && cut_short { QUOTES } else { "" };
        read.map_err(|what| Self { text: self.text, at }.error(what + quotes))?;
        match filter.words().len() > conditions {
            true => Ok(()),
            false => wrong_name(&Self { text: self.text, at: name_end }, "this is there already"),
        }
    }

    /// Up to the next `,` or `]`, or what is in double quotes, of which one within is written twice.
    fn filter_value(&mut self) -> Result<String, SyntaxError> {
        if !self.left().starts_with('"') {
            let left = self.left();
            let end = left.find([',', ']']).unwrap_or(left.len());
            self.at += end;
            return Ok(left[..end].trim_end().to_owned());
        }
        let start = self.at;
        let mut value = String::new();
        loop {
            self.at += 1;
            let Some(end) = self.left().find('"') else {
                self.at = start;
                return Err(self.error("this quote is not closed"));
            };
            value.push_str(&self.left()[..end]);
            self.at += end + 1;
            if !self.left().starts_with('"') {
                return Ok(value);
            }
            value.push('"');
        }
    }

    fn comparison(&mut self) -> Result<Comparison, SyntaxError> {
        self.skip_blanks();
        let found = Comparison::ALL.into_iter().find(|(sign, _)| self.skip(sign));
        let (_, comparison) = found.ok_or_else(|| {
            let quotes = if self.text[..self.at].contains('[') { QUOTES } else { "" };
            self.error(format!("here a comparison should be: =, !=, <, <=, > or >={quotes}"))
        })?;
        Ok(comparison)
    }

    fn value(&mut self, measure: Measure) -> Result<u64, SyntaxError> {
        self.skip_blanks();
        let value = self.left().trim_end();
        let read = match measure.unit() {
            Unit::Count => value.parse().map_err(|_| "here a number should be".to_owned()),
            Unit::Size => values::size(value),
            Unit::Time => values::duration(value)
                .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        };
        read.map_err(|what| self.error(what))
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Measure, Vec<String>, Comparison, u64) {
        let rule = rule(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rule.text, text.trim());
        (rule.measure, rule.filter.words(), rule.comparison, rule.value)
    }

    #[test]
    fn rules_read_as_they_are_written() {
        use Comparison::{AtLeast, AtMost, Equal, Less, More, NotEqual};
        let none = Vec::new;
        let one = |word: &str| vec![word.to_owned()];
        for (text, wanted) in [
            ("failures = 0", (Measure::Failures, none(), Equal, 0)),
            ("  failures=0 ", (Measure::Failures, none(), Equal, 0)),
            ("failures[comm=cc1] != 1", (Measure::Failures, one("--comm=cc1"), NotEqual, 1)),
            (
                "execs[match=^(curl|wget)$] = 0",
                (Measure::Execs, one("--match=^(curl|wget)$"), Equal, 0),
            ),
            ("failed-execs<1", (Measure::FailedExecs, none(), Less, 1)),
            ("processes <= 500", (Measure::Processes, none(), AtMost, 500)),
            ("leftovers > 2", (Measure::Leftovers, none(), More, 2)),
            ("cpu <= 90s", (Measure::Cpu, none(), AtMost, 90_000_000_000)),
            (
                "cpu[unit=ci] <= 1.5",
                (Measure::Cpu, one("--unit=ci.service"), AtMost, 1_500_000_000),
            ),
            ("wall <= 5m", (Measure::Wall, none(), AtMost, 300_000_000_000)),
            ("max-rss <= 2G", (Measure::MaxRss, none(), AtMost, 2 << 30)),
            ("killed [ uid = root ] >= 1", (Measure::Killed, one("--uid=0"), AtLeast, 1)),
            ("oom[ppid=7,container=0123456789ab] = 0", {
                let words = ["--ppid=7", "--container=0123456789ab"].map(str::to_owned);
                (Measure::Oom, words.into(), Equal, 0)
            }),
            ("lost = 0", (Measure::Lost, none(), Equal, 0)),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn quotes_hold_what_ends_a_value() {
        let pattern = |text: &str| read(text).1.remove(0);
        assert_eq!(pattern(r#"execs[match="a,[b-z]\.c"] = 0"#), r"--match=a,[b-z]\.c");
        assert_eq!(pattern(r#"execs[match="say ""hi"" \\"] = 0"#), r#"--match=say "hi" \\"#);
        assert_eq!(pattern(r#"execs[ match = "]" ]=0"#).as_str(), "--match=]");
        assert_eq!(pattern("execs[match=a b ] = 0"), "--match=a b");
    }

    #[test]
    fn an_error_points_at_the_place() {
        for (text, place, what) in [
            ("", "", "begins with a measure"),
            ("failure = 0", "failure = 0", "begins with a measure: failures, execs"),
            ("failures == 0", "= 0", "number"),
            ("failures ~ 0", "~ 0", "comparison"),
            ("failures", "", "comparison"),
            ("failures = ", "", "number"),
            ("failures = -1", "-1", "number"),
            ("failures = 0 0", "0 0", "number"),
            ("execs[foo=1] = 0", "foo=1] = 0", "a filter is comm"),
            ("execs[comm] = 0", "] = 0", "value of comm"),
            ("execs[comm=] = 0", "] = 0", "1 to 15 bytes"),
            ("execs[comm=a,comm=b] = 0", "comm=b] = 0", "already"),
            ("execs[ppid=1,ppid=2] = 0", "ppid=2] = 0", "already"),
            ("execs[match=[a-z]x] = 0", "[a-z]x] = 0", "double quotes"),
            ("execs[comm=a]b] = 0", "b] = 0", "double quotes"),
            ("execs[match=(] = 0", "(] = 0", "group"),
            ("execs[match=\"(] = 0", "\"(] = 0", "not closed"),
            ("execs[match=\"a\"\"] = 0", "\"a\"\"] = 0", "not closed"),
            ("execs[match=\"a\"b] = 0", "b] = 0", ", or ]"),
            ("execs[match=a", "", ", or ]"),
            ("execs[uid=nobody there] = 0", "nobody there] = 0", "no such user"),
            ("wall[comm=a] < 5", "[comm=a] < 5", "takes no filter"),
            ("cpu <= 90x", "90x", "90s"),
            ("max-rss <= 2T", "2T", "4M"),
        ] {
            let error = rule(text).expect_err(text);
            assert_eq!(&text[error.at..], place, "{error}");
            assert!(error.what.contains(what), "{error}");
        }
        let error = rule("execs[comm=日\x1b] ? 0").expect_err("no comparison");
        let shown = error.to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1..], ["  execs[comm=日\\x1b] ? 0", "                     ^"], "{shown}");
    }

    #[test]
    fn a_file_has_a_rule_a_line() {
        let text = "# of the build\n\nfailures = 0\r\n  # and\n  lost = 0\n";
        let read = rules(text).unwrap_or_else(|(line, error)| panic!("{line}: {error}"));
        assert_eq!(
            read.iter().map(|rule| &*rule.text).collect::<Vec<_>>(),
            ["failures = 0", "lost = 0"]
        );
        for text in ["\u{feff}lost = 0\n", "\u{feff}# of the build\nlost = 0\n"] {
            assert_eq!(rules(text).map(|rules| rules.len()), Ok(1), "{text}");
        }
        let (line, _) = rules("lost = 0\n\u{feff}lost = 0\n").expect_err("no file begins there");
        assert_eq!(line, 2);
        let (line, _) = rules("lost = 0\n\nlose = 0\n").expect_err("no measure");
        assert_eq!(line, 3);
    }
}
