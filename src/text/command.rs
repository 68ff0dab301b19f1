// SPDX-License-Identifier: MIT OR Apache-2.0
//! Command lines that a shell reads back as the arguments they were.

use crate::model::event::Args;
use crate::text;

/// Appends the arguments with blanks between, each quoted where a shell would take it apart, and
/// ` ...` where there were more. Control characters, characters that mislead, and bytes that
/// aren't UTF-8 never come through as they are: they make it `$'a\n\xff'` (bash, zsh, ksh).
pub fn quote(args: &Args, out: &mut String) {
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        quote_word(arg, i == 0, out);
    }
    if args.truncated {
        out.push_str(" ...");
    }
}

fn quote_word(word: &[u8], first: bool, out: &mut String) {
    match std::str::from_utf8(word) {
        Ok(word) if word.chars().any(text::misleads) => dollar_quote(word.as_bytes(), out),
        Ok(word) if is_plain(word, first) => out.push_str(word),
        // What keeps its meaning within double quotes is easier to read there.
        Ok(word) if word.contains('\'') && !word.contains(['"', '$', '`', '\\', '!']) => {
            out.extend(["\"", word, "\""]);
        }
        Ok(word) => out.extend(["'", &word.replace('\'', r"'\''"), "'"]),
        Err(_) => dollar_quote(word, out),
    }
}

/// A shell takes the word as it is. The first one with a `=` would be an assignment.
fn is_plain(word: &str, first: bool) -> bool {
    let plain = |c: char| match c {
        '=' => !first,
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "_-+./,:@%".contains(c),
        c => !c.is_whitespace(),
    };
    !word.is_empty() && word.chars().all(plain)
}

fn dollar_quote(word: &[u8], out: &mut String) {
    out.push_str("$'");
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '\'' | '\\' => out.extend(['\\', c]),
                // As bytes: what \u gives depends on the locale that the shell runs in.
                c if text::misleads(c) => {
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).bytes();
                    bytes.for_each(|byte| text::push_hex(byte, out));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| text::push_hex(byte, out));
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(bytes: &[u8]) -> String {
        let mut out = String::new();
        quote(&Args::new(bytes, false), &mut out);
        out
    }

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(
            quoted(b"ls\0-l\0--color=auto\0/tmp/a,b:c@d%e+f_g\0"),
            "ls -l --color=auto /tmp/a,b:c@d%e+f_g"
        );
        assert_eq!(quoted("naïve\0日本\0".as_bytes()), "naïve 日本");
    }

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted(b"sh\0-c\0cat /etc/passwd | wc\0"), "sh -c 'cat /etc/passwd | wc'");
        assert_eq!(quoted(b"A=b\0\0~\0*\0{}\0"), "'A=b' '' '~' '*' '{}'");
        assert_eq!(quoted(b"echo\0it's\0say \"it's\"\0"), r#"echo "it's" 'say "it'\''s"'"#);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(quoted(b"a\nb\0"), r"$'a\nb'");
        assert_eq!(quoted(b"\x1b[2J\\'\0"), r"$'\x1b[2J\\\''");
        assert_eq!(quoted(b"\xff ok\0"), r"$'\xff ok'");
        assert_eq!(quoted("a\u{202e}b\0".as_bytes()), r"$'a\xe2\x80\xaeb'");
        for byte in 1..=255 {
            let text = quoted(&[byte, 0]);
            assert!(!text.chars().any(text::misleads), "byte {byte}: {text:?}");
        }
    }

    #[test]
    fn no_arguments_and_cut_ones() {
        assert_eq!(quoted(b""), "");
        let mut out = String::new();
        quote(&Args::new(b"tar\0cz", true), &mut out);
        assert_eq!(out, "tar cz ...");
    }

    #[test]
    fn a_shell_reads_the_arguments_back() {
        let mut bytes = b"env\0".to_vec();
        bytes.extend((1..=255).flat_map(|byte| [b'a', byte, b'1', b'\'', 0]));
        bytes.extend((1..=255).flat_map(|byte| [byte, 0]));
        bytes.extend_from_slice("$HOME `id` \\ \" !\0\0\u{85}\u{2028}0\0".as_bytes());
        for locale in ["C", "C.UTF-8"] {
            let script = format!("printf '%s\\0' {}", quoted(&bytes));
            let output = std::process::Command::new("bash")
                .args(["-c", &script])
                .env("LC_ALL", locale)
                .output()
                .expect("bash runs");
            assert_eq!(output.stdout, bytes, "LC_ALL={locale}");
        }
    }
}
