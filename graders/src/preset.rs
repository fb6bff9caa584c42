//! Rubrics known by name.

use serde_json::{Value, json};

type Preset = (&'static str, &'static str, fn() -> Value);

/// Every preset: its name, what it is, and its rubric.
const PRESETS: &[Preset] = &[
    ("math", "1 for the right answer, else 0", math),
    ("r1-zero", "accuracy plus format, equal weights (DeepSeek-R1-Zero)", r1_zero),
    ("r1", "accuracy plus format plus language consistency (DeepSeek-R1)", r1),
    ("kimi-k1.5", "accuracy plus the length reward, which is switched on at step 100", kimi),
    ("dapo", "accuracy as +1 or -1 plus the soft overlong punishment", dapo),
    ("code", "1 when every test passes, else 0", code),
    ("json", "1 for JSON that conforms to the task's schema, else 0", json_valid),
    ("ifeval", "the fraction of the task's instructions that were followed", ifeval),
];

/// The names of all presets.
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _, _)| *name).collect()
}

/// The rubric of the preset `name`, with its description.
pub fn preset(name: &str) -> Option<Value> {
    let (_, description, rubric) = PRESETS.iter().find(|(known, _, _)| *known == name)?;
    let mut rubric = rubric();
    rubric["description"] = Value::from(*description);
    Some(rubric)
}

fn accuracy() -> Value {
    json!({"name": "accuracy", "grader": {"type": "math"}, "weight": 1.0})
}

fn math() -> Value {
    json!({"components": [accuracy()]})
}

/// Equal weights, as the paper states (arXiv:2501.12948, section 2.2.2).
fn r1_zero() -> Value {
    json!({"components": [
        accuracy(),
        {"name": "format", "grader": {"type": "format", "style": "think_answer"}, "weight": 1.0},
    ]})
}

/// The language reward is added directly (arXiv:2501.12948, section 2.3.2).
fn r1() -> Value {
    json!({"components": [
        accuracy(),
        {"name": "format", "grader": {"type": "format", "style": "think_answer"}, "weight": 1.0},
        {"name": "language", "grader": {"type": "language"}, "weight": 1.0},
    ]})
}

/// The length reward (arXiv:2501.12599, section 2.3.3) comes late; the paper gives neither its weight nor
/// the step, so these are ours: a weight well below accuracy's, after a first hundred steps.
fn kimi() -> Value {
    json!({"components": [
        accuracy(),
        {"name": "length", "grader": {"type": "length", "rule": "kimi", "correct": "accuracy"},
         "weight": {"from_step": 100, "value": 0.2}},
    ]})
}

/// The overlong limits are those of arXiv:2503.14476, section 3.4.
fn dapo() -> Value {
    json!({"components": [
        {"name": "accuracy", "grader": {"type": "math", "correct": 1.0, "incorrect": -1.0}, "weight": 1.0},
        {"name": "overlong", "grader": {"type": "length", "rule": "soft_overlong", "l_max": 20480, "l_cache": 4096},
         "weight": 1.0},
    ]})
}

fn code() -> Value {
    json!({"components": [{"name": "tests", "grader": {"type": "code"}, "weight": 1.0}]})
}

fn json_valid() -> Value {
    json!({"components": [{"name": "json", "grader": {"type": "json"}, "weight": 1.0}]})
}

fn ifeval() -> Value {
    json!({"components": [{"name": "instructions", "grader": {"type": "instruct"}, "weight": 1.0}]})
}
