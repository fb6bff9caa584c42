//! One instance from start to end.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use wasmtime::{
    Engine, Instance, Memory, ResourceLimiter, Store, ThrownException, Trap, UnknownImportError, Val,
    WasmParams, WasmResults,
};

use super::error::MachineError;
use super::{Prepared, deadline};
use crate::limits::Limits;
use crate::wasi::{HasWorld, Stop, World};

/// Fuel after which an instance comes back to the host for a moment: some tens of milliseconds.
const SLICE: u64 = 50_000_000;

/// What a run may use, in the guest's own measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// The limits as the caller gave them.
    pub(crate) limits: Limits,
    /// The guest's calibration: fuel in a millisecond of reference time.
    pub(crate) fuel_per_ms: u64,
}

impl Budget {
    /// The fuel that the reference time stands for.
    pub(crate) fn fuel(&self) -> u64 {
        let fuel = self.limits.time.as_micros().saturating_mul(u128::from(self.fuel_per_ms)) / 1000;
        // The engine counts in signed numbers.
        u64::try_from(fuel).unwrap_or(u64::MAX).min(i64::MAX as u64)
    }

    /// The reference time that an amount of fuel stands for.
    pub(crate) fn time(&self, fuel: u64) -> Duration {
        let nanos = u128::from(fuel) * 1_000_000 / u128::from(self.fuel_per_ms.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Why a call into an instance did not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The program exited with this code.
    Exit(i32),
    /// Its fuel ran out.
    OutOfFuel,
    /// The wall clock ran out.
    TimedOut,
    /// It wrote more output than allowed.
    OutputLimit,
    /// A trap of the machine, by its name.
    Trap(String),
    /// The host failed.
    Failed(String),
}

/// What an instance used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Fuel burnt.
    pub(crate) fuel_used: u64,
    /// The same as reference time.
    pub(crate) time: Duration,
    /// The most linear memory beyond what it started with, in bytes.
    pub(crate) memory_bytes: u64,
    /// Whether more memory was asked for than allowed.
    pub(crate) memory_denied: bool,
    /// Time on the wall clock since the start.
    pub(crate) wall: Duration,
}

/// What the store of an instance holds.
pub(crate) struct State {
    world: World,
    memory: MemoryLimiter,
}

impl HasWorld for State {
    fn world(&mut self) -> &mut World {
        &mut self.world
    }
}

/// Lets linear memories grow to a limit and remembers what was asked for.
struct MemoryLimiter {
    most_bytes: usize,
    peak_bytes: usize,
    denied: bool,
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.most_bytes {
            self.denied = true;
            return Ok(false);
        }
        self.peak_bytes = self.peak_bytes.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // Guests bring the tables they need; nothing grows one.
        Ok(current == 0 || desired <= current)
    }
}

/// An instance, its memory and its budget. Once it has stopped, every further call gives the same reason.
pub(crate) struct Running {
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    budget: Budget,
    base_bytes: u64,
    fuel: u64,
    started: Instant,
    deadline: Option<Instant>,
    stopped: Option<Stopped>,
}

impl Running {
    pub(super) fn start(
        engine: &Engine,
        prepared: &Prepared,
        world: World,
        budget: Budget,
    ) -> Result<Self, MachineError> {
        let most = prepared.base_bytes.saturating_add(budget.limits.memory_bytes);
        let memory = MemoryLimiter {
            most_bytes: usize::try_from(most).unwrap_or(usize::MAX),
            peak_bytes: usize::try_from(prepared.base_bytes).unwrap_or(usize::MAX),
            denied: false,
        };
        let fuel = budget.fuel();
        let mut store = Store::new(engine, State { world, memory });
        store.limiter(|state| &mut state.memory);
        store.set_fuel(fuel).map_err(|e| MachineError::start(&e))?;
        store.fuel_async_yield_interval(Some(SLICE)).map_err(|e| MachineError::start(&e))?;
        let started = Instant::now();
        let deadline = deadline(budget.limits.wall);
        store.data_mut().world.started(fuel);
        store.data_mut().world.set_deadline(deadline);
        let instance = drive(prepared.pre.instantiate_async(&mut store), deadline)
            .ok_or_else(|| MachineError::Start { message: "the wall clock ran out".to_owned() })?
            .map_err(|e| MachineError::start(&e))?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| MachineError::Start { message: "the module exports no memory".to_owned() })?;
        Ok(Self {
            store,
            instance,
            memory,
            budget,
            base_bytes: prepared.base_bytes,
            fuel,
            started,
            deadline,
            stopped: None,
        })
    }

    /// Calls an exported function.
    ///
    /// # Errors
    /// Why it did not come back. A function that is not there or has another type is [`Stopped::Failed`].
    pub(crate) fn call<P, R>(&mut self, name: &str, params: P) -> Result<R, Stopped>
    where
        P: WasmParams + Send + Sync,
        R: WasmResults + Send + Sync + 'static,
    {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)
            .map_err(|error| Stopped::Failed(format!("{name}: {error:#}")))?;
        let result = match drive(function.call_async(&mut self.store, params), self.deadline) {
            None => Err(Stopped::TimedOut),
            Some(Ok(result)) => Ok(result),
            Some(Err(error)) => Err(reason(&error)),
        };
        if let Err(stopped) = &result {
            self.stopped = Some(stopped.clone());
        }
        result
    }

    /// Reads `length` bytes of the instance's memory.
    ///
    /// # Errors
    /// When the range is not inside the memory.
    pub(crate) fn read(&self, address: u32, length: u32) -> Result<&[u8], Stopped> {
        let start = address as usize;
        start
            .checked_add(length as usize)
            .and_then(|end| self.memory.data(&self.store).get(start..end))
            .ok_or_else(|| Stopped::Trap("an address outside the memory".to_owned()))
    }

    /// Writes into the instance's memory.
    ///
    /// # Errors
    /// When the range is not inside the memory.
    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Stopped> {
        self.memory
            .write(&mut self.store, address as usize, bytes)
            .map_err(|_| Stopped::Trap("an address outside the memory".to_owned()))
    }

    /// All of the instance's memory.
    pub(crate) fn memory(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    pub(super) fn memory_mut(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    /// The value of an exported global of type i32.
    pub(crate) fn global(&mut self, name: &str) -> Option<i32> {
        self.instance.get_global(&mut self.store, name)?.get(&mut self.store).i32()
    }

    /// Sets an exported mutable global of type i32.
    pub(crate) fn set_global(&mut self, name: &str, value: i32) -> Result<(), Stopped> {
        self.instance
            .get_global(&mut self.store, name)
            .ok_or_else(|| Stopped::Failed(format!("no global {name}")))?
            .set(&mut self.store, Val::I32(value))
            .map_err(|error| Stopped::Failed(format!("{name}: {error:#}")))
    }

    /// What the instance sees.
    pub(crate) fn world(&mut self) -> &mut World {
        &mut self.store.data_mut().world
    }

    /// Why it stopped, if it did.
    #[cfg(test)]
    pub(crate) const fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        let left = match self.stopped {
            Some(Stopped::OutOfFuel) => 0,
            _ => self.store.get_fuel().unwrap_or(0),
        };
        let fuel_used = self.fuel.saturating_sub(left);
        let memory = &self.store.data().memory;
        Usage {
            fuel_used,
            time: self.budget.time(fuel_used),
            memory_bytes: (memory.peak_bytes as u64).saturating_sub(self.base_bytes),
            memory_denied: memory.denied,
            wall: self.started.elapsed(),
        }
    }

    /// Ends the instance and gives back its world and what it used.
    pub(crate) fn finish(self) -> (World, Usage) {
        let usage = self.usage();
        (self.store.into_data().world, usage)
    }
}

/// Runs a future to its end on this thread, or to the deadline. The only thing it ever waits for is its own next
/// slice of fuel.
fn drive<T>(future: impl Future<Output = T>, deadline: Option<Instant>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return Some(result),
            Poll::Pending if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return None,
            Poll::Pending => {}
        }
    }
}

fn reason(error: &wasmtime::Error) -> Stopped {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(code) => Stopped::Exit(*code),
            Stop::OutputLimit => Stopped::OutputLimit,
            Stop::OutOfFuel => Stopped::OutOfFuel,
            Stop::TimedOut => Stopped::TimedOut,
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Stopped::OutOfFuel,
        Some(trap) => Stopped::Trap(trap.to_string()),
        None if error.is::<UnknownImportError>() => Stopped::Trap(format!("{error}")),
        None if error.is::<ThrownException>() => Stopped::Trap("an exception that nobody caught".to_owned()),
        None => Stopped::Failed(format!("{error:#}")),
    }
}
