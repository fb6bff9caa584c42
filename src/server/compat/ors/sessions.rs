//! Sessions of Open Reward Standard: what a client's name of one stands for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::server::compat::episode::Episode;
use crate::server::problem::Problem;
use crate::tasks::{Split, TaskSet};

/// The most sessions at one time.
const MAX_SESSIONS: usize = 1 << 16;
/// How long a session lives without a request of its own; clients ping every ten seconds.
const IDLE: Duration = Duration::from_secs(900);
/// How often those that were left are cleared away.
const SWEEP: Duration = Duration::from_secs(5);
/// The longest name, in bytes.
pub(super) const MAX_ID_BYTES: usize = 128;

/// The sessions there are.
#[derive(Debug)]
pub(super) struct Sessions {
    most: usize,
    idle: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    by_id: HashMap<String, Session>,
    swept: Instant,
}

/// One session: a place, from which its task is made again with every request.
#[derive(Clone, Debug)]
struct Session {
    set: TaskSet,
    split: Split,
    index: u64,
    finished: bool,
    seen: Instant,
}

/// Whether a tool may run.
#[derive(Debug)]
pub(super) enum Turn {
    /// It may, and no other from now on.
    Yours(Episode),
    /// The episode is finished.
    Finished,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(MAX_SESSIONS, IDLE)
    }
}

impl Sessions {
    fn new(most: usize, idle: Duration) -> Self {
        let state = State { by_id: HashMap::new(), swept: Instant::now() };
        Self { most, idle, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session.
    ///
    /// # Errors
    /// 400 where the name is taken, 429 where there are as many as may be.
    pub(super) fn create(&self, id: &str, episode: &Episode) -> Result<(), Problem> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.by_id.len() >= self.most || now - state.swept >= SWEEP {
            state.by_id.retain(|_, session| now - session.seen < self.idle);
            state.swept = now;
        }
        if state.by_id.get(id).is_some_and(|session| now - session.seen < self.idle) {
            return Err(Problem::bad_request("Session already exists"));
        }
        if state.by_id.len() >= self.most {
            metrics::counter!("gavel_refused_total", "limit" => "sessions").increment(1);
            return Err(Problem::full(Duration::from_secs(5)));
        }
        let Episode { set, split, index, .. } = episode;
        let session = Session { set: set.clone(), split: *split, index: *index, finished: false, seen: now };
        state.by_id.insert(id.to_owned(), session);
        Ok(())
    }

    /// A session that is there, which it goes on being.
    fn seen<T>(&self, id: &str, act: impl FnOnce(&mut Session) -> T) -> Result<T, Problem> {
        let mut state = self.lock();
        let now = Instant::now();
        match state.by_id.get_mut(id).filter(|session| now - session.seen < self.idle) {
            Some(session) => {
                session.seen = now;
                Ok(act(session))
            }
            None => Err(Problem::not_found("Active environment not found")),
        }
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// 404 where there is none.
    pub(super) fn ping(&self, id: &str) -> Result<(), Problem> {
        self.seen(id, |_| ())
    }

    /// The episode of a session.
    ///
    /// # Errors
    /// 404 where there is none.
    pub(super) fn episode(&self, id: &str) -> Result<Episode, Problem> {
        let Session { set, split, index, .. } = self.seen(id, |session| session.clone())?;
        Episode::at(set, split, index)
    }

    /// Takes the one turn that an episode has.
    ///
    /// # Errors
    /// 404 where there is none.
    pub(super) fn take_turn(&self, id: &str) -> Result<Turn, Problem> {
        let taken = self.seen(id, |session| std::mem::replace(&mut session.finished, true))?;
        if taken { Ok(Turn::Finished) } else { self.episode(id).map(Turn::Yours) }
    }

    /// Gives a turn back that nothing was made of.
    pub(super) fn return_turn(&self, id: &str) {
        // Who has left in the meantime needs none.
        let _ = self.seen(id, |session| session.finished = false);
    }

    /// Ends a session, if there is one.
    pub(super) fn delete(&self, id: &str) {
        self.lock().by_id.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::TaskSets;

    fn episode() -> Episode {
        let set = TaskSets::default().get("arithmetic").unwrap();
        Episode::at(set, Split::Train, 3).unwrap()
    }

    #[test]
    fn sessions_are_bounded_and_have_one_turn() {
        let sessions = Sessions::new(2, Duration::from_hours(1));
        sessions.create("a", &episode()).unwrap();
        assert_eq!(sessions.create("a", &episode()).unwrap_err().status, 400);
        sessions.create("b", &episode()).unwrap();
        let refused = sessions.create("c", &episode()).unwrap_err();
        assert_eq!((refused.status, refused.retry_after_s.is_some()), (429, true));
        assert_eq!(sessions.episode("a").unwrap().index, 3);
        assert!(matches!(sessions.take_turn("a"), Ok(Turn::Yours(_))));
        assert!(matches!(sessions.take_turn("a"), Ok(Turn::Finished)));
        sessions.return_turn("a");
        assert!(matches!(sessions.take_turn("a"), Ok(Turn::Yours(_))));
        sessions.delete("a");
        assert_eq!(sessions.ping("a").unwrap_err().status, 404);
        sessions.create("c", &episode()).unwrap();
    }

    #[test]
    fn sessions_that_were_left_make_room() {
        let sessions = Sessions::new(1, Duration::ZERO);
        sessions.create("a", &episode()).unwrap();
        assert_eq!(sessions.ping("a").unwrap_err().status, 404);
        sessions.create("a", &episode()).unwrap();
        sessions.create("b", &episode()).unwrap();
        assert_eq!(sessions.lock().by_id.len(), 1);
    }
}
