// SPDX-License-Identifier: MIT OR Apache-2.0
//! The man pages and the shells' completions say what the command line is. They are kept in the
//! repository, so that installing takes no compiler; this test fails when they are not what the
//! command line's definition and the words in man/*.in make. `make manual` writes them anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use tuxscope::cli::Cli;

/// Of the last change to the pages' own words.
const DATE: &str = "2026-11-22";

/// The command line without what only tuxscope itself calls.
fn command_line() -> Command {
    let whole = Cli::command();
    let mut shown = Command::new("tuxscope")
        .version(env!("CARGO_PKG_VERSION"))
        .about(whole.get_about().cloned().unwrap())
        .subcommand_required(true);
    for subcommand in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        shown = shown.subcommand(subcommand.clone());
    }
    shown.build();
    shown
}

/// Replaying a capture is for every user; what traces is for the administrator.
fn section(name: &str) -> u8 {
    match name {
        "tuxscope-replay" | "tuxscope-schema" => 1,
        _ => 8,
    }
}

/// A page is man/NAME.in, with the options (or commands) of the definition where it says so.
fn page(command: &Command) -> (PathBuf, Vec<u8>) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section(&name).to_string())
        .date(DATE)
        .source(format!("tuxscope {}", env!("CARGO_PKG_VERSION")))
        .manual("tuxscope");
    let render = |render: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>| {
        let mut text = Vec::new();
        render(&man, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    let mut text = render(Man::render_title)
        + &render(Man::render_name_section)
        + &synopsis(command)
        + &fs::read_to_string(format!("man/{name}.in")).unwrap()
        + &fs::read_to_string("man/common.in").unwrap();
    text = text.replace("@OPTIONS@\n", &render(Man::render_options_section));
    text = text.replace("@COMMANDS@\n", &subcommands(command));
    // Each part defines the apostrophe anew; and two breaks around a blank line are one too many.
    let preamble = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
    text = preamble.to_owned() + &text.replace(preamble, "").replace("\n.br\n\n.br\n", "\n.sp\n");
    (format!("man/{name}.{}", section(&name)).into(), text.into_bytes())
}

/// clap's usage line: a man page's own would name each option once more.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let rest = usage.trim_start_matches("Usage: ").trim_start_matches(name);
    format!(".SH SYNOPSIS\n\\fB{name}\\fR{}\n", rest.replace('-', "\\-"))
}

fn subcommands(command: &Command) -> String {
    let one = |command: &Command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let about = command.get_about().unwrap();
        format!(".TP\n\\fB{}\\fR({})\n{about}\n", name.replace('-', "\\-"), section(name))
    };
    documented(command).map(one).collect()
}

fn documented(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help")
}

fn completions(shell: Shell, file: &str) -> (PathBuf, Vec<u8>) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "tuxscope", &mut text);
    (Path::new("completions").join(file), text)
}

/// `UPDATE=1` writes the files instead of comparing them.
fn check(files: Vec<(PathBuf, Vec<u8>)>) {
    for (path, wanted) in files {
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, wanted).unwrap();
        } else {
            let current = fs::read(&path).is_ok_and(|found| found == wanted);
            assert!(current, "{} is not up to date: make manual", path.display());
        }
    }
}

#[test]
fn man_pages_are_current() {
    let command = command_line();
    check(documented(&command).map(page).chain([page(&command)]).collect());
}

#[test]
fn completions_are_current() {
    check(vec![
        completions(Shell::Bash, "tuxscope.bash"),
        completions(Shell::Zsh, "_tuxscope"),
        completions(Shell::Fish, "tuxscope.fish"),
    ]);
}
