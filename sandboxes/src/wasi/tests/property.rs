//! Operations in no sensible order: nothing panics, the quota is exact, and the files of a world behave like those of
//! the operating system.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::super::errno::Errno;
use super::super::random::Random;
use super::super::{Tree, WorldConfig};
use super::{CREATE, EXCLUSIVE, End, Guest, READ, TRUNCATE, WRITE, config};

/// The tree that sequences begin with, and the folder they work in.
const FILES: [(&str, &str); 6] =
    [("a", "alpha"), ("b/a", "beta"), ("b/b/a", ""), ("b/b/c", "gamma"), ("c/a/b/c", "x"), ("c/b", "yy")];
const WORK: &str = "tmp/w";

/// Choices out of a seed.
struct Choice(Random);

impl Choice {
    fn new(seed: u64) -> Self {
        Self(Random::from_seed(seed))
    }

    fn below(&mut self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % n
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A path that never goes above where it starts, as far as its text tells.
    fn path(&mut self) -> String {
        loop {
            let mut names = Vec::new();
            for _ in 0..=self.below(4) {
                names.push(self.of(&["a", "b", "c", "a", "b", "c", "d", ".", ".."]));
            }
            let mut depth = 0;
            let stays_inside = names.iter().all(|name| {
                depth += match *name {
                    "." => 0,
                    ".." => -1,
                    _ => 1,
                };
                depth >= 0
            });
            if stays_inside {
                let slash = if self.below(12) == 0 { "/" } else { "" };
                return names.join("/") + slash;
            }
        }
    }
}

fn guest(files_bytes: u64) -> Guest {
    let files = FILES.map(|(path, text)| (format!("{WORK}/{path}"), text.as_bytes().to_vec()));
    Guest::new(WorldConfig { tree: Arc::new(Tree::new(files).unwrap()), files_bytes, ..config() })
}

/// One operation on a world; the answer in words.
fn operate(guest: &mut Guest, choice: &mut Choice) -> String {
    let path = format!("{WORK}/{}", choice.path());
    let other = format!("{WORK}/{}", choice.path());
    let fd = choice.below(12) as u32;
    let n = [0, 1, 10, 1000, 5000, 1 << 33, u64::MAX][choice.below(7) as usize];
    let bytes = vec![b'x'; choice.below(700) as usize];
    match choice.below(17) {
        0 => format!("{:?}", guest.open(&path, CREATE, WRITE)),
        1 => format!("{:?}", guest.open(&path, choice.below(16) as u32, WRITE)),
        2 => format!("{:?}", guest.open(&path, 0, READ)),
        3 => format!("{:?}", guest.close(fd.max(4))),
        4 => format!("{:?}", guest.write(fd.max(2), &bytes)),
        5 => format!("{:?}", guest.pwrite(fd.max(2), &bytes, n)),
        6 => format!("{:?}", guest.read(fd, 100)),
        7 => format!("{:?}", guest.pread(fd, 100, n)),
        8 => format!("{:?}", guest.seek(fd, n.cast_signed(), choice.below(4) as u32)),
        9 => format!("{:?}", guest.resize(fd, n)),
        10 => format!("{:?}", guest.mkdir(&path)),
        11 => format!("{:?}", guest.rmdir(&path)),
        12 => format!("{:?}", guest.unlink(&path)),
        13 => format!("{:?}", guest.rename(&path, &other)),
        14 => format!("{:?} {:?}", guest.stat(&path), guest.list(&other)),
        15 => format!("{:?}", guest.call(|world, _| world.fd_filestat_set_times(fd, 1, 2, 5))),
        _ => {
            let to = choice.below(12) as u32;
            let end =
                if fd > 3 && to > 3 { guest.call(|world, _| world.fd_renumber(fd, to)) } else { Ok(()) };
            format!("{end:?}")
        }
    }
}

#[test]
fn the_quota_is_exact_and_never_exceeded() {
    let mut n_refused = 0;
    for seed in 0..300 {
        let limit = [0, 1000, 3000, 10_000, 1_000_000][seed as usize % 5];
        let (mut guest, mut choice) = (guest(limit), Choice::new(seed));
        for step in 0..200 {
            let answer = operate(&mut guest, &mut choice);
            assert!(!answer.contains("Stop"), "{seed} {step}: {answer}");
            guest.check_quota();
            assert!(guest.world.files_used_bytes() <= limit, "{seed} {step}");
        }
        n_refused += u32::from(guest.world.files_were_full());
        // With everything closed, all that is left has a name.
        for fd in 0..20 {
            drop(guest.close(fd));
        }
        guest.check_quota();
        let named: u64 = guest.world.files().iter().map(|file| 256 + file.content.len() as u64).sum();
        let files: u64 = guest
            .world
            .files
            .nodes
            .values()
            .map(|node| match &node.body {
                super::super::overlay::Body::File(content) => 256 + content.len() as u64,
                super::super::overlay::Body::Folder(_) => 0,
            })
            .sum();
        assert_eq!(named, files, "{seed}: a file without a name is left");
        for file in guest.world.files() {
            assert_eq!(guest.world.file(&file.path), Some(file.content.as_slice()), "{seed}: {}", file.path);
        }
    }
    assert!(n_refused > 100, "the limits are too wide for this test: {n_refused}");
}

#[test]
fn the_same_operations_give_the_same_answers() {
    for seed in 0..50 {
        let run = || {
            let (mut guest, mut choice) = (guest(5000), Choice::new(seed));
            let answers: Vec<String> = (0..200).map(|_| operate(&mut guest, &mut choice)).collect();
            (answers, guest.fuel, guest.world.files(), guest.memory)
        };
        assert!(run() == run(), "{seed}");
    }
}

/// The number in WASI of an error of Linux.
fn errno(error: &std::io::Error) -> Errno {
    match error.raw_os_error() {
        Some(2) => Errno::NotFound,
        Some(16) => Errno::Busy,
        Some(17) => Errno::Exists,
        Some(20) => Errno::NotFolder,
        Some(21) => Errno::IsFolder,
        Some(22) => Errno::Invalid,
        Some(39) => Errno::NotEmpty,
        _ => panic!("{error}"),
    }
}

/// A file open in both worlds.
struct Pair {
    fd: u32,
    file: fs::File,
}

/// A world and a folder of the operating system, to which the same is done.
struct Twins {
    guest: Guest,
    folder: tempfile::TempDir,
    open: Vec<Pair>,
    choice: Choice,
}

impl Twins {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in FILES {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { guest: guest(1_000_000), folder, open: Vec::new(), choice: Choice::new(seed) }
    }

    /// Does something to both. What each of them says has to be the same.
    fn step(&mut self) -> (String, Result<String, Errno>, Result<String, Errno>) {
        let (path, other) = (self.choice.path(), self.choice.path());
        let inside = format!("{WORK}/{path}");
        let outside = format!("{}/{path}", self.folder.path().display());
        let text = "content".repeat(self.choice.below(5) as usize);
        let guest = &mut self.guest;
        let say = |what: &str| format!("{what} {path}");
        let (what, ours, theirs) = match self.choice.below(13) {
            0 => (
                say("write"),
                guest.write_file(&inside, &text).map(shown),
                fs::write(&outside, &text).map(shown),
            ),
            1 => {
                let ours = guest.open(&inside, CREATE | EXCLUSIVE, WRITE).map(|fd| guest.close(fd).unwrap());
                (say("make"), ours.map(shown), fs::File::create_new(&outside).map(drop).map(shown))
            }
            2 => {
                let ours = guest.read_file(&inside);
                let theirs = fs::read(&outside).map(|bytes| String::from_utf8(bytes).unwrap());
                (say("read"), ours, theirs)
            }
            3 | 4 => (say("mkdir"), guest.mkdir(&inside).map(shown), fs::create_dir(&outside).map(shown)),
            5 => (say("rmdir"), guest.rmdir(&inside).map(shown), fs::remove_dir(&outside).map(shown)),
            6 => (say("unlink"), guest.unlink(&inside).map(shown), fs::remove_file(&outside).map(shown)),
            7 | 8 => {
                let to = format!("{}/{other}", self.folder.path().display());
                let ours = guest.rename(&inside, format!("{WORK}/{other}"));
                (format!("rename {path} {other}"), ours.map(shown), fs::rename(&outside, to).map(shown))
            }
            9 => {
                let theirs = fs::metadata(&outside);
                let theirs = theirs.map(|m| if m.is_dir() { (3, 0) } else { (4, m.len()) });
                (say("stat"), guest.stat(&inside).map(shown), theirs.map(shown))
            }
            10 => (say("list"), guest.list(&inside).map(shown), names(Path::new(&outside)).map(shown)),
            11 => return self.open(say("open"), &inside, &outside),
            _ => return self.use_open(&text),
        };
        (what, ours.map_err(number), theirs.map_err(|error| errno(&error)))
    }

    fn open(
        &mut self,
        what: String,
        inside: &str,
        outside: &str,
    ) -> (String, Result<String, Errno>, Result<String, Errno>) {
        let truncate = self.choice.below(2) == 0;
        let flags = if truncate { TRUNCATE } else { 0 };
        let ours = self.guest.open(inside, flags, WRITE);
        let theirs = fs::File::options().read(true).write(true).truncate(truncate).open(outside);
        let answers =
            (ours.clone().map(|_| String::new()), theirs.as_ref().map(|_| String::new()).map_err(errno));
        if let (Ok(fd), Ok(file)) = (ours, theirs) {
            self.open.push(Pair { fd, file });
        }
        (what, answers.0.map_err(number), answers.1)
    }

    fn use_open(&mut self, text: &str) -> (String, Result<String, Errno>, Result<String, Errno>) {
        if self.open.is_empty() {
            return (String::new(), Ok(String::new()), Ok(String::new()));
        }
        let index = self.choice.below(self.open.len() as u64) as usize;
        let guest = &mut self.guest;
        let at = self.choice.below(40);
        let Pair { fd, file } = &mut self.open[index];
        let (what, ours, theirs) = match self.choice.below(6) {
            0 => {
                let ours = guest.write(*fd, text).map(shown);
                ("write open", ours, file.write_all(text.as_bytes()).map(|()| shown(text.len())))
            }
            1 => {
                let mut bytes = vec![0; 50];
                let theirs = file.read(&mut bytes).map(|count| shown(&bytes[..count]));
                ("read open", guest.read(*fd, 50).map(shown), theirs)
            }
            2 => (
                "seek",
                guest.seek(*fd, at.cast_signed(), 0).map(shown),
                file.seek(SeekFrom::Start(at)).map(shown),
            ),
            3 => {
                let ours = guest.seek(*fd, -at.cast_signed(), 2).map(shown);
                ("seek from the end", ours, file.seek(SeekFrom::End(-at.cast_signed())).map(shown))
            }
            4 => ("resize", guest.resize(*fd, at).map(shown), file.set_len(at).map(shown)),
            _ => {
                let pair = self.open.swap_remove(index);
                let theirs = pair.file.metadata().map(|m| m.len());
                let ours = guest.fstat(pair.fd).map(|(_, size)| size);
                guest.close(pair.fd).unwrap();
                ("close", ours.map(shown), theirs.map(shown))
            }
        };
        (what.to_owned(), ours.map_err(number), theirs.map_err(|error| errno(&error)))
    }
}

fn shown<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

fn number(end: End) -> Errno {
    match end {
        End::Errno(errno) => errno,
        end => panic!("{end:?}"),
    }
}

/// The sorted names in a folder of the operating system.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().into_string().unwrap()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    Ok(names)
}

#[test]
fn files_behave_like_those_of_the_operating_system() {
    let (mut n_steps, mut n_fine) = (0, 0);
    for seed in 0..150 {
        let mut twins = Twins::new(seed);
        let mut log = Vec::new();
        for _ in 0..80 {
            let (what, ours, theirs) = twins.step();
            log.push(format!("{what}: {ours:?}"));
            n_steps += 1;
            n_fine += u32::from(ours.is_ok());
            // Where several things are wrong at once, another of them may be named first: with a slash behind the name,
            // or two paths.
            let is_same = match (&ours, &theirs) {
                (Err(_), Err(_)) if what.ends_with('/') || what.starts_with("rename") => true,
                (ours, theirs) => ours == theirs,
            };
            assert!(is_same, "seed {seed}: {theirs:?} but\n{}", log.join("\n"));
            twins.guest.check_quota();
        }
    }
    assert!(n_fine * 6 > n_steps, "most operations fail: {n_fine} of {n_steps} did not");
}
