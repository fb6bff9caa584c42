//! The golden vectors of `testdata/vectors/vectors.json`, section by section.

use serde::de::DeserializeOwned;
use serde_json::Value;

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
