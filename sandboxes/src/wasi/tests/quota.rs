//! What files may cost, and what work costs.

use super::super::errno::Errno::{FileTooLarge, NoSpace};
use super::super::{Stop, World, WorldConfig, WorldError};
use super::{CREATE, End, FOLDER, Guest, READ, WRITE, config, file, tree};

/// What a file or folder, and what an entry, costs.
const NODE: u64 = 256;
const ENTRY: u64 = 128;

fn guest(files_bytes: u64) -> Guest {
    Guest::new(WorldConfig { files_bytes, ..config() })
}

#[test]
fn each_thing_costs_what_it_should() {
    let mut guest = guest(1_000_000);
    let mut expected = 0;
    let mut step = |guest: &mut Guest, added: i64| {
        expected += added;
        assert_eq!(guest.world.files_used_bytes().cast_signed(), expected);
        guest.check_quota();
    };
    let (node, entry) = (NODE.cast_signed(), ENTRY.cast_signed());
    guest.open("lib/a.txt", 0, WRITE).unwrap();
    step(&mut guest, 0);
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    step(&mut guest, node + node + entry + 1);
    guest.write(fd, "12345").unwrap();
    step(&mut guest, 5);
    guest.write(fd, "").unwrap();
    guest.pwrite(fd, "abc", 0).unwrap();
    step(&mut guest, 0);
    guest.pwrite(fd, "abc", 1000).unwrap();
    step(&mut guest, 998);
    guest.resize(fd, 100).unwrap();
    step(&mut guest, -903);
    guest.mkdir("folder").unwrap();
    step(&mut guest, node + entry + 6);
    guest.rename("x", "folder/longer").unwrap();
    step(&mut guest, 5);
    guest.rename("folder", "f").unwrap();
    step(&mut guest, -5);
    // The tree's: the folder is copied and the entry hidden.
    guest.unlink("lib/deep/b.txt").unwrap();
    step(&mut guest, node + entry + 5);
    guest.write_file("lib/deep/b.txt", "12").unwrap();
    step(&mut guest, node + 2);
    guest.unlink("lib/deep/b.txt").unwrap();
    step(&mut guest, -(node + 2));
    guest.unlink("f/longer").unwrap();
    step(&mut guest, -(entry + 6));
    guest.close(fd).unwrap();
    step(&mut guest, -(node + 100));
    guest.rmdir("f").unwrap();
    step(&mut guest, -(node + entry + 1));
    assert!(!guest.world.files_were_full());
}

#[test]
fn the_last_byte_fits_and_one_more_does_not() {
    // The root, an entry, a file, and a thousand bytes.
    let mut guest = guest(2 * NODE + ENTRY + 1 + 1000);
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    assert_eq!(guest.write(fd, "a".repeat(1001)), Err(NoSpace.into()));
    assert!(guest.world.files_were_full());
    assert_eq!(guest.write(fd, "a".repeat(1000)), Ok(1000));
    assert_eq!(guest.write(fd, "a"), Err(NoSpace.into()));
    assert_eq!(guest.pwrite(fd, "b", 500), Ok(1));
    assert_eq!(guest.mkdir("y"), Err(NoSpace.into()));
    assert_eq!(guest.open("y", CREATE, WRITE), Err(NoSpace.into()));
    guest.check_quota();
    guest.resize(fd, 0).unwrap();
    guest.mkdir("y").unwrap();
    guest.check_quota();
}

#[test]
fn a_file_that_could_never_fit_is_too_large() {
    let mut guest = guest(10_000);
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    for size in [10_001, 1 << 32, 1 << 40, i64::MAX as u64, u64::MAX] {
        assert_eq!(guest.resize(fd, size), Err(FileTooLarge.into()), "{size}");
        assert_eq!(guest.pwrite(fd, "x", size), Err(FileTooLarge.into()), "{size}");
        assert_eq!(guest.call(|world, _| world.fd_allocate(fd, size, 1)), Err(FileTooLarge.into()));
        assert_eq!(guest.call(|world, _| world.fd_allocate(fd, 1, size)), Err(FileTooLarge.into()));
    }
    assert_eq!(guest.resize(fd, 10_000), Err(NoSpace.into()));
    assert_eq!(guest.fstat(fd), Ok((4, 0)));
    guest.check_quota();
}

#[test]
fn a_file_of_the_tree_is_copied_only_where_it_fits() {
    let content = "z".repeat(5000);
    let config =
        WorldConfig { tree: std::sync::Arc::new(tree(&[("big", &content)])), files_bytes: 4000, ..config() };
    let mut guest = Guest::new(config);
    let fd = guest.open("big", 0, WRITE).unwrap();
    assert_eq!(guest.write(fd, "a"), Err(NoSpace.into()));
    assert_eq!(guest.world.files_used_bytes(), 0);
    assert_eq!(guest.read_file("big").unwrap(), content);
    // Emptied at once, it need not be copied.
    guest.write_file("big", "small").unwrap();
    assert_eq!(guest.world.files_used_bytes(), NODE + 5);
}

#[test]
fn nothing_is_lost_when_a_rename_does_not_fit() {
    for spare in 0..1200 {
        let mut config = config();
        config.files = vec![file("a", "content"), file("d/e", "")];
        let used = World::new(config).map(|world| world.files_used_bytes()).unwrap();
        let mut config = super::config();
        config.files = vec![file("a", "content"), file("d/e", "")];
        config.files_bytes = used + spare;
        let mut guest = Guest::new(config);
        for (from, to) in
            [("a", "lib/deep/a-longer-name"), ("d", "lib/d"), ("lib/a.txt", "q"), ("lib/deep", "p")]
        {
            let was = guest.stat(from).unwrap();
            match guest.rename(from, to) {
                Ok(()) => assert_eq!(guest.stat(to), Ok(was), "{spare} {from}"),
                Err(end) => {
                    assert_eq!(end, NoSpace.into());
                    assert_eq!(guest.stat(from), Ok(was), "{spare} {from}");
                    assert!(guest.stat(to).is_err());
                }
            }
            guest.check_quota();
            assert!(guest.world.files_used_bytes() <= used + spare);
        }
    }
}

#[test]
fn the_number_of_files_has_a_limit() {
    let mut guest = guest(u64::MAX);
    let mut made = 0;
    let end = loop {
        match guest.open(format!("tmp/{made}"), CREATE, WRITE) {
            Ok(fd) => guest.close(fd).unwrap(),
            Err(end) => break end,
        }
        made += 1;
    };
    // The folder is one of them.
    assert_eq!((end, made), (NoSpace.into(), 16_383));
    assert!(guest.world.files_were_full());
    guest.check_quota();
}

#[test]
fn given_files_have_to_fit() {
    let mut config = config();
    config.files = vec![file("a", "aaaa"), file("b", &"b".repeat(1000))];
    config.files_bytes = 1500;
    match World::new(config) {
        Err(WorldError::FilesTooLarge { path, used, limit }) => {
            assert_eq!((path.as_str(), used, limit), ("b", 2 * NODE + ENTRY + 1 + 4, 1500));
        }
        _ => panic!("they do not"),
    }
}

#[test]
fn memory_is_given_back_when_a_file_shrinks() {
    let mut guest = guest(10_000_000);
    let mut capacity = 0;
    for name in ["a", "b", "c", "d"] {
        let fd = guest.open(name, CREATE, WRITE).unwrap();
        guest.resize(fd, 9_000_000).unwrap();
        guest.resize(fd, 1).unwrap();
        for node in guest.world.files.nodes.values() {
            if let super::super::overlay::Body::File(content) = &node.body {
                capacity = capacity.max(content.capacity());
            }
        }
    }
    assert!(capacity < 100, "{capacity}");
}

#[test]
fn many_small_writes_reserve_little_more_than_they_need() {
    let mut guest = guest(10_000_000);
    let fd = guest.open("x", CREATE, WRITE).unwrap();
    for _ in 0..50_000 {
        guest.write(fd, "0123456789").unwrap();
    }
    for node in guest.world.files.nodes.values() {
        if let super::super::overlay::Body::File(content) = &node.body {
            assert_eq!(content.len(), 500_000);
            assert!(content.capacity() <= 625_010, "{}", content.capacity());
        }
    }
}

/// What each call costs at least, in fuel.
#[test]
fn work_costs_fuel() {
    let mut config = config();
    config.files = vec![file("x", &"x".repeat(100_000))];
    config.output_bytes = 1 << 20;
    let mut guest = Guest::new(config);
    let fd = guest.open("x", 0, WRITE).unwrap();
    let folder = guest.open("lib", FOLDER, READ).unwrap();
    let cost = |guest: &mut Guest, call: &dyn Fn(&mut Guest)| {
        let before = guest.fuel;
        call(guest);
        before - guest.fuel
    };
    type Row<'r> = (&'static str, u64, &'r dyn Fn(&mut Guest));
    let rows: [Row<'_>; 9] = [
        ("a call", 1000, &|guest| drop(guest.call(|world, _| world.fd_check(0)))),
        ("a read", 100_000, &|guest| drop(guest.pread(fd, 100_000, 0))),
        ("a write", 100_000, &|guest| drop(guest.write(1, "x".repeat(100_000)))),
        ("dropped errors", 500_000, &|guest| drop(guest.write(2, "x".repeat(500_000)))),
        ("growing a file", 500_000, &|guest| guest.resize(fd, 600_000).unwrap()),
        ("random bytes", 500_000, &|guest| {
            guest.call(|world, memory| world.random_get(memory, 0, 500_000)).unwrap();
        }),
        ("a long path", 2000 * 500, &|guest| drop(guest.stat("./".repeat(2000)))),
        ("a listing", 2 * 500, &|guest| drop(guest.list_fd(folder, 4096))),
        ("many spans", 1000 * 50, &|guest| {
            drop(guest.call(|world, memory| world.fd_write(memory, 1, (100_000, 1000), 0)));
        }),
    ];
    for (name, least, call) in rows {
        let cost = cost(&mut guest, call);
        assert!(cost >= least, "{name}: {cost}");
        assert!(cost < 2 * least + 20_000, "{name}: {cost}");
    }
}

#[test]
fn without_fuel_nothing_is_done() {
    let mut guest = Guest::plain();
    guest.fuel = 999;
    assert_eq!(guest.write(1, "x"), Err(End::Stop(Stop::OutOfFuel)));
    assert_eq!(guest.fuel, 0);
    guest.fuel = 1100;
    assert_eq!(guest.write(1, "x".repeat(200)), Err(End::Stop(Stop::OutOfFuel)));
    assert_eq!(guest.world.take_stdout(), b"");
}

#[test]
fn a_deadline_ends_a_guest_that_only_calls_its_system() {
    let mut guest = Guest::plain();
    guest.world.set_deadline(Some(std::time::Instant::now()));
    let calls = (0..10_000).take_while(|_| guest.call(|world, _| world.fd_check(0)).is_ok()).count();
    assert!((900..=1000).contains(&calls), "{calls}");
    guest.world.set_deadline(None);
    assert_eq!(guest.call(|world, _| world.fd_check(0)), Ok(()));
}
