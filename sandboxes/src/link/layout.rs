//! Where every library goes: the addresses of its data, its slots of the table, the first of its indices.
//!
//! Nothing of a library's code is looked at here, and names play no part.

use super::LinkError;
use super::library::Library;

/// The unit in which memory grows, in bytes.
const PAGE: u64 = 65536;

/// The least alignment of a library's data and of the heap, in bytes: that of the widest C type.
const ALIGNMENT: u64 = 16;

/// One library's place. Of types, data segments and functions it has a run of indices of the module, in its own
/// order.
#[derive(Debug)]
pub(super) struct Placement {
    pub(super) memory_base: i32,
    pub(super) table_base: i32,
    pub(super) first_type: u32,
    pub(super) first_data: u32,
    /// Counted from the first function that any library defines.
    pub(super) first_function: u32,
}

/// The places of all libraries.
#[derive(Debug)]
pub(super) struct Layout {
    /// By library, in their order.
    pub(super) placements: Vec<Placement>,
    /// The stack is the memory from 0 to here.
    pub(super) stack_end: i32,
    pub(super) heap_base: i32,
    pub(super) heap_end: i32,
    pub(super) n_pages: u64,
    /// Slots of the table that are taken.
    pub(super) n_slots: u32,
    pub(super) n_types: u32,
    pub(super) n_data: u32,
    pub(super) n_functions: u32,
}

impl Layout {
    /// Gives every library its place: first the stack, then the libraries' data, then the heap.
    pub(super) fn new(libraries: &[Library<'_>], stack_bytes: u32) -> Result<Self, LinkError> {
        let mut address = u64::from(stack_bytes);
        // Slot 0 stays empty: it is what a null function pointer calls.
        let mut slot = 1_u64;
        let (mut n_types, mut n_data, mut n_functions) = (0, 0, 0);
        let mut placements = Vec::with_capacity(libraries.len());
        for library in libraries {
            address = address.next_multiple_of(library.memory.alignment.max(ALIGNMENT));
            slot = slot.next_multiple_of(library.table.alignment);
            placements.push(Placement {
                memory_base: narrow(address)?,
                table_base: narrow(slot)?,
                first_type: n_types,
                first_data: n_data,
                first_function: n_functions,
            });
            address += u64::from(library.memory.size);
            slot += u64::from(library.table.size);
            n_types += library.types.len() as u32;
            n_data += library.n_data;
            n_functions += library.functions.len() as u32 - library.n_imported_functions;
        }
        let heap_base = address.next_multiple_of(ALIGNMENT);
        // A page of heap lets the allocator start without growing the memory.
        let n_pages = heap_base.div_ceil(PAGE) + 1;
        Ok(Self {
            placements,
            stack_end: stack_bytes.cast_signed(),
            heap_base: narrow(heap_base)?,
            heap_end: narrow(n_pages * PAGE)?,
            n_pages,
            n_slots: narrow(slot)?.cast_unsigned(),
            n_types,
            n_data,
            n_functions,
        })
    }
}

/// An address as instructions have it: 32 bits, the upper half negative.
fn narrow(address: u64) -> Result<i32, LinkError> {
    u32::try_from(address).map(u32::cast_signed).map_err(|_| LinkError::TooLarge)
}
