//! The golden vectors and how rows are read from them.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The value at `pointer` in the vectors file.
pub(crate) fn section(pointer: &str) -> Vec<Value> {
    let path = "testdata/vectors/vectors.json";
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows =
        all.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no {pointer}")).clone();
    assert!(!rows.is_empty());
    rows
}

/// A list of numbers, `null` kept as `None`.
pub(crate) fn numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

/// Asserts that two numbers are the same up to the vectors' tolerance.
pub(crate) fn assert_close(actual: f64, expected: f64, place: &str) {
    assert!((actual - expected).abs() < 1e-6, "{place}: got {actual}, expected {expected}");
}

/// The cases of `rewards.<section>`.
pub(crate) fn reward_cases<T: DeserializeOwned>(section: &str) -> Vec<T> {
    let text = include_str!("../../testdata/vectors/vectors.json");
    let mut all: Value = serde_json::from_str(text).unwrap();
    let cases: Vec<T> = serde_json::from_value(all["rewards"][section].take()).unwrap();
    assert!(!cases.is_empty(), "{section} has no cases");
    cases
}

/// The cases of `rewards.<section>` as they are.
pub(crate) fn reward_values(section: &str) -> Vec<Value> {
    reward_cases(section)
}
