// SPDX-License-Identifier: MIT OR Apache-2.0
//! The man pages, the shells' completions and README's tables say what the command line is. They
//! are kept in the repository, so that installing takes no compiler; this test fails when they are
//! not what the command line's definition and the words in man/*.in make. `make manual` writes them
//! anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use tuxscope::cli::Cli;

/// Of the last change to the pages' own words.
const DATE: &str = "2026-11-28";

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
        "tuxscope-diff" | "tuxscope-replay" | "tuxscope-schema" => 1,
        _ => 8,
    }
}

/// What each part of a page that `clap_mangen` renders begins with.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

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
    text = text.replace("@OPTIONS@\n", &below_one_heading(&render(Man::render_options_section)));
    text = text.replace("@COMMANDS@\n", &subcommands(command));
    // Two breaks around a blank line are one too many.
    text = PREAMBLE.to_owned() + &text.replace(PREAMBLE, "").replace("\n.br\n\n.br\n", "\n.sp\n");
    (format!("man/{name}.{}", section(&name)).into(), text.into_bytes())
}

/// The options with the help's headings as parts of one section.
fn below_one_heading(options: &str) -> String {
    let title = |heading: &str| heading[..1].to_owned() + &heading[1..].to_lowercase();
    let lines = options.lines().filter(|line| *line != ".SH OPTIONS");
    let lines = lines.map(|line| match line.strip_prefix(".SH ") {
        Some(heading) => format!(".SS {}\n", title(heading)),
        None => format!("{line}\n"),
    });
    let lines: String = lines.collect();
    format!(".SH OPTIONS\n{lines}")
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

/// README.md with its tables of views and options made anew, between the comments that name them.
fn readme() -> String {
    let mut text = fs::read_to_string("README.md").unwrap();
    let command = command_line();
    let proc = command.find_subcommand("proc").unwrap();
    for (name, table) in [("views", views(proc)), ("options", options(proc))] {
        let (begin, end) = (format!("<!-- {name}: make manual -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = text.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        text = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    text
}

fn views(proc: &Command) -> String {
    let format = proc.get_arguments().find(|argument| argument.get_id() == "format").unwrap();
    let views = format.get_possible_values().into_iter();
    let rows =
        views.map(|view| format!("| `{}` | {} |\n", view.get_name(), view.get_help().unwrap()));
    format!("| `--format` | shows |\n|---|---|\n{}", rows.collect::<String>())
}

/// A table for each heading, in the order of the help.
fn options(command: &Command) -> String {
    let mut tables: Vec<(&str, String)> = Vec::new();
    let (options, positionals): (Vec<_>, Vec<_>) =
        command.get_arguments().partition(|argument| !argument.is_positional());
    for argument in options.into_iter().chain(positionals) {
        let heading = argument.get_help_heading().expect("each option has a heading");
        let table = match tables.iter().position(|(known, _)| *known == heading) {
            Some(at) => &mut tables[at].1,
            None => {
                tables.push((heading, format!("| {heading} | |\n|---|---|\n")));
                &mut tables.last_mut().unwrap().1
            }
        };
        *table += &row(argument);
    }
    tables.into_iter().map(|(_, table)| table).collect::<Vec<_>>().join("\n")
}

fn row(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let values = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = values.map(|names| names[0].as_str()).unwrap_or_default();
    let list = argument.get_value_delimiter().map(|comma| format!("[{comma}{value}...]"));
    let list = list.unwrap_or_default();
    let name = match argument.get_long() {
        Some(long) => format!("{short}`{}`", format!("--{long} {value}{list}").trim_end()),
        None => format!("`-- {value} [ARGS...]`"),
    };
    let mut meaning = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
    let choices = argument.get_possible_values();
    if argument.get_action().takes_values() && !choices.is_empty() {
        let names = choices.iter().map(|value| format!("`{}`", value.get_name()));
        meaning += &format!(": {}", names.collect::<Vec<_>>().join(", "));
    }
    let defaults = argument.get_default_values().iter().filter_map(|value| value.to_str());
    if argument.get_action().takes_values() {
        defaults.for_each(|value| meaning += &format!(" (default {value})"));
    }
    format!("| {name} | {} |\n", meaning.replace("\n\n", ". ")).replace("USER|UID", "USER\\|UID")
}

#[test]
fn the_readme_has_the_options_of_the_command_line() {
    check(vec![("README.md".into(), readme().into_bytes())]);
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
