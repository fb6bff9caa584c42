//! The golden vectors, and how their padded arrays are read.

use serde_json::Value;

use super::Arrays;
use crate::learner::formulas::batch::Sequence;

/// What the vectors were written for: 32-bit inputs, values within 1e-5 and gradients within 2e-5; these formulas,
/// which compute in 64 bits, keep to less.
pub(super) const TOLERANCE: f64 = 1e-6;

pub(super) fn all() -> Value {
    serde_json::from_str(include_str!("../../../../graders/testdata/vectors/vectors.json")).unwrap()
}

/// The cases of a section.
pub(super) fn section(name: &str) -> Vec<Value> {
    let cases = all()[name].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{name} has no cases");
    cases
}

/// `inputs` with `"@meta.loss_inputs"` written out.
pub(super) fn inputs(case: &Value) -> Value {
    let mut full = all()["meta"]["loss_inputs"].clone();
    if let Some(own) = case["inputs"].as_object() {
        for (name, value) in own {
            full[name] = value.clone();
        }
    }
    full
}

pub(super) fn id(case: &Value) -> &str {
    case["id"].as_str().unwrap()
}

/// A number or list of numbers, however deep, in order; booleans are 0 and 1.
pub(super) fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        Value::Bool(is) => vec![f64::from(u8::from(*is))],
        number => vec![number.as_f64().unwrap_or_else(|| panic!("{number} is no number"))],
    }
}

pub(super) fn singles(value: &Value) -> Vec<f32> {
    flat(value).into_iter().map(|number| number as f32).collect()
}

pub(super) fn close(actual: f64, expected: f64, place: &str) {
    assert!((actual - expected).abs() <= TOLERANCE, "{place}: got {actual}, expected {expected}");
}

pub(super) fn all_close(actual: impl IntoIterator<Item = f64>, expected: &Value, place: &str) {
    let (actual, expected): (Vec<f64>, _) = (actual.into_iter().collect(), flat(expected));
    assert_eq!(actual.len(), expected.len(), "{place}");
    for (i, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
        close(*actual, *expected, &format!("{place}[{i}]"));
    }
}

/// The sequences of a padded mask: each row is one, padding and all.
pub(super) fn rows(mask: &Value, groups: Option<&Value>) -> (Vec<Sequence>, Vec<bool>) {
    let rows = mask.as_array().unwrap();
    let mut names: Vec<&str> = Vec::new();
    let mut sequences = Vec::new();
    let mut start = 0;
    for (i, row) in rows.iter().enumerate() {
        let name = groups.map_or("", |groups| groups[i].as_str().unwrap());
        let group = names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        let end = start + row.as_array().unwrap().len();
        sequences.push(Sequence { start, end, group });
        start = end;
    }
    (sequences, flat(mask).into_iter().map(|m| m > 0.5).collect())
}

/// The arrays of `loss_inputs`, with an advantage per sequence spread to its tokens.
pub(super) fn arrays(inputs: &Value) -> Arrays {
    let (sequences, mask) = rows(&inputs["mask"], Some(&inputs["group_ids"]));
    let advantages =
        crate::learner::formulas::batch::broadcast(&sequences, &flat(&inputs["advantage"])).unwrap();
    Arrays {
        advantages,
        logprobs: singles(&inputs["logp"]),
        old: singles(&inputs["old_logp"]),
        rollout: singles(&inputs["rollout_logp"]),
        reference: singles(&inputs["ref_logp"]),
        entropies: vec![0.5; mask.len()],
        sequences,
        mask,
    }
}
