//! Tests of batches that others join while they are decoded, and of engines that only compute logits.

use std::sync::Arc;

use super::*;

/// A token, its log-probability and the likeliest ones beside it.
type Told = (u32, f32, Vec<(u32, f32)>);

/// A source that adds each request before the step with its number, and keeps all that it hears.
#[derive(Default)]
struct Script {
    step: usize,
    /// Step and request.
    requests: Vec<(usize, Request)>,
    /// Step, request and sequence.
    cancels: Vec<(usize, usize, Option<usize>)>,
    finished: Vec<Generated>,
    refused: Vec<(usize, String)>,
    told: HashMap<(usize, usize), Vec<u32>>,
    tops: Vec<Told>,
    most: usize,
}

impl Source for Script {
    fn before_step(&mut self, load: Load, queue: &mut Queue) -> Next {
        self.most = self.most.max(load.decoding);
        for (_, request) in self.requests.extract_if(.., |(step, _)| *step <= self.step) {
            queue.add(request);
        }
        for (_, id, index) in self.cancels.extract_if(.., |(step, ..)| *step <= self.step) {
            match index {
                Some(index) => queue.cancel_sequence(id, index),
                None => queue.cancel(id),
            }
        }
        self.step += 1;
        if self.requests.is_empty() { Next::Finish } else { Next::GoOn }
    }

    fn on_token(&mut self, taken: &Taken<'_>) {
        let known = self.told.entry((taken.id, taken.index)).or_default();
        known.extend(taken.tokens.last());
        assert_eq!(known, taken.tokens, "each token is told once, in its order");
        if taken.sampled && !taken.top.is_empty() {
            let token = taken.tokens[taken.tokens.len() - 1];
            self.tops.push((token, taken.logprob, taken.top.to_vec()));
        }
    }

    fn on_finished(&mut self, generated: Generated) {
        self.finished.push(generated);
    }

    fn on_refused(&mut self, id: usize, error: PolicyError) {
        self.refused.push((id, error.to_string()));
    }
}

use crate::error::PolicyError;

fn run(model: &(ModelConfig, Weights), limits: &EngineLimits, script: &mut Script) {
    open(&model.0, &model.1, 64, limits, None, script).expect("the batch ends");
    script.finished.sort_by_key(|one| (one.prompt, one.index));
}

fn one(id: usize, tokens: &[u32], seeds: &[u64], sampling: &Sampling) -> Request {
    Request::new(id, tokens.into(), seeds.to_vec(), Arc::new(sampling.clone()))
}

#[test]
fn who_joins_later_gets_the_same_bits() {
    for name in MODELS {
        let model = tiny(name);
        let texts = prompts(&[3, 17, 30, 9, 1]);
        let seeds: Vec<u64> = (0..5).collect();
        let how = |i: usize| Sampling {
            max_tokens: 8 + 3 * i,
            temperature: [1.0, 0.7, 0.0, 1.0, 1.2][i],
            top_p: [1.0, 0.9, 1.0, 1.0, 1.0][i],
            stop_tokens: vec![2, 9],
            ..Sampling::default()
        };
        let requests = (0..5).map(|i| (4 * i, one(10 + i, &texts[i], &seeds, &how(i)))).collect();
        let mut script = Script { requests, ..Script::default() };
        let limits = EngineLimits { max_batch: 9, ..EngineLimits::default() };
        run(&model, &limits, &mut script);
        assert!(script.refused.is_empty() && script.most <= 9, "{:?}", script.refused);
        assert_eq!(script.finished.len(), 25);
        for (i, text) in texts.iter().enumerate() {
            let asked = [Prompt { tokens: text, seeds: &seeds }];
            let alone = sample(&model, &asked, &how(i), &EngineLimits::default()).expect("sequences");
            for (found, alone) in script.finished[5 * i..].iter().zip(&alone) {
                assert_eq!(found.prompt, 10 + i);
                assert_eq!(bits(found), bits(alone));
                assert_eq!(script.told[&(10 + i, alone.index)], alone.tokens);
            }
        }
    }
}

#[test]
fn who_is_cancelled_leaves_with_what_it_has() {
    let model = tiny("llama");
    let sampling = Sampling { max_tokens: 20, ..Sampling::default() };
    let mut script = Script {
        requests: vec![
            (0, one(0, &[1, 2], &[1, 2], &sampling)),
            (0, one(1, &[3], &[1, 2, 3], &sampling)),
            (3, one(2, &[4], &[1], &sampling)),
            (3, one(3, &[], &[1], &sampling)),
            (3, one(4, &[1; 60], &[1], &sampling)),
        ],
        cancels: vec![(5, 0, Some(1)), (5, 1, None), (9, 7, None)],
        ..Script::default()
    };
    run(&model, &EngineLimits { max_batch: 3, ..EngineLimits::default() }, &mut script);
    let rows: Vec<_> =
        script.finished.iter().map(|one| (one.prompt, one.index, one.tokens.len(), one.finish)).collect();
    let (cut, whole) = (Finish::Cancelled, Finish::Length);
    assert_eq!(
        rows,
        [
            (0, 0, 20, whole),
            (0, 1, 5, cut),
            (1, 0, 5, cut),
            (1, 1, 0, cut),
            (1, 2, 0, cut),
            (2, 0, 20, whole)
        ]
    );
    let refused: Vec<usize> = script.refused.iter().map(|(id, _)| *id).collect();
    assert_eq!(refused, [3, 4]);
    assert!(script.refused[1].1.contains("context"), "{:?}", script.refused);
}

/// Lets only even tokens come, and after four of them nothing.
#[derive(Clone)]
struct FourEven {
    n: usize,
    ends: bool,
}

impl Constraint for FourEven {
    fn mask(&mut self, logits: &mut [f32]) {
        for (token, logit) in logits.iter_mut().enumerate() {
            if token % 2 == 1 || self.n == 4 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn accept(&mut self, token: u32) {
        assert_eq!(token % 2, 0);
        self.n += 1;
    }

    fn may_end(&self) -> bool {
        self.ends
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

#[test]
fn a_constraint_rules_tokens_out_and_says_when_the_text_is_over() {
    let model = tiny("qwen3");
    let sampling = Sampling { max_tokens: 20, temperature: 1.5, ..Sampling::default() };
    for (ends, finish) in [(true, Finish::Stop), (false, Finish::DeadEnd)] {
        let constraint: Option<Box<dyn Constraint>> = Some(Box::new(FourEven { n: 0, ends }));
        let seeds: Vec<u64> = (0..9).collect();
        let request = Request { constraint, n_top: 3, ..one(0, &[1, 2], &seeds, &sampling) };
        let mut script = Script { requests: vec![(0, request)], ..Script::default() };
        run(&model, &EngineLimits::default(), &mut script);
        for one in &script.finished {
            assert_eq!((one.tokens.len(), one.finish), (4, finish));
            assert!(one.tokens.iter().all(|token| token % 2 == 0));
        }
        assert_eq!(script.tops.len(), 36);
        for (token, logprob, top) in &script.tops {
            assert_eq!(top.len(), 3);
            assert!(top.is_sorted_by(|a, b| a.1 >= b.1));
            if let Some((_, of_top)) = top.iter().find(|(other, _)| other == token) {
                assert!((of_top - logprob).abs() < 1e-5, "of the distribution that is drawn from");
            }
        }
    }
    let thinking = Some(ThinkingBudget { max_tokens: 2, inserted: vec![1], end_marker: vec![1] });
    let constraint: Option<Box<dyn Constraint>> = Some(Box::new(FourEven { n: 0, ends: true }));
    let both = Request { constraint, ..one(0, &[1], &[1], &Sampling { thinking, ..sampling }) };
    let mut script = Script { requests: vec![(0, both)], ..Script::default() };
    run(&model, &EngineLimits::default(), &mut script);
    assert!(script.refused[0].1.contains("thinking"), "{:?}", script.refused);
}

/// Logits are a function of the tokens before them, through a hash.
struct Hashed {
    rows: Vec<Vec<f32>>,
    free: usize,
}

const V: usize = 50;

fn hashed(state: u64) -> Vec<f32> {
    (0..V as u64).map(|i| uniform(state, i) as f32 * 6.0).collect()
}

fn next(state: u64, token: u32) -> u64 {
    (state ^ u64::from(token)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

impl LogitsEngine for Hashed {
    type Prefix = (usize, u64, Vec<f32>);
    type Cells = u64;

    fn bounds(&self) -> Bounds {
        Bounds { vocabulary: V, positions: 64, cache_tokens: 400, page: 1 }
    }

    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool {
        let needed = max_tokens + if new { prompt } else { 0 };
        let fits = needed <= self.free;
        self.free -= if fits { needed } else { 0 };
        fits
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Self::Prefix>> {
        let state = |tokens: &&[u32]| tokens.iter().fold(7, |state, token| next(state, *token));
        Ok(prompts.iter().map(|tokens| (tokens.len(), state(tokens), hashed(state(tokens)))).collect())
    }

    fn length(&self, prefix: &Self::Prefix) -> usize {
        prefix.0
    }

    fn after<'a>(&'a self, prefix: &'a Self::Prefix) -> &'a [f32] {
        &prefix.2
    }

    fn fork(&mut self, prefix: &Self::Prefix) -> Result<u64> {
        Ok(prefix.1)
    }

    fn step(&mut self, rows: &mut [NextToken<'_, u64>]) -> Result<()> {
        self.rows.clear();
        for row in rows {
            *row.cells = next(*row.cells, row.token);
            self.rows.push(hashed(*row.cells));
        }
        Ok(())
    }

    fn logits(&self, row: usize) -> &[f32] {
        &self.rows[row]
    }

    fn leave(&mut self, _: u64, max_tokens: usize) {
        self.free += max_tokens;
    }

    fn forget(&mut self, prefix: Self::Prefix) {
        self.free += prefix.0;
    }
}

#[test]
fn an_engine_of_logits_is_sampled_like_any_other() {
    let sampling = Sampling { max_tokens: 30, top_k: 20, stop_tokens: vec![2], ..Sampling::default() };
    let texts = prompts(&[3, 7, 12]);
    let seeds: Vec<u64> = (0..10).collect();
    let asked: Vec<Prompt<'_>> = texts.iter().map(|tokens| Prompt { tokens, seeds: &seeds }).collect();
    let mut all: Vec<Vec<Generated>> = Vec::new();
    for max_batch in [1, 4, 40] {
        let mut engine = Hashed { rows: Vec::new(), free: 400 };
        let limits = EngineLimits { max_batch, ..EngineLimits::default() };
        let mut found = Vec::new();
        generate_with(&mut engine, &asked, &sampling, &limits, None, &mut |one| found.push(one))
            .expect("sequences");
        assert_eq!(engine.free, 400, "all room is given back");
        found.sort_by_key(|one| (one.prompt, one.index));
        // Straight from the definition.
        for one in &found {
            let mut sampler = distribution::Sampler::default();
            let mut state = texts[one.prompt].iter().fold(7, |state, token| next(state, *token));
            for (i, token) in one.tokens.iter().enumerate() {
                let choice =
                    sampler.choose(&hashed(state), &sampling, seeds[one.index], i as u64).expect("a token");
                assert_eq!((choice.token, choice.logprob.to_bits()), (*token, one.logprobs[i].to_bits()));
                state = next(state, *token);
            }
        }
        all.push(found);
    }
    assert!(all[0] == all[1] && all[1] == all[2]);
    assert!(all[0].iter().any(|one| one.finish == Finish::Stop));
}
