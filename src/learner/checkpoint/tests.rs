//! Checkpoints that are written, killed, damaged and found.

use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    seed: u64,
    mean: f64,
}

const BYTES: usize = 20_000;

/// What every file of this step holds.
fn content(step: u64) -> Vec<u8> {
    (0..BYTES as u64).map(|i| (i.wrapping_mul(31).wrapping_add(step * 7) % 251) as u8).collect()
}

fn fill(step: u64) -> impl FnOnce(&Path) -> io::Result<()> {
    move |folder| {
        fs::create_dir(folder.join("model"))?;
        fs::write(folder.join("model/weights"), content(step))?;
        fs::write(folder.join("optimizer"), content(step + 1))
    }
}

fn state(step: u64) -> State {
    State { seed: u64::MAX - step, mean: 0.1 + step as f64 / 3.0 }
}

fn assert_whole(checkpoint: &Checkpoint) {
    let step = checkpoint.step;
    assert_eq!(checkpoint.folder.file_name().unwrap().to_str().unwrap(), folder_name(step));
    assert_eq!(checkpoint.state::<State>().unwrap(), state(step));
    assert_eq!(fs::read(checkpoint.folder.join("model/weights")).unwrap(), content(step));
    assert_eq!(fs::read(checkpoint.folder.join("optimizer")).unwrap(), content(step + 1));
}

#[test]
fn what_was_written_is_found_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 2).unwrap();
    assert!(checkpoints.newest().unwrap().checkpoint.is_none());
    for step in [1, 5, 9, 120] {
        checkpoints.write(step, &state(step), fill(step)).unwrap();
    }
    let found = checkpoints.newest().unwrap();
    assert_eq!(found.skipped, Vec::<String>::new());
    assert_eq!(found.checkpoint.as_ref().unwrap().step, 120);
    assert_whole(&found.checkpoint.unwrap());
    assert_eq!(steps(folder.path()).unwrap(), [9, 120]);
    assert_eq!(fs::read_to_string(folder.path().join("latest")).unwrap(), "step-000120\n");
    // Twice the same step, and one before it: what came after is of another future.
    checkpoints.write(120, &state(120), fill(120)).unwrap();
    checkpoints.write(60, &state(60), fill(60)).unwrap();
    assert_eq!(steps(folder.path()).unwrap(), [9, 60]);
    assert_whole(&find(folder.path()).unwrap());
    assert_whole(&find(&folder.path().join("step-000009")).unwrap());
}

#[test]
fn damage_is_told_and_passed_over() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 7] = [
        (|folder| fs::remove_file(folder.join(STATE)).unwrap(), "state.json cannot be opened"),
        (|folder| fs::write(folder.join(STATE), "{").unwrap(), "state.json cannot be read"),
        (
            |folder| {
                let text = fs::read_to_string(folder.join(STATE)).unwrap();
                fs::write(folder.join(STATE), text.replace("\"seed\":1844", "\"seed\":1744")).unwrap();
            },
            "state.json was changed",
        ),
        (
            |folder| {
                let text = fs::read_to_string(folder.join(STATE)).unwrap();
                fs::write(folder.join(STATE), text.replace("\"format\":1", "\"format\":2")).unwrap();
            },
            "it has format 2, this program reads 1",
        ),
        (|folder| fs::remove_file(folder.join("model/weights")).unwrap(), "model/weights cannot be read"),
        (
            |folder| fs::write(folder.join("optimizer"), &content(3)[..100]).unwrap(),
            "optimizer has 100 bytes instead of 20000",
        ),
        (
            |folder| {
                let mut bytes = content(3);
                bytes[1_234] ^= 1;
                fs::write(folder.join("optimizer"), bytes).unwrap();
            },
            "optimizer was changed",
        ),
    ];
    for (damage, reason) in damages {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path(), 0).unwrap();
        checkpoints.write(1, &state(1), fill(1)).unwrap();
        let path = checkpoints.write(2, &state(2), fill(2)).unwrap();
        damage(&path);
        let found = checkpoints.newest().unwrap();
        assert_whole(&found.checkpoint.unwrap());
        assert!(found.skipped.len() == 1 && found.skipped[0].contains(reason), "{:?}", found.skipped);
        damage_message(&path, reason);
    }
}

fn damage_message(path: &Path, reason: &str) {
    let message = Checkpoint::open(path).unwrap_err().to_string();
    assert!(message.contains(reason) && message.contains("step-000002"), "{message}");
}

#[test]
fn a_failure_while_writing_leaves_what_there_was() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    checkpoints.write(1, &state(1), fill(1)).unwrap();
    let error = checkpoints.write(2, &state(2), |_| Err("the disk is full")).unwrap_err();
    assert_eq!(error.to_string(), "cannot write a checkpoint: the disk is full");
    assert_whole(&find(folder.path()).unwrap());
    Checkpoints::open(folder.path(), 1).unwrap().write(2, &state(2), fill(2)).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "one checkpoint and the marker");
    let missing = find(&folder.path().join("step-000002/model")).unwrap_err().to_string();
    assert!(missing.starts_with("there is no whole checkpoint in "), "{missing}");
}

#[test]
fn one_that_was_whole_but_not_renamed_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    let path = checkpoints.write(1, &state(1), fill(1)).unwrap();
    fs::rename(&path, folder.path().join(format!("{HIDDEN}step-000001"))).unwrap();
    Checkpoints::open(folder.path(), 1).unwrap();
    assert_whole(&find(folder.path()).unwrap());
}

/// Set for the child that is killed.
const FOLDER: &str = "GAVEL_TEST_CHECKPOINTS";

/// The child: writes checkpoints until it is killed, some of them again. Does nothing when run as a test.
#[test]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let checkpoints = Checkpoints::open(Path::new(&folder), 1).unwrap();
    let first = checkpoints.newest().unwrap().checkpoint.map_or(1, |checkpoint| checkpoint.step);
    for step in first.. {
        let result: Result<PathBuf> = checkpoints.write(step, &state(step), |path| {
            fill(step)(path).unwrap();
            Ok::<(), Infallible>(())
        });
        result.unwrap();
    }
}

#[test]
fn killed_at_any_moment_what_is_there_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut last = 0;
    let mut moment = 1_u64;
    for _ in 0..50 {
        let mut child = Command::new(&program)
            .args(["--exact", "learner::checkpoint::tests::child_that_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Until it got on, then for a while of any length.
        while steps(folder.path()).unwrap().last().is_none_or(|newest| *newest <= last) {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((moment >> 33) % 60_000));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it went on until it was killed");
        let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
        let found = checkpoints.newest().unwrap();
        assert_eq!(found.skipped, Vec::<String>::new(), "nothing half-written is ever in sight");
        let checkpoint = found.checkpoint.expect("one was whole before");
        assert_whole(&checkpoint);
        assert!(checkpoint.step > last, "{} after {last}", checkpoint.step);
        last = checkpoint.step;
    }
}
