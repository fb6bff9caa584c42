//! Paths: what each call says to each kind of path.

use super::super::errno::Errno::{
    self, Busy, Exists, IllegalSequence, Invalid, IsFolder, NameTooLong, NotEmpty, NotFolder, NotFound,
    NotPermitted,
};
use super::super::path::PathError;
use super::super::{World, WorldError};
use super::{CREATE, EXCLUSIVE, End, FOLDER, Guest, READ, TRUNCATE, WRITE, config, file, tree};

/// A call on one path.
#[derive(Clone, Copy, Debug)]
enum Call {
    Stat,
    Open(u32, u64),
    MakeFolder,
    RemoveFolder,
    Unlink,
    Rename(&'static str),
}

use Call::{MakeFolder, Open, RemoveFolder, Rename, Stat, Unlink};

const NEW: Call = Open(CREATE, WRITE);
const ONLY_NEW: Call = Open(CREATE | EXCLUSIVE, WRITE);
const TO_READ: Call = Open(0, READ);
const TO_WRITE: Call = Open(0, WRITE);
const A_FOLDER: Call = Open(FOLDER, READ);

/// Each in a fresh world with a file `f`, a folder `d` with a file `g` in it, an empty folder `e`, and the tree.
const ROWS: &[(Call, &str, Result<(), Errno>)] = &[
    (Stat, "", Err(NotFound)),
    (Stat, ".", Ok(())),
    (Stat, "/", Ok(())),
    (Stat, "//", Ok(())),
    (Stat, "./.", Ok(())),
    (Stat, "..", Ok(())),
    (Stat, "../../../f", Ok(())),
    (Stat, "/../f", Ok(())),
    (Stat, "f", Ok(())),
    (Stat, "/f", Ok(())),
    (Stat, "//f", Ok(())),
    (Stat, "./f", Ok(())),
    (Stat, "f/", Err(NotFolder)),
    (Stat, "f/.", Err(NotFolder)),
    (Stat, "f/..", Err(NotFolder)),
    (Stat, "f/x", Err(NotFolder)),
    (Stat, "d", Ok(())),
    (Stat, "d/", Ok(())),
    (Stat, "d/.", Ok(())),
    (Stat, "d//g", Ok(())),
    (Stat, "d/../f", Ok(())),
    (Stat, "d/g/../../f", Err(NotFolder)),
    (Stat, "x/../f", Err(NotFound)),
    (Stat, "x", Err(NotFound)),
    (Stat, "x/", Err(NotFound)),
    (Stat, "F", Err(NotFound)),
    (Stat, "f\0g", Err(Invalid)),
    (Stat, "\0", Err(Invalid)),
    (Stat, "lib/a.txt", Ok(())),
    (Stat, "lib/deep/../a.txt", Ok(())),
    (Stat, "lib/a.txt/", Err(NotFolder)),
    (Stat, "...", Err(NotFound)),
    (Stat, " ", Err(NotFound)),
    (Stat, "d\\g", Err(NotFound)),
    (Stat, "C:\\f", Err(NotFound)),
    (Stat, "etc/passwd", Err(NotFound)),
    (Stat, "../../../../etc/passwd", Err(NotFound)),
    (Stat, "tmp", Ok(())),
    (Stat, "dev/null", Ok(())),
    (Stat, "dev/gavel", Err(NotFound)),
    (Stat, "proc/self/fd/0", Ok(())),
    (Stat, "proc/self/fd/7", Err(NotFound)),
    (Stat, "proc/self/environ", Err(NotFound)),
    (TO_READ, "f", Ok(())),
    (TO_READ, "f/", Err(NotFolder)),
    (TO_READ, "x", Err(NotFound)),
    (TO_READ, "d", Ok(())),
    (TO_READ, ".", Ok(())),
    (TO_WRITE, "f", Ok(())),
    (TO_WRITE, "d", Err(IsFolder)),
    (TO_WRITE, ".", Err(IsFolder)),
    (TO_WRITE, "lib/a.txt", Ok(())),
    (A_FOLDER, "d", Ok(())),
    (A_FOLDER, "d/", Ok(())),
    (A_FOLDER, "f", Err(NotFolder)),
    (A_FOLDER, "dev/null", Err(NotFolder)),
    (NEW, "f", Ok(())),
    (NEW, "x", Ok(())),
    (NEW, "x/", Err(IsFolder)),
    (NEW, "x/y", Err(NotFound)),
    (NEW, "f/x", Err(NotFolder)),
    (NEW, "d", Err(IsFolder)),
    (NEW, "d/..", Err(IsFolder)),
    (NEW, "../x", Ok(())),
    (NEW, "dev/x", Err(NotPermitted)),
    (NEW, "dev/gavel", Err(NotPermitted)),
    (NEW, "proc/self/x", Err(NotPermitted)),
    (NEW, "dev/null", Ok(())),
    (NEW, "lib/deep/x", Ok(())),
    (ONLY_NEW, "x", Ok(())),
    (ONLY_NEW, "f", Err(Exists)),
    (ONLY_NEW, "d", Err(Exists)),
    (ONLY_NEW, ".", Err(Exists)),
    (ONLY_NEW, "lib/a.txt", Err(Exists)),
    (Open(CREATE | FOLDER, WRITE), "x", Err(Invalid)),
    (Open(TRUNCATE, WRITE), "d", Err(IsFolder)),
    (Open(TRUNCATE, WRITE), "x", Err(NotFound)),
    (Open(16, READ), "f", Err(Invalid)),
    (MakeFolder, "x", Ok(())),
    (MakeFolder, "x/", Ok(())),
    (MakeFolder, "x/.", Err(NotFound)),
    (MakeFolder, "d", Err(Exists)),
    (MakeFolder, "d/", Err(Exists)),
    (MakeFolder, "f", Err(Exists)),
    (MakeFolder, "f/", Err(Exists)),
    (MakeFolder, ".", Err(Exists)),
    (MakeFolder, "/", Err(Exists)),
    (MakeFolder, "x/y", Err(NotFound)),
    (MakeFolder, "f/y", Err(NotFolder)),
    (MakeFolder, "dev/x", Err(NotPermitted)),
    (MakeFolder, "lib/new", Ok(())),
    (MakeFolder, "lib", Err(Exists)),
    (RemoveFolder, "e", Ok(())),
    (RemoveFolder, "e/", Ok(())),
    (RemoveFolder, "e/.", Err(Invalid)),
    (RemoveFolder, "e/..", Err(NotEmpty)),
    (RemoveFolder, "d", Err(NotEmpty)),
    (RemoveFolder, "f", Err(NotFolder)),
    (RemoveFolder, "x", Err(NotFound)),
    (RemoveFolder, "/", Err(Busy)),
    (RemoveFolder, "lib", Err(NotEmpty)),
    (RemoveFolder, "tmp", Ok(())),
    (RemoveFolder, "dev", Err(NotPermitted)),
    (Unlink, "f", Ok(())),
    (Unlink, "f/", Err(NotFolder)),
    (Unlink, "x", Err(NotFound)),
    (Unlink, "d", Err(IsFolder)),
    (Unlink, ".", Err(IsFolder)),
    (Unlink, "lib/a.txt", Ok(())),
    (Unlink, "dev/null", Err(NotPermitted)),
    (Rename("x"), "f", Ok(())),
    (Rename("x"), "d", Ok(())),
    (Rename("x/"), "d", Ok(())),
    (Rename("x/"), "d/", Ok(())),
    (Rename("x/"), "f", Err(NotFolder)),
    (Rename("x"), "f/", Err(NotFolder)),
    (Rename("f"), "f", Ok(())),
    (Rename("./d/../f"), "f", Ok(())),
    (Rename("d/g"), "f", Ok(())),
    (Rename("d"), "f", Err(IsFolder)),
    (Rename("e"), "f", Err(IsFolder)),
    (Rename("f"), "d", Err(NotFolder)),
    (Rename("d"), "e", Err(NotEmpty)),
    (Rename("e"), "d", Ok(())),
    (Rename("d/x"), "d", Err(Invalid)),
    (Rename("d/x/y"), "d", Err(NotFound)),
    (Rename("x"), "y", Err(NotFound)),
    (Rename("y/x"), "f", Err(NotFound)),
    (Rename("f/x"), "d/g", Err(NotFolder)),
    (Rename("x"), ".", Err(Busy)),
    (Rename("x"), "/", Err(Busy)),
    (Rename("."), "f", Err(Busy)),
    (Rename("x"), "lib/a.txt", Ok(())),
    (Rename("lib/deep/b.txt"), "lib/a.txt", Ok(())),
    (Rename("x"), "lib", Ok(())),
    (Rename("lib/deep/x"), "lib", Err(Invalid)),
    (Rename("dev/x"), "f", Err(NotPermitted)),
    (Rename("dev/null"), "f", Err(NotPermitted)),
    (Rename("x"), "dev/null", Err(NotPermitted)),
    (Rename("x"), "dev", Err(NotPermitted)),
];

fn guest() -> Guest {
    let mut config = config();
    config.files = vec![file("f", "fff"), file("d/g", "ggg")];
    let mut guest = Guest::new(config);
    guest.mkdir("e").unwrap();
    guest
}

#[test]
fn every_path_has_its_answer() {
    for (call, path, expected) in ROWS {
        let mut guest = guest();
        let result = match *call {
            Stat => guest.stat(path).map(drop),
            Open(flags, rights) => guest.open(path, flags, rights).map(drop),
            MakeFolder => guest.mkdir(path),
            RemoveFolder => guest.rmdir(path),
            Unlink => guest.unlink(path),
            Rename(to) => guest.rename(path, to),
        };
        assert_eq!(result, expected.map_err(End::Errno), "{call:?} {path:?}");
        guest.check_quota();
    }
    assert!(ROWS.len() >= 120);
}

#[test]
fn paths_that_are_too_long_or_no_text() {
    let mut guest = guest();
    let rows: [(Vec<u8>, Errno); 6] = [
        (vec![b'a'; 256], NameTooLong),
        (vec![b'a'; 255], NotFound),
        ([b"./".repeat(2047), b"ff".to_vec()].concat(), NotFound),
        (b"./".repeat(2049), NameTooLong),
        (vec![b'f', 0xff], IllegalSequence),
        (vec![0xed, 0xa0, 0x80], IllegalSequence),
    ];
    for (path, errno) in rows {
        assert_eq!(guest.stat(&path), Err(End::Errno(errno)), "{} bytes", path.len());
        assert!(guest.stat([b"./".as_slice(), &path].concat()).is_err());
    }
    assert_eq!(guest.stat([b"./".repeat(2047), b"f".to_vec()].concat()), Ok((4, 3)));
    // A path is not even looked at if it is longer than memory, and not read if it is longer than a path may be.
    let all = super::super::places::PathArgument::new(3, 0, 1 << 20);
    assert_eq!(guest.call(|world, memory| world.path_unlink_file(memory, all)), Err(End::Errno(NameTooLong)));
}

#[test]
fn paths_start_at_the_folder_that_is_open() {
    let mut guest = guest();
    let fd = guest.open("d", FOLDER, READ).unwrap();
    assert_eq!(guest.stat_at(fd, "g"), Ok((4, 3)));
    assert_eq!(guest.stat_at(fd, "f"), Err(NotFound.into()));
    assert_eq!(guest.stat_at(fd, "/f"), Ok((4, 3)));
    assert_eq!(guest.stat_at(fd, "../f"), Ok((4, 3)));
    assert_eq!(guest.stat_at(fd, "../../../../f"), Ok((4, 3)));
    let file = guest.open("f", 0, READ).unwrap();
    assert_eq!(guest.stat_at(file, "g"), Err(NotFolder.into()));
    assert_eq!(guest.stat_at(99, "g"), Err(Errno::BadDescriptor.into()));
    // It stays the same folder whatever its name.
    guest.rename("d", "e/moved").unwrap();
    assert_eq!(guest.stat_at(fd, "g"), Ok((4, 3)));
    assert_eq!(guest.stat_at(fd, "../moved/g"), Ok((4, 3)));
    assert_eq!(guest.stat_at(fd, "../../f"), Ok((4, 3)));
}

#[test]
fn a_removed_folder_is_empty_and_stays_so() {
    let mut guest = guest();
    let fd = guest.open("e", FOLDER, READ).unwrap();
    guest.rmdir("e").unwrap();
    for path in ["x", "..", "../f"] {
        assert_eq!(guest.stat_at(fd, path), Err(NotFound.into()), "{path}");
    }
    assert_eq!(guest.open_at(fd, "x", CREATE, WRITE, 0), Err(NotFound.into()));
    assert_eq!(guest.stat_at(fd, "."), Ok((3, 0)));
    assert_eq!(guest.list_fd(fd, 4096).unwrap(), [".", ".."]);
    guest.mkdir("e").unwrap();
    assert_eq!(guest.stat_at(fd, "x"), Err(NotFound.into()));
    guest.close(fd).unwrap();
    guest.check_quota();
}

#[test]
fn the_tree_can_be_changed_and_never_changes() {
    let config = config();
    let shared = config.tree.clone();
    let mut guest = Guest::new(config);
    guest.write_file("lib/a.txt", "new").unwrap();
    guest.unlink("lib/deep/b.txt").unwrap();
    guest.rename("lib/deep", "moved").unwrap();
    guest.write_file("moved/d.txt", "ddd").unwrap();
    assert_eq!(guest.list("/").unwrap(), ["dev", "lib", "moved", "proc", "tmp"]);
    assert_eq!(guest.list("lib").unwrap(), ["a.txt"]);
    assert_eq!(guest.list("moved").unwrap(), ["c.txt", "d.txt"]);
    assert_eq!(guest.read_file("lib/a.txt").unwrap(), "new");
    assert_eq!(guest.read_file("moved/c.txt").unwrap(), "ccc");
    assert_eq!(guest.read_file("moved/../moved/c.txt").unwrap(), "ccc");
    // A folder of the old name is another one.
    guest.mkdir("lib/deep").unwrap();
    assert_eq!(guest.list("lib/deep").unwrap(), Vec::<String>::new());
    guest.rmdir("lib/deep").unwrap();
    guest.unlink("lib/a.txt").unwrap();
    assert_eq!(guest.stat("lib/a.txt"), Err(NotFound.into()));
    guest.write_file("lib/a.txt", "again").unwrap();
    assert_eq!(guest.read_file("lib/a.txt").unwrap(), "again");
    guest.unlink("lib/a.txt").unwrap();
    guest.rmdir("lib").unwrap();
    assert_eq!(guest.list("/").unwrap(), ["dev", "moved", "proc", "tmp"]);
    guest.check_quota();

    let mut other = Guest::new(super::WorldConfig { tree: shared, ..super::config() });
    assert_eq!(other.read_file("lib/a.txt").unwrap(), "aaa");
    assert_eq!(other.list("lib/deep").unwrap(), ["b.txt", "c.txt"]);
    assert_eq!(other.world.files_used_bytes(), 0);
}

#[test]
fn a_listing_goes_on_where_it_was_while_files_are_removed() {
    let mut guest = guest();
    for number in 0..100 {
        guest.write_file(format!("e/{number:03}"), "").unwrap();
    }
    let all: Vec<String> =
        [".", ".."].map(str::to_owned).into_iter().chain((0..100).map(|n| format!("{n:03}"))).collect();
    let fd = guest.open("e", FOLDER, READ).unwrap();
    for room in [30, 55, 100, 512, 4096, 100_000] {
        assert_eq!(guest.list_fd(fd, room).unwrap(), all, "{room}");
    }
    // A folder is emptied while it is listed, one entry at a time, and no name is left out.
    let mut cookie = 2;
    for name in &all[2..] {
        let result = super::RESULT;
        guest
            .call(|world, memory| world.fd_readdir(memory, fd, (super::BUFFER, 27), cookie, result))
            .unwrap();
        assert_eq!(guest.memory[super::BUFFER as usize + 24..][..3], *name.as_bytes());
        cookie = guest.u64(super::BUFFER);
        guest.unlink(format!("e/{name}")).unwrap();
    }
    guest.rmdir("e").unwrap();
    guest.check_quota();
}

#[test]
fn an_entry_of_a_listing_tells_its_type_and_number() {
    let mut guest = guest();
    let fd = guest.open("/", FOLDER, READ).unwrap();
    guest
        .call(|world, memory| world.fd_readdir(memory, fd, (super::BUFFER, 4096), 0, super::RESULT))
        .unwrap();
    let mut at = super::BUFFER;
    let mut seen = Vec::new();
    while at < super::BUFFER + guest.u32(super::RESULT) {
        let length = guest.u32(at + 16);
        let name = String::from_utf8(guest.memory[at as usize + 24..][..length as usize].to_vec()).unwrap();
        seen.push((name, guest.memory[at as usize + 20], guest.u64(at + 8)));
        at += 24 + length;
    }
    let kinds: Vec<(&str, u8)> = seen.iter().map(|(name, kind, _)| (name.as_str(), *kind)).collect();
    assert_eq!(
        kinds,
        [(".", 3), ("..", 3), ("d", 3), ("dev", 3), ("e", 3), ("f", 4), ("lib", 3), ("proc", 3), ("tmp", 3)]
    );
    for (name, _, inode) in &seen {
        guest.stat(name).unwrap();
        assert_eq!(guest.u64(8), *inode, "{name}");
    }
}

#[test]
fn files_that_cannot_be_placed_are_an_error() {
    let escapes = |path: &str| PathError::Escapes { path: path.to_owned() };
    let no_file = |path: &str| PathError::NoFile { path: path.to_owned() };
    let taken = |path: &str| PathError::Taken { path: path.to_owned() };
    let rows = [
        (vec!["../x"], escapes("../x")),
        (vec!["a/../../x"], escapes("a/../../x")),
        (vec!["/../x"], escapes("/../x")),
        (vec![""], no_file("")),
        (vec!["/"], no_file("/")),
        (vec!["."], no_file(".")),
        (vec!["a/.."], no_file("a/..")),
        (vec!["a/"], no_file("a/")),
        (vec!["a/."], no_file("a/.")),
        (vec!["a\0b"], no_file("a\0b")),
        (vec!["a", "a"], taken("a")),
        (vec!["a", "/a"], taken("/a")),
        (vec!["a", "./b/../a"], taken("./b/../a")),
        (vec!["a", "a/b"], taken("a/b")),
        (vec!["a/b", "a"], taken("a")),
        (vec!["tmp"], taken("tmp")),
        (vec!["dev/null"], taken("dev/null")),
        (vec!["dev/x"], taken("dev/x")),
        (vec!["proc/x/y"], taken("proc/x/y")),
    ];
    for (paths, expected) in rows {
        let mut config = config();
        config.files = paths.iter().map(|path| file(path, "x")).collect();
        match World::new(config) {
            Err(WorldError::Path(error)) => assert_eq!(error, expected, "{paths:?}"),
            _ => panic!("{paths:?}"),
        }
        let files = paths.iter().map(|path| ((*path).to_owned(), Vec::new()));
        assert_eq!(super::Tree::new(files).err(), Some(expected), "{paths:?}");
    }
    let mut in_the_tree = config();
    in_the_tree.files = vec![file("lib/a.txt", "")];
    assert!(matches!(World::new(in_the_tree), Err(WorldError::Path(PathError::Taken { .. }))));
    let long = PathError::TooLong { path: "a".repeat(40) };
    for path in ["a".repeat(256), "a/".repeat(3000) + "a"] {
        let error = super::Tree::new([(path, Vec::new())]).unwrap_err();
        assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&long));
    }
}

#[test]
fn given_files_are_where_they_should_be() {
    let mut config = config();
    config.files =
        vec![file("a.txt", "1"), file("/b/c/d.txt", "2"), file("./b/../e.txt", "3"), file("lib/n", "4")];
    let mut guest = Guest::new(config);
    for (path, text) in [("/a.txt", "1"), ("b/c/d.txt", "2"), ("e.txt", "3"), ("lib/n", "4")] {
        assert_eq!(guest.read_file(path).unwrap(), text);
        assert_eq!(guest.world.file(path), Some(text.as_bytes()));
    }
    guest.write_file("lib/a.txt", "5").unwrap();
    guest.rename("b/c", "q").unwrap();
    let files: Vec<String> = guest.world.files().into_iter().map(|file| file.path).collect();
    assert_eq!(files, ["/a.txt", "/e.txt", "/lib/a.txt", "/lib/n", "/q/d.txt"]);
    for path in ["", "/", "lib", "dev/null", "dev/stdin", "nothing", "a.txt/"] {
        assert_eq!(guest.world.file(path), None, "{path}");
    }
    assert_eq!(guest.world.file("lib/deep/b.txt"), Some(b"bbb".as_slice()));
}

#[test]
fn deeply_nested_files_are_not_listed() {
    let mut guest = guest();
    let mut folder = 3;
    for _ in 0..600 {
        let path = guest.path(folder, "n");
        guest.call(|world, memory| world.path_create_directory(memory, path)).unwrap();
        let next = guest.open_at(folder, "n", FOLDER, READ, 0).unwrap();
        guest.open_at(folder, "file", CREATE | EXCLUSIVE, WRITE, 0).and_then(|fd| guest.close(fd)).unwrap();
        if folder != 3 {
            guest.close(folder).unwrap();
        }
        folder = next;
    }
    let paths: Vec<String> = guest.world.files().into_iter().map(|file| file.path).collect();
    assert!(paths.iter().all(|path| path.len() <= 1024));
    assert_eq!(paths.len(), 2 + 510, "the given two, and those whose path has at most a kilobyte");
    guest.check_quota();
}

#[test]
fn a_tree_without_files_has_what_every_tree_has() {
    let mut guest = Guest::new(super::WorldConfig { tree: std::sync::Arc::new(tree(&[])), ..config() });
    assert_eq!(guest.list("/").unwrap(), ["dev", "proc", "tmp"]);
    assert_eq!(guest.list("/dev").unwrap(), ["fd", "null", "random", "stderr", "stdin", "stdout", "urandom"]);
    assert_eq!(guest.list("/proc/self/fd").unwrap(), ["0", "1", "2"]);
    guest.write_file("/tmp/x", "x").unwrap();
    assert_eq!(guest.read_file("tmp/x").unwrap(), "x");
}
