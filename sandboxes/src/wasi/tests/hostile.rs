//! Addresses, lengths and counts that lead out of memory or ask for too much.

use super::super::errno::Errno::{BadDescriptor, Fault, Invalid, NameTooLong, NotFound};
use super::super::memory::Memory;
use super::super::places::{OpenArguments, PathArgument};
use super::super::{Stop, World};
use super::{CREATE, End, FOLDER, Guest, READ, WRITE};

type Call = fn(&mut World, &mut Memory<'_>) -> Result<(), super::super::errno::Fault>;

const END: u32 = 1 << 20;
const FAR: u32 = u32::MAX;

fn path(address: u32, length: u32) -> PathArgument {
    PathArgument::new(3, address, length)
}

fn how() -> OpenArguments {
    OpenArguments { open_flags: CREATE, rights: WRITE, inheriting: 0, flags: 0 }
}

/// With a memory of 1 MiB, all zero but for a path `x` at 100, and descriptors 4, a file, and 5, a folder.
const ROWS: &[(&str, Call, Option<End>)] = &[
    ("args_get", |w, m| w.args_get(m, END - 4, 0), None),
    ("args_get list", |w, m| w.args_get(m, END - 3, 0), Some(End::Errno(Fault))),
    ("args_get list far", |w, m| w.args_get(m, FAR, 0), Some(End::Errno(Fault))),
    ("args_get text", |w, m| w.args_get(m, 0, END - 7), Some(End::Errno(Fault))),
    ("args_get text far", |w, m| w.args_get(m, 0, FAR), Some(End::Errno(Fault))),
    ("args_sizes_get", |w, m| w.args_sizes_get(m, 0, END - 3), Some(End::Errno(Fault))),
    ("environ_sizes_get", |_, m| World::environ_sizes_get(m, FAR, 0), Some(End::Errno(Fault))),
    ("clock_time_get", |w, m| w.clock_time_get(m, 0, END - 7), Some(End::Errno(Fault))),
    ("clock_time_get last", |w, m| w.clock_time_get(m, 0, END - 8), None),
    ("clock_time_get clock", |w, m| w.clock_time_get(m, FAR, 0), Some(End::Errno(Invalid))),
    ("clock_res_get", |_, m| World::clock_res_get(m, 0, FAR - 6), Some(End::Errno(Fault))),
    ("random_get all", |w, m| w.random_get(m, 0, END), None),
    ("random_get", |w, m| w.random_get(m, 1, END), Some(End::Errno(Fault))),
    ("random_get 4 GiB", |w, m| w.random_get(m, 0, FAR), Some(End::Errno(Fault))),
    ("random_get wrap", |w, m| w.random_get(m, FAR, 2), Some(End::Errno(Fault))),
    ("random_get nothing", |w, m| w.random_get(m, END, 0), None),
    ("random_get nowhere", |w, m| w.random_get(m, END + 1, 0), Some(End::Errno(Fault))),
    ("fd_write 2^31 spans", |w, m| w.fd_write(m, 1, (0, 1 << 31), 8), Some(End::Errno(Invalid))),
    ("fd_write 1025 spans", |w, m| w.fd_write(m, 1, (0, 1025), 8), Some(End::Errno(Invalid))),
    ("fd_write 1024 spans", |w, m| w.fd_write(m, 1, (0, 1024), 8), None),
    ("fd_write list", |w, m| w.fd_write(m, 1, (END - 7, 1), 8), Some(End::Errno(Fault))),
    ("fd_write list wrap", |w, m| w.fd_write(m, 1, (FAR - 7, 2), 8), Some(End::Errno(Fault))),
    ("fd_write answer", |w, m| w.fd_write(m, 1, (0, 1), END - 3), Some(End::Errno(Fault))),
    ("fd_write span", |w, m| spans(w, m, &[(END - 1, 2)], true), Some(End::Errno(Fault))),
    ("fd_write span wrap", |w, m| spans(w, m, &[(FAR, FAR)], true), Some(End::Errno(Fault))),
    ("fd_write sum", |w, m| spans(w, m, &[(0, 1), (0, FAR)], true), Some(End::Errno(Fault))),
    ("fd_write fd", |w, m| w.fd_write(m, FAR, (0, 1), 8), Some(End::Errno(BadDescriptor))),
    ("fd_read span", |w, m| spans(w, m, &[(END - 1, 2)], false), Some(End::Errno(Fault))),
    ("fd_read span wrap", |w, m| spans(w, m, &[(FAR, 1)], false), Some(End::Errno(Fault))),
    ("fd_read into its list", |w, m| spans(w, m, &[(200, 8), (208, 8)], false), None),
    ("fd_pread offset", |w, m| w.fd_pread(m, 0, (0, 1), u64::MAX, 8), None),
    ("fd_pwrite offset", |w, m| w.fd_pwrite(m, 4, (0, 1), u64::MAX, 8), None),
    ("fd_seek answer", |w, m| w.fd_seek(m, 4, 0, 0, END - 7), Some(End::Errno(Fault))),
    ("fd_seek whence", |w, m| w.fd_seek(m, 4, 0, FAR, 0), Some(End::Errno(Invalid))),
    ("fd_tell answer", |w, m| w.fd_tell(m, 4, FAR), Some(End::Errno(Fault))),
    ("fd_fdstat_get", |w, m| w.fd_fdstat_get(m, 4, END - 23), Some(End::Errno(Fault))),
    ("fd_filestat_get", |w, m| w.fd_filestat_get(m, 4, END - 63), Some(End::Errno(Fault))),
    ("fd_filestat_get last", |w, m| w.fd_filestat_get(m, 4, END - 64), None),
    ("fd_prestat_get", |w, m| w.fd_prestat_get(m, 3, END - 7), Some(End::Errno(Fault))),
    ("fd_prestat_get fd", |w, m| w.fd_prestat_get(m, 4, 0), Some(End::Errno(BadDescriptor))),
    ("fd_prestat_dir_name", |w, m| w.fd_prestat_dir_name(m, 3, END, 1), Some(End::Errno(Fault))),
    ("fd_prestat_dir_name 0", |w, m| w.fd_prestat_dir_name(m, 3, 0, 0), Some(End::Errno(NameTooLong))),
    ("fd_prestat_dir_name far", |w, m| w.fd_prestat_dir_name(m, 3, 0, FAR), None),
    ("fd_readdir", |w, m| w.fd_readdir(m, 5, (END - 9, 10), 0, 0), Some(End::Errno(Fault))),
    ("fd_readdir wrap", |w, m| w.fd_readdir(m, 5, (1, FAR), 0, 0), Some(End::Errno(Fault))),
    ("fd_readdir answer", |w, m| w.fd_readdir(m, 5, (0, 100), 0, FAR), Some(End::Errno(Fault))),
    ("fd_readdir cookie", |w, m| w.fd_readdir(m, 5, (0, 100), u64::MAX, 0), None),
    ("fd_readdir cookie 2^63", |w, m| w.fd_readdir(m, 5, (0, 100), 1 << 63, 0), None),
    ("fd_readdir no room", |w, m| w.fd_readdir(m, 5, (0, 0), 0, 0), None),
    ("path_open path", |w, m| w.path_open(m, path(END - 1, 2), how(), 0), Some(End::Errno(Fault))),
    ("path_open 1 GiB", |w, m| w.path_open(m, path(0, 1 << 30), how(), 0), Some(End::Errno(Fault))),
    ("path_open 1 MiB", |w, m| w.path_open(m, path(0, END), how(), 0), Some(End::Errno(NameTooLong))),
    ("path_open wrap", |w, m| w.path_open(m, path(FAR, 2), how(), 0), Some(End::Errno(Fault))),
    ("path_open answer", |w, m| w.path_open(m, path(100, 1), how(), END - 3), Some(End::Errno(Fault))),
    ("path_open zeros", |w, m| w.path_open(m, path(300, 4), how(), 0), Some(End::Errno(Invalid))),
    ("path_filestat_get", |w, m| w.path_filestat_get(m, path(300, 0), 0), Some(End::Errno(NotFound))),
    ("path_filestat_get nowhere", |w, m| w.path_filestat_get(m, path(FAR, 0), 0), Some(End::Errno(Fault))),
    ("path_rename", |w, m| w.path_rename(m, path(100, 1), path(FAR, 9)), Some(End::Errno(Fault))),
    ("poll_oneoff 2^32", |w, m| w.poll_oneoff(m, 0, 0, FAR, 0), Some(End::Errno(Invalid))),
    ("poll_oneoff list", |w, m| w.poll_oneoff(m, END - 47, 0, 1, 0), Some(End::Errno(Fault))),
    ("poll_oneoff list wrap", |w, m| w.poll_oneoff(m, FAR - 40, 0, 4096, 0), Some(End::Errno(Fault))),
    ("poll_oneoff events", |w, m| w.poll_oneoff(m, 1000, END - 31, 1, 0), Some(End::Errno(Fault))),
    ("poll_oneoff answer", |w, m| w.poll_oneoff(m, 1000, 0, 1, FAR), Some(End::Errno(Fault))),
];

/// Puts spans at 200 and writes from them to standard error, or reads standard input into them.
fn spans(
    world: &mut World,
    memory: &mut Memory<'_>,
    spans: &[(u32, u32)],
    write: bool,
) -> Result<(), super::super::errno::Fault> {
    for (index, (address, length)) in spans.iter().enumerate() {
        memory.store_u32(200 + 8 * index as u32, *address)?;
        memory.store_u32(204 + 8 * index as u32, *length)?;
    }
    let list = (200, spans.len() as u32);
    if write { world.fd_write(memory, 2, list, 8) } else { world.fd_read(memory, 0, list, 8) }
}

#[test]
fn no_number_leads_out_of_memory() {
    for (name, call, expected) in ROWS {
        let mut guest = Guest::plain();
        assert_eq!(guest.open("file", CREATE, WRITE), Ok(4));
        assert_eq!(guest.open("/dev", FOLDER, READ), Ok(5));
        guest.memory.fill(0);
        guest.put(100, b"x");
        let before = guest.world.files_used_bytes();
        assert_eq!(guest.call(call).err(), *expected, "{name}");
        if expected.is_some() {
            assert_eq!(guest.world.files_used_bytes(), before, "{name}: what fails changes nothing");
            assert_eq!(guest.world.take_stdout(), b"");
        }
        guest.check_quota();
    }
}

#[test]
fn a_memory_without_bytes() {
    for (name, call, expected) in ROWS {
        let mut guest = Guest::plain();
        guest.memory = Vec::new();
        if let Some(End::Errno(Fault)) = expected {
            let end = guest.call(call).err();
            let is_fine = matches!(end, Some(End::Errno(Fault | BadDescriptor | NotFound)));
            assert!(is_fine, "{name}: {end:?}");
        }
    }
}

/// What asks for much work ends for lack of fuel, or is cheap.
#[test]
fn work_without_end_ends() {
    let mut guest = Guest::plain();
    guest.fuel = 50_000_000;
    let random = guest.open("/dev/urandom", 0, READ).unwrap();
    // 1024 spans of the same megabyte.
    let list: Vec<u8> =
        [0_u32, END].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().repeat(1024);
    guest.memory.resize(2 << 20, 0);
    guest.put(END, &list);
    let end = guest.call(|world, memory| world.fd_read(memory, random, (END, 1024), END - 4));
    assert_eq!(end, Err(End::Stop(Stop::OutOfFuel)));
    guest.fuel = 50_000_000;
    let end = guest.call(|world, memory| world.fd_write(memory, 2, (END, 1024), END - 4));
    assert_eq!(end, Err(End::Stop(Stop::OutOfFuel)));
    guest.fuel = 50_000_000;
    // 4 GiB in all are more than the answer could say.
    let list: Vec<u8> =
        [0_u32, 4 * END].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().repeat(1024);
    guest.memory.resize(5 << 20, 0);
    guest.put(4 * END, &list);
    let end = guest.call(|world, memory| world.fd_write(memory, 2, (4 * END, 1024), END));
    assert_eq!(end, Err(End::Errno(Invalid)));
    guest.fuel = 50_000_000;
    let mut n_calls = 0;
    while guest.call(|world, memory| world.fd_readdir(memory, 3, (0, 100), 1 << 40, 200)).is_ok() {
        n_calls += 1;
    }
    assert!(n_calls < 50_000_000 / 1000, "{n_calls}");
}
