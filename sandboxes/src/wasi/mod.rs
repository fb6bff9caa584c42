//! The world of one instance: WASI preview 1 without a host behind it.
//!
//! Arguments, three streams, files, a clock and random bytes, all in memory. Nothing in here ever opens a file of the
//! host, a socket or an environment variable; the host's clock is read for one purpose only, to give up on an instance
//! in [`World::set_deadline`], and never shown to it. For the same configuration and the same calls, every answer is
//! the same.
//!
//! What a guest can make the host do is bounded: each call costs fuel for what it does, files are under a quota, and
//! output is cut off. Every address, length and number that a guest gives is checked.

mod channel;
mod clock;
mod descriptors;
pub(crate) mod direct;
mod errno;
mod linker;
mod memory;
mod names;
mod overlay;
mod path;
mod places;
mod process;
mod random;
mod status;
mod streams;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::channel::Channel;
use self::channel::Conversation;
use self::clock::{CALL_FUEL, Clock, ClockId};
use self::descriptors::Descriptors;
pub(crate) use self::errno::{Errno, Fault};
pub(crate) use self::linker::add_to_linker;
use self::overlay::{Kind, Overlay};
use self::path::GuestPath;
pub(crate) use self::path::PathError;
use self::random::Random;
use self::tree::Inode;
pub(crate) use self::tree::Tree;
use crate::program::File;

/// Fuel charged by calls after which the deadline is looked at.
const FUEL_BETWEEN_LOOKS: u64 = 1_000_000;

/// What a world begins with.
pub(crate) struct WorldConfig {
    /// Arguments, the program's own name first.
    pub(crate) args: Vec<String>,
    /// Standard input: a file that can be read and sought, as in `program < input`.
    pub(crate) stdin: Vec<u8>,
    /// Files that cannot change, shared with other instances.
    pub(crate) tree: Arc<Tree>,
    /// Files of this instance alone. They count towards `files_bytes`.
    pub(crate) files: Vec<File>,
    /// The most bytes of standard output, and of standard error. One byte more of output ends the guest; of errors it
    /// is dropped.
    pub(crate) output_bytes: u64,
    /// The most bytes of files made or changed, with what names and the files themselves cost.
    pub(crate) files_bytes: u64,
    /// The fuel that makes the clock go on by a millisecond; for 0 it stands still.
    pub(crate) fuel_per_ms: u64,
}

/// Why a world cannot be made: for its configuration only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorldError {
    /// A file cannot be where it should be.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The files alone are more than may ever be written.
    #[error("the files of the program do not fit: {used} of {limit} bytes are used before {path:?}")]
    FilesTooLarge {
        /// The first file that did not fit.
        path: String,
        /// Bytes in use before it.
        used: u64,
        /// Bytes there are.
        limit: u64,
    },
    /// An argument holds a zero byte, which would end it.
    #[error("argument {index} holds a zero byte")]
    Argument {
        /// Its place, the program's own name being 0.
        index: usize,
    },
}

/// What ends a guest from within a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// It asked for it, with this code.
    #[error("the program exited with code {0}")]
    Exit(i32),
    /// It wrote more to standard output than it may.
    #[error("the program wrote more output than it may")]
    OutputLimit,
    /// It asked for more work, or slept longer, than its fuel is worth.
    #[error("the program's fuel ran out")]
    OutOfFuel,
    /// The deadline of the host has passed.
    #[error("the wall clock ran out")]
    TimedOut,
}

/// Store data with a world in it.
pub(crate) trait HasWorld {
    /// The world.
    fn world(&mut self) -> &mut World;
}

/// All that one instance can see and change.
pub(crate) struct World {
    args: Vec<String>,
    stdin: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    output_bytes: usize,
    files: Overlay,
    descriptors: Descriptors,
    conversation: Conversation,
    clock: Clock,
    random: Random,
    deadline: Option<Instant>,
    /// Fuel charged since the deadline was looked at.
    unwatched: u64,
}

impl World {
    /// A fresh world.
    ///
    /// # Errors
    /// When a file or an argument cannot be given to the guest.
    pub(crate) fn new(config: WorldConfig) -> Result<Self, WorldError> {
        if let Some(index) = config.args.iter().position(|arg| arg.contains('\0')) {
            return Err(WorldError::Argument { index });
        }
        let mut files = Overlay::new(config.tree, config.files_bytes);
        for File { path, content } in config.files {
            let used = files.used_bytes();
            files.place(&path, content)?.map_err(|_| WorldError::FilesTooLarge {
                path,
                used,
                limit: config.files_bytes,
            })?;
        }
        files.take_work();
        Ok(Self {
            args: config.args,
            stdin: config.stdin,
            stdout: Vec::new(),
            stderr: Vec::new(),
            output_bytes: usize::try_from(config.output_bytes).unwrap_or(usize::MAX),
            files,
            descriptors: Descriptors::new(),
            conversation: Conversation::default(),
            clock: Clock::new(config.fuel_per_ms),
            random: Random::new(),
            deadline: None,
            unwatched: 0,
        })
    }

    /// The instance starts now, with this much fuel.
    pub(crate) fn started(&mut self, fuel: u64) {
        self.clock.start(fuel);
    }

    /// Gives up on the instance after this moment. A guest that calls its system all the time never comes back to the
    /// host by itself: setting its fuel anew begins a new slice each time. So calls look at the clock themselves, once
    /// in a million of fuel.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Opens the channel.
    pub(crate) fn set_channel(&mut self, channel: Box<dyn Channel>) {
        self.conversation.connect(channel);
        self.files.has_channel = true;
    }

    /// Closes the channel and gives it back.
    pub(crate) fn take_channel(&mut self) -> Option<Box<dyn Channel>> {
        self.files.has_channel = false;
        self.conversation.disconnect()
    }

    /// What was written to standard output so far; it starts anew.
    pub(crate) fn take_stdout(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stdout)
    }

    /// What was written to standard error so far; it starts anew.
    pub(crate) fn take_stderr(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stderr)
    }

    /// Whether a write was ever refused because the files were full. The guest was told so (`ENOSPC`, or `EFBIG` for
    /// what could never fit), as on a full disk, and may have gone on; if it then died, this is likely to be why, and
    /// the ending may say so.
    pub(crate) fn files_were_full(&self) -> bool {
        self.files.was_full()
    }

    /// Bytes in use of those for files.
    #[cfg(test)]
    pub(crate) fn files_used_bytes(&self) -> u64 {
        self.files.used_bytes()
    }

    /// The content of a file, if there is a file at this path.
    pub(crate) fn file(&mut self, path: &str) -> Option<&[u8]> {
        let path = GuestPath::parse(path.as_bytes()).ok()?;
        let inode = self.files.find_existing(Inode::ROOT, &path).ok()?;
        self.files.take_work();
        match self.files.kind(inode) {
            Ok(Kind::File) => self.files.content(inode).ok(),
            _ => None,
        }
    }

    /// The files that were given, made or changed, by their paths from the root, in order. The tree's own files are not
    /// among them, unless they were written to; nor are files nested so deeply that their paths exceed a kilobyte.
    pub(crate) fn files(&self) -> Vec<File> {
        self.files.own_files()
    }

    /// Does one system call with the fuel that is left in the store; gives what is left after it.
    fn enter(
        &mut self,
        fuel: u64,
        call: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> (Result<(), Fault>, u64) {
        self.clock.set_left(fuel);
        let mut result = self.charge(CALL_FUEL).and_then(|()| call(self));
        // The work on files is known only when it is done; a single call does a bounded amount of it.
        let work = self.files.take_work();
        let charged = self.charge(work);
        if !matches!(result, Err(Fault::Stop(_) | Fault::Channel(_))) {
            result = charged.and(result);
        }
        let left = self.clock.left();
        self.unwatched = self.unwatched.saturating_add(fuel.saturating_sub(left));
        if self.unwatched >= FUEL_BETWEEN_LOOKS {
            self.unwatched = 0;
            let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_late && !matches!(result, Err(Fault::Stop(_))) {
                result = Err(Stop::TimedOut.into());
            }
        }
        (result, left)
    }

    /// Burns fuel for work of the host.
    fn charge(&mut self, fuel: u64) -> Result<(), Fault> {
        Ok(self.clock.spend(fuel)?)
    }

    /// What the guest's clock says, in nanoseconds since 1970.
    fn now(&self) -> u64 {
        self.clock.now(ClockId::Realtime)
    }
}
