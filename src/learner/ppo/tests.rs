//! Tests of PPO: its gradients, a bandit, and what is refused.

use super::super::fixtures::{bits, difference, differences, optimizer, scorer, tiny, tiny_wide};
use super::super::formulas::controller::Controllers;
use super::*;

fn coefficients(settings: &PpoSettings) -> Coefficients {
    Controllers::new(&settings.objective).coefficients(&settings.objective)
}

fn episodes() -> Vec<Episode> {
    let episode = |prompt: &[u32], tokens: &[u32], inserted: Option<usize>, reward| Episode {
        prompt: prompt.to_vec(),
        tokens: tokens.to_vec(),
        sampled: (0..tokens.len()).map(|t| Some(t) != inserted).collect(),
        logprobs: Vec::new(),
        reward,
    };
    vec![
        episode(&[1, 2], &[4, 5, 6, 3], Some(1), Some(1.0)),
        episode(&[1, 2], &[7, 3], None, Some(0.0)),
        episode(&[1, 9, 2], &[8, 8, 3], None, Some(0.25)),
        episode(&[1, 9, 2], &[6], None, Some(1.0)),
    ]
}

#[test]
fn gradients_of_policy_and_critic_are_slopes() {
    let (policy, reference, critic) = (tiny(12, 7), tiny(12, 8), scorer(12, 3, true));
    let episodes = episodes();
    for most in [1, 12, 1000] {
        let settings = PpoSettings { micro_batch_tokens: most, ..PpoSettings::default() };
        let coefficients = coefficients(&settings);
        let (laid, _) = Laid::new(&episodes, 32).expect("they fit");
        let mut before = Before::new(&laid, &policy, &critic, Some(&reference), &settings, &coefficients)
            .expect("they fit");
        // As if the policy had moved a little, so that ratios are not 1, and the values too; far from every clip.
        before.old.iter_mut().for_each(|logprob| *logprob += 0.05);
        before.values.iter_mut().for_each(|value| *value += 0.1);
        let (_, sequences) = laid.part(0..4);
        let mut denominators = Denominators::default();
        denominators.add(&sequences, &laid.mask);
        assert_eq!((denominators.n_tokens, denominators.n_groups), (9, 2));

        let mut gradients = policy.zero_gradients().expect("room");
        let mut optimizer_of_policy = optimizer(policy.weights.trained());
        let mut evaluate = |gradients: &mut Gradients| {
            let mut actor =
                Actor { policy: &policy, optimizer: &mut optimizer_of_policy, gradients, learning_rate: 0.0 };
            let mut metrics = PpoMetrics::default();
            act(&mut actor, &laid, &before, 0..4, &denominators, &settings, &coefficients, &mut metrics)
                .expect("it is finite")
        };
        evaluate(&mut gradients);
        let evaluate = std::cell::RefCell::new(evaluate);
        differences(&policy, &gradients, || {
            (evaluate.borrow_mut())(&mut policy.zero_gradients().expect("room"))
        });

        let mut gradients = critic.zero_gradients().expect("room");
        let mut optimizer_of_critic = optimizer(critic.trained());
        let mut evaluate = |gradients: &mut ScorerGradients| {
            let mut critic = Critic {
                scorer: &critic,
                optimizer: &mut optimizer_of_critic,
                gradients,
                learning_rate: 0.0,
            };
            criticise(&mut critic, &laid, &before, 0..4, &denominators, &settings).expect("it is finite")
        };
        evaluate(&mut gradients);
        let evaluate = std::cell::RefCell::new(evaluate);
        let loss = || (evaluate.borrow_mut())(&mut critic.zero_gradients().expect("room"));
        differences(&critic.body, &gradients.body, loss);
        difference(&critic.head.weight, 3, gradients.weight[3], &loss);
        difference(critic.head.bias.as_ref().expect("it has one"), 0, gradients.bias, &loss);
    }
}

/// Probabilities of each token after the prompt.
fn probabilities(policy: &Policy) -> Vec<f64> {
    let tokens: Vec<[u32; 1]> = (0..8).map(|token| [token]).collect();
    let mut packed = Packed::default();
    packed.push_group(&[1, 2], tokens.iter().map(|token| &token[..])).expect("sound");
    let scores = policy.scores(&packed, 1.0).expect("it fits");
    scores.logprobs.iter().map(|logprob| f64::from(*logprob).exp()).collect()
}

#[test]
fn a_bandit_is_solved_and_runs_repeat() {
    let run = || {
        let policy = tiny_wide(8, 1, 0.02);
        let reference = policy.frozen_copy().expect("room");
        let critic = Scorer::new(tiny_wide(8, 2, 0.02), true).expect("room");
        let settings = PpoSettings::default();
        let (mut of_policy, mut of_critic) =
            (optimizer(policy.weights.trained()), optimizer(critic.trained()));
        let mut gradients = policy.zero_gradients().expect("room");
        let mut value_gradients = critic.zero_gradients().expect("room");
        let before = probabilities(&policy);
        let mut all = Vec::new();
        for step_number in 0..25 {
            let probabilities = probabilities(&policy);
            let episodes: Vec<Episode> = (0..32)
                .map(|i| {
                    let draw = crate::rollout::seed(9, step_number, 0, i) as f64 / u64::MAX as f64;
                    let mut sum = 0.0;
                    let cut = |p: &f64| {
                        sum += p;
                        draw < sum
                    };
                    let token = probabilities.iter().position(cut).unwrap_or(7) as u32;
                    Episode {
                        prompt: vec![1, 2],
                        tokens: vec![token],
                        sampled: vec![true],
                        logprobs: vec![probabilities[token as usize].ln() as f32],
                        reward: Some(if token == 5 { 1.0 } else { 0.0 }),
                    }
                })
                .collect();
            let metrics = step(
                &mut Actor {
                    policy: &policy,
                    optimizer: &mut of_policy,
                    gradients: &mut gradients,
                    learning_rate: 5e-3,
                },
                &mut Critic {
                    scorer: &critic,
                    optimizer: &mut of_critic,
                    gradients: &mut value_gradients,
                    learning_rate: 1e-2,
                },
                Some(&reference),
                &episodes,
                &settings,
                &coefficients(&settings),
            );
            all.push(metrics.expect("they are sound"));
        }
        (policy, before, all)
    };
    let (policy, before, all) = run();
    assert!(before.iter().all(|p| (p - 0.125).abs() < 0.05), "about uniform: {before:?}");
    let after = probabilities(&policy);
    assert!(after[5] > 0.9, "{after:?}");
    assert!(all.iter().all(|metrics| metrics.n_updates == 4));
    let (again, _, repeated) = run();
    assert_eq!(all, repeated);
    assert_eq!(bits(&policy), bits(&again));
}

#[test]
fn what_cannot_be_learned_from_is_left_out_or_refused() {
    let (policy, critic) = (tiny(12, 7), scorer(12, 3, true));
    let (mut of_policy, mut of_critic) = (optimizer(policy.weights.trained()), optimizer(critic.trained()));
    let (mut gradients, mut value_gradients) =
        (policy.zero_gradients().expect("room"), critic.zero_gradients().expect("room"));
    let start = bits(&policy);
    let mut go = |episodes: &[Episode], reference: Option<&Policy>, settings: &PpoSettings| {
        step(
            &mut Actor {
                policy: &policy,
                optimizer: &mut of_policy,
                gradients: &mut gradients,
                learning_rate: 1e-3,
            },
            &mut Critic {
                scorer: &critic,
                optimizer: &mut of_critic,
                gradients: &mut value_gradients,
                learning_rate: 1e-3,
            },
            reference,
            episodes,
            settings,
            &coefficients(settings),
        )
    };
    let settings = PpoSettings::default();
    assert!(go(&[], Some(&policy), &settings).expect_err("none").to_string().contains("none was given"));
    let one = episodes().remove(1);
    let bad = [
        Episode { reward: None, ..one.clone() },
        Episode { reward: Some(f64::NAN), ..one.clone() },
        Episode { sampled: vec![false, false], ..one.clone() },
        Episode { prompt: Vec::new(), ..one.clone() },
        Episode { prompt: vec![1; 40], ..one.clone() },
    ];
    let error = go(&bad, Some(&policy), &settings).expect_err("none is usable").to_string();
    assert!(error.contains("2 no reward") && error.contains("1 too long"), "{error}");
    let torn = Episode { sampled: vec![true], ..one.clone() };
    assert!(go(&[torn], Some(&policy), &settings).is_err(), "the mask is of another length");
    assert!(go(&episodes(), None, &settings).expect_err("no reference").to_string().contains("reference"));
    let grpo = PpoSettings { objective: Objective::default(), ..PpoSettings::default() };
    assert!(go(&episodes(), None, &grpo).expect_err("no critic in it").to_string().contains("gae"));
    // One token alone has nothing to be compared with: whitened, its advantage is exactly 0.
    let alone = Episode { tokens: vec![4], sampled: vec![true], ..one };
    let mut free = PpoSettings::default();
    free.objective.kl.coefficient = 0.0;
    let metrics = go(&[alone], None, &free).expect("it is sound");
    assert_eq!((metrics.loss, metrics.n_updates), (None, 4));
    assert_eq!(start, bits(&policy), "the policy was never moved");
    let some = [&bad[..], &episodes()].concat();
    assert_eq!(go(&some, Some(&policy), &settings).expect("some are usable").skipped.total(), 5);
}
