// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON that is fit to be looked at: the same values, where characters that would steer a terminal
//! or hide are written as `\u` escapes.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::event::Args;
use crate::text;

/// Appends a value, without a line's end.
pub fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Neither such values (string keys, no maps) nor a Vec gives serde_json a cause to fail.
    let written = value.serialize(&mut Serializer::with_formatter(out, Readable));
    debug_assert!(written.is_ok());
}

/// Appends the bytes as a string. What isn't UTF-8 becomes U+FFFD, as by
/// [`String::from_utf8_lossy`].
#[inline]
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    let stands_for_itself = |&byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if bytes.iter().all(stands_for_itself) {
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    } else {
        write(&*String::from_utf8_lossy(bytes), out);
    }
}

/// How many bytes of the arguments, from the first on, take at most `room` bytes as a list.
pub fn args_that_fit(args: &Args, room: usize) -> usize {
    let mut left = room.saturating_sub("[]".len());
    let mut fit = 0;
    let mut scratch = Vec::new();
    for arg in args.iter() {
        let comma = usize::from(fit > 0);
        let needs = takes(arg, &mut scratch) + comma;
        if needs > left {
            return fit + string_that_fits(arg, left.saturating_sub(comma));
        }
        left -= needs;
        fit += arg.len() + 1;
    }
    args.len()
}

/// How many of these bytes, from the first on, take at most `room` bytes as a string.
pub fn string_that_fits(bytes: &[u8], room: usize) -> usize {
    let mut scratch = Vec::new();
    if takes(bytes, &mut scratch) <= room {
        return bytes.len();
    }
    // Halving leads to a length that fits, also where a cut character takes more.
    let (mut fits, mut too_many) = (0, bytes.len());
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        match takes(&bytes[..middle], &mut scratch) <= room {
            true => fits = middle,
            false => too_many = middle,
        }
    }
    fits
}

fn takes(bytes: &[u8], scratch: &mut Vec<u8>) -> usize {
    scratch.clear();
    string(bytes, scratch);
    scratch.len()
}

/// As compact as `serde_json`'s own.
struct Readable;

impl Formatter for Readable {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        const DELETE: u8 = 0x7f;
        if fragment.is_ascii() && memchr::memchr(DELETE, fragment.as_bytes()).is_none() {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| text::misleads(c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(text, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn is_the_same_json_and_steers_nothing() {
        let all: String = (0..=0x10ffff).filter_map(char::from_u32).collect();
        let json = written(&all);
        assert!(!json.chars().any(text::misleads));
        assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), all);
    }

    #[test]
    fn a_string_of_bytes_is_the_same_as_its_text() {
        for byte in 0..=255 {
            for bytes in [&[b'a', byte, b'z'][..], &[byte]] {
                let mut out = Vec::new();
                string(bytes, &mut out);
                assert_eq!(out, written(&String::from_utf8_lossy(bytes)).as_bytes(), "{byte}");
            }
        }
    }

    #[test]
    fn what_fits_exactly_is_not_cut() {
        let args = Args::new(b"ab\0\n\0", false);
        let all = r#"["ab","\n"]"#.len();
        let fits = |room| args_that_fit(&args, room);
        // Half of an escape is none of it.
        assert_eq!([fits(all), fits(all - 1), fits(all - 2)], [5, 3, 3]);
        let first = r#"["ab"]"#.len();
        assert_eq!([fits(first), fits(first - 1), fits(first - 2), fits(0)], [3, 1, 0, 0]);
    }

    #[test]
    fn escapes_no_more_than_it_must() {
        assert_eq!(written("a\"b\\ \n ü 日本 🦀"), "\"a\\\"b\\\\ \\n ü 日本 🦀\"");
        assert_eq!(written("\u{7f}\u{9b}a\u{202e}\u{2028}"), "\"\\u007f\\u009ba\\u202e\\u2028\"");
        assert_eq!(written("\u{e0041}"), "\"\\udb40\\udc41\"");
    }
}
