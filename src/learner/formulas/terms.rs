//! The loss of each token before it is weighed, and its slope.

/// Logarithms of ratios are held within ± this before they go into an exponential, as verl does, so that no ratio
/// overflows. Beyond it the ratio is constant, and so the gradient through it is 0.
pub const LOG_RATIO_LIMIT: f64 = 20.0;

/// `now - old` within ±[`LOG_RATIO_LIMIT`], and its slope by `now`: 1, or 0 where it was held.
pub fn log_ratio(now: f32, old: f32) -> (f64, f64) {
    held(f64::from(now) - f64::from(old))
}

/// A logarithm of a ratio within ±[`LOG_RATIO_LIMIT`], and its slope by itself.
pub fn held(difference: f64) -> (f64, f64) {
    let slope = if difference.abs() <= LOG_RATIO_LIMIT { 1.0 } else { 0.0 };
    (difference.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT), slope)
}

/// One token's loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Term {
    /// The loss, to be minimised.
    pub loss: f64,
    /// Its derivative by the token's log-probability; what is held constant counts as a constant.
    pub slope: f64,
    /// A bound stopped or held the token on its way down.
    pub low: bool,
    /// A bound stopped or held it on its way up.
    pub high: bool,
}

/// The losses of a micro-batch's tokens, `[M]`; 0 where the mask is false.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Each token's loss. Where losses are of whole sequences, every token of one carries the sequence's.
    pub losses: Vec<f64>,
    /// By a token's log-probability: the slope of its loss, or of its sequence's loss.
    pub slopes: Vec<f64>,
    /// Whether losses are of whole sequences, so that a sequence's loss depends on all of its tokens.
    pub of_sequences: bool,
    /// How many tokens a lower bound stopped.
    pub n_low: usize,
    /// How many tokens an upper bound stopped.
    pub n_high: usize,
}

impl Terms {
    /// Zeros for this many tokens.
    pub fn zeros(n_tokens: usize, of_sequences: bool) -> Self {
        Self { losses: vec![0.0; n_tokens], slopes: vec![0.0; n_tokens], of_sequences, n_low: 0, n_high: 0 }
    }

    /// Sets a token's term.
    pub fn set(&mut self, token: usize, term: Term) {
        self.losses[token] = term.loss;
        self.slopes[token] = term.slope;
        self.n_low += usize::from(term.low);
        self.n_high += usize::from(term.high);
    }
}
