//! Recipes that are right, wrong, changed and written back.

use super::*;

const SMALL: &str = "
[model.tiny]
hidden = 64
[tasks]
environment = \"arithmetic\"
";

fn parse(text: &str, sets: &[&str]) -> Result<Recipe, RecipeError> {
    let overrides: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    Recipe::parse(text, "test.toml", "test", &overrides)
}

fn faults(text: &str, sets: &[&str]) -> Vec<String> {
    match parse(text, sets) {
        Err(RecipeError::Faults { faults, .. }) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("{text}\n{sets:?}: {other:?}"),
    }
}

#[test]
fn a_small_recipe_has_all_else_by_default() {
    let recipe = parse(SMALL, &[]).unwrap();
    assert_eq!(recipe.run.name, "test");
    assert_eq!(recipe.run.folder, Path::new("runs/test"));
    assert_eq!(recipe.train.learning_rate, Some(1e-6));
    assert_eq!(recipe.eval.max_tokens, Some(256));
    let names: Vec<String> =
        recipe.graded_by().unwrap().components().iter().map(|component| component.name.to_string()).collect();
    assert_eq!(names, ["accuracy", "format"], "the environment's own");
    assert_eq!(parse(SMALL, &["model.lora.rank=4"]).unwrap().train.learning_rate, Some(1e-5));
    let sft = parse(SMALL, &["sft.steps=5", "train.learning_rate=1e-4"]).unwrap().sft.unwrap();
    assert_eq!((sft.steps, sft.learning_rate), (5, Some(1e-3)));
}

#[test]
fn what_is_written_out_reads_back_as_the_same() {
    let whole = "
rubric = { components = [{ name = \"right\", grader = { type = \"math\" }, weight = 2.0 }] }
[run]
seed = 7
device = \"cuda:1\"
store = \"gavel.db\"
[model]
path = \"Qwen/Qwen2.5-0.5B\"
revision = \"main\"
dtype = \"bf16\"
[model.lora]
targets = [\"q_proj\", \"down_proj\"]
[tasks]
path = \"data.jsonl\"
columns = { prompt = \"question\", reference = \"answer\", reference_after = \"####\" }
[tasks.prompt]
system = \"Be brief.\"
user = \"Solve: {prompt}\"
[sampling]
stop = [\"\\n\\n\"]
thinking = { max_tokens = 100 }
[sampling.repetition]
[train]
preset = \"dapo\"
objective = { mask_truncated = false, kl = { coefficient = 0.01 } }
[engine]
kind = \"llama\"
[sft]
path = \"examples.jsonl\"
";
    for text in [SMALL, whole] {
        let recipe = parse(text, &[]).unwrap();
        let written = recipe.resolved_toml();
        assert_eq!(parse(&written, &[]).unwrap(), recipe, "{written}");
    }
    assert_eq!(parse(whole, &[]).unwrap().graded_by().unwrap().components().len(), 1);
}

#[test]
fn every_fault_names_its_field() {
    // What is set over the small recipe, and what is said.
    let rows = [
        (
            "train.learning_rte=1e-3",
            "train.learning_rte: is no field of a recipe; did you mean `learning_rate`?",
        ),
        ("train.lr=1e-3", "train.lr: is no field of a recipe; did you mean `learning_rate`?"),
        (
            "train.temperature=1.0",
            "train.temperature: is no field of a recipe; did you mean `sampling.temperature`?",
        ),
        ("trian.steps=3", "trian: is no field of a recipe; did you mean `train`?"),
        ("train.learning_rate=fast", "train.learning_rate: invalid type: string \"fast\", expected f64"),
        ("train.learning_rate=-1e-3", "train.learning_rate: is -0.001; it must be a finite number above 0"),
        ("train.learning_rate=nan", "train.learning_rate: is NaN; it must be a finite number above 0"),
        ("train.steps=-3", "train.steps: invalid value: integer `-3`, expected u64"),
        ("train.betas=[0.9]", "train.betas: invalid length 1, expected an array of length 2"),
        ("train.betas=[0.9, 1.0]", "train.betas: is [0.9, 1]; it must be two numbers from 0 to below 1"),
        ("train.schedule=cosin", "train.schedule: cannot be `cosin`; did you mean `cosine`?"),
        (
            "tasks.environment=arithmetics",
            "tasks.environment: cannot be `arithmetics`; did you mean `arithmetic`?",
        ),
        ("tasks.levels=[1, 99]", "tasks.levels: arithmetic has no level 99; its levels are 1, "),
        ("tasks.split=validation", "tasks.held_out.split: is the split that is trained on"),
        ("tasks.prompt.text=Question", "tasks.prompt.text: has no `{prompt}` in it"),
        ("sampling.group_size=1", "sampling.group_size: is 1: alone, a completion has no others"),
        ("sampling.temperature=0", "sampling.temperature: is 0; it must be a finite number above 0"),
        ("sampling.temperature=0.0", "sampling.temperature: is 0; it must be a finite number above 0"),
        ("sampling.thinking.max_tokens=256", "sampling.thinking.max_tokens: is 256; it must be below"),
        ("sampling.max_tokens=512", "sampling.max_tokens: 512 leaves no room for a prompt"),
        ("eval.samples=4", "eval.samples: is 4, but at temperature 0 they would all be the same"),
        ("model.tiny.heads=64", "model.tiny.heads: 64 heads cannot share a width of 64"),
        ("engine.kind=lama", "engine.kind: cannot be `lama`; did you mean `llama`?"),
        ("engine.lama={}", "engine.lama: is no field of a recipe; did you mean `llama`?"),
        ("engine.llama.batch_tokens=0", "engine.llama.batch_tokens: is 0; it must be from 1 to 2^30"),
        (
            "engine.llama={ cache_dtype = \"q8_0\", flash_attention = \"off\" }",
            "engine.llama.cache_dtype: q8_0 needs flash attention, which is off",
        ),
        ("model.dtype=f16", "model.dtype: cannot be `f16`; did you mean `bf16`?"),
        ("model.lora.targets=[\"all\"]", "model.lora.targets: cannot be `all`; there are `q_proj`"),
        ("run.device=gpu", "run.device: is `gpu`; it must be `auto`, `cpu` or `cuda:N`"),
        ("rubric=maths", "rubric: unknown rubric `maths`; the presets are math"),
        (
            "rubric.components=[{ name = \"a\", grader = { type = \"math\" }, weigt = 1 }]",
            "rubric.components[0]",
        ),
        ("sampling=3", "sampling: invalid type: integer `3`"),
    ];
    for (set, said) in rows {
        let found = faults(SMALL, &[set]);
        assert!(found.len() == 1 && found[0].starts_with(said), "{set}: {found:#?}");
    }
}

#[test]
fn an_unknown_preset_is_told_with_the_nearest() {
    let found = faults(SMALL, &["train.preset=drgrpo"]);
    assert!(found.len() == 1 && found[0].starts_with("train.preset: "), "{found:#?}");
    assert!(found[0].ends_with("did you mean `dr_grpo`?"), "{found:#?}");
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "
[model]
[tasks]
environment = \"arithmetic\"
n = 3
[train]
learning_rate = \"x\"
stepz = 3
weight_decay = -1.0
[sampling]
top_p = 0.0
top_k = -1
[checkpoint]
keep = \"all\"
";
    let found = faults(text, &[]);
    let fields: Vec<&str> = found.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    let expected = [
        "tasks.n",
        "sampling.top_k",
        "train.learning_rate",
        "train.stepz",
        "checkpoint.keep",
        "model.path",
        "sampling.top_p",
        "train.weight_decay",
    ];
    let mut fields_sorted = fields.clone();
    fields_sorted.sort_unstable();
    let mut expected_sorted = expected;
    expected_sorted.sort_unstable();
    assert_eq!(fields_sorted, expected_sorted, "{found:#?}");
    let message = parse(text, &[]).unwrap_err().to_string();
    assert!(message.starts_with("test.toml: 8 faults\n  "), "{message}");
}

#[test]
fn an_override_takes_its_alternative_away() {
    let recipe = parse(SMALL, &["model.path=/models/small", "tasks.path = data.jsonl"]).unwrap();
    assert_eq!(recipe.model.source(), Some(ModelSource::There { path: "/models/small", revision: None }));
    assert!(matches!(recipe.tasks.source(), Some(TaskSource::DataSet { .. })));
    assert!(matches!(recipe.tasks.held_out(), Some(HeldOutSource::Fraction(share)) if share == 0.1));
    let both = "[model]\npath = \"a\"\ntiny = {}\n[tasks]\nenvironment = \"arithmetic\"\npath = \"b\"";
    assert_eq!(faults(both, &[]).len(), 2);
    for (set, said) in [
        ("steps", "--set steps: expected FIELD=VALUE, such as train.learning_rate=1e-5"),
        (".a=1", "--set .a=1: the field's name is empty somewhere"),
        ("a=[1", "--set a=[1: the value is no TOML"),
        ("a=", "--set a=: the value is no TOML"),
    ] {
        let message = set.parse::<Override>().unwrap_err().to_string();
        assert!(message.starts_with(said), "{message}");
    }
    let deep = "run.name.first=x".parse::<Override>().unwrap();
    let error = Recipe::parse("[run]\nname = \"a\"", "test.toml", "test", &[deep]).unwrap_err().to_string();
    assert_eq!(error, "--set run.name.first=x: `name` is a value of its own and has no fields");
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let message = parse("[train\nsteps = 3", &[]).unwrap_err().to_string();
    assert!(message.starts_with("test.toml is no TOML: ") && message.contains("line 1"), "{message}");
    let missing = Recipe::read(Path::new("no/such/recipe.toml"), &[]).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the recipe no/such/recipe.toml: "), "{missing}");
}

#[test]
fn fields_are_all_there() {
    let fields = Recipe::fields();
    for field in [
        "rubric",
        "run.name",
        "model.tiny.hidden",
        "model.lora.targets",
        "tasks.columns.reference_after",
        "tasks.held_out.fraction",
        "tasks.prompt.system",
        "sampling.thinking.insert",
        "sampling.repetition.times",
        "engine.llama.model",
        "train.objective",
        "sft.steps",
        "checkpoint.keep",
    ] {
        assert!(fields.iter().any(|known| known == field), "{field} is missing: {fields:#?}");
    }
    assert!(fields.len() > 60, "{}", fields.len());
}

#[test]
fn going_on_with_another_recipe_is_told() {
    let begun = parse(SMALL, &[]).unwrap();
    let longer =
        parse(SMALL, &["train.steps=900", "eval.every=5", "checkpoint.keep=9", "run.device=cpu"]).unwrap();
    assert_eq!(longer.conflicts(&begun), Vec::<String>::new());
    let other = parse(SMALL, &["train.learning_rate=1e-3", "run.seed=1", "sft.steps=1"]).unwrap();
    let found = other.conflicts(&begun);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(
        found[1],
        "sft: was not given, is { batch_size = 32, examples = 1000, learning_rate = 0.01, steps = 1, warmup_steps = 10 }"
    );
}

#[test]
fn step_sizes_follow_their_schedule() {
    let rows = [
        (Schedule::Constant, [0.25, 1.0, 1.0, 1.0, 1.0]),
        (Schedule::Linear, [0.25, 1.0, 1.0, 0.55, 0.1]),
        (Schedule::Cosine, [0.25, 1.0, 1.0, 0.55, 0.1]),
    ];
    for (schedule, factors) in rows {
        for (step, factor) in [0, 3, 4, 54, 104].into_iter().zip(factors) {
            let found = schedule.factor(step, 4, 104, 0.1);
            assert!((found - factor).abs() < 1e-12, "{schedule:?} at {step}: {found}");
        }
    }
    assert_eq!(Schedule::Linear.factor(0, 0, 0, 0.5), 0.5, "a run without steps is at its end");
}
