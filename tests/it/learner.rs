//! The learner's loop on models that are made on the spot.

use std::path::Path;

use gavel::judge::Judge;
use gavel::learner::checkpoint::{Checkpoints, newest};
use gavel::learner::folder::RunFolder;
use gavel::learner::hooks::Hooks;
use gavel::learner::metrics::{EvalMetrics, SftMetrics, StepMetrics};
use gavel::learner::recipe::{Override, Recipe};
use gavel::learner::train::{Job, Outcome, train};
use graders::Resources;

const TINY: &str = r#"
[model.tiny]
family = "qwen3"
hidden = 16
intermediate = 32
layers = 2
heads = 2
kv_heads = 1
max_positions = 96
tokens = [
    "<think>", "</think>", "<answer>", "</answer>", "The answer is ",
    "Think step by step between <think> and </think>. Then write the result as a whole number, and nothing else, between <answer> and </answer>.",
]

[tasks]
environment = "arithmetic"

# What even a model of nothing does now and then, so that every step moves the weights.
[rubric]
components = [{ name = "accuracy", grader = { type = "regex", pattern = "1" } }]

[sft]
steps = 3
examples = 20
batch_size = 4
learning_rate = 3e-3

[sampling]
group_size = 4
max_tokens = 24

[train]
steps = 4
prompts_per_step = 3
learning_rate = 1e-3

[eval]
every = 2
n_tasks = 3

[checkpoint]
every = 1
"#;

/// Everything that was told.
#[derive(Default)]
pub(crate) struct Told {
    sft: Vec<SftMetrics>,
    pub(crate) steps: Vec<StepMetrics>,
    evals: Vec<EvalMetrics>,
    stop_after: Option<u64>,
}

impl Hooks for Told {
    fn on_sft(&mut self, metrics: &SftMetrics) -> gavel::learner::error::Result<()> {
        self.sft.push(*metrics);
        Ok(())
    }
    fn on_step(&mut self, metrics: &StepMetrics) -> gavel::learner::error::Result<()> {
        self.steps.push(metrics.clone());
        Ok(())
    }
    fn on_eval(&mut self, metrics: &EvalMetrics) -> gavel::learner::error::Result<()> {
        self.evals.push(metrics.clone());
        Ok(())
    }
    fn should_stop(&self) -> bool {
        self.stop_after.is_some_and(|step| self.steps.len() as u64 >= step)
    }
}

pub(crate) fn recipe(sets: &[&str]) -> Recipe {
    let overrides: Vec<Override> = sets.iter().map(|set| set.parse().expect("KEY=VALUE")).collect();
    Recipe::parse(TINY, "the test's recipe", "tiny", &overrides).expect("a recipe")
}

pub(crate) fn run(recipe: &Recipe, folder: &Path, told: &mut Told) -> gavel::learner::error::Result<Outcome> {
    let folder = RunFolder::open(folder)?;
    let resume = Checkpoints::open(&folder.checkpoints_path(), 0)?.newest()?.checkpoint;
    let judge = Judge::start(2, Resources::default()).expect("threads");
    train(Job { recipe, folder: &folder, resume, judge: &judge }, told)
}

/// What two runs that are the same have in common, to the bit: the files of their last checkpoints.
fn files(outcome: &Outcome) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for name in ["model/model.safetensors", "optimizer.safetensors", "state.json"] {
        files.push((name.to_owned(), std::fs::read(outcome.checkpoint.join(name)).expect("a file")));
    }
    files
}

#[test]
fn a_run_that_stopped_goes_on_bit_for_bit() {
    for sets in [
        &[][..],
        &["train.preset=grpo", "model.lora={rank=2, alpha=4}"],
        &["train.preset=kimi", "tasks.n_tasks=16"],
    ] {
        let recipe = recipe(sets);
        let folder = tempfile::tempdir().expect("a folder");
        let mut whole = Told::default();
        let straight = run(&recipe, &folder.path().join("straight"), &mut whole).expect("it trains");
        assert_eq!((straight.step, straight.stopped), (4, false));
        assert_eq!(whole.sft.len(), 3);
        assert_eq!(whole.steps.iter().map(|step| step.step).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(whole.evals.iter().map(|eval| eval.step).collect::<Vec<_>>(), [0, 2, 4]);
        let parted = folder.path().join("parted");
        for stop_after in [Some(1), Some(2), None] {
            let mut told = Told { stop_after, ..Told::default() };
            let outcome = run(&recipe, &parted, &mut told).expect("it trains");
            assert_eq!(outcome.stopped, stop_after.is_some());
            if stop_after.is_none() {
                assert_eq!(files(&outcome), files(&straight), "{sets:?}");
            }
        }
    }
}

#[test]
fn micro_batches_change_nothing_but_rounding() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut losses = Vec::new();
    for tokens in [40, 300, 100_000] {
        let recipe = recipe(&[&format!("train.micro_batch_tokens={tokens}"), "train.steps=1", "sft.steps=0"]);
        let mut told = Told::default();
        run(&recipe, &folder.path().join(tokens.to_string()), &mut told).expect("it trains");
        losses.push(told.steps[0].clone());
    }
    for step in &losses[1..] {
        assert_eq!(step.reward, losses[0].reward, "sampling does not depend on them");
        if let (Some(a), Some(b)) = (step.grad_norm, losses[0].grad_norm) {
            assert!((a - b).abs() <= 1e-4 * b.abs(), "{a} {b}");
        }
    }
}

#[test]
fn what_cannot_be_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: &[(&[&str], &str)] = &[
        (&["sampling.max_tokens=95", "model.tiny.max_positions=96"], "context"),
        (&["train.objective={selection={prioritised=true}}"], "tasks.n_tasks"),
        (&["train.learning_rate=1e30", "sft.steps=0", "train.steps=40", "train.preset=grpo"], "finite"),
    ];
    for (i, (sets, expected)) in cases.iter().enumerate() {
        let error = run(&recipe(sets), &folder.path().join(i.to_string()), &mut Told::default());
        let message = error.expect_err("it cannot be").to_string();
        assert!(message.contains(expected), "{sets:?}: {message}");
    }
}

/// The program is killed at moments that have nothing to do with what it does, and goes on each time.
#[test]
fn a_run_that_is_killed_fifty_times_ends_as_one_that_was_not() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("tiny.toml");
    std::fs::write(&path, TINY).expect("a file");
    let start = |folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
        command.args([
            "train",
            "--resume",
            "--set",
            "eval.every=0",
            "--set",
            "checkpoint.keep=2",
            "--steps",
            "400",
        ]);
        command.arg("--folder").arg(folder).arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("it starts")
    };
    let straight = place.path().join("straight");
    assert!(start(&straight).wait().expect("it ends").success());

    let killed = place.path().join("killed");
    // Pauses from a fixed sequence, so that a failure can be repeated about as it was.
    let mut n_kills = 0;
    for i in 0_u64.. {
        let mut child = start(&killed);
        let pause = 40 + gavel::rollout::seed(7, i, 0, 0) % 200;
        let mut waited = 0;
        let ended = loop {
            if let Some(status) = child.try_wait().expect("it is a child") {
                break Some(status);
            }
            if waited >= pause && n_kills < 50 {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
            waited += 5;
        };
        if let Some(status) = ended {
            assert!(status.success(), "after {n_kills} kills");
            break;
        }
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        n_kills += 1;
    }
    assert!(n_kills >= 30, "only {n_kills} kills");
    let last =
        |folder: &Path| newest(&folder.join("checkpoints")).expect("a folder").checkpoint.expect("one");
    let (straight, killed) = (last(&straight), last(&killed));
    assert_eq!((straight.step, killed.step), (400, 400));
    for name in ["model/model.safetensors", "optimizer.safetensors"] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).expect("a file");
        assert!(read(&straight.folder) == read(&killed.folder), "{name} differs after {n_kills} kills");
    }
}

#[test]
fn rollouts_ahead_are_as_stale_as_they_may_be_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (sets, max)) in [
        (&["pipeline={max_staleness=2}"][..], 2.0),
        (&["pipeline={max_staleness=1, in_flight=true}"], 1.0),
        (&["pipeline={max_staleness=3, in_flight=true, carry_over=1.0}"], 3.0),
        (&["pipeline={max_staleness=0, carry_over=0.5}", "sampling.max_sequences=4"], 0.0),
    ]
    .into_iter()
    .enumerate()
    {
        let sets = [sets, &["train.steps=8", "checkpoint.every=0", "model.lora={rank=2, alpha=4}"]].concat();
        let mut told = Told::default();
        let outcome =
            run(&recipe(&sets), &folder.path().join(number.to_string()), &mut told).expect("it trains");
        assert_eq!((outcome.step, outcome.stopped), (8, false), "{sets:?}");
        assert_eq!(told.steps.len(), 8);
        assert_eq!(told.evals.iter().map(|eval| eval.step).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        for step in &told.steps {
            let stale = step.objective["rollout/too_stale_frac"];
            assert!((0.0..=1.0).contains(&stale));
            // Only what was carried over can be older than the order allows.
            let carried = sets.iter().any(|set| set.contains("carry_over"));
            assert!(carried || stale == 0.0, "{sets:?}: {stale}");
            let staleness = step.staleness_max.expect("there are tokens");
            assert!(carried || staleness <= max, "{sets:?}: {staleness}");
            assert!(step.n_groups > 0 && step.n_sampled_tokens > 0);
        }
        if max == 2.0 {
            let most = told.steps.iter().filter_map(|step| step.staleness_max).fold(0.0, f64::max);
            assert!(most > 0.0, "the thread runs ahead");
        }
        if max == 0.0 {
            let carried: f64 = told.steps.iter().map(|step| step.objective["rollout/carried_groups"]).sum();
            assert!(carried > 0.0, "long completions are carried over");
        }
    }
}

#[test]
fn a_run_that_draws_ahead_stops_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(&["pipeline={max_staleness=2, in_flight=true, carry_over=0.5}", "train.steps=6"]);
    let mut steps = Vec::new();
    for stop_after in [Some(2), Some(1), None] {
        let mut told = Told { stop_after, ..Told::default() };
        let outcome = run(&recipe, folder.path(), &mut told).expect("it trains");
        assert_eq!(outcome.stopped, stop_after.is_some());
        steps.extend(told.steps.iter().map(|step| step.step));
    }
    assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
}

#[cfg(not(feature = "llama"))]
#[test]
fn an_engine_that_was_not_built_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = run(&recipe(&["engine.kind=llama"]), folder.path(), &mut Told::default());
    let error = error.expect_err("it has no such engine").to_string();
    assert!(error.contains("feature `llama`"), "{error}");
}
