//! The judge: a task and its completions in, rewards out, on a bounded pool of threads of its own.
//!
//! An HTTP request, a line of `gavel grade` and the learner's own group all come through here; there is no
//! second way to a reward. The judge never knows who asked.
//!
//! How much waits is for the caller to bound (the server does so by admission): the judge takes what it is given.
//! What shares one [`Control`] is one request; requests take turns (`turns`), so that a large one delays a
//! small one by a moment and not by all of its own work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use graders::{
    Completion, ErrorKind, Explanation, GradeError, Grader, Prepared, Resources, Reward, Rubric, Task,
    TaskError,
};
use tokio::sync::Notify;

mod cache;
mod errand;
mod group;
mod polite;
mod turns;

pub use cache::{MIN_WORK, VerdictCache};
pub use errand::{Errand, Executed, Input};
use group::Group;
pub use polite::patience;
use polite::{Polite, PoliteModel, PoliteRewards};
use turns::{Turns, Work};

/// A group to be judged.
#[derive(Debug)]
pub struct Request {
    /// How it is rewarded.
    pub rubric: Arc<Rubric>,
    /// The weights in force ([`Rubric::weights`]).
    pub weights: Arc<[f64]>,
    /// What was asked.
    pub task: Arc<Task>,
    /// What the policy wrote.
    pub completions: Arc<[Completion]>,
    /// When to stop.
    pub control: Arc<Control>,
}

/// One reward for each completion, or what is wrong with the task.
pub type Judged = Result<Vec<Reward>, TaskError>;

/// A completion whose verdict is to be explained.
#[derive(Debug)]
pub struct Inquiry {
    /// What judges it.
    pub grader: Arc<dyn Grader>,
    /// What was asked.
    pub task: Task,
    /// What the policy wrote.
    pub completion: Completion,
    /// When to stop.
    pub control: Arc<Control>,
}

/// An explanation, or why there is none.
pub type Explained = Result<Explanation, Unexplained>;

/// Why there is no explanation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// The grader cannot judge this task.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The judge failed.
    #[error(transparent)]
    Judge(#[from] GradeError),
    /// The grader looks at groups.
    #[error("{GROUPS_ONLY}")]
    Group,
}

/// What to do when a grader looks at groups.
const GROUPS_ONLY: &str = "this grader judges the completions of a group together, so one alone has nothing to \
    explain; grade the group (POST /v1/grade, `gavel grade`)";

impl Inquiry {
    fn answer(&self, resources: &Resources) -> Explained {
        if let Some(error) = self.control.stopped() {
            return Err(error.into());
        }
        polite::while_wanted(|| match self.grader.prepare(&self.task, resources)? {
            Prepared::Completion(judge) => Ok(judge.explain(&self.completion)?),
            Prepared::Group(_) => Err(Unexplained::Group),
        })
    }
}

/// Lets a caller stop a judgement that nobody waits for any more.
#[derive(Debug, Default)]
pub struct Control {
    /// Completions that are not judged by then, down to the next run of a program, are not judged.
    pub deadline: Option<Instant>,
    cancelled: AtomicBool,
    begun: AtomicBool,
    /// Who waits for another server's answer is told of the cancellation here.
    ended: Notify,
}

impl Control {
    /// With a deadline.
    pub fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::default() }
    }

    /// Whether a group of the request was begun.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// What is not judged yet, down to the next run of a program, is not judged.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.ended.notify_waiters();
    }

    /// Comes to its end when nobody waits for the result any more: after the deadline, or when it was cancelled.
    pub async fn ended(&self) {
        let cancelled = async {
            loop {
                let told = self.ended.notified();
                tokio::pin!(told);
                // From here on nothing is missed.
                told.as_mut().enable();
                if self.cancelled.load(Ordering::Acquire) {
                    return;
                }
                told.await;
            }
        };
        match self.deadline {
            Some(deadline) => {
                let _ = tokio::time::timeout_at(deadline.into(), cancelled).await;
            }
            None => cancelled.await,
        }
    }

    fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> Option<GradeError> {
        if self.cancelled.load(Ordering::Relaxed) {
            Some(GradeError::new(ErrorKind::Cancelled, "the caller left before this completion was judged"))
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(GradeError::new(
                ErrorKind::DeadlineExceeded,
                "the deadline passed before this completion was judged; allow more time or send less at once",
            ))
        } else {
            None
        }
    }
}

/// Judges groups, explains verdicts and runs programs on threads of its own. Dropping it lets the threads finish
/// what they were given.
#[derive(Debug)]
pub struct Judge {
    turns: Arc<Turns>,
    cache: Arc<VerdictCache>,
}

impl Judge {
    /// Starts `n_threads` threads, at least one. As many work at a time; a few more may be started to stand in
    /// for those that wait for their next turn in the middle of their work.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(n_threads: usize, resources: Resources) -> std::io::Result<Self> {
        let resources = Resources {
            sandbox: resources.sandbox.map(Polite::around),
            language_models: resources
                .language_models
                .into_iter()
                .map(|(name, model)| (name, PoliteModel::around(model)))
                .collect(),
            reward_models: resources
                .reward_models
                .into_iter()
                .map(|(name, model)| (name, PoliteRewards::around(model)))
                .collect(),
        };
        let turns = Turns::start(n_threads.max(1), resources)?;
        Ok(Self { turns, cache: Arc::new(VerdictCache::off()) })
    }

    /// The same judge with a memory of verdicts.
    #[must_use]
    pub fn with_cache(mut self, cache: VerdictCache) -> Self {
        self.cache = Arc::new(cache);
        self
    }

    /// The memory of verdicts.
    pub fn cache(&self) -> &VerdictCache {
        &self.cache
    }

    /// How many threads judge at a time.
    pub fn n_threads(&self) -> usize {
        self.turns.n_threads()
    }

    /// Judges a group; `done` is called with the result on a judging thread and should do little.
    pub fn submit(&self, request: Request, done: impl FnOnce(Judged) + Send + 'static) {
        let control = Arc::clone(&request.control);
        self.turns.add(
            &control,
            Work::Group(Arc::new(Group::new(request, Arc::clone(&self.cache), Box::new(done)))),
        );
    }

    /// Judges a group and waits for the result. Not for async threads.
    ///
    /// # Errors
    /// When the rubric cannot judge this task.
    pub fn score(&self, request: Request) -> Judged {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(request, move |judged| {
            let _ = sender.send(judged);
        });
        receiver.recv().expect("every submitted group is answered, this is a bug")
    }

    /// Explains a verdict; `done` is called with the result on a judging thread and should do little.
    pub fn explain(&self, inquiry: Inquiry, done: impl FnOnce(Explained) + Send + 'static) {
        let control = Arc::clone(&inquiry.control);
        let answer = move |resources: &Resources| {
            let explained = inquiry.answer(resources);
            let _ = guarded(|| done(explained));
        };
        self.turns.add(&control, Work::Single(Box::new(answer)));
    }

    /// Runs a program for its own sake; `done` is called with the result on a judging thread and should do little.
    pub fn execute(&self, errand: Errand, done: impl FnOnce(Executed) + Send + 'static) {
        let control = Arc::clone(&errand.control);
        let run = move |resources: &Resources| {
            let executed = errand.run(resources);
            let _ = guarded(|| done(executed));
        };
        self.turns.add(&control, Work::Single(Box::new(run)));
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.turns.close();
    }
}

/// The cells hold plain data that is whole at any moment, so a panic elsewhere does not spoil them.
fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns a panic into an error: a fault of ours must not become a verdict, nor end the thread.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, GradeError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "unknown".to_owned());
        tracing::error!(panic = %message, "a grader panicked");
        GradeError::new(ErrorKind::Internal, "a grader failed on this input; please report it with the input")
    })
}
