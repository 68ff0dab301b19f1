// SPDX-License-Identifier: MIT OR Apache-2.0
//! The values of conditions as a person types them: on the command line, and in rules.

use crate::host::users;
use crate::model::pid::PID_MAX_LIMIT;

/// A process id.
///
/// # Errors
/// It is none; the text says what one is.
pub fn pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if (1..=PID_MAX_LIMIT).contains(&pid) => Ok(pid),
        _ => {
            Err(format!("a pid is a number from 1 to {PID_MAX_LIMIT}; separate several by commas"))
        }
    }
}

/// `TASK_COMM_LEN` of include/linux/sched.h, less the NUL.
const MAX_COMM: usize = 15;

/// A process' name.
///
/// # Errors
/// It is none; the text says what one is.
pub fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        1..=MAX_COMM => Ok(text.to_owned()),
        _ => Err(format!(
            "the kernel's process names have 1 to {MAX_COMM} bytes; --match finds longer ones \
             among the arguments"
        )),
    }
}

/// A container: digits of its id, or its name.
///
/// # Errors
/// It is none; the text says what one is.
pub fn container(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.len() {
        1..=64 if text.chars().all(legal) => Ok(text.to_owned()),
        _ => Err("a container is named by 12 to 64 digits of its id, or by its name where its \
                  runtime is lxc or systemd-nspawn"
            .to_owned()),
    }
}

/// A user, by name or number.
///
/// # Errors
/// It is none; the text says what one is.
pub fn uid(text: &str) -> Result<u32, String> {
    users::uid(text)
        .ok_or_else(|| "there is no such user in /etc/passwd; give a name or a number".to_owned())
}
