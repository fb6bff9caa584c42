//! The module, written: the libraries one after another, every index replaced by what it means.

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Operator, Parser, Payload};

use super::layout::{Layout, Placement};
use super::library::Library;
use super::symbols::{Meaning, Meanings, Symbols};
use super::{INITIALIZE, LinkError, STACK_POINTER};

/// Writes the module.
pub(super) fn emit(
    libraries: &[Library<'_>],
    layout: &Layout,
    symbols: &Symbols<'_>,
    exports: &[&str],
) -> Result<Vec<u8>, LinkError> {
    let mut sections = Sections::default();
    sections.outside(symbols);
    for ((library, placement), meanings) in libraries.iter().zip(&layout.placements).zip(&symbols.meanings) {
        sections.library(library, placement, meanings)?;
    }
    sections.initialize(layout, symbols);
    for name in exports {
        let Some(function) = symbols.function(name) else {
            return Err(LinkError::Missing { function: (*name).to_owned() });
        };
        sections.exports.export(name, ExportKind::Func, function);
    }
    Ok(sections.finish(layout, symbols))
}

/// The sections that grow with every library.
#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
}

impl Sections {
    /// The functions that no library defines.
    fn outside(&mut self, symbols: &Symbols<'_>) {
        for function in &symbols.host {
            self.imports.import(function.module, function.name, EntityType::Function(function.kind));
        }
        for stub in &symbols.stubs {
            self.functions.function(stub.kind);
            let mut body = Function::new([]);
            body.instruction(&stub.result.map_or(Instruction::Unreachable, Instruction::I32Const));
            body.instruction(&Instruction::End);
            self.code.function(&body);
        }
    }

    fn library(
        &mut self,
        library: &Library<'_>,
        placement: &Placement,
        meanings: &Meanings,
    ) -> Result<(), LinkError> {
        let mut translator = Translator { library, placement, meanings };
        for payload in Parser::new(0).parse_all(library.bytes) {
            self.section(&mut translator, payload).map_err(|error| match error {
                reencode::Error::UserError(error) => error,
                reencode::Error::ParseError(source) => LinkError::invalid(library.name)(source),
                other => LinkError::unsupported(library.name, other.to_string()),
            })?;
        }
        Ok(())
    }

    fn section(
        &mut self,
        translator: &mut Translator<'_>,
        payload: wasmparser::Result<Payload<'_>>,
    ) -> Result<(), reencode::Error<LinkError>> {
        match payload? {
            Payload::TypeSection(section) => translator.parse_type_section(&mut self.types, section),
            Payload::FunctionSection(section) => {
                translator.parse_function_section(&mut self.functions, section)
            }
            Payload::ElementSection(section) => translator.parse_element_section(&mut self.elements, section),
            Payload::DataSection(section) => translator.parse_data_section(&mut self.data, section),
            Payload::CodeSectionEntry(body) => translator.parse_function_body(&mut self.code, body),
            _ => Ok(()),
        }
    }

    /// The function that prepares all libraries.
    fn initialize(&mut self, layout: &Layout, symbols: &Symbols<'_>) {
        self.types.ty().function([], []);
        self.functions.function(layout.n_types);
        let mut body = Function::new([]);
        for function in &symbols.initializers {
            body.instruction(&Instruction::Call(*function));
        }
        body.instruction(&Instruction::End);
        self.code.function(&body);
        let index = (symbols.host.len() + symbols.stubs.len()) as u32 + layout.n_functions;
        self.exports.export(INITIALIZE, ExportKind::Func, index);
    }

    fn finish(mut self, layout: &Layout, symbols: &Symbols<'_>) -> Vec<u8> {
        if !symbols.addressed.is_empty() {
            let offset = ConstExpr::i32_const(layout.n_slots.cast_signed());
            self.elements.active(None, &offset, Elements::Functions(symbols.addressed.as_slice().into()));
        }
        let n_slots = u64::from(layout.n_slots) + symbols.addressed.len() as u64;
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            minimum: n_slots,
            maximum: Some(n_slots),
            table64: false,
            shared: false,
        });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: layout.n_pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        let stack_pointer = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(stack_pointer, &ConstExpr::i32_const(layout.stack_end));
        self.exports.export("memory", ExportKind::Memory, 0);
        self.exports.export(STACK_POINTER, ExportKind::Global, 0);
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions).section(&tables);
        module.section(&memories).section(&globals).section(&self.exports).section(&self.elements);
        module.section(&DataCountSection { count: layout.n_data }).section(&self.code).section(&self.data);
        module.finish()
    }
}

/// Rewrites one library's indices.
struct Translator<'a> {
    library: &'a Library<'a>,
    placement: &'a Placement,
    meanings: &'a Meanings,
}

impl Translator<'_> {
    fn meaning(&self, global: u32) -> Result<Meaning, reencode::Error<LinkError>> {
        self.meanings
            .globals
            .get(global as usize)
            .copied()
            .ok_or_else(|| self.unsupported("an unknown global"))
    }

    fn unsupported(&self, what: &str) -> reencode::Error<LinkError> {
        reencode::Error::UserError(LinkError::unsupported(self.library.name, format!("it uses {what}")))
    }
}

impl Reencode for Translator<'_> {
    type Error = LinkError;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<LinkError>> {
        let meaning = self.meanings.functions.get(function as usize).copied();
        meaning.ok_or_else(|| self.unsupported("an unknown function"))
    }

    fn type_index(&mut self, kind: u32) -> Result<u32, reencode::Error<LinkError>> {
        Ok(kind + self.placement.first_type)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, reencode::Error<LinkError>> {
        Ok(data + self.placement.first_data)
    }

    fn element_index(&mut self, _: u32) -> Result<u32, reencode::Error<LinkError>> {
        Err(self.unsupported("segments of its table at run time"))
    }

    fn global_index(&mut self, global: u32) -> Result<u32, reencode::Error<LinkError>> {
        match self.meaning(global)? {
            Meaning::StackPointer => Ok(0),
            // What reads it became a constant; this is something that writes it.
            Meaning::Constant(_) => Err(self.unsupported("an address as a variable")),
        }
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> Result<Instruction<'a>, reencode::Error<LinkError>> {
        if let Operator::GlobalGet { global_index } = operator
            && let Meaning::Constant(value) = self.meaning(global_index)?
        {
            return Ok(Instruction::I32Const(value));
        }
        utils::instruction(self, operator)
    }
}
