//! What the guest imports besides the system: one function by which its prelude asks the host, and what the engine
//! tells of promises.
//!
//! A host function cannot allocate in the guest, so it answers with numbers and bytes in the transfer buffer and comes
//! back without a value, which the engine takes for a throw of nothing. Whoever calls may be the program: every
//! address is checked, every length is bounded, and nothing read here is trusted.

use wasmtime::{Caller, Linker};

use super::layout::{self, Memory, Text};
use crate::machine::State;
use crate::wasi::direct::{Entry, Stream, enter};
use crate::wasi::{Errno, Fault, Stop, World};

/// The module that the functions belong to.
const MODULE: &str = "env";
/// What is answered to a text that is a rope: it has to be made flat.
const ROPE: i32 = -100;

/// What can be asked for. The numbers are those of `primordials.js`.
mod op {
    pub(super) const WRITE: i32 = 1;
    pub(super) const EXIT: i32 = 2;
    pub(super) const CLASS_OF: i32 = 3;
    pub(super) const WRITE_BYTES: i32 = 4;
    pub(super) const SLEEP: i32 = 5;
    pub(super) const CONVERSE: i32 = 6;
    pub(super) const REPLY: i32 = 7;
    pub(super) const READ_FILE: i32 = 8;
    pub(super) const WRITE_FILE: i32 = 9;
    pub(super) const APPEND_FILE: i32 = 10;
    pub(super) const REMOVE: i32 = 11;
    pub(super) const MAKE_FOLDER: i32 = 12;
    pub(super) const LIST: i32 = 13;
    pub(super) const STAT: i32 = 14;
    pub(super) const PROMISE_STATE: i32 = 15;
    pub(super) const PROMISE_RESULT: i32 = 16;
}

/// Adds the imports.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "host_call",
        |mut caller: Caller<'_, State>, _name: u32, _length: u32, _this: u32, count: u32, arguments: u32| {
            let answered = enter(&mut caller, |world, bytes| {
                let mut memory = Memory::new(bytes);
                let call = Call { count, arguments };
                answer(world, &mut memory, &call)
            })?;
            // An address that leads nowhere: the prelude has none, so the guest is broken.
            answered.map_err(|_| wasmtime::Error::new(wasmtime::Trap::MemoryOutOfBounds))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "host_promise_rejection",
        |mut caller: Caller<'_, State>, promise: u32, reason: u32, is_handled: u32| {
            let noted = enter(&mut caller, |world, bytes| {
                world.charge_bytes(0)?;
                layout::note_rejection(&mut Memory::new(bytes), promise, reason, is_handled)
                    .ok_or_else(broken)
            })?;
            noted.map_err(|_| wasmtime::Error::new(wasmtime::Trap::MemoryOutOfBounds))
        },
    )?;
    // All zones are UTC.
    linker.func_wrap(MODULE, "host_get_timezone_offset", |_: i32, _: u32| -> i32 { 0 })?;
    // Fuel is what ends a program that does not end.
    linker.func_wrap(MODULE, "host_interrupt", || -> i32 { 0 })?;
    // The engine finds the prelude's modules by itself; there are no others.
    linker.func_wrap(MODULE, "host_module_normalize", |_: u32, _: u32| -> u32 { 0 })?;
    linker.func_wrap(MODULE, "host_module_load", |_: u32, _: u32| -> u32 { 0 })?;
    Ok(())
}

/// The arguments of a call: how many, and where the addresses of the values are.
struct Call {
    count: u32,
    arguments: u32,
}

impl Call {
    /// The address of an argument's value.
    fn argument(&self, memory: &Memory<'_>, index: u32) -> Result<u32, Fault> {
        if index >= self.count {
            return Err(broken());
        }
        let slot = self.arguments.checked_add(4 * index).ok_or_else(broken)?;
        memory.word(slot).ok_or_else(broken)
    }

    /// An argument as a whole number.
    fn integer(&self, memory: &Memory<'_>, index: u32) -> Result<i32, Fault> {
        Ok(self.number(memory, index)? as i32)
    }

    fn number(&self, memory: &Memory<'_>, index: u32) -> Result<f64, Fault> {
        memory.number(self.argument(memory, index)?).ok_or_else(broken)
    }

    fn text<'m>(&self, memory: &'m Memory<'_>, index: u32) -> Result<Text<'m>, Fault> {
        memory.text(self.argument(memory, index)?).ok_or_else(broken)
    }

    /// A path; nothing when it is a rope.
    fn path(&self, memory: &Memory<'_>) -> Result<Option<String>, Fault> {
        match self.text(memory, 1)? {
            Text::Rope => Ok(None),
            text if text.length() > layout::PATH_MAX => Err(Errno::NameTooLong.into()),
            text => Ok(Some(String::from_utf8_lossy(&text.to_utf8(layout::PATH_MAX)).into_owned())),
        }
    }
}

fn broken() -> Fault {
    Errno::Fault.into()
}

/// Does what is asked for. The result is the address of a value, or 0 for none.
fn answer(world: &mut World, memory: &mut Memory<'_>, call: &Call) -> Result<u32, Fault> {
    let code = call.integer(memory, 0)?;
    if code == op::PROMISE_RESULT {
        return promise_result(memory, call);
    }
    let answers = match act(world, memory, call, code) {
        Ok(answers) => answers,
        // The guest is told; a broken one is not.
        Err(Fault::Errno(errno)) if errno != Errno::Fault => (linux(errno), 0),
        Err(fault) => return Err(fault),
    };
    memory.answer(answers).ok_or_else(broken)?;
    Ok(0)
}

fn act(world: &mut World, memory: &mut Memory<'_>, call: &Call, code: i32) -> Result<(i32, i32), Fault> {
    match code {
        op::WRITE => {
            let stream = stream(call.integer(memory, 1)?);
            let text = call.text(memory, 2)?;
            if text == Text::Rope {
                return Ok((ROPE, 0));
            }
            world.charge_bytes(text.length())?;
            // One character more than fits is enough to know that it does not.
            let bytes = text.to_utf8(world.room(stream).saturating_add(1));
            world.write_stream(stream, &bytes)?;
            Ok((0, 0))
        }
        op::WRITE_BYTES => {
            let stream = stream(call.integer(memory, 1)?);
            let bytes = memory.transfer(call.integer(memory, 2)?).ok_or_else(broken)?;
            world.write_stream(stream, bytes)?;
            Ok((0, 0))
        }
        op::EXIT => Err(Stop::Exit(call.integer(memory, 1)?).into()),
        op::CLASS_OF => Ok((memory.class(call.argument(memory, 1)?).ok_or_else(broken)?, 0)),
        op::PROMISE_STATE => Ok((memory.promise_state(call.argument(memory, 1)?).ok_or_else(broken)?, 0)),
        op::SLEEP => {
            let ms = call.number(memory, 1)?;
            // The cast saturates, and makes 0 of what is not a number.
            world.pause((ms * 1e6).ceil() as u64)?;
            Ok((0, 0))
        }
        op::CONVERSE => {
            let text = call.text(memory, 1)?;
            if text == Text::Rope {
                return Ok((ROPE, 0));
            }
            if text.length() > layout::MESSAGE_MAX {
                return Err(Errno::FileTooLarge.into());
            }
            world.say(&text.to_utf8(layout::MESSAGE_MAX))?;
            Ok((0, 0))
        }
        op::REPLY => {
            let count = world.hear(memory.transfer_mut().ok_or_else(broken)?)?;
            Ok((length(count)?, 0))
        }
        _ => file(world, memory, call, code),
    }
}

/// Questions about files. Their first argument is a path.
fn file(world: &mut World, memory: &mut Memory<'_>, call: &Call, code: i32) -> Result<(i32, i32), Fault> {
    let Some(path) = call.path(memory)? else {
        return Ok((ROPE, 0));
    };
    let number = call.integer(memory, 2)?;
    match code {
        op::READ_FILE => {
            let offset = usize::try_from(number).map_err(|_| Errno::Invalid)?;
            let into = memory.transfer_mut().ok_or_else(broken)?;
            let (count, total) = match path.as_str() {
                "/dev/stdin" => world.read_stdin(offset, into)?,
                path => world.read_file(path, offset, into)?,
            };
            Ok((length(count)?, i32::try_from(total).map_err(|_| Errno::FileTooLarge)?))
        }
        op::WRITE_FILE | op::APPEND_FILE => {
            let bytes = memory.transfer(number).ok_or_else(broken)?;
            world.write_file(&path, bytes, code == op::APPEND_FILE)?;
            Ok((0, 0))
        }
        op::REMOVE => {
            if number == 0 {
                world.remove_file(&path)?;
            } else {
                world.remove_folder(&path)?;
            }
            Ok((0, 0))
        }
        op::MAKE_FOLDER => {
            world.make_folder(&path)?;
            Ok((0, 0))
        }
        op::LIST => {
            let names = world.names(&path)?;
            let offset = usize::try_from(number).map_err(|_| Errno::Invalid)?;
            let rest = names.as_bytes().get(offset..).unwrap_or_default();
            let into = memory.transfer_mut().ok_or_else(broken)?;
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            Ok((length(count)?, length(names.len())?))
        }
        op::STAT => Ok(match world.entry(&path)? {
            Entry::File(size) => (1, i32::try_from(size).unwrap_or(i32::MAX)),
            Entry::Folder => (2, 0),
        }),
        _ => Err(Errno::Invalid.into()),
    }
}

/// Hands a promise's result on: as the value of the third argument, which the caller then does not free.
fn promise_result(memory: &mut Memory<'_>, call: &Call) -> Result<u32, Fault> {
    let promise = call.argument(memory, 1)?;
    let holder = call.argument(memory, 2)?;
    memory.share_promise_result(promise, holder).ok_or_else(broken)?;
    let slot = call.arguments.checked_add(8).ok_or_else(broken)?;
    memory.set_word(slot, 0).ok_or_else(broken)?;
    Ok(holder)
}

/// A length as an answer.
fn length(length: usize) -> Result<i32, Fault> {
    i32::try_from(length).map_err(|_| Errno::FileTooLarge.into())
}

fn stream(number: i32) -> Stream {
    if number == 2 { Stream::Error } else { Stream::Output }
}

/// The error's number as programs for Linux know it.
fn linux(errno: Errno) -> i32 {
    match errno {
        Errno::NotFound => -2,
        Errno::BadDescriptor => -9,
        Errno::NotPermitted | Errno::NotCapable => -13,
        Errno::Exists => -17,
        Errno::NotFolder => -20,
        Errno::IsFolder => -21,
        Errno::NoSpace | Errno::FileTooLarge => -28,
        Errno::NotEmpty => -39,
        _ => -22,
    }
}
