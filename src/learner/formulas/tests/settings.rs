//! Objectives as settings: what is read, what is written, what is refused.

use serde_json::json;

use crate::learner::formulas::advantage::Advantage;
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::metrics::Metrics;
use crate::learner::formulas::objective::Objective;
use crate::learner::formulas::preset::PRESETS;

#[test]
fn presets_are_sound_and_survive_being_written() {
    Objective::default().check().unwrap();
    for name in PRESETS {
        let objective = Objective::preset(name).unwrap();
        objective.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = serde_json::to_value(&objective).unwrap();
        assert_eq!(Objective::from_value(&written).unwrap(), objective, "{name}");
        assert_eq!(Objective::from_value(&json!(name)).unwrap(), objective);
        assert_eq!(Objective::from_value(&json!({ "preset": name })).unwrap(), objective);
    }
    let names: Vec<_> = PRESETS.iter().map(|name| Objective::preset(name).unwrap()).collect();
    for (i, a) in names.iter().enumerate() {
        assert!(names[i + 1..].iter().all(|b| a != b), "two presets are the same");
    }
}

#[test]
fn a_preset_is_changed_by_the_fields_beside_it() {
    let read = |value| Objective::from_value(&value).unwrap();
    let changed = read(json!({"preset": "dapo", "loss": {"clip_high": 0.4}, "mask_truncated": false}));
    assert_eq!(changed.loss, Loss::Clip { clip_low: 0.2, clip_high: 0.4, dual_clip: None });
    assert!(!changed.mask_truncated);
    assert_eq!(changed.updates.mini_batches, 16, "the preset's");
    let other = read(json!({"preset": "dapo", "loss": {"kind": "cispo", "ratio_upper": 4.0}}));
    assert_eq!(other.loss, Loss::Cispo { ratio_upper: 4.0, ratio_lower: None });
    let rloo = read(json!({"advantage": "rloo"}));
    assert_eq!(rloo.advantage, Objective::preset("rloo").unwrap().advantage);
    let pp = read(json!({"advantage": {"estimator": "reinforce_plus_plus", "gamma": 0.9}}));
    assert!(matches!(pp.advantage, Advantage::Token(_)));
}

#[test]
fn wrong_settings_are_refused_by_name() {
    for (settings, named) in [
        (json!(3), "objective"),
        (json!("grpoo"), "preset"),
        (json!({"preset": 3}), "preset"),
        (json!({"los": {}}), "los"),
        (json!({"loss": {"kind": "clip", "clip_lo": 0.1}}), "clip_lo"),
        (json!({"loss": {"kind": "clip", "clip_low": -0.1}}), "loss.clip_low"),
        (json!({"loss": {"kind": "clip", "dual_clip": 1.1}}), "loss.dual_clip"),
        (json!({"loss": {"kind": "cispo", "ratio_upper": 0.28}}), "loss.ratio_upper"),
        (json!({"loss": {"kind": "luspo"}}), "aggregation"),
        (json!({"loss": {"kind": "ppo"}}), "loss"),
        (json!({"aggregation": "mean"}), "aggregation"),
        (json!({"advantage": "grpoo"}), "advantage"),
        (json!({"advantage": {"estimator": "gae", "lambda": 1.5}}), "advantage.lambda"),
        (json!({"kl": {"coefficient": -1}}), "kl.coefficient"),
        (json!({"kl": {"coefficient": 1, "place": "reward"}}), "kl.form"),
        (json!({"kl": {"adaptive": {}}}), "kl.coefficient"),
        (json!({"kl": {"refresh": {"alpha": 2}}}), "kl.refresh.alpha"),
        (json!({"mismatch": {"upper": 0.5}}), "mismatch.upper"),
        (json!({"mismatch": {"bypass": true}}), "mismatch.mode"),
        (
            json!({"mismatch": {"reject": [{"level": "token", "estimate": "k3", "lower": 1, "upper": 1}]}}),
            "mismatch.reject[0].lower",
        ),
        (json!({"entropy": {"top_fraction": 0}}), "entropy.top_fraction"),
        (json!({"selection": {"drop_uniform": false}}), "selection.max_refills"),
        (json!({"selection": {"retire_at": 1.5}}), "selection.retire_at"),
        (json!({"updates": {"epochs": 0}}), "updates.epochs"),
        (json!({"updates": {"mini_batches": 0}}), "updates.mini_batches"),
        (json!({"length_norm": 0}), "length_norm"),
    ] {
        let error = Objective::from_value(&settings).expect_err(&settings.to_string()).to_string();
        assert!(error.contains(named), "{settings}: {error}");
    }
}

#[test]
fn metrics_of_parts_become_those_of_the_whole() {
    let mut whole = Metrics::new();
    for part in [[1.0, 2.0], [3.0, 6.0]] {
        let mut metrics = Metrics::new();
        metrics.add("loss/policy", part[0]);
        metrics.mean("ratio/mean", part[0] * part[1], part[1]);
        metrics.max("ratio/max", part[1]);
        metrics.min("ratio/min", part[1]);
        whole.merge(&metrics);
    }
    let found: Vec<(&str, f64)> = whole.iter().collect();
    assert_eq!(found, [("loss/policy", 4.0), ("ratio/max", 6.0), ("ratio/mean", 2.5), ("ratio/min", 2.0)]);
    whole.mean("empty", 0.0, 0.0);
    assert_eq!(whole.get("empty"), None);
}
