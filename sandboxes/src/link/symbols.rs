//! What names stand for: every index of every library as an index, an address or a slot of the module.
//!
//! A name that no library defines is no error. A function then traps when it is called and has the address 0, data
//! has the address 0: that is how libraries ask for what may be absent.

use std::collections::{BTreeMap, HashMap};

use wasmparser::ValType;

use super::layout::Layout;
use super::library::{Export, Import, Library, Term, Wanted};
use super::{INITIALIZE, LinkError, STACK_POINTER};

/// The interface whose functions stay imports of the module.
const HOST: &str = "wasi_snapshot_preview1";

/// Functions of the C library that are answered with a constant. They would otherwise reach for sockets and
/// loaders, which are not there, and would trap where a program expects to be told so.
const OVERRIDES: [(&str, i32); 9] = [
    ("dlerror", 0),
    ("dlopen", 0),
    ("dlsym", 0),
    // EAI_FAIL.
    ("getaddrinfo", -4),
    ("gethostbyaddr", 0),
    ("gethostbyname", 0),
    ("poll", -1),
    ("select", -1),
    ("socket", -1),
];

/// The functions of a library by which it prepares itself, in the order in which all libraries run them; before
/// them come the start functions.
const INITIALIZERS: [&str; 2] = ["__wasm_apply_data_relocs", INITIALIZE];

/// What a global of a library is in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Constant(i32),
    /// The one global that the module has.
    StackPointer,
}

/// What the indices of one library mean.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    pub(super) functions: Vec<u32>,
    pub(super) globals: Vec<Meaning>,
}

/// A function that no library defines.
#[derive(Debug)]
pub(super) struct Stub {
    /// Its type, an index of the module.
    pub(super) kind: u32,
    /// What it returns; it traps where there is nothing.
    pub(super) result: Option<i32>,
}

/// A function that the host gives.
#[derive(Debug)]
pub(super) struct HostFunction<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    /// Its type, an index of the module.
    pub(super) kind: u32,
}

/// All names of all libraries. Of the module's functions those of the host come first, then the stubs, then those
/// of the libraries.
#[derive(Default)]
pub(super) struct Symbols<'a> {
    pub(super) host: Vec<HostFunction<'a>>,
    pub(super) stubs: Vec<Stub>,
    /// By library, in their order.
    pub(super) meanings: Vec<Meanings>,
    /// Functions whose addresses are asked for; their slots come after those of the libraries.
    pub(super) addressed: Vec<u32>,
    /// What prepares the libraries, in order.
    pub(super) initializers: Vec<u32>,
    functions: HashMap<&'a str, u32>,
    data: HashMap<&'a str, i32>,
    outside: HashMap<(&'a str, &'a str), u32>,
    slots: HashMap<&'a str, i32>,
}

impl<'a> Symbols<'a> {
    /// Resolves every name.
    pub(super) fn new(libraries: &[Library<'a>], layout: &Layout) -> Result<Self, LinkError> {
        let mut symbols = Self::default();
        let definitions = definitions(libraries);
        symbols.add_outside(libraries, layout, &definitions)?;
        for (name, (library, function)) in definitions {
            if let Some(index) = symbols.own(libraries, layout, library, function) {
                symbols.functions.insert(name, index);
            }
        }
        symbols.add_data(libraries, layout);
        for (index, library) in libraries.iter().enumerate() {
            let meanings = symbols.meanings_of(libraries, layout, index, library)?;
            symbols.meanings.push(meanings);
        }
        symbols.add_initializers(libraries);
        Ok(symbols)
    }

    /// The index of a function that some library defines.
    pub(super) fn function(&self, name: &str) -> Option<u32> {
        self.functions.get(name).copied()
    }

    /// The functions that come from outside of all libraries, each once.
    fn add_outside(
        &mut self,
        libraries: &[Library<'a>],
        layout: &Layout,
        definitions: &HashMap<&'a str, (usize, u32)>,
    ) -> Result<(), LinkError> {
        // Sorted, so that the same libraries give the same module.
        let mut wanted = BTreeMap::new();
        for (library, placement) in libraries.iter().zip(&layout.placements) {
            for import in &library.imports {
                let Wanted::Function(kind) = import.what else { continue };
                let signature = || LinkError::Signature {
                    library: library.name.to_owned(),
                    function: import.name.to_owned(),
                };
                let own = library.types.get(kind as usize);
                if import.module == "env"
                    && overridden(import).is_none()
                    && let Some((owner, function)) = definitions.get(import.name)
                {
                    if libraries.get(*owner).and_then(|owner| owner.function_type(*function)) != own {
                        return Err(signature());
                    }
                    continue;
                }
                if overridden(import).is_some() && own.is_none_or(|own| own.results() != [ValType::I32]) {
                    return Err(signature());
                }
                let first = wanted.entry((import.module, import.name)).or_insert((
                    own,
                    placement.first_type + kind,
                    overridden(import),
                ));
                if first.0 != own {
                    return Err(signature());
                }
            }
        }
        let (host, stubs): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|((module, _), _)| *module == HOST);
        for ((module, name), (_, kind, _)) in host {
            self.outside.insert((module, name), self.host.len() as u32);
            self.host.push(HostFunction { module, name, kind });
        }
        for ((module, name), (_, kind, result)) in stubs {
            self.outside.insert((module, name), (self.host.len() + self.stubs.len()) as u32);
            self.stubs.push(Stub { kind, result });
        }
        Ok(())
    }

    /// The addresses of data. Of a library's globals those count that are plain constants: offsets into its data.
    fn add_data(&mut self, libraries: &[Library<'a>], layout: &Layout) {
        for (library, placement) in libraries.iter().zip(&layout.placements) {
            for (name, export) in &library.exports {
                let Export::Global(global) = export else { continue };
                let defined = global.checked_sub(library.n_imported_globals);
                let terms = defined.and_then(|global| library.globals.get(global as usize));
                if let Some([Term::Constant(offset)]) = terms.map(Vec::as_slice) {
                    self.data.entry(name).or_insert(placement.memory_base.wrapping_add(*offset));
                }
            }
        }
        self.data.insert("__stack_low", 0);
        self.data.insert("__stack_high", layout.stack_end);
        self.data.insert("__heap_base", layout.heap_base);
        self.data.insert("__heap_end", layout.heap_end);
    }

    fn meanings_of(
        &mut self,
        libraries: &[Library<'a>],
        layout: &Layout,
        index: usize,
        library: &Library<'a>,
    ) -> Result<Meanings, LinkError> {
        let mut meanings = Meanings::default();
        for import in &library.imports {
            match import.what {
                Wanted::Function(_) => {
                    let outside = self.outside.get(&(import.module, import.name)).copied();
                    let Some(function) = outside.or_else(|| self.function(import.name)) else {
                        return Err(LinkError::Missing { function: import.name.to_owned() });
                    };
                    meanings.functions.push(function);
                }
                Wanted::Global(mutable) => {
                    let meaning = self.global(layout, index, import, library.name)?;
                    if mutable && meaning != Meaning::StackPointer && !import.module.starts_with("GOT.") {
                        let what = format!("it changes the global {}.{}", import.module, import.name);
                        return Err(LinkError::unsupported(library.name, what));
                    }
                    meanings.globals.push(meaning);
                }
            }
        }
        for function in library.n_imported_functions..library.functions.len() as u32 {
            meanings.functions.extend(self.own(libraries, layout, index, function));
        }
        for terms in &library.globals {
            let mut sum = 0_i32;
            for term in terms {
                let value = match term {
                    Term::Constant(value) => *value,
                    Term::Global(global) => match meanings.globals.get(*global as usize) {
                        Some(Meaning::Constant(value)) => *value,
                        _ => {
                            return Err(LinkError::unsupported(
                                library.name,
                                "a global starts with the stack's",
                            ));
                        }
                    },
                };
                sum = sum.wrapping_add(value);
            }
            meanings.globals.push(Meaning::Constant(sum));
        }
        Ok(meanings)
    }

    fn global(
        &mut self,
        layout: &Layout,
        index: usize,
        import: &Import<'a>,
        library: &str,
    ) -> Result<Meaning, LinkError> {
        let placement = layout.placements.get(index);
        let value = match (import.module, import.name) {
            ("env", STACK_POINTER) => return Ok(Meaning::StackPointer),
            ("env", "__memory_base") => placement.map_or(0, |placement| placement.memory_base),
            ("env", "__table_base") => placement.map_or(0, |placement| placement.table_base),
            ("GOT.mem", name) => self.data.get(name).copied().unwrap_or(0),
            ("GOT.func", name) => self.slot(layout, name),
            (module, name) => {
                return Err(LinkError::unsupported(
                    library,
                    format!("it imports the global {module}.{name}"),
                ));
            }
        };
        Ok(Meaning::Constant(value))
    }

    /// The address of a function: one slot for each name, so that two pointers to a function are equal.
    fn slot(&mut self, layout: &Layout, name: &'a str) -> i32 {
        let Some(function) = self.function(name) else { return 0 };
        *self.slots.entry(name).or_insert_with(|| {
            self.addressed.push(function);
            (layout.n_slots + self.addressed.len() as u32 - 1).cast_signed()
        })
    }

    fn add_initializers(&mut self, libraries: &[Library<'a>]) {
        let meaning =
            |index: usize, function: u32| self.meanings.get(index)?.functions.get(function as usize).copied();
        let mut all = Vec::new();
        for (index, library) in libraries.iter().enumerate() {
            all.extend(library.start.and_then(|function| meaning(index, function)));
        }
        for name in INITIALIZERS {
            for (index, library) in libraries.iter().enumerate() {
                all.extend(library.defined_function(name).and_then(|function| meaning(index, function)));
            }
        }
        self.initializers = all;
    }

    /// The index of a function that this library itself defines.
    fn own(&self, libraries: &[Library<'a>], layout: &Layout, library: usize, function: u32) -> Option<u32> {
        let outside = (self.host.len() + self.stubs.len()) as u32;
        let within = function.checked_sub(libraries.get(library)?.n_imported_functions)?;
        Some(outside + layout.placements.get(library)?.first_function + within)
    }
}

/// The library and the index of every function that a library defines for others. The first definition counts.
fn definitions<'a>(libraries: &[Library<'a>]) -> HashMap<&'a str, (usize, u32)> {
    let mut definitions = HashMap::new();
    for (index, library) in libraries.iter().enumerate() {
        for name in library.exports.keys() {
            // These every library has for itself.
            if name.starts_with("__wasm_") || *name == INITIALIZE {
                continue;
            }
            if let Some(function) = library.defined_function(name) {
                definitions.entry(*name).or_insert((index, function));
            }
        }
    }
    definitions
}

fn overridden(import: &Import<'_>) -> Option<i32> {
    let (_, result) = OVERRIDES.iter().find(|(name, _)| import.module == "env" && *name == import.name)?;
    Some(*result)
}
