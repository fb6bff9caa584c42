//! Small libraries, linked, baked and run.

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction as I,
    MemArg, MemoryType, Module, RefType, StartSection, TableType, TypeSection, ValType,
};
use wasmtime::{Engine, Instance, Linker, Store};

use super::{LinkError, bake, link};

const STACK: u32 = 65536;

/// A library to be written. Its functions have one of four types: see [`Library::KINDS`].
#[derive(Default)]
struct Library {
    /// Names in `env` of imported functions, with their types.
    functions: Vec<(&'static str, &'static str, u32)>,
    globals: Vec<(&'static str, &'static str)>,
    /// Exported functions.
    defined: Vec<(&'static str, u32, Vec<I<'static>>)>,
    /// Exported offsets into the data.
    offsets: Vec<(&'static str, i32)>,
    data: Vec<u8>,
    /// Functions in the library's own slots.
    slots: Vec<u32>,
    start: Option<u32>,
    alignment: u8,
    other_size: Option<u32>,
    mutable: bool,
    plain: bool,
}

/// `[] -> []`, `[] -> [i32]`, `[i32] -> [i32]`, `[i64] -> [i64]`.
const ACTION: u32 = 0;
const VALUE: u32 = 1;
const MAP: u32 = 2;
const WIDE: u32 = 3;

impl Library {
    fn bytes(&self) -> Vec<u8> {
        let mut module = Module::new();
        if !self.plain {
            module.section(&CustomSection { name: "dylink.0".into(), data: self.dylink().into() });
        }
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([], [ValType::I32]);
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([ValType::I64], [ValType::I64]);
        let mut imports = ImportSection::new();
        let memory =
            MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
        imports.import("env", "memory", memory);
        let table = TableType {
            element_type: RefType::FUNCREF,
            minimum: 0,
            maximum: None,
            table64: false,
            shared: false,
        };
        imports.import("env", "__indirect_function_table", table);
        for (from, name, kind) in &self.functions {
            imports.import(from, name, EntityType::Function(*kind));
        }
        for (from, name) in &self.globals {
            let mutable = from.starts_with("GOT.") || *name == "__stack_pointer";
            imports.import(from, name, GlobalType { val_type: ValType::I32, mutable, shared: false });
        }
        let (mut functions, mut globals, mut exports) =
            (FunctionSection::new(), GlobalSection::new(), ExportSection::new());
        let (mut elements, mut code, mut data) =
            (ElementSection::new(), CodeSection::new(), DataSection::new());
        for (index, (name, kind, instructions)) in self.defined.iter().enumerate() {
            functions.function(*kind);
            exports.export(name, ExportKind::Func, (self.functions.len() + index) as u32);
            let mut body = Function::new([]);
            for instruction in instructions {
                body.instruction(instruction);
            }
            body.instruction(&I::End);
            code.function(&body);
        }
        for (index, (name, offset)) in self.offsets.iter().enumerate() {
            let kind = GlobalType { val_type: ValType::I32, mutable: self.mutable, shared: false };
            globals.global(kind, &ConstExpr::i32_const(*offset));
            exports.export(name, ExportKind::Global, (self.globals.len() + index) as u32);
        }
        let base = |name| self.globals.iter().position(|global| global.1 == name).unwrap_or(0) as u32;
        module.section(&types).section(&imports).section(&functions).section(&globals).section(&exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        if !self.slots.is_empty() {
            let offset = ConstExpr::global_get(base("__table_base"));
            elements.active(None, &offset, Elements::Functions(self.slots.as_slice().into()));
            module.section(&elements);
        }
        module.section(&code);
        if !self.data.is_empty() {
            data.active(0, &ConstExpr::global_get(base("__memory_base")), self.data.iter().copied());
            module.section(&data);
        }
        module.finish()
    }

    fn dylink(&self) -> Vec<u8> {
        let mut numbers = Vec::new();
        let size = self.other_size.unwrap_or(self.data.len() as u32);
        for number in [size, self.alignment.into(), self.slots.len() as u32, 0] {
            let mut rest = number;
            while rest >= 128 {
                numbers.push(rest as u8 | 128);
                rest >>= 7;
            }
            numbers.push(rest as u8);
        }
        let mut section = vec![1, numbers.len() as u8];
        section.extend(numbers);
        section
    }
}

fn load() -> I<'static> {
    I::I32Load(MemArg { offset: 0, align: 2, memory_index: 0 })
}

/// Instructions that append a digit to the number at address 16.
fn note(digit: i32) -> Vec<I<'static>> {
    let store = I::I32Store(MemArg { offset: 0, align: 2, memory_index: 0 });
    vec![
        I::I32Const(16),
        I::I32Const(16),
        load(),
        I::I32Const(10),
        I::I32Mul,
        I::I32Const(digit),
        I::I32Add,
        store,
    ]
}

fn linked(libraries: &[Library], exports: &[&str]) -> Result<Vec<u8>, LinkError> {
    let bytes: Vec<Vec<u8>> = libraries.iter().map(Library::bytes).collect();
    let names = ["one", "two", "three"];
    let inputs: Vec<(&str, &[u8])> = names.into_iter().zip(bytes.iter().map(Vec::as_slice)).collect();
    link(&inputs, STACK, exports)
}

struct Machine {
    store: Store<()>,
    instance: Instance,
}

impl Machine {
    fn start(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = wasmtime::Module::new(&engine, wasm).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self { store, instance }
    }

    fn value(&mut self, function: &str) -> wasmtime::Result<i32> {
        self.instance.get_typed_func::<(), i32>(&mut self.store, function)?.call(&mut self.store, ())
    }

    fn act(&mut self, function: &str) -> wasmtime::Result<()> {
        self.instance.get_typed_func::<(), ()>(&mut self.store, function)?.call(&mut self.store, ())
    }

    fn memory(&mut self) -> &mut [u8] {
        self.instance.get_memory(&mut self.store, "memory").unwrap().data_mut(&mut self.store)
    }

    fn stack_pointer(&mut self) -> i32 {
        self.instance
            .get_global(&mut self.store, "__stack_pointer")
            .unwrap()
            .get(&mut self.store)
            .unwrap_i32()
    }
}

#[test]
fn calls_cross_libraries_in_both_directions() {
    let one = Library {
        functions: vec![("env", "two", VALUE)],
        defined: vec![
            ("ask", VALUE, vec![I::Call(0), I::I32Const(1), I::I32Add]),
            ("three", VALUE, vec![I::I32Const(3)]),
        ],
        ..Library::default()
    };
    let two = Library {
        functions: vec![("env", "three", VALUE)],
        defined: vec![("two", VALUE, vec![I::Call(0), I::I32Const(100), I::I32Mul])],
        ..Library::default()
    };
    let mut machine = Machine::start(&linked(&[one, two], &["ask"]).unwrap());
    assert_eq!(machine.value("ask").unwrap(), 301);
}

#[test]
fn data_lies_behind_the_stack_and_is_found_by_name() {
    let library = |name, data: &[u8], alignment| Library {
        globals: vec![("env", "__memory_base"), ("GOT.mem", "there")],
        defined: vec![(name, VALUE, vec![I::GlobalGet(0)])],
        data: data.to_vec(),
        alignment,
        ..Library::default()
    };
    let mut one = library("base_one", &[1; 20], 2);
    one.defined.push(("read", VALUE, vec![I::GlobalGet(1), load()]));
    one.defined.push(("limit", VALUE, vec![I::GlobalGet(2)]));
    one.globals.push(("GOT.mem", "__heap_base"));
    let mut two = library("base_two", &[0, 0, 0, 0, 42, 0, 0, 0], 8);
    two.offsets = vec![("there", 4)];
    let wasm = linked(&[one, two], &["base_one", "base_two", "read", "limit"]).unwrap();
    let mut machine = Machine::start(&wasm);
    assert_eq!(machine.value("base_one").unwrap(), 65536);
    assert_eq!(machine.value("base_two").unwrap(), 65536 + 256, "an alignment of 2 to the 8");
    assert_eq!(machine.value("read").unwrap(), 42);
    assert_eq!(machine.value("limit").unwrap(), 65536 + 256 + 16, "the heap begins behind the data, aligned");
    assert_eq!(machine.stack_pointer(), 65536);
}

#[test]
fn a_function_has_one_address_everywhere_and_slot_zero_is_nobodys() {
    let library = |address, call, slots: bool| Library {
        globals: vec![("GOT.func", "target"), ("env", "__table_base")],
        defined: vec![
            (address, VALUE, vec![I::GlobalGet(0)]),
            (call, VALUE, vec![I::GlobalGet(0), I::CallIndirect { type_index: VALUE, table_index: 0 }]),
        ],
        slots: if slots { vec![0, 1] } else { vec![] },
        ..Library::default()
    };
    let mut two = library("address_two", "call_two", true);
    two.defined.push(("target", VALUE, vec![I::I32Const(7)]));
    let own = vec![I::GlobalGet(1), I::CallIndirect { type_index: VALUE, table_index: 0 }];
    two.defined.push(("first_own", VALUE, own));
    let names = ["address_one", "call_one", "address_two", "call_two", "first_own"];
    let one = library("address_one", "call_one", true);
    let mut machine = Machine::start(&linked(&[one, two], &names).unwrap());
    let addresses = (machine.value("address_one").unwrap(), machine.value("address_two").unwrap());
    assert_eq!(addresses, (5, 5), "behind slot 0 and two libraries with two slots each");
    assert_eq!(machine.value("call_one").unwrap(), 7);
    assert_eq!(machine.value("call_two").unwrap(), 7);
    assert_eq!(machine.value("first_own").unwrap(), 5, "its slot 0 holds address_two");
}

#[test]
fn libraries_are_prepared_in_order_start_then_relocations_then_constructors() {
    let library = |digits: [i32; 3], read| Library {
        defined: vec![
            ("__wasm_apply_data_relocs", ACTION, note(digits[1])),
            ("_initialize", ACTION, note(digits[2])),
            ("started", ACTION, note(digits[0])),
            (read, VALUE, vec![I::I32Const(16), load()]),
        ],
        start: Some(2),
        ..Library::default()
    };
    let wasm = linked(&[library([1, 3, 5], "read"), library([2, 4, 6], "unused")], &["read"]).unwrap();
    let mut machine = Machine::start(&wasm);
    assert_eq!(machine.value("read").unwrap(), 0, "nothing runs on its own");
    machine.act("_initialize").unwrap();
    assert_eq!(machine.value("read").unwrap(), 123_456);
}

#[test]
fn what_nobody_defines_traps_when_called_and_is_null_when_addressed() {
    let one = Library {
        functions: vec![
            ("env", "nowhere", VALUE),
            ("env", "poll", VALUE),
            ("wasi_snapshot_preview1", "sched_yield", VALUE),
            ("wasi:sockets/tcp", "bind", VALUE),
        ],
        globals: vec![("GOT.func", "nowhere"), ("GOT.mem", "nothing")],
        defined: vec![
            ("call", VALUE, vec![I::Call(0)]),
            ("poll", VALUE, vec![I::I32Const(8)]),
            ("call_poll", VALUE, vec![I::Call(1)]),
            ("yield", VALUE, vec![I::Call(2)]),
            ("bind", VALUE, vec![I::Call(3)]),
            ("function", VALUE, vec![I::GlobalGet(0)]),
            ("data", VALUE, vec![I::GlobalGet(1)]),
        ],
        ..Library::default()
    };
    let names = ["call", "call_poll", "yield", "bind", "function", "data"];
    let wasm = linked(&[one], &names).unwrap();
    let module = wasmtime::Module::new(&Engine::default(), &wasm).unwrap();
    let imports: Vec<(&str, &str)> =
        module.imports().map(|import| (import.module(), import.name())).collect();
    assert_eq!(imports, [("wasi_snapshot_preview1", "sched_yield")]);
    let mut machine = Machine::start(&wasm);
    for trapping in ["call", "bind"] {
        let error = machine.value(trapping).unwrap_err();
        let trap = error.downcast_ref::<wasmtime::Trap>();
        assert_eq!(trap, Some(&wasmtime::Trap::UnreachableCodeReached), "{trapping}");
    }
    assert_eq!(machine.value("call_poll").unwrap(), -1, "the C library's own is passed over");
    assert_eq!(machine.value("function").unwrap(), 0);
    assert_eq!(machine.value("data").unwrap(), 0);
}

#[test]
fn the_first_definition_counts_and_the_same_input_gives_the_same_bytes() {
    let library = |value| Library {
        defined: vec![("f", VALUE, vec![I::I32Const(value)])],
        functions: vec![("env", "b", VALUE), ("env", "a", MAP), ("env", "c", ACTION)],
        ..Library::default()
    };
    let wasm = linked(&[library(1), library(2)], &["f"]).unwrap();
    assert_eq!(Machine::start(&wasm).value("f").unwrap(), 1);
    for _ in 0..4 {
        assert_eq!(linked(&[library(1), library(2)], &["f"]).unwrap(), wasm);
    }
}

#[test]
fn what_cannot_be_linked_is_an_error_that_says_so() {
    let value =
        |name, kind| Library { defined: vec![(name, kind, vec![I::Unreachable])], ..Library::default() };
    let caller = |name, kind| Library { functions: vec![("env", name, kind)], ..Library::default() };
    let rows: Vec<(Vec<Library>, &[&str], &str)> = vec![
        (vec![value("f", VALUE)], &["g"], "no library defines g"),
        (vec![value("f", VALUE), caller("f", MAP)], &[], "two imports f with a type that is not its own"),
        (vec![caller("f", VALUE), caller("f", MAP)], &[], "two imports f with a type that is not its own"),
        (vec![caller("poll", WIDE)], &[], "one imports poll with a type that is not its own"),
        (vec![Library { plain: true, ..Library::default() }], &[], "no section dylink.0"),
        (vec![Library { alignment: 17, ..Library::default() }], &[], "alignment of 2 to the 17"),
        (
            vec![Library { mutable: true, offsets: vec![("x", 0)], ..Library::default() }],
            &[],
            "it defines a global that changes",
        ),
        (
            vec![Library { globals: vec![("env", "other")], ..Library::default() }],
            &[],
            "it imports the global env.other",
        ),
        (
            vec![Library { other_size: Some(u32::MAX), ..Library::default() }],
            &[],
            "the libraries do not fit into 4 GiB of memory",
        ),
        (
            vec![Library {
                globals: vec![("GOT.mem", "x")],
                defined: vec![("f", ACTION, vec![I::I32Const(0), I::GlobalSet(0)])],
                ..Library::default()
            }],
            &[],
            "an address as a variable",
        ),
    ];
    for (libraries, exports, expected) in rows {
        let error = linked(&libraries, exports).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} instead of {expected:?}");
    }
}

#[test]
fn damaged_libraries_are_errors() {
    let whole = Library {
        functions: vec![("env", "f", VALUE)],
        globals: vec![("env", "__memory_base"), ("GOT.func", "g"), ("env", "__table_base")],
        defined: vec![("g", VALUE, vec![I::Call(0)])],
        data: vec![1, 2, 3],
        slots: vec![1],
        ..Library::default()
    }
    .bytes();
    assert!(link(&[("whole", &whole)], STACK, &["g"]).is_ok());
    let cuts = 0..whole.len();
    let linked: Vec<usize> =
        cuts.filter(|end| link(&[("cut", &whole[..*end])], STACK, &["g"]).is_ok()).collect();
    // A section of data has six bytes around those of the data: without it the library is a whole one.
    assert_eq!(linked, [whole.len() - 11], "cut elsewhere it is none");
    // A changed byte may leave a valid library; what comes of it must then be a valid module.
    for place in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff, whole[place].wrapping_add(1)] {
            let mut changed = whole.clone();
            changed[place] = byte;
            if let Ok(wasm) = link(&[("changed", &changed)], STACK, &["g"]) {
                wasmparser::validate(&wasm).unwrap();
            }
        }
    }
}

#[test]
fn a_baked_module_goes_on_where_the_instance_stood() {
    let library = Library {
        globals: vec![("env", "__memory_base")],
        defined: vec![("_initialize", ACTION, note(5)), ("read", VALUE, vec![I::I32Const(16), load()])],
        data: vec![9; 3],
        ..Library::default()
    };
    let wasm = linked(&[library], &["read"]).unwrap();
    let mut machine = Machine::start(&wasm);
    machine.act("_initialize").unwrap();
    let mut memory = machine.memory().to_vec();
    // A page the module did not have at first, with something in its last byte.
    memory.resize(memory.len() + 65536, 0);
    *memory.last_mut().unwrap() = 77;
    let baked = bake(&wasm, &memory, 65520).unwrap();
    let n_pieces = memory.chunks(4096).filter(|piece| piece.iter().any(|byte| *byte != 0)).count();
    assert!(baked.len() < (n_pieces + 1) * 4096, "{} bytes for {n_pieces} pieces", baked.len());
    let mut again = Machine::start(&baked);
    assert_eq!(again.memory(), memory);
    assert_eq!(again.value("read").unwrap(), 5);
    assert_eq!(again.stack_pointer(), 65520);
    assert_eq!(bake(&wasm, &memory, 65520).unwrap(), baked);
}

#[test]
fn the_start_function_is_not_run_again() {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut memories = wasm_encoder::MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(2),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    let variable = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(variable, &ConstExpr::i32_const(0));
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("__stack_pointer", ExportKind::Global, 0);
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instruction(&I::Unreachable).instruction(&I::End);
    code.function(&body);
    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&types).section(&functions).section(&memories).section(&globals).section(&exports);
    module.section(&StartSection { function_index: 0 }).section(&code);
    let wasm = module.finish();
    let mut memory = vec![0; 65536];
    memory[5000] = 1;
    let mut machine = Machine::start(&bake(&wasm, &memory, 3).unwrap());
    assert_eq!((machine.memory()[5000], machine.stack_pointer()), (1, 3));
    for length in [0, 1, 4096, 65537, 3 * 65536] {
        let error = bake(&wasm, &vec![0; length], 3).unwrap_err();
        assert!(matches!(error, LinkError::Image { bytes } if bytes == length), "{length}: {error}");
    }
    for end in 0..wasm.len() {
        // Cut behind its header it is a module, one without a memory.
        assert!(bake(&wasm[..end], &memory, 3).is_err(), "cut at {end}");
    }
}
