//! Shared libraries made into one module, and a module made into a snapshot of itself.
//!
//! [`link`] joins position-independent shared libraries (custom section `dylink.0`) into one core module that needs
//! no loader: every base address and every entry of the global offset table becomes a constant, and a call from
//! one library into another becomes a direct call. [`bake`] replaces a module's initial memory by the memory of an
//! instance that was set up. Neither runs anything, reads files, or trusts the bytes it is given.

mod bake;
mod emit;
mod layout;
mod library;
mod symbols;
#[cfg(test)]
mod tests;

use wasmparser::BinaryReaderError;

pub(crate) use bake::bake;

use layout::Layout;
use library::Library;
use symbols::Symbols;

/// The function of a linked module that prepares its libraries: constructors and relocations, in order. It has to
/// be called once, before any other.
pub(crate) const INITIALIZE: &str = "_initialize";

/// The global of a linked module that holds the top of its stack.
pub(crate) const STACK_POINTER: &str = "__stack_pointer";

/// Joins `libraries`, each a name for messages and its bytes, into one module.
///
/// The stack takes the lowest `stack_bytes` of the memory, so that a program that overflows it leaves the memory
/// and traps. Functions of WASI preview 1 stay imports; any other function that no library defines becomes one that
/// traps, save for the few in `symbols::OVERRIDES`. Where two libraries define a name the first one wins. The module
/// exports its memory, its stack pointer, [`INITIALIZE`] and the functions named in `exports`.
///
/// # Errors
/// When a library is not valid, uses what this linker does not know, or `exports` names what no library defines.
pub(crate) fn link(
    libraries: &[(&str, &[u8])],
    stack_bytes: u32,
    exports: &[&str],
) -> Result<Vec<u8>, LinkError> {
    let libraries = libraries
        .iter()
        .map(|(name, bytes)| Library::read(name, bytes))
        .collect::<Result<Vec<_>, LinkError>>()?;
    let layout = Layout::new(&libraries, stack_bytes)?;
    let symbols = Symbols::new(&libraries, &layout)?;
    emit::emit(&libraries, &layout, &symbols, exports)
}

/// Why a module could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The bytes are not a valid module.
    #[error("{library} is not a valid module")]
    Invalid {
        /// The library's name, or `module` when baking.
        library: String,
        /// What the parser said.
        #[source]
        source: BinaryReaderError,
    },
    /// The module is valid and needs something that does not exist here.
    #[error("{library} cannot be linked: {what}")]
    Unsupported {
        /// The library's name, or `module` when baking.
        library: String,
        /// What it needs.
        what: String,
    },
    /// A library calls a function with another type than its definition has.
    #[error("{library} imports {function} with a type that is not its own")]
    Signature {
        /// The library that imports it.
        library: String,
        /// The function's name.
        function: String,
    },
    /// Stack, data and tables do not fit into an address space of 32 bits.
    #[error("the libraries do not fit into 4 GiB of memory")]
    TooLarge,
    /// A function that has to be exported is defined nowhere.
    #[error("no library defines {function}")]
    Missing {
        /// The function's name.
        function: String,
    },
    /// The image of a memory is not a whole number of pages, or not one that the module allows.
    #[error("a memory of {bytes} bytes does not fit the module")]
    Image {
        /// The image's length.
        bytes: usize,
    },
}

impl LinkError {
    fn invalid(library: &str) -> impl Fn(BinaryReaderError) -> Self + '_ {
        move |source| Self::Invalid { library: library.to_owned(), source }
    }

    fn unsupported(library: &str, what: impl Into<String>) -> Self {
        Self::Unsupported { library: library.to_owned(), what: what.into() }
    }
}
