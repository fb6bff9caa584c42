//! `gavel sandbox doctor`, and the lines on the sandbox in `gavel doctor`.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use sandboxes::{Ending, GuestState, GuestStatus, Guests, Language, Limits, Program, Sandbox};

use super::GuestArgs;
use super::list::{languages, state};

/// Say of each guest, and of this machine, what keeps programs from running and what to do about it.
///
/// Exit code: 0 when every installed guest runs a program, 1 when something is wrong.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    guests: GuestArgs,
}

/// One line of a report.
pub(in crate::cli) struct Finding {
    /// What it says.
    pub(in crate::cli) text: String,
    /// Whether something is wrong that was meant to work.
    pub(in crate::cli) is_fault: bool,
}

impl Finding {
    fn fine(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fault: false }
    }

    fn fault(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fault: true }
    }
}

impl Doctor {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let findings = examine(&self.guests);
        for finding in &findings {
            println!("{}", finding.text);
        }
        let is_well = findings.iter().all(|finding| !finding.is_fault);
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Looks at this machine and at every guest.
pub(in crate::cli) fn examine(guests: &GuestArgs) -> Vec<Finding> {
    let mut findings = kernel();
    match guests.sandbox(1).guests() {
        Ok(guests) => findings.extend(guests.status().iter().map(|status| guest(&guests, status))),
        Err(message) => findings.push(Finding::fault(format!("the sandbox does not start: {message}"))),
    }
    findings
}

fn guest(guests: &Guests, status: &GuestStatus) -> Finding {
    let about = |state: &str| {
        format!("{} {} ({}): {state}", status.guest, status.version, languages(status.languages))
    };
    let (word, how) = state(status);
    match (&status.state, how) {
        (GuestState::Ready, _) => {
            match status.languages.iter().find_map(|language| try_out(guests, *language)) {
                None => Finding::fine(about("ready, and runs a program")),
                Some(fault) => Finding::fault(about(&format!(
                    "installed, but {fault}; delete {} and `gavel sandbox install {}`",
                    status.folder.display(),
                    status.guest
                ))),
            }
        }
        (GuestState::NotInstalled, how) => {
            Finding::fine(about(&format!("{word}; {}", how.unwrap_or_default())))
        }
        (GuestState::Damaged { .. }, how) => {
            Finding::fault(about(&format!("{word}: {}", how.unwrap_or_default())))
        }
    }
}

/// The smallest program that prints 1.
pub(super) const fn smallest(language: Language) -> &'static str {
    match language {
        Language::Python => "print(1)",
        Language::JavaScript => "console.log(1)",
        Language::C => "#include <stdio.h>\nint main(void) { puts(\"1\"); }",
        Language::Cpp => "#include <iostream>\nint main() { std::cout << 1 << '\\n'; }",
    }
}

/// What is wrong with a language's guest, if anything is.
fn try_out(guests: &Guests, language: Language) -> Option<String> {
    let limits = Limits {
        time: Duration::from_secs(10),
        wall: Duration::from_mins(2),
        memory_bytes: 256 << 20,
        output_bytes: 1 << 16,
        files_bytes: 1 << 16,
    };
    match guests.run(&Program::new(language, smallest(language)), b"", &limits) {
        Ok(execution) if execution.ending == (Ending::Exited { code: 0 }) && execution.stdout == b"1\n" => {
            None
        }
        Ok(execution) => {
            let stdout = String::from_utf8_lossy(&execution.stdout).into_owned();
            Some(format!("{} did not print 1 but {stdout:?} ({})", language.name(), execution.ending.name()))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// What of the kernel's settings is in the way. Each run reserves more address space than it ever touches.
fn kernel() -> Vec<Finding> {
    let mut findings = Vec::new();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(bytes) = address_space(&limits) {
        findings.push(Finding::fault(format!(
            "the address space is limited to {bytes} bytes, and each run reserves about 12 GiB of it that it never \
             touches; start this with `ulimit -v unlimited` (LimitAS=infinity in a systemd unit)"
        )));
    }
    if read_number("/proc/sys/vm/overcommit_memory") == Some(2) {
        findings.push(Finding::fault(
            "the kernel counts reserved memory as used (vm.overcommit_memory = 2); `sysctl vm.overcommit_memory=0`",
        ));
    }
    if read_number("/proc/sys/vm/memfd_noexec") == Some(2) {
        findings.push(Finding::fault(
            "the kernel forbids the files in memory that instances are copied from (vm.memfd_noexec = 2); \
             `sysctl vm.memfd_noexec=1`",
        ));
    }
    if let Some(n) = read_number("/proc/sys/vm/max_map_count").filter(|n| *n < MIN_MAPPINGS) {
        findings.push(Finding::fault(format!(
            "a process may have {n} mappings, and {MIN_MAPPINGS} are the usual number; `sysctl vm.max_map_count={MIN_MAPPINGS}`"
        )));
    }
    findings
}

const MIN_MAPPINGS: u64 = 65_530;

/// The limit of the address space, if there is one.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::address_space;

    #[test]
    fn a_limit_of_the_address_space_is_found() {
        let line = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units\nMax address space         {soft}            unlimited            bytes\n"
            )
        };
        assert_eq!(address_space(&line("unlimited")), None);
        assert_eq!(address_space(&line("1048576")), Some(1_048_576));
        assert_eq!(address_space(""), None);
    }
}
