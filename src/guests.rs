//! The installed guests as the commands use them: opened when they are first needed.
//!
//! A machine on which the sandbox does not start can still judge everything but code; whatever asks for the sandbox
//! there is told why it is missing.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use sandboxes::{
    Call, Examination, Execution, GuestOptions, Guests, Language, Limits, Program, Sandbox, SandboxError,
    TestProgram,
};

/// A sandbox that opens the installed guests on its first use.
#[derive(Debug)]
pub struct InstalledGuests {
    directory: Option<PathBuf>,
    n_slots: usize,
    opened: OnceLock<Result<Opened, String>>,
}

#[derive(Clone)]
struct Opened(Arc<Guests>);

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Guests").field(&self.0.n_slots()).finish()
    }
}

impl InstalledGuests {
    /// The guests in `directory`, or where they are by default; `n_slots` programs run at a time.
    pub fn new(directory: Option<PathBuf>, n_slots: usize) -> Arc<Self> {
        let directory = directory.or_else(Guests::default_directory);
        Arc::new(Self { directory, n_slots: n_slots.max(1), opened: OnceLock::new() })
    }

    /// Where they are; nowhere on a system without home folders.
    pub fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// The guests themselves.
    ///
    /// # Errors
    /// Why the sandbox does not start on this machine.
    pub fn guests(&self) -> Result<Arc<Guests>, String> {
        let opened = self.opened.get_or_init(|| {
            let directory = self.directory.clone().ok_or(
                "there is no home folder to look for guests in; name one with --guests or GAVEL_GUESTS",
            )?;
            let options = GuestOptions { directory, slots: self.n_slots };
            Guests::open(&options)
                .map(|guests| Opened(Arc::new(guests)))
                .map_err(|error| format!("{error}; `gavel sandbox doctor` says what this machine lacks"))
        });
        opened.clone().map(|Opened(guests)| guests)
    }

    fn guests_for(&self, language: Language) -> Result<Arc<Guests>, SandboxError> {
        self.guests().map_err(|reason| SandboxError::Unavailable { language, reason })
    }
}

impl Sandbox for InstalledGuests {
    fn languages(&self) -> Vec<Language> {
        self.guests().map(|guests| guests.languages()).unwrap_or_default()
    }

    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        self.guests_for(program.language)?.run(program, stdin, limits)
    }

    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        self.guests_for(program.language)?.call(program, call, limits)
    }

    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        self.guests_for(program.language)?.examine(program, tests, limits)
    }
}
