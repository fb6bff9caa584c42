//! One shared library, read: what it needs, what it defines, how much room it wants.
//!
//! A library is validated whole before anything is taken from it, so that every index in it is known to exist. Its
//! code is not looked at here; it is read again when the module is written.

use std::collections::HashMap;

use wasmparser::{
    CompositeInnerType, Dylink0Subsection, ExternalKind, FuncType, KnownCustom, Operator, Parser, Payload,
    TypeRef, Validator,
};

use super::LinkError;

/// Room in the memory (bytes) or in the table (entries).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    pub(super) size: u32,
    pub(super) alignment: u64,
}

/// What a library wants to be given.
pub(super) struct Import<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) what: Wanted,
}

/// The kinds of imports that count: memory and table are the same for all.
pub(super) enum Wanted {
    /// A function of the type with this index.
    Function(u32),
    /// Whether it may be changed.
    Global(bool),
}

/// What the start of a defined global is computed from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Term {
    Constant(i32),
    Global(u32),
}

/// What a library offers under a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Export {
    Function(u32),
    Global(u32),
}

/// One library.
pub(super) struct Library<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) memory: Room,
    pub(super) table: Room,
    pub(super) imports: Vec<Import<'a>>,
    pub(super) exports: HashMap<&'a str, Export>,
    pub(super) types: Vec<FuncType>,
    /// The type of every function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) n_imported_functions: u32,
    pub(super) n_imported_globals: u32,
    /// Of the globals it defines, the terms whose sum they start with.
    pub(super) globals: Vec<Vec<Term>>,
    pub(super) start: Option<u32>,
    pub(super) n_data: u32,
}

impl<'a> Library<'a> {
    /// Validates and reads a library.
    pub(super) fn read(name: &'a str, bytes: &'a [u8]) -> Result<Self, LinkError> {
        Validator::new().validate_all(bytes).map_err(LinkError::invalid(name))?;
        let mut library = Library {
            name,
            bytes,
            memory: Room::default(),
            table: Room::default(),
            imports: Vec::new(),
            exports: HashMap::new(),
            types: Vec::new(),
            functions: Vec::new(),
            n_imported_functions: 0,
            n_imported_globals: 0,
            globals: Vec::new(),
            start: None,
            n_data: 0,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            library.take(payload.map_err(LinkError::invalid(name))?)?;
        }
        if library.memory.alignment == 0 {
            return Err(LinkError::unsupported(
                name,
                "it has no section dylink.0, so it is not a shared library",
            ));
        }
        Ok(library)
    }

    /// The types of a function by its index.
    pub(super) fn function_type(&self, function: u32) -> Option<&FuncType> {
        self.types.get(*self.functions.get(function as usize)? as usize)
    }

    /// The function defined here, not merely passed on, that is exported under `name`.
    pub(super) fn defined_function(&self, name: &str) -> Option<u32> {
        match self.exports.get(name) {
            Some(Export::Function(function)) if *function >= self.n_imported_functions => Some(*function),
            _ => None,
        }
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<(), LinkError> {
        let name = self.name;
        let invalid = LinkError::invalid(name);
        match payload {
            Payload::CustomSection(section) => {
                if let KnownCustom::Dylink0(subsections) = section.as_known() {
                    for subsection in subsections {
                        if let Dylink0Subsection::MemInfo(info) = subsection.map_err(&invalid)? {
                            self.memory = self.room(info.memory_size, info.memory_alignment)?;
                            self.table = self.room(info.table_size, info.table_alignment)?;
                        }
                    }
                }
            }
            Payload::TypeSection(section) => {
                for group in section {
                    for kind in group.map_err(&invalid)?.into_types() {
                        match kind.composite_type.inner {
                            CompositeInnerType::Func(function) => self.types.push(function),
                            _ => return Err(LinkError::unsupported(name, "it has types of the heap")),
                        }
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(&invalid)?;
                    self.take_import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(section) => {
                for kind in section {
                    self.functions.push(kind.map_err(&invalid)?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.map_err(&invalid)?;
                    if global.ty.mutable {
                        return Err(LinkError::unsupported(name, "it defines a global that changes"));
                    }
                    self.globals.push(self.terms(global.init_expr.get_operators_reader())?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(&invalid)?;
                    let what = match export.kind {
                        ExternalKind::Func => Export::Function(export.index),
                        ExternalKind::Global => Export::Global(export.index),
                        _ => continue,
                    };
                    self.exports.insert(export.name, what);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::DataSection(section) => self.n_data = section.count(),
            Payload::TableSection(_) | Payload::MemorySection(_) | Payload::TagSection(_) => {
                return Err(LinkError::unsupported(name, "it defines a table, a memory or a tag of its own"));
            }
            _ => {}
        }
        Ok(())
    }

    fn take_import(&mut self, module: &'a str, name: &'a str, kind: TypeRef) -> Result<(), LinkError> {
        let what = match kind {
            TypeRef::Func(kind) => {
                self.n_imported_functions += 1;
                self.functions.push(kind);
                Wanted::Function(kind)
            }
            TypeRef::Global(kind) => {
                self.n_imported_globals += 1;
                Wanted::Global(kind.mutable)
            }
            TypeRef::Memory(_) | TypeRef::Table(_) if module == "env" => return Ok(()),
            _ => return Err(LinkError::unsupported(self.name, format!("it imports {module}.{name}"))),
        };
        self.imports.push(Import { module, name, what });
        Ok(())
    }

    fn room(&self, size: u32, alignment: u32) -> Result<Room, LinkError> {
        // The section holds the alignment's logarithm.
        if alignment > 16 {
            return Err(LinkError::unsupported(
                self.name,
                format!("it wants an alignment of 2 to the {alignment}"),
            ));
        }
        Ok(Room { size, alignment: 1 << alignment })
    }

    /// The start of a global: constants and imported globals, added up.
    fn terms(&self, operators: wasmparser::OperatorsReader<'_>) -> Result<Vec<Term>, LinkError> {
        let mut terms = Vec::new();
        for operator in operators {
            match operator.map_err(LinkError::invalid(self.name))? {
                Operator::I32Const { value } => terms.push(Term::Constant(value)),
                Operator::GlobalGet { global_index } => terms.push(Term::Global(global_index)),
                // The validator has seen to it that there are as many as needed.
                Operator::I32Add | Operator::End => {}
                other => {
                    let what = format!("a global starts with {other:?}");
                    return Err(LinkError::unsupported(self.name, what));
                }
            }
        }
        Ok(terms)
    }
}
