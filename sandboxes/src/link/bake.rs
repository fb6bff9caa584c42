//! A module whose memory starts as that of an instance stands now.
//!
//! What an instance has besides its memory and its stack pointer is lost: a module that has changed its table, or
//! that has other variables, cannot be baked.

use wasm_encoder::{
    ConstExpr, DataSection, GlobalSection, MemorySection, MemoryType, Module, RawSection, reencode::utils,
};
use wasmparser::{DataKind, Operator, Parser, Payload, Validator};

use super::LinkError;

/// Memory is cut into pieces of this many bytes, and pieces of zeros are left out. It is the unit in which the
/// host shares memory between instances, so that finer pieces would save nothing.
const PIECE: usize = 4096;

/// The unit of a memory's length, in bytes.
const PAGE: usize = 65536;

/// What messages call the module.
const NAME: &str = "module";

/// Writes `wasm` anew, with `memory` as its initial memory and `stack_pointer` as the start of its one variable.
/// Its start function is left out, since it ran, and so are all custom sections.
///
/// # Errors
/// When the module is invalid, has no memory or not just one variable, or when the image does not fit it.
pub(crate) fn bake(wasm: &[u8], memory: &[u8], stack_pointer: i32) -> Result<Vec<u8>, LinkError> {
    Validator::new().validate_all(wasm).map_err(LinkError::invalid(NAME))?;
    let mut module = Module::new();
    let mut image = Some(image(memory)?);
    let mut n_memories = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(LinkError::invalid(NAME))?;
        match payload {
            Payload::MemorySection(section) => {
                n_memories = section.count();
                module.section(&memories(section, memory.len())?);
            }
            Payload::GlobalSection(section) => {
                module.section(&globals(section, stack_pointer)?);
            }
            Payload::DataSection(section) => {
                refuse_passive(section)?;
                image.take().map(|image| module.section(&image));
            }
            // Counts segments that are gone; only code that copies from passive segments needs it.
            Payload::DataCountSection { .. } | Payload::StartSection { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = wasm.get(range).unwrap_or_default();
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    if n_memories != 1 {
        return Err(LinkError::unsupported(NAME, format!("it defines {n_memories} memories")));
    }
    // The section of data is the last one: where there was none it comes here.
    if let Some(image) = image {
        module.section(&image);
    }
    Ok(module.finish())
}

fn memories(section: wasmparser::MemorySectionReader<'_>, bytes: usize) -> Result<MemorySection, LinkError> {
    let mut memories = MemorySection::new();
    let n_pages = (bytes / PAGE) as u64;
    for memory in section {
        let memory = memory.map_err(LinkError::invalid(NAME))?;
        if n_pages < memory.initial || memory.maximum.is_some_and(|maximum| n_pages > maximum) {
            return Err(LinkError::Image { bytes });
        }
        if memory.memory64 || memory.page_size_log2.is_some() {
            return Err(LinkError::unsupported(NAME, "its memory is not one of 32 bits"));
        }
        memories.memory(MemoryType {
            minimum: n_pages,
            maximum: memory.maximum,
            memory64: false,
            shared: memory.shared,
            page_size_log2: None,
        });
    }
    Ok(memories)
}

fn globals(
    section: wasmparser::GlobalSectionReader<'_>,
    stack_pointer: i32,
) -> Result<GlobalSection, LinkError> {
    let mut globals = GlobalSection::new();
    let mut n_variables = 0;
    for global in section {
        let global = global.map_err(LinkError::invalid(NAME))?;
        let kind = utils::global_type(&mut wasm_encoder::reencode::RoundtripReencoder, global.ty)
            .map_err(|error| LinkError::unsupported(NAME, error.to_string()))?;
        let mut operators = global.init_expr.get_operators_reader();
        let start = operators.read().map_err(LinkError::invalid(NAME))?;
        let start = match (global.ty.mutable, start) {
            (true, Operator::I32Const { .. }) => {
                n_variables += 1;
                ConstExpr::i32_const(stack_pointer)
            }
            (false, Operator::I32Const { value }) => ConstExpr::i32_const(value),
            (false, Operator::I64Const { value }) => ConstExpr::i64_const(value),
            _ => return Err(LinkError::unsupported(NAME, "a global does not start with a whole number")),
        };
        globals.global(kind, &start);
    }
    if n_variables != 1 {
        return Err(LinkError::unsupported(NAME, format!("it has {n_variables} variables instead of one")));
    }
    Ok(globals)
}

fn refuse_passive(section: wasmparser::DataSectionReader<'_>) -> Result<(), LinkError> {
    for segment in section {
        if matches!(segment.map_err(LinkError::invalid(NAME))?.kind, DataKind::Passive) {
            return Err(LinkError::unsupported(NAME, "it copies data at run time"));
        }
    }
    Ok(())
}

/// The memory as segments, without the pieces that are zero.
fn image(memory: &[u8]) -> Result<DataSection, LinkError> {
    if !memory.len().is_multiple_of(PAGE) || u32::try_from(memory.len()).is_err() {
        return Err(LinkError::Image { bytes: memory.len() });
    }
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, piece) in memory.chunks(PIECE).enumerate() {
        if piece.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = index * PIECE;
        match runs.last_mut() {
            Some(run) if run.end == start => run.end = start + PIECE,
            _ => runs.push(start..start + PIECE),
        }
    }
    let mut section = DataSection::new();
    for run in runs {
        let offset = ConstExpr::i32_const((run.start as u32).cast_signed());
        section.active(0, &offset, memory.get(run).unwrap_or_default().iter().copied());
    }
    Ok(section)
}
