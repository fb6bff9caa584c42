//! The groups of one request, coming from the judge in any order.
//!
//! Who waits for them is woken once, by the last: a request of many small groups would otherwise spend more on
//! being woken than on being graded.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::scoring::ScoredGroup;
use super::types::GroupReply;

/// A group that was scored, or the reply to one that could not be read.
pub type Answer = Result<ScoredGroup, GroupReply>;

/// Collects the answers to the groups of one request.
#[derive(Debug)]
pub struct Gathering {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    slots: Vec<Option<Answer>>,
    n_open: usize,
    done: Option<oneshot::Sender<Vec<Answer>>>,
}

impl Gathering {
    /// A gathering of `n` answers, and where all of them will be, in the request's order. The receiver fails
    /// when the gathering is gone before it is complete.
    pub fn of(n: usize) -> (Arc<Self>, oneshot::Receiver<Vec<Answer>>) {
        let (sender, receiver) = oneshot::channel();
        let slots = (0..n).map(|_| None).collect();
        let state = State { slots, n_open: n, done: Some(sender) };
        (Arc::new(Self { state: Mutex::new(state) }), receiver)
    }

    /// Puts the answer to the group at `index`; each is put once.
    pub fn put(&self, index: usize, answer: Answer) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot @ None) = state.slots.get_mut(index) else { return };
        *slot = Some(answer);
        state.n_open -= 1;
        if state.n_open == 0 {
            let answers = std::mem::take(&mut state.slots).into_iter().flatten().collect();
            let done = state.done.take();
            // Outside the lock: the one who is woken may run at once.
            drop(state);
            if let Some(done) = done {
                // The caller may have left.
                let _ = done.send(answers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Gathering};
    use crate::server::problem::Fault;
    use crate::server::types::GroupReply;

    #[expect(clippy::result_large_err, reason = "an answer is what it is, and the test makes three of them")]
    fn answer(index: usize) -> Answer {
        Err(GroupReply::malformed(index, None, Fault::new("", "")))
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_request() {
        let (gathering, gathered) = Gathering::of(3);
        for index in [2, 0, 1] {
            gathering.put(index, answer(index));
        }
        let indices: Vec<_> =
            gathered.await.unwrap().into_iter().map(|answer| answer.unwrap_err().index).collect();
        assert_eq!(indices, [0, 1, 2]);
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_ends_the_wait() {
        let (gathering, gathered) = Gathering::of(2);
        gathering.put(0, answer(0));
        drop(gathering);
        assert!(gathered.await.is_err());
    }
}
