//! What decodes: many sequences at once, which come and go between two steps.

use std::sync::Arc;

use super::Ask;

/// A sequence: of which ask, and of which of its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The ask's number.
    pub ask: usize,
    /// The seed's index.
    pub index: usize,
}

/// A token that was sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The natural logarithm of its probability under the distribution that it was drawn from, after temperature and
    /// cuts; at temperature 0 under the model's own distribution.
    pub logprob: f32,
    /// The most probable tokens with theirs, after temperature and before cuts, the most probable first; as many as
    /// were asked for, or all there are.
    pub top: Vec<(u32, f32)>,
}

/// What an engine is given before a step.
#[derive(Debug)]
pub enum Next {
    /// Another prompt, with the number that stands in the places of its sequences.
    Ask(usize, Arc<Ask>),
    /// Nothing new.
    Nothing,
    /// There is nothing more to do, ever.
    Over,
}

/// Who gives an engine its work and takes what it sampled.
pub trait Desk {
    /// The next prompt. Asked before every step, again and again until there is nothing new or no room for it. Where
    /// nothing is being decoded (`is_idle`) this waits until there is something to do.
    fn next(&mut self, is_idle: bool) -> Next;

    /// Takes a token of a sequence, each of them in its order. False where the sequence ends with it: because it is
    /// finished, or because nobody wants it any more. An engine never samples more than the draw's `max_tokens`.
    fn token(&mut self, place: Place, token: Token) -> bool;

    /// A sequence has ended without a token that says so: its grammar allows nothing more. `is_whole` says whether it
    /// may end there. Of a sequence that has ended already this means nothing.
    fn ended(&mut self, place: Place, is_whole: bool);

    /// Whether somebody still wants what an ask says; asked for those that wait for room.
    fn is_wanted(&mut self, ask: usize) -> bool;

    /// An ask cannot be begun, for a reason of its own.
    fn refuse(&mut self, ask: usize, message: String);
}

/// What decodes. It lives on a thread of its own.
pub trait Engine {
    /// Decodes what the desk gives until there is nothing more to do.
    ///
    /// # Errors
    /// When the model failed. All that was being decoded is lost; the engine may be run again.
    fn run(&mut self, desk: &mut dyn Desk) -> Result<(), String>;
}
