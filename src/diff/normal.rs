// SPDX-License-Identifier: MIT OR Apache-2.0
//! Command lines without what differs from run to run. tuxscope-diff(1) documents the rules.

use crate::model::event::Args;
use crate::text::command;

/// Below these, names are made up.
const TEMPORARY: [&str; 4] = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/"];
/// From so many digits on a number says nothing; shorter ones may be a version or a level.
const LONG_NUMBER: usize = 4;
/// From so many hexadecimal digits on, one that isn't a letter among them, it is a hash.
const HASH: usize = 7;

/// The arguments, quoted for a terminal, with `*` for temporary names and `#` for hashes and long
/// numbers.
pub fn command_line(args: &Args) -> String {
    let mut line = String::new();
    command::quote(args, &mut line);
    numbers(&temporary(&line))
}

/// `/tmp/cc4eQWo2.o` -> `/tmp/*.o`
fn temporary(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((at, prefix)) = TEMPORARY
        .iter()
        .filter_map(|prefix| Some((rest.find(prefix)?, *prefix)))
        .min_by_key(|&(at, prefix)| (at, std::cmp::Reverse(prefix.len())))
    {
        let (before, after) = rest.split_at(at + prefix.len());
        out.push_str(before);
        let ends = |c: char| c == '/' || c.is_whitespace() || "'\":;,)".contains(c);
        let name = &after[..after.find(ends).unwrap_or(after.len())];
        if !name.is_empty() {
            out.push('*');
            // A file's kind stays: that is seldom made up.
            let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
            let is_word = kind.bytes().all(|b| b.is_ascii_lowercase());
            let is_file = !after[name.len()..].starts_with('/');
            if is_file && is_word && (1..=4).contains(&kind.len()) {
                out.push('.');
                out.push_str(kind);
            }
        }
        rest = &after[name.len()..];
    }
    out + rest
}

/// Hashes and long numbers.
fn numbers(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let is_hash = word.len() >= HASH && word.bytes().any(|b| b.is_ascii_digit());
        if is_hash && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            out.push('#');
        } else {
            long_numbers(word, out);
        }
        word.clear();
    };
    for c in line.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}

fn long_numbers(word: &str, out: &mut String) {
    let mut rest = word;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, after) = rest.split_at(at);
        let len = after.bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(before);
        out.push_str(if len >= LONG_NUMBER { "#" } else { &after[..len] });
        rest = &after[len..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[&str]) -> String {
        let bytes: Vec<u8> =
            args.iter().flat_map(|arg| [arg, "\0"].concat().into_bytes()).collect();
        command_line(&Args::new(&bytes, false))
    }

    #[test]
    fn what_differs_from_run_to_run_goes() {
        let cases: [(&[&str], &str); 8] = [
            (&["as", "-o", "/tmp/cc4eQWo2.o"], "as -o '/tmp/*.o'"),
            (&["sh", "/tmp/tmp.Xk2/run.sh", "x"], "sh '/tmp/*/run.sh' x"),
            (&["gcc", "-O2", "-std=c11", "-m64"], "gcc -O2 -std=c11 -m64"),
            (&["kill", "12345"], "kill #"),
            (&["rustc", "-Cmetadata=a1b2c3d4e5f60718"], "rustc -Cmetadata=#"),
            (&["git", "show", "deadbee"], "git show deadbee"),
            (&["git", "show", "1eadbee"], "git show #"),
            (&["sleep", "0.25"], "sleep 0.25"),
        ];
        for (args, normal) in cases {
            assert_eq!(line(args).replace('\'', ""), normal.replace('\'', ""), "{args:?}");
        }
    }

    #[test]
    fn a_prefix_within_a_prefix_is_the_longer_one() {
        assert_eq!(temporary("/var/tmp/a1 /tmp/b2/c"), "/var/tmp/* /tmp/*/c");
        assert_eq!(temporary("/tmp/ and /tmp"), "/tmp/ and /tmp");
    }
}
