// SPDX-License-Identifier: MIT OR Apache-2.0
//! Command lines that are nearly right: which one was meant.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Error};

use crate::cli::Cli;
use crate::model::event::Args;
use crate::text::command;
use crate::view;

/// Adds to an error of the command line what the right call would be, where that can be told.
pub fn add(mut error: Error, words: &[OsString]) -> Error {
    // As tail(1) and journalctl(1) call it.
    let follows = words.iter().any(|word| word == "-f" || word == "--follow");
    let replays = words.get(1).is_some_and(|word| word == "replay");
    if error.kind() == ErrorKind::MissingRequiredArgument && follows && replays {
        let hint = StyledStr::from("to go on with what is appended to a capture, use --tail");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
        return error;
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    if let Some(hint) = hint(unknown, words) {
        let hint = ContextValue::StyledStrs(vec![StyledStr::from(hint)]);
        error.insert(ContextKind::Suggested, hint);
    }
    error
}

/// `unknown` is the first word that has no place where it stands.
fn hint(unknown: &str, words: &[OsString]) -> Option<String> {
    let subcommand = words.get(1)?.to_str()?;
    let view = view::ALL.iter().find(|view| unknown.strip_prefix("--") == Some(view.name));
    match (subcommand, view) {
        ("proc" | "replay", Some(view)) => Some(format!("use --format {}", view.name)),
        (_, Some(view)) => Some(format!("use tuxscope proc --format {}", view.name)),
        ("proc", None) if !unknown.starts_with('-') => {
            let at = words.iter().position(|word| word == unknown)?;
            let (options, command) = words.split_at(at);
            let call = [&options[1..], &["--".into()], command].concat();
            Some(format!("to run a command, write -- before it: {}", line("tuxscope", &call)))
        }
        ("replay", None) if belongs_to_proc(unknown) => Some(format!(
            "{unknown} is an option of tuxscope proc; replay shows a capture as it was made"
        )),
        ("schema" | "check" | "help", None) => None,
        (_, None) if belongs_to_proc(unknown) => {
            Some(format!("use {}", line("tuxscope proc", &words[1..])))
        }
        _ => None,
    }
}

/// A line that a shell takes.
fn line(program: &str, words: &[OsString]) -> String {
    let mut line = program.to_owned() + " ";
    let words = words.iter().map(|word| word.as_encoded_bytes()).collect::<Vec<_>>();
    command::quote(&Args::new(&words.join(&0), false), &mut line);
    line
}

fn belongs_to_proc(option: &str) -> bool {
    let cli = Cli::command();
    let proc = cli.find_subcommand("proc").into_iter();
    proc.flat_map(clap::Command::get_arguments).any(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|name| name == option)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_call_that_was_meant() {
        let hints = [
            ("proc ls", "tuxscope proc -- ls"),
            ("proc -w make -j4", "tuxscope proc -w -- make -j4"),
            ("proc -p 7 make", "tuxscope proc -p 7 -- make"),
            ("proc --json", "use --format json"),
            ("replay --summary x", "use --format summary"),
            ("--json", "use tuxscope proc --format json"),
            ("-w --failed", "use tuxscope proc -w --failed"),
            ("replay -w x", "-w is an option of tuxscope proc"),
            ("replay x --duration 5", "--duration is an option of tuxscope proc"),
        ];
        for (line, hint) in hints {
            let words = ["tuxscope"].into_iter().chain(line.split(' '));
            let error = Cli::read(words).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            let text = error.to_string();
            assert!(text.contains("tip: ") && text.contains(hint), "{line}: {text}");
        }
    }

    #[test]
    fn says_nothing_where_nothing_is_known() {
        for line in ["proc --nonsense", "check -w", "schema --json-schema", "nonsense"] {
            let words = ["tuxscope"].into_iter().chain(line.split(' '));
            let text = Cli::read(words).expect_err(line).to_string();
            assert!(!text.contains("use tuxscope") && !text.contains("use --format"), "{text}");
        }
    }
}
