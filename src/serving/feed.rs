//! From the desk to a batch that stays open, and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::decode::{
    Constraint, Finish, Generated, Load, Next as GoOn, Queue, Request, Sampling, Source, Taken,
};

use super::{Ask, Desk, Draw, Grammar, Next, Place, Token};

/// Makes a constraint of a grammar, or says why not.
pub(super) type Constrain<'a> = &'a dyn Fn(&Grammar) -> Result<Box<dyn Constraint>, String>;

/// Brings what the desk has to a batch that is open, and back.
pub(super) struct Feed<'a> {
    desk: &'a mut dyn Desk,
    constrain: Constrain<'a>,
    max_batch: usize,
    /// Asks that the batch has.
    given: BTreeSet<usize>,
    /// Sequences that the desk has ended and the batch has not.
    ended: BTreeSet<(usize, usize)>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(desk: &'a mut dyn Desk, max_batch: usize, constrain: Constrain<'a>) -> Self {
        Self { desk, constrain, max_batch, given: BTreeSet::new(), ended: BTreeSet::new() }
    }
}

/// An ask as the batch takes it.
fn request(id: usize, ask: &Ask) -> Request {
    let draw = &ask.draw;
    let mut request = Request::new(id, Arc::clone(&ask.prompt), ask.seeds.clone(), Arc::new(sampling(draw)));
    request.n_top = draw.n_top;
    request
}

/// Stop texts are the desk's affair.
fn sampling(draw: &Draw) -> Sampling {
    Sampling {
        temperature: draw.temperature,
        top_k: draw.top_k,
        top_p: draw.top_p,
        min_p: draw.min_p,
        max_tokens: draw.max_tokens,
        stop_tokens: draw.stop_tokens.iter().chain(&draw.own_stop_tokens).copied().collect(),
        ..Sampling::default()
    }
}

impl Source for Feed<'_> {
    fn before_step(&mut self, load: Load, queue: &mut Queue) -> GoOn {
        for (ask, index) in std::mem::take(&mut self.ended) {
            queue.cancel_sequence(ask, index);
        }
        self.given.retain(|ask| {
            let is_wanted = self.desk.is_wanted(*ask);
            if !is_wanted {
                queue.cancel(*ask);
            }
            is_wanted
        });
        // What finds no room waits at the desk, where it can still be taken back for nothing.
        let mut n = load.decoding + load.waiting;
        while n < self.max_batch && load.waiting == 0 {
            match self.desk.next(n == 0) {
                Next::Ask(id, ask) => {
                    let mut request = request(id, &ask);
                    match ask.draw.grammar.as_ref().map(self.constrain).transpose() {
                        Ok(constraint) => request.constraint = constraint,
                        Err(message) => {
                            self.desk.refuse(id, message);
                            continue;
                        }
                    }
                    n += ask.seeds.len();
                    self.given.insert(id);
                    queue.add(request);
                }
                Next::Nothing => break,
                Next::Over => return GoOn::Finish,
            }
        }
        GoOn::GoOn
    }

    fn on_token(&mut self, taken: &Taken<'_>) {
        let Some(id) = taken.tokens.last() else { return };
        let place = Place { ask: taken.id, index: taken.index };
        let token = Token { id: *id, logprob: taken.logprob, top: taken.top.to_vec() };
        if !self.desk.token(place, token) {
            self.ended.insert((taken.id, taken.index));
        }
    }

    fn on_finished(&mut self, generated: Generated) {
        let place = Place { ask: generated.prompt, index: generated.index };
        self.ended.remove(&(place.ask, place.index));
        match generated.finish {
            // The desk has said so, or has seen the same token.
            Finish::Cancelled | Finish::Length => {}
            Finish::Stop | Finish::Repetition => self.desk.ended(place, true),
            Finish::DeadEnd => self.desk.ended(place, false),
        }
    }

    fn on_refused(&mut self, id: usize, error: policy::PolicyError) {
        self.given.remove(&id);
        self.desk.refuse(id, error.to_string());
    }
}
