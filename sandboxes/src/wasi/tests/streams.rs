//! Open descriptors: streams, files, devices and the channel.

use super::super::errno::Errno::{
    self, BadDescriptor, IllegalSeek, Invalid, IsFolder, NotCapable, NotFound, NotSocket, Overflow,
    TooManyOpen,
};
use super::super::{Channel, Stop};
use super::{CREATE, End, FOLDER, Guest, READ, RESULT, TRUNCATE, WRITE, config, file};

const APPEND: u32 = 1;

#[test]
fn standard_input_is_a_file() {
    let mut guest = Guest::plain();
    assert_eq!(guest.fstat(0), Ok((4, 8)));
    assert_eq!(guest.read(0, 3).unwrap(), b"one");
    assert_eq!(guest.seek(0, 0, 1), Ok(3));
    assert_eq!(guest.read(0, 100).unwrap(), b"\ntwo\n");
    assert_eq!(guest.read(0, 100).unwrap(), b"");
    assert_eq!(guest.seek(0, 4, 0), Ok(4));
    assert_eq!(guest.read(0, 100).unwrap(), b"two\n");
    assert_eq!(guest.pread(0, 3, 0).unwrap(), b"one");
    assert_eq!(guest.seek(0, 1 << 40, 0), Ok(1 << 40));
    assert_eq!(guest.read(0, 100).unwrap(), b"");
    assert_eq!(guest.write(0, "x"), Err(BadDescriptor.into()));
    // Opened by name, it begins anew.
    for path in ["/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"] {
        assert_eq!(guest.stat(path), Ok((4, 8)));
        assert_eq!(guest.read_file(path).unwrap(), "one\ntwo\n");
    }
}

#[test]
fn output_is_kept_up_to_its_limit() {
    let mut guest = Guest::plain();
    assert_eq!(guest.write(1, "a".repeat(999)), Ok(999));
    let fd = guest.open("/dev/stdout", 0, WRITE).unwrap();
    assert_eq!(guest.write(fd, "b"), Ok(1));
    assert_eq!(guest.write(1, ""), Ok(0));
    assert_eq!(guest.write(1, "c"), Err(End::Stop(Stop::OutputLimit)));
    assert_eq!(guest.world.take_stdout(), ["a".repeat(999), "b".to_owned()].concat().into_bytes());
    // What fits of the last write is kept, and the other stream is another one.
    assert_eq!(guest.write(2, "e".repeat(700)), Ok(700));
    assert_eq!(guest.write(2, "f".repeat(700)), Ok(700));
    assert_eq!(guest.write(1, "d".repeat(5000)), Err(End::Stop(Stop::OutputLimit)));
    assert_eq!(guest.world.take_stdout(), "d".repeat(1000).into_bytes());
    assert_eq!(guest.world.take_stderr(), ["e".repeat(700), "f".repeat(300)].concat().into_bytes());
}

#[test]
fn streams_are_no_terminals() {
    let mut guest = Guest::plain();
    for (path, kind) in [
        ("/dev/stdin", 4),
        ("/dev/stdout", 0),
        ("/dev/stderr", 0),
        ("/dev/null", 2),
        ("/dev/urandom", 2),
        ("/tmp", 3),
    ] {
        let fd = guest.open(path, 0, !(1 << 6)).unwrap();
        guest.call(|world, memory| world.fd_fdstat_get(memory, fd, RESULT)).unwrap();
        assert_eq!(guest.memory[0], kind, "{path}");
        let seeks = guest.u64(8) & (1 << 2 | 1 << 5);
        assert!(kind != 2 || seeks != 0, "{path} would be taken for a terminal");
        assert_eq!(guest.fstat(fd).unwrap().0, kind, "{path}");
        guest.close(fd).unwrap();
    }
    for fd in 0..3 {
        guest.call(|world, memory| world.fd_fdstat_get(memory, fd, RESULT)).unwrap();
        assert_ne!(guest.memory[0], 2);
    }
}

#[test]
fn devices() {
    let mut guest = Guest::plain();
    let null = guest.open("/dev/null", CREATE | TRUNCATE, WRITE).unwrap();
    assert_eq!(guest.write(null, "gone"), Ok(4));
    assert_eq!(guest.read(null, 10).unwrap(), b"");
    assert_eq!(guest.seek(null, 7, 0), Ok(0));
    let random = guest.open("/dev/urandom", 0, READ).unwrap();
    let bytes = guest.read(random, 64).unwrap();
    assert_eq!(bytes.len(), 64);
    assert_ne!(bytes, guest.read(random, 64).unwrap());
    for path in ["/dev/stdout", "/dev/stderr"] {
        let fd = guest.open(path, 0, WRITE).unwrap();
        assert_eq!(guest.read(fd, 1), Err(BadDescriptor.into()));
        assert_eq!(guest.seek(fd, 0, 1), Err(IllegalSeek.into()));
        assert_eq!(guest.pwrite(fd, "x", 0), Err(IllegalSeek.into()));
    }
}

#[test]
fn a_file_is_read_and_written_at_its_position() {
    let mut guest = Guest::plain();
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    assert_eq!(guest.write(fd, "hello"), Ok(5));
    assert_eq!(guest.seek(fd, -3, 1), Ok(2));
    assert_eq!(guest.write(fd, "LL"), Ok(2));
    assert_eq!(guest.pread(fd, 100, 1).unwrap(), b"eLLo");
    assert_eq!(guest.seek(fd, 0, 1), Ok(4));
    assert_eq!(guest.seek(fd, 3, 2), Ok(8));
    assert_eq!(guest.fstat(fd), Ok((4, 5)));
    assert_eq!(guest.write(fd, "!"), Ok(1));
    assert_eq!(guest.read_file("x").unwrap(), "heLLo\0\0\0!");
    assert_eq!(guest.pwrite(fd, "12", 10), Ok(2));
    assert_eq!(guest.seek(fd, 0, 1), Ok(9));
    guest.resize(fd, 3).unwrap();
    assert_eq!(guest.read_file("x").unwrap(), "heL");
    guest.resize(fd, 5).unwrap();
    assert_eq!(guest.read_file("x").unwrap(), "heL\0\0");
    guest.call(|world, _| world.fd_allocate(fd, 2, 6)).unwrap();
    guest.call(|world, _| world.fd_allocate(fd, 0, 1)).unwrap();
    assert_eq!(guest.call(|world, _| world.fd_allocate(fd, 0, 0)), Err(Invalid.into()));
    assert_eq!(guest.fstat(fd), Ok((4, 8)));
    for (offset, whence, errno) in
        [(-1, 0, Invalid), (-9, 2, Invalid), (i64::MIN, 1, Invalid), (i64::MAX, 2, Overflow), (0, 3, Invalid)]
    {
        assert_eq!(guest.seek(fd, offset, whence), Err(errno.into()), "{offset} {whence}");
    }
    guest.check_quota();
}

#[test]
fn appending_writes_go_to_the_end() {
    let mut guest = Guest::plain();
    guest.write_file("x", "abc").unwrap();
    let fd = guest.open_at(3, "x", 0, WRITE, APPEND).unwrap();
    assert_eq!(guest.seek(fd, 0, 0), Ok(0));
    assert_eq!(guest.write(fd, "d"), Ok(1));
    assert_eq!(guest.seek(fd, 0, 1), Ok(4));
    guest.call(|world, _| world.fd_fdstat_set_flags(fd, 0)).unwrap();
    guest.seek(fd, 0, 0).unwrap();
    assert_eq!(guest.write(fd, "A"), Ok(1));
    assert_eq!(guest.read_file("x").unwrap(), "Abcd");
    assert_eq!(guest.call(|world, _| world.fd_fdstat_set_flags(fd, 32)), Err(Invalid.into()));
}

#[test]
fn a_descriptor_does_what_it_was_opened_for() {
    let mut guest = Guest::plain();
    guest.write_file("x", "abc").unwrap();
    let read = guest.open("x", 0, READ).unwrap();
    assert_eq!(guest.write(read, "y"), Err(BadDescriptor.into()));
    assert_eq!(guest.pwrite(read, "y", 0), Err(BadDescriptor.into()));
    assert_eq!(guest.resize(read, 0), Err(Invalid.into()));
    assert_eq!(guest.call(|world, _| world.fd_allocate(read, 0, 9)), Err(BadDescriptor.into()));
    let write = guest.open("x", 0, 1 << 6).unwrap();
    assert_eq!(guest.read(write, 1), Err(BadDescriptor.into()));
    let folder = guest.open("/", FOLDER, READ).unwrap();
    assert_eq!(guest.read(folder, 1), Err(IsFolder.into()));
    assert_eq!(guest.pread(folder, 1, 0), Err(IsFolder.into()));
    assert_eq!(guest.seek(folder, 0, 1), Err(BadDescriptor.into()));
    assert_eq!(guest.resize(folder, 0), Err(Invalid.into()));
    guest.call(|world, _| world.fd_fdstat_set_rights(read, 0, 0)).unwrap();
    assert_eq!(guest.read(read, 1), Err(BadDescriptor.into()));
    assert_eq!(guest.call(|world, _| world.fd_fdstat_set_rights(read, READ, 0)), Err(NotCapable.into()));
    assert_eq!(guest.call(|world, _| world.not_a_socket(read)), Err(NotSocket.into()));
    assert_eq!(guest.call(|world, _| world.not_a_socket(77)), Err(BadDescriptor.into()));
    for call in [77, u32::MAX, 1024] {
        assert_eq!(guest.read(call, 1), Err(BadDescriptor.into()));
        assert_eq!(guest.close(call), Err(BadDescriptor.into()));
        assert_eq!(guest.call(|world, _| world.fd_check(call)), Err(BadDescriptor.into()));
    }
}

#[test]
fn an_unlinked_file_lives_while_it_is_open() {
    let mut guest = Guest::plain();
    let empty = guest.world.files_used_bytes();
    for path in ["x", "lib/a.txt"] {
        let fd = guest.open(path, CREATE, WRITE).unwrap();
        let other = guest.open(path, 0, READ).unwrap();
        guest.unlink(path).unwrap();
        assert_eq!(guest.stat(path), Err(NotFound.into()));
        guest.write(fd, "still").unwrap();
        assert_eq!(guest.read(other, 5).unwrap(), b"still");
        guest.call(|world, memory| world.fd_filestat_get(memory, fd, RESULT)).unwrap();
        assert_eq!(guest.u64(24), 0, "it has no name");
        // A file of that name is another one.
        guest.write_file(path, "new").unwrap();
        assert_eq!(guest.pread(other, 9, 0).unwrap().get(..5), Some(b"still".as_slice()));
        guest.close(fd).unwrap();
        guest.check_quota();
        guest.close(other).unwrap();
        guest.check_quota();
        guest.unlink(path).unwrap();
    }
    // Two folders were written to, and in one a file of the tree is hidden.
    assert_eq!(guest.world.files_used_bytes() - empty, 2 * 256 + 128 + 5);
}

#[test]
fn a_write_to_a_file_of_the_tree_is_seen_by_all_that_have_it_open() {
    let mut guest = Guest::plain();
    let reader = guest.open("lib/a.txt", 0, READ).unwrap();
    let writer = guest.open("lib/a.txt", 0, WRITE).unwrap();
    assert_eq!(guest.world.files_used_bytes(), 0, "nothing is copied before it is written to");
    guest.write(writer, "b").unwrap();
    assert_eq!(guest.read(reader, 9).unwrap(), b"baa");
    assert_eq!(guest.world.files_used_bytes(), 256 + 3);
}

#[test]
fn numbers_of_descriptors() {
    let mut guest = Guest::plain();
    assert_eq!(guest.open("lib/a.txt", 0, READ), Ok(4));
    assert_eq!(guest.open("lib/deep/b.txt", 0, READ), Ok(5));
    guest.close(4).unwrap();
    guest.close(1).unwrap();
    assert_eq!(guest.write(1, "x"), Err(BadDescriptor.into()));
    // The lowest free number comes first, also that of a stream.
    assert_eq!(guest.open("out", CREATE, WRITE), Ok(1));
    assert_eq!(guest.write(1, "to a file"), Ok(9));
    assert_eq!(guest.open("lib/a.txt", 0, READ), Ok(4));
    let renumber = |guest: &mut Guest, from, to| guest.call(|world, _| world.fd_renumber(from, to));
    assert_eq!(renumber(&mut guest, 4, 5), Ok(()));
    assert_eq!(guest.read(5, 9).unwrap(), b"aaa");
    assert_eq!(guest.read(4, 9), Err(BadDescriptor.into()));
    assert_eq!(renumber(&mut guest, 4, 5), Err(BadDescriptor.into()));
    assert_eq!(renumber(&mut guest, 5, 4), Err(BadDescriptor.into()));
    assert_eq!(renumber(&mut guest, 5, u32::MAX), Err(BadDescriptor.into()));
    assert_eq!(renumber(&mut guest, 5, 5), Ok(()));
    assert_eq!(renumber(&mut guest, 5, 0), Ok(()));
    assert_eq!(guest.seek(0, 0, 0), Ok(0));
    assert_eq!(guest.read(0, 9).unwrap(), b"aaa");
    assert_eq!(guest.read_file("out").unwrap(), "to a file");
    guest.close(3).unwrap();
    assert_eq!(guest.open("out", 0, READ), Err(BadDescriptor.into()));
}

#[test]
fn there_are_at_most_1024_descriptors() {
    let mut guest = Guest::plain();
    for number in 4..1024 {
        assert_eq!(guest.open("/dev/null", 0, READ), Ok(number));
    }
    assert_eq!(guest.open("new", CREATE, WRITE), Err(TooManyOpen.into()));
    assert_eq!(guest.stat("new"), Err(NotFound.into()), "nothing is made that cannot be opened");
    guest.close(500).unwrap();
    assert_eq!(guest.open("new", CREATE, WRITE), Ok(500));
}

#[test]
fn several_spans_are_one_read_or_write() {
    let mut guest = Guest::plain();
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    guest.put(5000, b"firstsecond");
    let list: Vec<u8> = [5000_u32, 5, 6000, 0, 5005, 6].iter().flat_map(|word| word.to_le_bytes()).collect();
    guest.put(4000, &list);
    guest.call(|world, memory| world.fd_write(memory, fd, (4000, 3), RESULT)).unwrap();
    assert_eq!(guest.u32(RESULT), 11);
    guest.put(5000, &[0; 11]);
    guest.seek(fd, 0, 0).unwrap();
    guest.call(|world, memory| world.fd_read(memory, fd, (4000, 3), RESULT)).unwrap();
    assert_eq!(guest.u32(RESULT), 11);
    assert_eq!(&guest.memory[5000..5011], b"firstsecond");
    guest.call(|world, memory| world.fd_read(memory, fd, (4000, 0), RESULT)).unwrap();
    assert_eq!(guest.u32(RESULT), 0);
    // With one span out of memory, none is written.
    guest.put(4008, &0xffff_fff0_u32.to_le_bytes());
    guest.put(4012, &5_u32.to_le_bytes());
    assert_eq!(
        guest.call(|world, memory| world.fd_write(memory, fd, (4000, 3), RESULT)),
        Err(Errno::Fault.into())
    );
    assert_eq!(guest.fstat(fd), Ok((4, 11)));
}

#[test]
fn times_follow_the_clock() {
    const START: u64 = 1_767_225_600_000_000_000;
    let mut guest = Guest::plain();
    let times = |guest: &mut Guest, path: &str| {
        guest.stat(path).unwrap();
        (guest.u64(40), guest.u64(48), guest.u64(56))
    };
    assert_eq!(times(&mut guest, "lib/a.txt"), (START, START, START));
    guest.fuel -= 5_000_000_000;
    guest.write_file("x", "x").unwrap();
    let (_, modified, _) = times(&mut guest, "x");
    assert!((START + 5_000_000_000..START + 6_000_000_000).contains(&modified), "{modified}");
    let fd = guest.open("x", 0, READ).unwrap();
    guest.call(|world, _| world.fd_filestat_set_times(fd, 7, 8, 1 | 4)).unwrap();
    let (accessed, modified, changed) = times(&mut guest, "x");
    assert_eq!((accessed, modified), (7, 8));
    assert!(changed > START);
    let path = guest.path(3, "x");
    guest.call(|world, memory| world.path_filestat_set_times(memory, path, 9, 9, 2)).unwrap();
    let (accessed, modified, _) = times(&mut guest, "x");
    assert!(accessed > START && modified == 8);
    for which in [3, 12, 16, u32::MAX] {
        assert_eq!(guest.call(|world, _| world.fd_filestat_set_times(fd, 7, 8, which)), Err(Invalid.into()));
    }
    guest.check_quota();
}

struct Upper(Vec<Vec<u8>>);

impl Channel for Upper {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        self.0.push(request.to_vec());
        match request {
            b"die" => Err(wasmtime::Error::msg("the host is tired")),
            request => Ok(request.to_ascii_uppercase()),
        }
    }
}

#[test]
fn the_channel_answers() {
    let mut guest = Guest::plain();
    assert_eq!(guest.open("/dev/gavel", 0, WRITE), Err(NotFound.into()));
    guest.world.set_channel(Box::new(Upper(Vec::new())));
    assert!(guest.list("/dev").unwrap().contains(&"gavel".to_owned()));
    let fd = guest.open("/dev/gavel", 0, WRITE).unwrap();
    guest.write(fd, "hel").unwrap();
    guest.write(fd, "lo").unwrap();
    assert_eq!(guest.read(fd, 2).unwrap(), b"HE");
    assert_eq!(guest.read(fd, 100).unwrap(), b"LLO");
    assert_eq!(guest.read(fd, 100).unwrap(), b"");
    assert_eq!(guest.read(fd, 100).unwrap(), b"");
    // A new request throws away what is left of the last reply.
    guest.write(fd, "again").unwrap();
    assert_eq!(guest.read(fd, 1).unwrap(), b"A");
    guest.write(fd, "more").unwrap();
    assert_eq!(guest.read(fd, 100).unwrap(), b"MORE");
    // Reading at once is an empty request.
    guest.write(fd, "").unwrap();
    assert_eq!(guest.read(fd, 1).unwrap(), b"");
    assert_eq!(guest.seek(fd, 0, 0), Err(IllegalSeek.into()));
    assert_eq!(guest.pread(fd, 1, 0), Err(IllegalSeek.into()));
    guest.write(fd, "die").unwrap();
    assert_eq!(guest.read(fd, 1), Err(End::Channel("the host is tired".to_owned())));
    assert!(guest.world.take_channel().is_some());
    assert_eq!(guest.open("/dev/gavel", 0, WRITE), Err(NotFound.into()));
    assert_eq!(guest.read(fd, 1), Err(BadDescriptor.into()));
}

#[test]
fn a_request_has_a_limit() {
    let mut guest = Guest::plain();
    guest.world.set_channel(Box::new(Upper(Vec::new())));
    let fd = guest.open("/dev/gavel", 0, WRITE).unwrap();
    let piece = vec![b'x'; 1 << 19];
    for _ in 0..32 {
        assert_eq!(guest.write(fd, &piece), Ok(1 << 19));
    }
    assert_eq!(guest.write(fd, "x"), Err(Errno::FileTooLarge.into()));
    assert_eq!(guest.read(fd, 3).unwrap(), b"XXX");
}

#[test]
fn links_do_not_exist() {
    let mut config = config();
    config.files = vec![file("f", "")];
    let mut guest = Guest::new(config);
    for (path, errno) in [("f", Invalid), ("tmp", Invalid), ("x", NotFound), ("f/x", Errno::NotFolder)] {
        let path = guest.path(3, path);
        assert_eq!(guest.call(|world, memory| world.path_readlink(memory, path)), Err(errno.into()));
    }
}
