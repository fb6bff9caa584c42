//! The functions as a module imports them, in a real engine.

use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasmtime::{Config, Engine, Instance, Linker, Store, Val};

use super::super::random::Random;
use super::super::{HasWorld, Stop, World, add_to_linker};
use super::config;

/// Every function of preview 1 and the types of its parameters: `i` for 32 bits, `l` for 64. All but `proc_exit` give an
/// error number.
const FUNCTIONS: [(&str, &str); 46] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A module that exports a caller for each function, and a memory of one page if asked for.
fn module(has_memory: bool) -> Vec<u8> {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    let (mut functions, mut code, mut exports) =
        (FunctionSection::new(), CodeSection::new(), ExportSection::new());
    for (index, (name, params)) in (0_u32..).zip(FUNCTIONS) {
        let params: Vec<ValType> =
            params.chars().map(|kind| if kind == 'l' { ValType::I64 } else { ValType::I32 }).collect();
        let results = if name == "proc_exit" { vec![] } else { vec![ValType::I32] };
        types.ty().function(params.clone(), results);
        imports.import("wasi_snapshot_preview1", name, EntityType::Function(index));
        functions.function(index);
        let mut body = Function::new([]);
        for param in 0..params.len() as u32 {
            body.instructions().local_get(param);
        }
        body.instructions().call(index).end();
        code.function(&body);
        exports.export(name, ExportKind::Func, FUNCTIONS.len() as u32 + index);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions);
    if has_memory {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: Some(1),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        exports.export("memory", ExportKind::Memory, 0);
        module.section(&memories);
    }
    module.section(&exports).section(&code);
    module.finish()
}

struct State(World);

impl HasWorld for State {
    fn world(&mut self) -> &mut World {
        &mut self.0
    }
}

const FUEL: u64 = 10_000_000_000;

/// Instances of one module.
struct Instances {
    engine: Engine,
    linker: Linker<State>,
    module: wasmtime::Module,
}

impl Instances {
    fn new(has_memory: bool) -> Self {
        let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).unwrap();
        let module = wasmtime::Module::new(&engine, module(has_memory)).unwrap();
        Self { engine, linker, module }
    }

    fn start(&self) -> (Store<State>, Instance) {
        let mut store = Store::new(&self.engine, State(World::new(config()).unwrap()));
        store.set_fuel(FUEL).unwrap();
        store.data_mut().0.started(FUEL);
        let instance = self.linker.instantiate(&mut store, &self.module).unwrap();
        (store, instance)
    }
}

/// Calls a function; gives its error number, or why the guest ended.
fn call(store: &mut Store<State>, instance: &Instance, name: &str, params: &[Val]) -> Result<i32, Stop> {
    let function = instance.get_func(&mut *store, name).unwrap();
    let mut results = if name == "proc_exit" { vec![] } else { vec![Val::I32(0)] };
    match function.call(&mut *store, params, &mut results) {
        Ok(()) => Ok(results[0].unwrap_i32()),
        Err(error) => match error.downcast_ref::<Stop>() {
            Some(stop) => Err(*stop),
            None => panic!("{name} {params:?}: {error:?}"),
        },
    }
}

#[test]
fn a_module_writes_and_exits() {
    let (mut store, instance) = Instances::new(true).start();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    memory
        .write(&mut store, 0, &[16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'h', b'i', b'\n'])
        .unwrap();
    let ints = |values: &[i32]| values.iter().map(|value| Val::I32(*value)).collect::<Vec<_>>();
    let before = store.get_fuel().unwrap();
    assert_eq!(call(&mut store, &instance, "fd_write", &ints(&[1, 0, 1, 8])), Ok(0));
    assert!(before - store.get_fuel().unwrap() >= 1003);
    assert_eq!(memory.data(&store)[8], 3);
    assert_eq!(call(&mut store, &instance, "fd_write", &ints(&[9, 0, 1, 8])), Ok(8));
    assert_eq!(call(&mut store, &instance, "fd_write", &ints(&[1, 0, 1, -1])), Ok(21));
    assert_eq!(call(&mut store, &instance, "sched_yield", &[]), Ok(0));
    assert_eq!(call(&mut store, &instance, "path_symlink", &ints(&[0, 1, 3, 0, 1])), Ok(58));
    assert_eq!(call(&mut store, &instance, "sock_accept", &ints(&[0, 0, 0])), Ok(57));
    assert_eq!(call(&mut store, &instance, "proc_exit", &ints(&[7])), Err(Stop::Exit(7)));
    assert_eq!(store.data_mut().0.take_stdout(), b"hi\n");
    // A month of sleep.
    memory.write(&mut store, 24, &2_592_000_000_000_000_u64.to_le_bytes()).unwrap();
    memory.write(&mut store, 0, &[0; 20]).unwrap();
    memory.write(&mut store, 16, &[1]).unwrap();
    assert_eq!(call(&mut store, &instance, "poll_oneoff", &ints(&[0, 64, 1, 48])), Err(Stop::OutOfFuel));
    assert_eq!(store.get_fuel().unwrap(), 0);
}

#[test]
fn a_module_without_memory_is_told_so() {
    let (mut store, instance) = Instances::new(false).start();
    for (name, params) in FUNCTIONS.iter().filter(|(name, _)| *name != "proc_exit") {
        let params: Vec<Val> =
            params.chars().map(|kind| if kind == 'l' { Val::I64(0) } else { Val::I32(0) }).collect();
        assert_eq!(call(&mut store, &instance, name, &params), Ok(21), "{name}");
    }
}

/// Numbers at the edges of things.
const NUMBERS: [u64; 18] = [
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    64,
    100,
    1000,
    4096,
    65_535,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff8,
    0xffff_ffff,
    u64::MAX,
];

#[test]
fn random_numbers_do_no_harm() {
    let instances = Instances::new(true);
    let mut random = Random::from_seed(4);
    let mut next = |below: usize| {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % below as u64) as usize
    };
    let (mut n_fine, mut n_stopped) = (0, 0);
    for _ in 0..200 {
        let (mut store, instance) = instances.start();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        // Paths and numbers at every address, of which most mean something.
        let words = [b"tmp/", b"lib/", b"x/..", b"dev/", b"gave", &[1, 0, 0, 0], &[64, 0, 0, 0], &[0; 4]];
        for at in (0..65_536).step_by(4) {
            memory.write(&mut store, at, words[next(words.len())]).unwrap();
        }
        for _ in 0..150 {
            let (name, params) = FUNCTIONS[next(FUNCTIONS.len())];
            if name == "proc_exit" || name == "proc_raise" {
                continue;
            }
            let params: Vec<Val> = params
                .chars()
                .map(|kind| {
                    let number = NUMBERS[next(NUMBERS.len())];
                    if kind == 'l' {
                        Val::I64(number.cast_signed())
                    } else {
                        Val::I32((number as u32).cast_signed())
                    }
                })
                .collect();
            match call(&mut store, &instance, name, &params) {
                Ok(0) => n_fine += 1,
                Ok(errno) => assert!((1..=76).contains(&errno), "{name} {params:?}: {errno}"),
                Err(stop) => {
                    assert!(
                        matches!(stop, Stop::OutOfFuel | Stop::OutputLimit),
                        "{name} {params:?}: {stop:?}"
                    );
                    n_stopped += 1;
                    break;
                }
            }
            let world = &store.data().0;
            assert_eq!(world.files.used_bytes(), world.files.counted_bytes());
        }
    }
    assert!(n_fine > 3000, "{n_fine} calls did something, {n_stopped} guests were stopped");
}
