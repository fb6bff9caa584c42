//! The system calls as a module imports them.
//!
//! Numbers arrive here as the guest gives them and leave as they are; what they mean is in the functions of the world.

use wasmtime::{Caller, Extern, Linker};

use super::errno::{Errno, Fault};
use super::memory::Memory;
use super::places::{OpenArguments, PathArgument};
use super::{HasWorld, World};

/// The module that the functions belong to.
const MODULE: &str = "wasi_snapshot_preview1";

/// Adds all functions of preview 1.
///
/// The instance must export its memory as `memory`, and its engine must count fuel.
///
/// # Errors
/// When one of them is there already.
pub(crate) fn add_to_linker<T: HasWorld + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_process(linker)?;
    add_descriptors(linker)?;
    add_paths(linker)?;
    add_sockets(linker)
}

/// Does a system call for the guest that called.
fn call<T: HasWorld>(
    caller: &mut Caller<'_, T>,
    call: impl FnOnce(&mut World, &mut Memory<'_>) -> Result<(), Fault>,
) -> wasmtime::Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Ok(Errno::Fault as i32);
    };
    let fuel = caller.get_fuel()?;
    let (bytes, data) = memory.data_and_store_mut(&mut *caller);
    let (result, left) = data.world().enter(fuel, |world| call(world, &mut Memory::new(bytes)));
    caller.set_fuel(left)?;
    match result {
        Ok(()) => Ok(0),
        Err(Fault::Errno(errno)) => Ok(errno as i32),
        Err(Fault::Stop(stop)) => Err(wasmtime::Error::new(stop)),
        Err(Fault::Channel(error)) => Err(error),
    }
}

/// Functions that all look the same from the outside: numbers in, an error number out.
macro_rules! functions {
    ($linker:ident, $($name:ident($($argument:ident: $type:ty),*) = $call:expr;)*) => {
        $($linker.func_wrap(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, T>, $($argument: $type),*| -> wasmtime::Result<i32> {
                call(&mut caller, $call)
            },
        )?;)*
    };
}

fn add_process<T: HasWorld + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions! { linker,
        args_get(offsets: u32, buffer: u32) = |world, memory| world.args_get(memory, offsets, buffer);
        args_sizes_get(count: u32, bytes: u32) = |world, memory| world.args_sizes_get(memory, count, bytes);
        environ_get(_offsets: u32, _buffer: u32) = |_, _| Ok(());
        environ_sizes_get(count: u32, bytes: u32) =
            |_, memory| World::environ_sizes_get(memory, count, bytes);
        clock_res_get(clock: u32, resolution: u32) =
            |_, memory| World::clock_res_get(memory, clock, resolution);
        clock_time_get(clock: u32, _precision: u64, time: u32) =
            |world, memory| world.clock_time_get(memory, clock, time);
        poll_oneoff(subscriptions: u32, events: u32, count: u32, n_events: u32) =
            |world, memory| world.poll_oneoff(memory, subscriptions, events, count, n_events);
        random_get(buffer: u32, length: u32) = |world, memory| world.random_get(memory, buffer, length);
        proc_raise(signal: u32) = |_, _| World::proc_raise(signal);
        sched_yield() = |_, _| Ok(());
    }
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |mut caller: Caller<'_, T>, code: u32| -> wasmtime::Result<()> {
            call(&mut caller, |_, _| Err(World::proc_exit(code)))?;
            Ok(())
        },
    )?;
    Ok(())
}

fn add_descriptors<T: HasWorld + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions! { linker,
        fd_advise(fd: u32, _offset: u64, _length: u64, _advice: u32) = |world, _| world.fd_check(fd);
        fd_allocate(fd: u32, offset: u64, length: u64) = |world, _| world.fd_allocate(fd, offset, length);
        fd_close(fd: u32) = |world, _| world.fd_close(fd);
        fd_datasync(fd: u32) = |world, _| world.fd_check(fd);
        fd_fdstat_get(fd: u32, status: u32) = |world, memory| world.fd_fdstat_get(memory, fd, status);
        fd_fdstat_set_flags(fd: u32, flags: u32) = |world, _| world.fd_fdstat_set_flags(fd, flags);
        fd_fdstat_set_rights(fd: u32, rights: u64, inheriting: u64) =
            |world, _| world.fd_fdstat_set_rights(fd, rights, inheriting);
        fd_filestat_get(fd: u32, status: u32) = |world, memory| world.fd_filestat_get(memory, fd, status);
        fd_filestat_set_size(fd: u32, size: u64) = |world, _| world.fd_filestat_set_size(fd, size);
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, which: u32) =
            |world, _| world.fd_filestat_set_times(fd, accessed, modified, which);
        fd_pread(fd: u32, spans: u32, n_spans: u32, offset: u64, n_read: u32) =
            |world, memory| world.fd_pread(memory, fd, (spans, n_spans), offset, n_read);
        fd_prestat_get(fd: u32, prestat: u32) = |world, memory| world.fd_prestat_get(memory, fd, prestat);
        fd_prestat_dir_name(fd: u32, name: u32, length: u32) =
            |world, memory| world.fd_prestat_dir_name(memory, fd, name, length);
        fd_pwrite(fd: u32, spans: u32, n_spans: u32, offset: u64, n_written: u32) =
            |world, memory| world.fd_pwrite(memory, fd, (spans, n_spans), offset, n_written);
        fd_read(fd: u32, spans: u32, n_spans: u32, n_read: u32) =
            |world, memory| world.fd_read(memory, fd, (spans, n_spans), n_read);
        fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, used: u32) =
            |world, memory| world.fd_readdir(memory, fd, (buffer, length), cookie, used);
        fd_renumber(from: u32, to: u32) = |world, _| world.fd_renumber(from, to);
        fd_seek(fd: u32, offset: i64, whence: u32, position: u32) =
            |world, memory| world.fd_seek(memory, fd, offset, whence, position);
        fd_sync(fd: u32) = |world, _| world.fd_check(fd);
        fd_tell(fd: u32, position: u32) = |world, memory| world.fd_tell(memory, fd, position);
        fd_write(fd: u32, spans: u32, n_spans: u32, n_written: u32) =
            |world, memory| world.fd_write(memory, fd, (spans, n_spans), n_written);
    }
    Ok(())
}

fn add_paths<T: HasWorld + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions! { linker,
        path_create_directory(fd: u32, path: u32, length: u32) =
            |world, memory| world.path_create_directory(memory, PathArgument::new(fd, path, length));
        path_filestat_get(fd: u32, _lookup: u32, path: u32, length: u32, status: u32) =
            |world, memory| world.path_filestat_get(memory, PathArgument::new(fd, path, length), status);
        path_filestat_set_times(
            fd: u32, _lookup: u32, path: u32, length: u32, accessed: u64, modified: u64, which: u32
        ) = |world, memory| {
            let path = PathArgument::new(fd, path, length);
            world.path_filestat_set_times(memory, path, accessed, modified, which)
        };
        path_link(
            _old_fd: u32, _lookup: u32, _old: u32, _old_length: u32, _new_fd: u32, _new: u32, _new_length: u32
        ) = |_, _| Err(Errno::NotSupported.into());
        path_open(
            fd: u32, _lookup: u32, path: u32, length: u32,
            open_flags: u32, rights: u64, inheriting: u64, flags: u32, opened: u32
        ) = |world, memory| {
            let how = OpenArguments { open_flags, rights, inheriting, flags };
            world.path_open(memory, PathArgument::new(fd, path, length), how, opened)
        };
        path_readlink(fd: u32, path: u32, length: u32, _buffer: u32, _room: u32, _used: u32) =
            |world, memory| world.path_readlink(memory, PathArgument::new(fd, path, length));
        path_remove_directory(fd: u32, path: u32, length: u32) =
            |world, memory| world.path_remove_directory(memory, PathArgument::new(fd, path, length));
        path_rename(old_fd: u32, old: u32, old_length: u32, new_fd: u32, new: u32, new_length: u32) =
            |world, memory| {
                let from = PathArgument::new(old_fd, old, old_length);
                world.path_rename(memory, from, PathArgument::new(new_fd, new, new_length))
            };
        path_symlink(_old: u32, _old_length: u32, _fd: u32, _new: u32, _new_length: u32) =
            |_, _| Err(Errno::NotSupported.into());
        path_unlink_file(fd: u32, path: u32, length: u32) =
            |world, memory| world.path_unlink_file(memory, PathArgument::new(fd, path, length));
    }
    Ok(())
}

/// There are no sockets, so no descriptor is one.
fn add_sockets<T: HasWorld + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions! { linker,
        sock_accept(fd: u32, _flags: u32, _accepted: u32) = |world, _| world.not_a_socket(fd);
        sock_recv(
            fd: u32, _spans: u32, _n_spans: u32, _flags: u32, _n_read: u32, _read_flags: u32
        ) = |world, _| world.not_a_socket(fd);
        sock_send(fd: u32, _spans: u32, _n_spans: u32, _flags: u32, _n_written: u32) =
            |world, _| world.not_a_socket(fd);
        sock_shutdown(fd: u32, _how: u32) = |world, _| world.not_a_socket(fd);
    }
    Ok(())
}
