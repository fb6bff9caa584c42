//! The engine's C functions as the host calls them, on an instance that is not inside a call.
//!
//! Values are named by addresses that the engine gave; it frees nothing of what a short run uses.

use crate::machine::{Running, Stopped};

/// How a source text is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// As a script.
    Script,
    /// As a module of ECMAScript.
    Module,
}

/// The address of a value.
pub(super) type Value = u32;

/// A value, or what was thrown instead.
pub(super) type Outcome = Result<Value, Value>;

/// An instance of the engine.
pub(super) struct Engine<'r> {
    pub(super) running: &'r mut Running,
}

impl Engine<'_> {
    /// Room for bytes in the instance. When there is none it ends as a program does that is out of memory.
    pub(super) fn allocate(&mut self, length: usize) -> Result<u32, Stopped> {
        let length = u32::try_from(length).map_err(|_| out_of_memory())?;
        match self.running.call::<u32, u32>("wasm_malloc", length)? {
            0 => Err(out_of_memory()),
            address => Ok(address),
        }
    }

    /// Copies bytes into the instance, and a zero behind them.
    fn place(&mut self, bytes: &[u8]) -> Result<u32, Stopped> {
        let address = self.allocate(bytes.len() + 1)?;
        self.running.write(address, bytes)?;
        self.running.write(address + bytes.len() as u32, &[0])?;
        Ok(address)
    }

    fn release(&mut self, address: u32) -> Result<(), Stopped> {
        self.running.call("wasm_free", address)
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str) -> Result<Value, Stopped> {
        let address = self.place(text.as_bytes())?;
        let value = self.running.call::<(u32, u32), u32>("qjs_new_string", (address, text.len() as u32))?;
        self.release(address)?;
        Ok(value)
    }

    /// Evaluates a source text.
    pub(super) fn evaluate(
        &mut self,
        source: &str,
        name: &str,
        kind: SourceKind,
    ) -> Result<Outcome, Stopped> {
        let text = self.place(source.as_bytes())?;
        let name = self.place(name.as_bytes())?;
        let flags = i32::from(kind == SourceKind::Module);
        let arguments = (text, source.len() as u32, name, flags);
        let value = self.running.call::<(u32, u32, u32, i32), u32>("qjs_eval", arguments)?;
        self.release(text)?;
        self.release(name)?;
        self.outcome(value)
    }

    /// Calls a function.
    pub(super) fn call(&mut self, function: Value, arguments: &[Value]) -> Result<Outcome, Stopped> {
        let undefined = self.running.call::<(), u32>("qjs_get_undefined", ())?;
        let list: Vec<u8> = arguments.iter().flat_map(|value| value.to_le_bytes()).collect();
        let list_address = self.place(&list)?;
        let value = self.running.call::<(u32, u32, u32, u32), u32>(
            "qjs_call",
            (function, undefined, arguments.len() as u32, list_address),
        )?;
        self.release(list_address)?;
        self.free(undefined)?;
        self.outcome(value)
    }

    fn outcome(&mut self, value: Value) -> Result<Outcome, Stopped> {
        if value == 0 {
            return Err(out_of_memory());
        }
        if self.running.call::<u32, i32>("qjs_is_exception", value)? == 0 {
            return Ok(Ok(value));
        }
        match self.running.call::<(), u32>("qjs_get_exception", ())? {
            0 => Err(out_of_memory()),
            thrown => Ok(Err(thrown)),
        }
    }

    /// A property of an object.
    pub(super) fn property(&mut self, object: Value, name: &str) -> Result<Value, Stopped> {
        let name = self.place(name.as_bytes())?;
        let value = self.running.call::<(u32, u32), u32>("qjs_get_prop_string", (object, name))?;
        self.release(name)?;
        Ok(value)
    }

    /// Lets a value go.
    pub(super) fn free(&mut self, value: Value) -> Result<(), Stopped> {
        self.running.call("qjs_free_value", value)
    }

    /// The number that a value is.
    pub(super) fn number(&mut self, value: Value) -> Result<f64, Stopped> {
        self.running.call("qjs_get_float64", value)
    }

    /// The truth of a value.
    pub(super) fn truth(&mut self, value: Value) -> Result<bool, Stopped> {
        Ok(self.running.call::<u32, i32>("qjs_get_bool", value)? > 0)
    }

    /// A value as text, as far as it is not longer than `most` bytes.
    pub(super) fn text(&mut self, value: Value, most: usize) -> Result<Option<String>, Stopped> {
        let length_address = self.allocate(4)?;
        let address = self.running.call::<(u32, u32), u32>("qjs_get_string_len", (value, length_address))?;
        let length = self.running.read(length_address, 4)?.try_into().map_or(0, u32::from_le_bytes);
        self.release(length_address)?;
        if address == 0 {
            return Err(out_of_memory());
        }
        if length as usize > most {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(self.running.read(address, length)?).into_owned();
        self.running.call::<u32, ()>("qjs_free_cstring", address)?;
        Ok(Some(text))
    }

    /// Whether a job of a promise waits.
    pub(super) fn has_job(&mut self) -> Result<bool, Stopped> {
        Ok(self.running.call::<(), i32>("qjs_is_job_pending", ())? != 0)
    }

    /// Does the job that waits longest; what it throws is the error.
    pub(super) fn run_job(&mut self) -> Result<Result<(), Value>, Stopped> {
        if self.running.call::<(), i32>("qjs_execute_pending_job", ())? >= 0 {
            return Ok(Ok(()));
        }
        self.running.call::<(), u32>("qjs_get_exception", ()).map(Err)
    }

    /// Whether a promise is still pending.
    pub(super) fn is_pending(&mut self, promise: Value) -> Result<bool, Stopped> {
        Ok(self.running.call::<u32, i32>("qjs_promise_state", promise)? == 0)
    }
}

/// How an instance ends that has no room for what the host gives it. It was refused memory before, which is what is
/// told of it.
fn out_of_memory() -> Stopped {
    Stopped::Trap("out of memory".to_owned())
}
