//! The engine that runs guests: how modules are compiled, and what bounds an instance.
//!
//! It knows instances, fuel and memory; it knows no language.
//!
//! One engine serves all guests. Its instances come from a pool: linear memories are copy-on-write images of the
//! module's own, so that a fresh instance of an interpreter that was initialised beforehand costs as much as the
//! pages it writes to. Every instance runs on a fiber. When it has burnt a slice of its fuel it comes back to the
//! host for a moment, which is how a run that outlives the wall clock is stopped.

mod error;
mod heap;
mod running;
mod slots;

#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::{
    Collector, Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, OptLevel,
    PoolingAllocationConfig,
};

pub use self::error::MachineError;
pub(crate) use self::heap::{Page, falling_sizes, fill_holes, joined, note_written, pages_of};
pub(crate) use self::running::{Budget, Running, State, Stopped};
pub(crate) use self::slots::{Slot, Slots};
use crate::wasi::{self, World};

/// Stack of one instance for calls between its functions, in bytes: deep recursion of an interpreter's own
/// functions needs about 1 KiB a level.
const WASM_STACK_BYTES: usize = 128 << 20;
/// Stack that the host's functions may use on top of it.
const HOST_STACK_BYTES: usize = 2 << 20;
/// The largest linear memory, in bytes: what 32 bits can address.
const MAX_MEMORY_BYTES: usize = 1 << 32;
/// The largest initial memory that becomes one copy-on-write image.
const MAX_IMAGE_BYTES: u64 = 256 << 20;
/// Instances that one slot may hold: a program, its tests, and one to spare.
const INSTANCES_PER_SLOT: usize = 3;
/// Memory that a place in the pool keeps for the next instance, in bytes.
const RESIDENT_BYTES: usize = 16 << 20;
/// The same of its stack; this much is set to zero after each instance.
const RESIDENT_STACK_BYTES: usize = 64 << 10;
/// Entries that a module's table may have.
const MAX_TABLE_ELEMENTS: usize = 200_000;
/// The size that the engine's own record of one instance may have, in bytes.
const MAX_INSTANCE_BYTES: usize = 32 << 20;

/// The engine and its pool.
pub(crate) struct Machine {
    engine: Engine,
    slots: Slots,
}

impl Machine {
    /// An engine whose pool holds what `n_slots` runs at a time need.
    pub(crate) fn new(n_slots: usize) -> Result<Self, MachineError> {
        let n_slots = n_slots.max(1);
        let engine = Engine::new(&config(Some(n_slots))).map_err(|e| MachineError::engine(&e))?;
        Ok(Self { engine, slots: Slots::new(n_slots) })
    }

    /// An engine for building guests: no pool, the same code.
    pub(crate) fn for_building() -> Result<Self, MachineError> {
        let engine = Engine::new(&config(None)).map_err(|e| MachineError::engine(&e))?;
        Ok(Self { engine, slots: Slots::new(1) })
    }

    /// Waits for a place in which a run may begin; first come, first served.
    pub(crate) fn slot(&self) -> Slot<'_> {
        self.slots.take()
    }

    /// How many runs may be inside at a time.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// What code compiled by this machine depends on: the engine's version, its settings, and the processor's
    /// features. Code of a machine with another fingerprint is refused when it is loaded.
    pub(crate) fn fingerprint(&self) -> String {
        struct Sha(Sha256);
        impl Hasher for Sha {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }
            fn finish(&self) -> u64 {
                0
            }
        }
        let mut hasher = Sha(Sha256::new());
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:x}", hasher.0.finalize())
    }

    /// Compiles a module to code that can be kept in a file.
    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, MachineError> {
        self.engine.precompile_module(wasm).map_err(|e| MachineError::compile(&e))
    }

    /// Compiles a module to be used at once.
    pub(crate) fn module(&self, wasm: &[u8]) -> Result<Module, MachineError> {
        Module::from_binary(&self.engine, wasm).map_err(|e| MachineError::compile(&e))
    }

    /// Maps compiled code into memory. The file must be one that [`Machine::compile`] made: it is native code and
    /// is run as it is. Whoever can write to it can do whatever the server can. It stays mapped, so it may be
    /// removed or replaced by another while it is in use, but not written to.
    pub(crate) fn load(&self, path: &Path) -> Result<Module, MachineError> {
        // SAFETY: the file was made by `compile` and its hash was compared with the receipt of the installation,
        // in a folder that only the server's user may write to. The engine checks version and settings itself.
        #[allow(unsafe_code)]
        let module = unsafe { Module::deserialize_file(&self.engine, path) };
        module.map_err(|error| MachineError::load(path, &error))
    }

    /// Links a module's imports: the system's functions, what `extend` adds, and a trap for each that is left.
    pub(crate) fn prepare(
        &self,
        module: &Module,
        extend: impl FnOnce(&mut Linker<State>) -> wasmtime::Result<()>,
    ) -> Result<Prepared, MachineError> {
        let mut linker = Linker::new(&self.engine);
        let linked = wasi::add_to_linker(&mut linker)
            .and_then(|()| extend(&mut linker))
            .and_then(|()| linker.define_unknown_imports_as_traps(module))
            .and_then(|()| linker.instantiate_pre(module));
        let base_bytes = module
            .exports()
            .filter_map(|export| export.ty().memory().map(|memory| memory.minimum() << 16))
            .max()
            .unwrap_or(0);
        Ok(Prepared { pre: linked.map_err(|e| MachineError::link(&e))?, base_bytes })
    }

    /// Starts a fresh instance.
    ///
    /// # Errors
    /// When the instance could not be made at all, which is never the program's doing.
    pub(crate) fn start(
        &self,
        prepared: &Prepared,
        world: World,
        budget: Budget,
    ) -> Result<Running, MachineError> {
        Running::start(&self.engine, prepared, world, budget)
    }
}

/// A module with its imports linked, from which instances are made.
#[derive(Clone)]
pub(crate) struct Prepared {
    pre: InstancePre<State>,
    /// Linear memory it starts with, in bytes.
    base_bytes: u64,
}

/// The settings decide what code means, so they are the same with and without a pool.
fn config(n_slots: Option<usize>) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_opt_level(OptLevel::Speed)
        // The same bits for every not-a-number, on every processor.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_exceptions(true)
        .collector(Collector::Null)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(MAX_IMAGE_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(WASM_STACK_BYTES + HOST_STACK_BYTES)
        .async_stack_zeroing(true)
        // A trace through a hundred thousand frames would cost more than the run.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false);
    if let Some(n_slots) = n_slots {
        let n = u32::try_from(n_slots.saturating_mul(INSTANCES_PER_SLOT)).unwrap_or(u32::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(n)
            .total_memories(n)
            .total_tables(n)
            .total_stacks(n)
            .total_gc_heaps(n)
            .max_memory_size(MAX_MEMORY_BYTES)
            .table_elements(MAX_TABLE_ELEMENTS)
            .max_core_instance_size(MAX_INSTANCE_BYTES)
            .async_stack_keep_resident(RESIDENT_STACK_BYTES);
        // Where the kernel can say which pages an instance wrote to, these few are copied back and stay mapped: the
        // next instance takes no page fault for them. Elsewhere all pages are given back and faulted in again.
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            pool.pagemap_scan(Enabled::Yes)
                .linear_memory_keep_resident(RESIDENT_BYTES)
                .table_keep_resident(RESIDENT_BYTES);
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// The moment at which a run is given up, if the clock goes that far.
fn deadline(wall: Duration) -> Option<Instant> {
    Instant::now().checked_add(wall)
}
