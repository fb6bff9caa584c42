//! What a compiled program may look like before the machine compiles it to native code.
//!
//! That step is not paid with fuel, so what it costs is bounded by the sizes it depends on. It reads modules and
//! compiles nothing.

use wasmparser::{FunctionBody, KnownCustom, Linking, Operator, Parser, Payload, SymbolFlags, SymbolInfo};

/// The most bytes of a module.
const MAX_MODULE_BYTES: usize = 32 << 20;
/// The most bytes of code. Programs with all of the library in use have about one megabyte.
const MAX_CODE_BYTES: usize = 6 << 20;
/// The most bytes of one function.
const MAX_FUNCTION_BYTES: usize = 512 << 10;
/// The most local variables of one function.
const MAX_LOCALS: u32 = 20_000;
/// The most weight of one function: its local variables times the places where its flow of control parts or meets.
/// Native code is compiled in time and memory that grow with that product: at worst, for loops inside loops, one
/// unit takes some microseconds and 500 bytes.
const MAX_FUNCTION_WEIGHT: u64 = 1_000_000;
/// The most weight of all functions together.
const MAX_WEIGHT: u64 = 5_000_000;
/// The most functions.
const MAX_FUNCTIONS: u32 = 40_000;
/// The most entries of a table: functions whose address is taken.
const MAX_TABLE_ELEMENTS: u64 = 100_000;

/// What is known of a module that may be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Linear memory that it starts with, in bytes.
    pub(super) memory_bytes: u64,
}

/// Measures a module.
///
/// # Errors
/// Which bound it exceeds.
pub(super) fn measure(wasm: &[u8]) -> Result<Shape, String> {
    let mut shape = Shape { memory_bytes: 0 };
    let mut code_bytes = 0;
    let mut weight = 0;
    at_most("a program", wasm.len(), MAX_MODULE_BYTES, "bytes")?;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| error.to_string())? {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.map_err(|error| error.to_string())?;
                    shape.memory_bytes = shape.memory_bytes.max(memory.initial << 16);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let table = table.map_err(|error| error.to_string())?;
                    at_most("a table", table.ty.initial, MAX_TABLE_ELEMENTS, "entries")?;
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                at_most("a program", count, MAX_FUNCTIONS, "functions")?;
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len();
                code_bytes += bytes;
                at_most("a function", bytes, MAX_FUNCTION_BYTES, "bytes")?;
                at_most("a program", code_bytes, MAX_CODE_BYTES, "bytes of code")?;
                let (n_locals, n_joints) = count(&body).map_err(|error| error.to_string())?;
                at_most("a function", n_locals, MAX_LOCALS, "local variables")?;
                let function_weight = u64::from(n_locals) * n_joints;
                weight += function_weight;
                at_most("a function", function_weight, MAX_FUNCTION_WEIGHT, "variables times branches")?;
                at_most("a program", weight, MAX_WEIGHT, "variables times branches")?;
            }
            _ => {}
        }
    }
    Ok(shape)
}

/// Whether an object file defines what a program begins with: the compiler has a name for each form of `main`.
pub(super) fn has_main(object: &[u8]) -> bool {
    const NAMES: [&str; 4] = ["main", "__main_argc_argv", "__main_void", "__original_main"];
    Parser::new(0).parse_all(object).flatten().any(|payload| {
        let Payload::CustomSection(section) = payload else { return false };
        let KnownCustom::Linking(linking) = section.as_known() else { return false };
        linking.into_iter().flatten().any(|part| match part {
            Linking::SymbolTable(symbols) => symbols.into_iter().flatten().any(|symbol| match symbol {
                SymbolInfo::Func { flags, name: Some(name), .. } => {
                    !flags.contains(SymbolFlags::UNDEFINED) && NAMES.contains(&name)
                }
                _ => false,
            }),
            _ => false,
        })
    })
}

/// A function's local variables, and the places where its flow of control parts or meets.
fn count(body: &FunctionBody<'_>) -> wasmparser::Result<(u32, u64)> {
    let mut n_locals = 0u32;
    for local in body.get_locals_reader()? {
        n_locals = n_locals.saturating_add(local?.0);
    }
    let mut n_joints = 0;
    for operator in body.get_operators_reader()? {
        n_joints += match operator? {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. } => 1,
            Operator::BrTable { targets } => u64::from(targets.len()) + 1,
            Operator::TryTable { try_table } => try_table.catches.len() as u64 + 1,
            _ => 0,
        };
    }
    Ok((n_locals, n_joints))
}

fn at_most<N: PartialOrd + Copy + std::fmt::Display>(
    whose: &str,
    found: N,
    most: N,
    what: &str,
) -> Result<(), String> {
    if found > most {
        return Err(format!(
            "the compiled program is too large: {whose} may have {most} {what}, not {found}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_LOCALS, MAX_TABLE_ELEMENTS, measure};

    fn heavy(n_locals: usize, n_blocks: usize) -> String {
        let (locals, blocks) = ("i32 ".repeat(n_locals), "(block)".repeat(n_blocks));
        format!("(module (func (local {locals}) {blocks}))")
    }

    #[test]
    fn modules_are_measured() {
        let rows = [
            ("(module (memory 3))".to_owned(), Ok(3 << 16)),
            ("(module (func))".to_owned(), Ok(0)),
            (heavy(2_000, 500), Ok(0)),
            (heavy(2_000, 501), Err("variables times branches")),
            (format!("(module (table {} funcref))", MAX_TABLE_ELEMENTS + 1), Err("100000 entries")),
            (
                format!("(module (func (local {})))", "i32 ".repeat(MAX_LOCALS as usize + 1)),
                Err("local variables"),
            ),
        ];
        for (text, expected) in rows {
            let measured = measure(&wat::parse_str(&text).unwrap()).map(|shape| shape.memory_bytes);
            match expected {
                Ok(bytes) => assert_eq!(measured, Ok(bytes), "{text:.60}"),
                Err(words) => assert!(measured.unwrap_err().contains(words), "{text:.60}"),
            }
        }
    }
}
