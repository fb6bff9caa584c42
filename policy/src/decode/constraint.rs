//! What may follow: a grammar, a schema, anything that rules tokens out.

/// Rules tokens out while one sequence is sampled. A batch asks it from whatever thread decodes the sequence.
pub trait Constraint: Send {
    /// Sets to minus infinity the logits `[V]` of the tokens that may not come next. Stop tokens are tokens too: they
    /// may come where the text may end.
    fn mask(&mut self, logits: &mut [f32]);

    /// Sees the token that was taken. Stop tokens are not shown: the sequence is over.
    fn accept(&mut self, token: u32);

    /// Whether the text may end as it is. Asked when no token is left, to tell an end from a dead end.
    fn may_end(&self) -> bool;

    /// The same in its present state, for another sequence.
    fn fork(&self) -> Box<dyn Constraint>;
}
