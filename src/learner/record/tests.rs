//! Records that are written, resumed and read back.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::events::{crc32c, record, scalars_event};
use super::*;
use crate::learner::recipe::RunRecipe;

fn step(step: u64) -> StepMetrics {
    StepMetrics {
        step,
        reward: Some(step as f64 / 3.0),
        loss: (step != 2).then_some(-0.25),
        grad_norm: Some(f64::NAN),
        ..StepMetrics::default()
    }
}

fn eval(step: u64) -> EvalMetrics {
    EvalMetrics { step, accuracy: Some(0.5), ..EvalMetrics::default() }
}

fn kinds(path: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["time"].as_f64().unwrap() > 1e9);
        (value["kind"].as_str().unwrap().to_owned(), value["step"].as_u64().unwrap())
    };
    text.lines().map(line).collect()
}

#[test]
fn a_resumed_log_goes_on_after_its_step() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(temporary.path()).unwrap();
    let run = RunRecipe { tensorboard: false, ..RunRecipe::default() };
    let mut recorder = Recorder::open(&folder, &run, None).unwrap();
    recorder.on_sft(&SftMetrics { step: 9, ..SftMetrics::default() }).unwrap();
    recorder.on_eval(&eval(0)).unwrap();
    for number in 1..=4 {
        recorder.on_step(&step(number)).unwrap();
        recorder.on_eval(&eval(number)).unwrap();
    }
    let whole = fs::read_to_string(folder.metrics_path()).unwrap();
    fs::write(folder.metrics_path(), format!("{whole}{{\"kind\":\"step\",\"st")).unwrap();

    let mut resumed = Recorder::open(&folder, &run, Some(2)).unwrap();
    assert_eq!(resumed.history().steps.len(), 2);
    assert_eq!(resumed.history().sft.len(), 1);
    assert_eq!(resumed.history().steps[0].reward, Some(1.0 / 3.0));
    assert_eq!(resumed.history().steps[1].loss, None);
    assert_eq!(resumed.history().before_and_after().unwrap().1.step, 2);
    resumed.on_step(&step(3)).unwrap();
    let expected = [("sft", 9), ("eval", 0), ("step", 1), ("eval", 1), ("step", 2), ("eval", 2), ("step", 3)];
    assert_eq!(kinds(&folder.metrics_path()), expected.map(|(kind, step)| (kind.to_owned(), step)));

    Recorder::open(&folder, &run, None).unwrap();
    assert_eq!(kinds(&folder.metrics_path()), []);
}

#[test]
fn checksums_are_those_of_the_standard() {
    // RFC 3720, appendix B.4, and the check value of the algorithm's catalogue.
    let rows: [(&[u8], u32); 4] =
        [(&[0; 32], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (b"123456789", 0xe306_9283), (b"", 0)];
    for (bytes, crc) in rows {
        assert_eq!(crc32c(bytes), crc);
    }
}

#[test]
fn an_event_is_these_bytes() {
    let event = scalars_event(1.5, 300, &[("a/b".to_owned(), 2.0)]);
    let expected: [&[u8]; 5] = [
        &[0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
        &[0x10, 0xac, 0x02],
        &[0x2a, 12, 0x0a, 10],
        &[0x0a, 3, b'a', b'/', b'b'],
        &[0x15, 0, 0, 0, 0x40],
    ];
    assert_eq!(event, expected.concat());
    let framed = record(&event);
    assert_eq!(framed.len(), event.len() + 16);
    assert_eq!(framed[..8], (event.len() as u64).to_le_bytes());
    assert_eq!(framed[12..12 + event.len()], event);
}

/// Reads every scalar with the real package. Skipped where there is none.
const READER: &str = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
charts = EventAccumulator(sys.argv[1]); charts.Reload()
for name in sorted(charts.Tags()['scalars']):
    for point in charts.Scalars(name): print(name, point.step, repr(point.value))
";

#[test]
fn tensorboard_reads_what_is_written() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(temporary.path()).unwrap();
    let run = RunRecipe { jsonl: false, ..RunRecipe::default() };
    let mut recorder = Recorder::open(&folder, &run, None).unwrap();
    for number in 1..=3 {
        recorder.on_step(&step(number)).unwrap();
    }
    drop(recorder);
    let mut resumed = Recorder::open(&folder, &run, Some(1)).unwrap();
    resumed.on_step(&StepMetrics { reward: Some(9.0), ..step(2) }).unwrap();
    let n_files = fs::read_dir(folder.events_path()).unwrap().count();
    assert!((1..=2).contains(&n_files), "one process within one second may share a file");

    let Some(python) = std::env::var_os("GAVEL_PYTHON") else { return };
    let has_it = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        return;
    }
    let output = Command::new(&python).args(["-c", READER]).arg(folder.events_path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let rewards: Vec<&str> = text.lines().filter(|line| line.starts_with("reward/mean ")).collect();
    assert_eq!(rewards, ["reward/mean 1 0.3333333432674408", "reward/mean 2 9.0"], "{output:?}");
    assert!(!text.contains("grad_norm"), "what is not finite is left out");
}
