//! Ways of computing that must give the same gradient.

use policy::config::Family;
use policy::fused::{self, Options};
use policy::gradients::with_slice_mut;
use policy::{AdamW, AdamWOptions, Packed, Policy, TokenGradients, TokenScores};

use crate::models::{assert_close, batch, loss, numbers, run, small, tokens};

const TOLERANCE: f64 = 1e-5;

#[test]
fn options_and_prompts_written_out_change_nothing() {
    for (family, adapted) in [(Family::Qwen3, false), (Family::Qwen2, true)] {
        let policy = small(family, true, adapted);
        let packed = batch();
        let standard = Options::default();
        let (scores, expected) = run(&policy, &packed, &standard, loss);
        for (name, options, packed) in [
            ("checkpointing", Options { checkpointing: true, ..standard }, packed.clone()),
            ("chunks of 3", Options { chunk: 3, ..standard }, packed.clone()),
            ("batches of a unit", Options { batch: 1, ..standard }, packed.clone()),
            (
                "batches of a unit again",
                Options { batch: 1, checkpointing: true, ..standard },
                packed.clone(),
            ),
            ("prompts written out", standard, packed.expanded()),
        ] {
            let (other, found) = run(&policy, &packed, &options, loss);
            assert_close(name, &found, &expected, TOLERANCE);
            same(name, &other, &scores);
        }
        let (_, again) = run(&policy, &packed, &standard, loss);
        assert_eq!(again, expected, "the same bits every time");
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let (_, alone) = one.install(|| run(&policy, &packed, &standard, loss));
        assert_eq!(alone, expected, "the same bits with another number of threads");
    }
}

#[test]
fn order_and_number_of_calls_change_nothing() {
    let policy = small(Family::Llama, false, false);
    let sequences: Vec<Vec<u32>> = [9, 70, 33, 140, 12].iter().map(|n| tokens(*n, *n)).collect();
    let pack = |order: &[usize]| {
        let mut packed = Packed::default();
        for i in order {
            packed.push(&sequences[*i], 1).expect("a sequence");
        }
        packed
    };
    // A gradient that depends on the token alone, so that it is the same wherever the token stands.
    let by_value = |scores: &TokenScores| TokenGradients {
        logprobs: scores.logprobs.iter().map(|x| (x * 50.0).sin()).collect(),
        entropies: scores.entropies.iter().map(|x| (x * 20.0).cos()).collect(),
    };
    let (_, expected) = run(&policy, &pack(&[0, 1, 2, 3, 4]), &Options::default(), by_value);
    let (_, turned) = run(&policy, &pack(&[3, 0, 4, 2, 1]), &Options::default(), by_value);
    // The gradients themselves are functions of rounded numbers here.
    assert_close("another order", &turned, &expected, 1e-4);
    let mut gradients = policy.zero_gradients().expect("room");
    for part in [&[0, 1][..], &[2], &[3, 4]] {
        let (config, weights) = (&policy.config, &policy.weights);
        let options = Options::default();
        fused::accumulate(config, weights, &pack(part), 0.8, &options, &mut gradients, |s| Ok(by_value(s)))
            .expect("it fits");
    }
    assert_close("several calls", &numbers(&gradients), &expected, 1e-4);
}

#[test]
fn sequences_without_a_gradient_cost_nothing_and_add_nothing() {
    let policy = small(Family::Qwen3, false, false);
    let packed = batch();
    // Only the third unit, the single sequence of 150 tokens, has a gradient.
    let only = |scores: &TokenScores| {
        let mut gradient = loss(scores);
        gradient.entropies.clear();
        let from = scores.logprobs.len() - 11 - 50;
        for (i, g) in gradient.logprobs.iter_mut().enumerate() {
            if !(from..from + 50).contains(&i) {
                *g = 0.0;
            }
        }
        gradient
    };
    let (scores, found) = run(&policy, &packed, &Options::default(), only);
    let mut alone = Packed::default();
    alone.push(&tokens(150, 3), 100).expect("a sequence");
    let wanted = only(&scores).logprobs;
    let part = wanted[wanted.len() - 61..wanted.len() - 11].to_vec();
    let (_, expected) = run(&policy, &alone, &Options::default(), |_| TokenGradients {
        logprobs: part,
        entropies: Vec::new(),
    });
    assert_close("a part", &found, &expected, TOLERANCE);
    let zeros = |scores: &TokenScores| TokenGradients {
        logprobs: vec![0.0; scores.logprobs.len()],
        entropies: Vec::new(),
    };
    let (_, nothing) = run(&policy, &packed, &Options::default(), zeros);
    assert!(nothing.iter().flatten().all(|g| *g == 0.0));
}

#[test]
fn hidden_states_give_the_scores() {
    let policy = small(Family::Qwen2, false, false);
    let packed = batch();
    let hidden = policy.hidden(&packed).expect("it fits");
    let h = policy.config.hidden_size;
    assert_eq!(hidden.len(), packed.n_scored() * h);
    let head: Vec<Vec<f32>> = policy.weights.output().to_vec2().expect("a matrix");
    let scores = policy.scores(&packed, 1.0).expect("it fits");
    for (m, target) in packed.targets.iter().enumerate().step_by(17) {
        let row = &hidden[m * h..(m + 1) * h];
        let logit = |weight: &Vec<f32>| -> f64 {
            weight.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        let sum: f64 = head.iter().map(|weight| logit(weight).exp()).sum();
        let expected = logit(&head[*target as usize]) - sum.ln();
        assert!((f64::from(scores.logprobs[m]) - expected).abs() < 2e-5, "{m}");
    }
    // The same through the objective of a loss that is linear in the hidden states of asked rows.
    let mut gradients = policy.zero_gradients().expect("room");
    policy.accumulate_hidden(&packed, &mut gradients, |hidden| Ok(vec![0.0; hidden.len()])).expect("it fits");
    assert!(numbers(&gradients).iter().flatten().all(|g| *g == 0.0));
    assert!(policy.accumulate_hidden(&packed, &mut gradients, |_| Ok(vec![0.0])).is_err());
}

#[test]
fn what_is_not_a_number_is_seen() {
    let policy = small(Family::Llama, true, false);
    with_slice_mut(&policy.weights.final_norm, |values| values[3] = f32::NAN).expect("on the CPU");
    let mut gradients = policy.zero_gradients().expect("room");
    let scores =
        policy.accumulate(&batch(), 1.0, &mut gradients, |scores| Ok(loss(scores))).expect("it fits");
    assert!(scores.logprobs.iter().all(|x| x.is_nan()) && scores.entropies.iter().all(|x| x.is_nan()));
    let before = numbers_of(&policy);
    let mut adam = AdamW::new(policy.weights.trained(), AdamWOptions::default()).expect("room");
    assert!(adam.step(&gradients, 1e-3).is_err());
    assert_eq!(before, numbers_of(&policy));
}

fn numbers_of(policy: &Policy) -> Vec<u32> {
    let list = |var: &candle_core::Var| var.flatten_all()?.to_vec1::<f32>();
    let all: Vec<Vec<f32>> =
        policy.parameters().iter().map(list).collect::<Result<_, _>>().expect("on the CPU");
    all.iter().flatten().map(|x| x.to_bits()).collect()
}

fn same(name: &str, a: &TokenScores, b: &TokenScores) {
    let pairs = a.logprobs.iter().zip(&b.logprobs).chain(a.entropies.iter().zip(&b.entropies));
    for (a, b) in pairs {
        assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{name}: {a} {b}");
    }
}
