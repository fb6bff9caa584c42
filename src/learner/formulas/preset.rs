//! Published recipes as objectives.
//!
//! A preset sets what is part of the objective. Learning rates, batch sizes, lengths and penalties in the reward are
//! not; the descriptions name those that were published. Unless said otherwise, a preset departs from its source in
//! that it weighs tokens by truncated importance weights for the engine (at most 2).

use graders::advantage::{Estimator, Scale};

use super::advantage::{Advantage, TokenEstimator};
use super::aggregation::Aggregation;
use super::invalid::{Invalid, Result};
use super::kl::{Kl, KlForm, Place, Refresh};
use super::loss::Loss;
use super::mismatch::Mismatch;
use super::objective::{Objective, Selection, Updates};

/// The names of all presets.
pub const PRESETS: [&str; 11] = [
    "grpo",
    "dr_grpo",
    "dapo",
    "rloo",
    "gspo",
    "cispo",
    "kimi",
    "reinforce_pp",
    "scale_rl",
    "r1_zero",
    "prime_rl",
];

const fn clip(clip_low: f64, clip_high: f64) -> Loss {
    Loss::Clip { clip_low, clip_high, dual_clip: None }
}

/// All of the batch, in one update, without a reference; what most recipes start from.
fn plain() -> Objective {
    Objective { selection: Selection::all(), mask_truncated: false, ..Objective::default() }
}

fn updates(mini_batches: u32) -> Updates {
    Updates { mini_batches, ..Updates::default() }
}

impl Objective {
    /// A published recipe by its name, one of [`PRESETS`].
    ///
    /// # Errors
    /// When there is none of that name; the message lists all.
    pub fn preset(name: &str) -> Result<Self> {
        Ok(match name {
            "grpo" => Self::grpo(),
            "dr_grpo" => Self::dr_grpo(),
            "dapo" => Self::dapo(),
            "rloo" => Self::rloo(),
            "gspo" => Self::gspo(),
            "cispo" => Self::cispo(),
            "kimi" => Self::kimi(),
            "reinforce_pp" => Self::reinforce_pp(),
            "scale_rl" => Self::scale_rl(),
            "r1_zero" => Self::r1_zero(),
            "prime_rl" => Self::prime_rl(),
            _ => {
                let message = format!("expected one of {}, got \"{name}\"", PRESETS.join(", "));
                return Err(Invalid::setting("preset", message));
            }
        })
    }

    /// GRPO as DeepSeekMath has it (arXiv:2402.03300): advantages divided by the group's standard deviation, clip
    /// 0.2, mean over the tokens of each sequence, `k3` against a reference with weight 0.04. Published with 16
    /// prompts times 64 completions, learning rate 1e-6. The standard deviation's convention is not said there; this
    /// is TRL's (sample deviation plus 1e-4).
    fn grpo() -> Self {
        Self {
            loss: clip(0.2, 0.2),
            aggregation: Aggregation::SeqMeanTokenMean,
            kl: Kl { coefficient: 0.04, ..Kl::default() },
            ..plain()
        }
    }

    /// Dr. GRPO (arXiv:2503.20783): no division by the standard deviation, nor by the completion's length but by the
    /// longest allowed one, which `length_norm` should name. Published with 128 prompts times 8 completions of at most
    /// 3,000 tokens, learning rate 1e-6.
    fn dr_grpo() -> Self {
        Self {
            advantage: Advantage::Group(Estimator::DrGrpo {}),
            loss: clip(0.2, 0.2),
            aggregation: Aggregation::SeqMeanTokenSumNorm,
            ..plain()
        }
    }

    /// DAPO (arXiv:2503.14476): bounds 0.2 and 0.28, every token the same weight, groups without a signal replaced,
    /// 16 updates per batch of 512 prompts times 16 completions, learning rate 1e-6 after 20 steps of warm-up. Its
    /// penalty for long completions is a matter of the reward; here truncated completions are left out instead, which
    /// the paper has as the step before.
    fn dapo() -> Self {
        Self {
            selection: Selection { max_refills: 10, drop_uniform: true, ..Selection::all() },
            mask_truncated: true,
            updates: updates(16),
            ..plain()
        }
    }

    /// RLOO (arXiv:2402.14740), as TRL has it: plain policy gradient of whole completions with the mean of the others
    /// as a baseline, and 0.05 times the log-ratio to the reference taken off the reward (0.03 in the paper).
    /// Published learning rate 1e-6. TRL clips the ratio, which does nothing in the one update per batch.
    fn rloo() -> Self {
        Self {
            advantage: Advantage::Group(Estimator::Rloo {}),
            loss: Loss::Reinforce {},
            aggregation: Aggregation::SeqMeanTokenSum,
            kl: Kl { coefficient: 0.05, form: KlForm::K1, place: Place::Reward, ..Kl::default() },
            ..plain()
        }
    }

    /// GSPO (arXiv:2507.18071): ratios of sequences within 3e-4 and 4e-4, four updates per batch.
    fn gspo() -> Self {
        Self {
            loss: Loss::Gspo { clip_low: 3e-4, clip_high: 4e-4, by_token: false },
            aggregation: Aggregation::SeqMeanTokenMean,
            updates: updates(4),
            ..plain()
        }
    }

    /// CISPO (MiniMax-M1, arXiv:2506.13585): clipped weights, every token keeps its gradient, 16 updates per batch,
    /// dynamic sampling as in DAPO. The paper does not give its bound; 5 is TRL's advice.
    fn cispo() -> Self {
        Self {
            loss: Loss::Cispo { ratio_upper: 5.0, ratio_lower: None },
            updates: updates(16),
            selection: Selection { max_refills: 10, drop_uniform: true, ..Selection::all() },
            ..plain()
        }
    }

    /// Kimi k1.5 (arXiv:2501.12599, equations 2 and 3): rewards minus the group's mean, a square that holds each
    /// completion's log-ratio, prompts drawn by 1 minus their pass rate, an optimiser that starts anew with each
    /// batch. Neither `tau` (here 0.1) nor the number of updates (here 4) was published.
    fn kimi() -> Self {
        Self {
            advantage: Advantage::Group(Estimator::Kimi { tau: None }),
            loss: Loss::Kimi { tau: 0.1 },
            aggregation: Aggregation::SeqMeanTokenMean,
            selection: Selection { prioritised: true, ..Selection::all() },
            updates: Updates { mini_batches: 4, reset_optimiser: true, ..Updates::default() },
            ..plain()
        }
    }

    /// REINFORCE++ (arXiv:2501.03262), as verl has it: returns with the penalty for leaving the reference in each
    /// token's reward, whitened over the batch, PPO's clip. The weight 0.001 is verl's.
    fn reinforce_pp() -> Self {
        Self {
            advantage: Advantage::Token(TokenEstimator::ReinforcePlusPlus { gamma: 1.0 }),
            loss: clip(0.2, 0.2),
            kl: Kl { coefficient: 0.001, form: KlForm::K1, place: Place::Reward, ..Kl::default() },
            ..plain()
        }
    }

    /// ScaleRL (arXiv:2510.13786): CISPO, every prompt the same weight, advantages divided by the batch's standard
    /// deviation, groups without a signal left out and not replaced, prompts dropped at a pass rate of 0.9. Bounds of
    /// 4 to 8 work; rollouts were up to 8 steps old, and logits in 32-bit floats. The importance weight is that of
    /// the loss: the ratio is to what the engine reported, with no other correction.
    fn scale_rl() -> Self {
        Self {
            advantage: Advantage::Group(Estimator::Grpo { scale: Scale::Batch, ddof: 1, eps: 1e-4 }),
            loss: Loss::Cispo { ratio_upper: 5.0, ratio_lower: None },
            aggregation: Aggregation::PromptMean,
            mismatch: Mismatch { bypass: true, ..Mismatch::none() },
            selection: Selection { drop_uniform: true, retire_at: Some(0.9), ..Selection::all() },
            ..plain()
        }
    }

    /// DeepSeek-R1-Zero (arXiv:2501.12948): GRPO with `k3` of weight 0.001 against a reference that is replaced every
    /// 400 steps, 16 updates per batch of 8,192 completions (16 to a prompt), learning rate 3e-6. The bounds of the
    /// ratio are GRPO's 0.2; R1's own later stage had 10.
    fn r1_zero() -> Self {
        Self {
            kl: Kl { coefficient: 0.001, refresh: Refresh { every: 400, alpha: 1.0 }, ..Kl::default() },
            updates: updates(16),
            ..Self::grpo()
        }
    }

    /// prime-rl's default since August 2026: rewards minus the group's mean, tokens dropped whose probability moved
    /// by more than 0.2 from what the engine reported, a small square on the log-ratio. The ratio is to the engine, so
    /// there is no other correction.
    fn prime_rl() -> Self {
        Self {
            advantage: Advantage::Group(Estimator::DrGrpo {}),
            loss: Loss::PrimeRl { low: 0.2, high: 0.2, advantage_scale: 1.0, kl: 1e-3 },
            mismatch: Mismatch { bypass: true, ..Mismatch::none() },
            ..plain()
        }
    }
}
