//! Two implementations, one result.

use policy::config::Family;
use policy::fused::{self, Options};
use policy::{TokenScores, graph};

use crate::models::{assert_close, batch, loss, numbers, run, small};

#[test]
fn the_graph_of_operations_says_the_same() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
        for (tied, adapted) in [(false, false), (true, false), (true, true)] {
            let name = format!("{family:?}, tied {tied}, LoRA {adapted}");
            let policy = small(family, tied, adapted);
            let packed = batch();
            let (scores, found) = run(&policy, &packed, &Options::default(), loss);
            let mut gradients = policy.zero_gradients().expect("room");
            let (config, weights, options) = (&policy.config, &policy.weights, graph::Options::default());
            let expected =
                graph::accumulate(config, weights, &packed, 0.8, &options, &mut gradients, |s| Ok(loss(s)))
                    .expect("it fits");
            same_scores(&name, &scores, &expected);
            assert_close(&name, &found, &numbers(&gradients), 2e-5);
            let alone = fused::scores(config, weights, &packed, 0.8, &Options::default()).expect("it fits");
            assert_eq!(alone, scores, "{name}: with and without a backward pass");
        }
    }
}

fn same_scores(name: &str, a: &TokenScores, b: &TokenScores) {
    let pairs = a.logprobs.iter().zip(&b.logprobs).chain(a.entropies.iter().zip(&b.entropies));
    for (a, b) in pairs {
        assert!((a - b).abs() < 2e-5 * b.abs().max(1.0), "{name}: {a} {b}");
    }
}
