//! The recipes that are shipped, and the page that lists their fields.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gavel::learner::recipe::Recipe;

fn root() -> PathBuf {
    std::env::current_dir().unwrap()
}

#[test]
fn every_shipped_recipe_is_right_and_says_its_source() {
    let mut n = 0;
    for entry in std::fs::read_dir(root().join("recipes")).unwrap() {
        let path = entry.unwrap().path();
        let recipe = Recipe::read(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(recipe.run.name, stem);
        assert_eq!(recipe.run.folder, Path::new("runs").join(stem));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{stem} begins with what it is and where it is from");
        let again = Recipe::parse(&recipe.resolved_toml(), stem, stem, &[]).unwrap();
        assert_eq!(again, recipe, "{stem}");
        n += 1;
    }
    assert!(n >= 8, "{n} recipes");
}

#[test]
fn the_page_lists_every_field_and_no_other() {
    let page = std::fs::read_to_string(root().join("docs/TRAINING.md")).unwrap();
    let sections = ["run", "model", "tasks", "sampling", "engine", "pipeline", "train", "sft", "eval", "checkpoint"];
    let is_field = |name: &&str| {
        matches!(*name, "rubric" | "judges" | "reward_models")
            || sections
                .iter()
                .any(|section| name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    };
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(is_field)
        .filter(|name| *name != "run.toml")
        .collect();
    let fields = Recipe::fields();
    let fields: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
    let unlisted: Vec<_> = fields.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&fields).collect();
    assert!(
        unlisted.is_empty() && unknown.is_empty(),
        "docs/TRAINING.md: not listed {unlisted:?}, no fields {unknown:?}"
    );
}

fn train(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    command.current_dir(root()).args(["train", "recipes/quickstart.toml"]).args(arguments).output().unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = train(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_dry_run_prints_a_recipe() {
    let output = train(&["--dry-run", "--set", "train.learning_rate=0.5", "--steps", "7", "--device", "cpu"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let recipe = Recipe::parse(&text, "printed", "none", &[]).unwrap();
    assert_eq!((recipe.train.learning_rate, recipe.train.steps), (Some(0.5), 7));
    assert_eq!((recipe.run.name.as_str(), recipe.run.device.to_string().as_str()), ("quickstart", "cpu"));
}

#[test]
fn what_is_wrong_is_told_in_a_sentence() {
    let rows: [(&[&str], &str); 4] = [
        (
            &["--set", "train.learning_rte=1"],
            "gavel: recipes/quickstart.toml: train.learning_rte: is no field of a recipe; did you mean `learning_rate`?\n",
        ),
        (&["--set", "steps"], "gavel: --set steps: expected FIELD=VALUE, such as train.learning_rate=1e-5\n"),
        (
            &["--device", "tpu"],
            "gavel: recipes/quickstart.toml: run.device: is `tpu`; it must be `auto`, `cpu` or `cuda:N`\n",
        ),
        (
            &["--set", "sampling.group_size=1"],
            "gavel: recipes/quickstart.toml: sampling.group_size: is 1: alone, ",
        ),
    ];
    for (arguments, said) in rows {
        let stderr = refused(arguments);
        assert!(stderr.starts_with(said), "{stderr}");
    }
}

#[test]
fn a_run_is_not_begun_over_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let begun = train(&["--dry-run", "--folder", path]).stdout;
    std::fs::write(folder.path().join("run.toml"), begun).unwrap();
    let stderr = refused(&["--folder", path]);
    assert!(stderr.contains("has a run already; go on with it with --resume"), "{stderr}");
    let stderr = refused(&["--folder", path, "--resume", "--set", "run.seed=9"]);
    assert!(stderr.contains("another recipe, so it cannot go on: run.seed: was 0, is 9"), "{stderr}");
    std::fs::create_dir_all(folder.path().join("checkpoints/step-000003")).unwrap();
    let stderr = refused(&["--folder", path, "--resume"]);
    assert!(stderr.contains("step-000003 is damaged: state.json cannot be opened"), "{stderr}");
    assert!(stderr.contains("has no whole checkpoint; remove the folder to begin anew"), "{stderr}");
}
