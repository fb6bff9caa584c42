//! Jobs: what was accepted and is done when it is done, whether or not somebody waits for it.
//!
//! They live in memory. A job that was accepted is not dropped before it ended, and a result that nobody has fetched
//! not before its time: when there is no room, new jobs are refused.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::auth::Caller;
use super::problem::Problem;
use crate::judge::Control;

/// How many jobs there may be, and what becomes of their results.
#[derive(Clone, Copy, Debug)]
pub struct JobLimits {
    /// Jobs at one time, ended ones that are kept among them.
    pub max_jobs: usize,
    /// Bytes of all results; from there on, those that were fetched give way, and without any no job is accepted.
    pub max_bytes: usize,
    /// How long a result is kept.
    pub kept_for: Duration,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self { max_jobs: 16_384, max_bytes: 128 << 20, kept_for: Duration::from_mins(15) }
    }
}

/// How often old results are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whose jobs: they share the room and do not see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `POST /v1/jobs`.
    Grade,
    /// ROLL's submit and poll.
    Roll,
}

/// A reply, or why there is none.
pub type Outcome = Result<Bytes, Problem>;

/// A job.
#[derive(Debug)]
pub struct Job {
    id: String,
    kind: Kind,
    owner: Caller,
    control: OnceLock<Arc<Control>>,
    task: OnceLock<AbortHandle>,
    stage: watch::Sender<Option<Ended>>,
    was_fetched: AtomicBool,
}

#[derive(Clone, Debug)]
struct Ended {
    since: Instant,
    outcome: Outcome,
}

/// How far a job is.
#[derive(Clone, Debug)]
pub enum Status {
    /// Nothing of it was begun.
    Queued,
    /// It is being judged.
    Running,
    /// It ended.
    Ended(Outcome),
}

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<String, Arc<Job>>,
    n_bytes: usize,
    swept: Option<Instant>,
}

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    limits: JobLimits,
    state: Mutex<State>,
}

/// Room for a job. Dropped before it is started, there was none.
#[derive(Debug)]
pub struct Place {
    jobs: Arc<Jobs>,
    job: Arc<Job>,
    is_taken: bool,
}

impl Jobs {
    /// None yet.
    pub fn new(limits: JobLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// How long a result is kept.
    pub fn kept_for(&self) -> Duration {
        self.limits.kept_for
    }

    /// Makes room for a job.
    ///
    /// # Errors
    /// 429 where there is none, 500 without randomness for its id.
    pub fn place(self: &Arc<Self>, kind: Kind, owner: Caller) -> Result<Place, Problem> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            tracing::error!(%error, "the system gives no randomness");
            Problem::internal()
        })?;
        let mut id = "job_".to_owned();
        for byte in bytes {
            let _ = write!(id, "{byte:02x}");
        }
        let mut state = self.state();
        state.sweep(self.limits.kept_for);
        while state.jobs.len() >= self.limits.max_jobs || state.n_bytes >= self.limits.max_bytes {
            if !state.make_room() {
                metrics::counter!("gavel_refused_total", "limit" => "jobs").increment(1);
                return Err(Problem::full(Duration::from_secs(1)));
            }
        }
        let job = Arc::new(Job {
            id: id.clone(),
            kind,
            owner,
            control: OnceLock::new(),
            task: OnceLock::new(),
            stage: watch::Sender::new(None),
            was_fetched: AtomicBool::new(false),
        });
        state.jobs.insert(id, Arc::clone(&job));
        drop(state);
        Ok(Place { jobs: Arc::clone(self), job, is_taken: false })
    }

    /// The job of this kind and owner, if there is one.
    pub fn get(&self, kind: Kind, owner: Caller, id: &str) -> Option<Arc<Job>> {
        let mut state = self.state();
        state.sweep(self.limits.kept_for);
        let job = state.jobs.get(id).filter(|job| job.kind == kind && job.owner == owner)?;
        (!job.is_older_than(self.limits.kept_for)).then(|| Arc::clone(job))
    }

    /// Forgets a job; what of it was not begun is not done.
    pub fn cancel(&self, job: &Job) {
        self.state().remove(&job.id);
        if let Some(task) = job.task.get() {
            task.abort();
        }
    }

    /// How many have not ended.
    pub fn n_open(&self) -> usize {
        self.state().jobs.values().filter(|job| job.ended().is_none()).count()
    }

    /// How many nobody has fetched, ended or not.
    pub fn n_unfetched(&self) -> usize {
        self.state().jobs.values().filter(|job| !job.was_fetched.load(Ordering::Relaxed)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, id: &str) {
        if let Some((_, n_bytes)) = self.jobs.remove(id).and_then(|job| job.ended()) {
            self.n_bytes -= n_bytes;
        }
    }

    /// Drops the results that are too old. It looks at all of them, so not at every call.
    fn sweep(&mut self, kept_for: Duration) {
        if self.swept.is_some_and(|since| since.elapsed() < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(Instant::now());
        let old = self.jobs.values().filter(|job| job.is_older_than(kept_for));
        let old: Vec<String> = old.map(|job| job.id.clone()).collect();
        for id in old {
            self.remove(&id);
        }
    }

    /// Drops the oldest results that were fetched; whether there were any. Several at once, as it looks at all.
    fn make_room(&mut self) -> bool {
        let fetched = self.jobs.values().filter(|job| job.was_fetched.load(Ordering::Relaxed));
        let mut fetched: Vec<_> =
            fetched.filter_map(|job| job.ended().map(|(since, _)| (since, job.id.clone()))).collect();
        fetched.sort_unstable();
        fetched.truncate((self.jobs.len() / 8).max(1));
        for (_, id) in &fetched {
            self.remove(id);
        }
        !fetched.is_empty()
    }
}

impl Job {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it ended and how many bytes its result has, if it ended.
    fn ended(&self) -> Option<(Instant, usize)> {
        self.stage.borrow().as_ref().map(|ended| {
            let n_bytes = ended.outcome.as_ref().map_or(0, Bytes::len);
            (ended.since, n_bytes)
        })
    }

    fn is_older_than(&self, age: Duration) -> bool {
        self.ended().is_some_and(|(since, _)| since.elapsed() >= age)
    }

    /// How far it is now.
    pub fn status(&self) -> Status {
        match &*self.stage.borrow() {
            Some(ended) => Status::Ended(ended.outcome.clone()),
            None if self.control.get().is_some_and(|control| control.has_begun()) => Status::Running,
            None => Status::Queued,
        }
    }

    /// How far it is when it ends, or after `wait`.
    pub async fn status_within(&self, wait: Duration) -> Status {
        let mut stage = self.stage.subscribe();
        let _ = tokio::time::timeout(wait, stage.wait_for(Option::is_some)).await;
        self.status()
    }

    /// Says that its result went out, so that it may give way to others.
    pub fn fetched(&self) {
        self.was_fetched.store(true, Ordering::Relaxed);
    }
}

impl Place {
    /// Starts the job: from here on it is done, or cancelled by name.
    pub fn start(
        mut self,
        control: Arc<Control>,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) -> Arc<Job> {
        self.is_taken = true;
        let job = Arc::clone(&self.job);
        let _ = job.control.set(control);
        let ending = Ending { jobs: Arc::clone(&self.jobs), job: Arc::clone(&job), outcome: None };
        let task = async move {
            let mut ending = ending;
            ending.outcome = Some(work.await);
        };
        let _ = job.task.set(tokio::spawn(task.in_current_span()).abort_handle());
        job
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_taken {
            self.jobs.state().remove(&self.job.id);
        }
    }
}

/// Ends a job when it is dropped, also when its task panicked or was aborted.
struct Ending {
    jobs: Arc<Jobs>,
    job: Arc<Job>,
    outcome: Option<Outcome>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.jobs.state();
        let is_there = state.jobs.contains_key(&self.job.id);
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(if is_there { Problem::internal() } else { Problem::gone("the job was cancelled") })
        });
        if is_there {
            state.n_bytes += outcome.as_ref().map_or(0, Bytes::len);
        }
        // Under the lock, so that nobody sees the bytes without the job or the other way round.
        self.job.stage.send_replace(Some(Ended { since: Instant::now(), outcome }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(jobs: &Arc<Jobs>) -> Result<Place, Problem> {
        jobs.place(Kind::Grade, Caller::default())
    }

    fn start(jobs: &Arc<Jobs>, work: impl Future<Output = Outcome> + Send + 'static) -> Arc<Job> {
        place(jobs).unwrap().start(Arc::default(), work)
    }

    async fn ended(job: &Job) -> Outcome {
        match job.status_within(Duration::from_mins(1)).await {
            Status::Ended(outcome) => outcome,
            status => panic!("{status:?}"),
        }
    }

    #[tokio::test]
    async fn a_job_ends_whatever_becomes_of_its_task() {
        let jobs = Jobs::new(JobLimits::default());
        let job = start(&jobs, async { Ok(Bytes::from_static(b"1")) });
        assert_eq!(ended(&job).await.unwrap(), "1");
        let job = start(&jobs, async { panic!("a fault") });
        assert_eq!(ended(&job).await.unwrap_err().status, 500);
        let job = start(&jobs, std::future::pending());
        assert!(matches!(job.status(), Status::Queued) && jobs.n_open() == 1);
        jobs.cancel(&job);
        assert_eq!(ended(&job).await.unwrap_err().status, 410);
        assert!(jobs.get(Kind::Grade, Caller::default(), job.id()).is_none());
        drop(place(&jobs).unwrap());
        assert_eq!((jobs.n_open(), jobs.n_unfetched(), jobs.state().n_bytes), (0, 2, 1));
    }

    #[tokio::test]
    async fn results_that_were_fetched_give_way_and_others_do_not() {
        for limits in [
            JobLimits { max_jobs: 2, ..JobLimits::default() },
            JobLimits { max_bytes: 2, ..JobLimits::default() },
        ] {
            let jobs = Jobs::new(limits);
            let [a, b] = [1, 2].map(|_| start(&jobs, async { Ok(Bytes::from_static(b"1")) }));
            assert!(ended(&a).await.is_ok() && ended(&b).await.is_ok());
            assert_eq!(place(&jobs).unwrap_err().status, 429);
            b.fetched();
            drop(place(&jobs).unwrap());
            assert!(jobs.get(Kind::Grade, Caller::default(), a.id()).is_some());
            assert!(jobs.get(Kind::Roll, Caller::default(), a.id()).is_none());
            assert!(jobs.get(Kind::Grade, Caller::default(), b.id()).is_none());
        }
        let jobs = Jobs::new(JobLimits { kept_for: Duration::ZERO, ..JobLimits::default() });
        let job = start(&jobs, async { Ok(Bytes::new()) });
        assert!(ended(&job).await.is_ok());
        assert!(jobs.get(Kind::Grade, Caller::default(), job.id()).is_none());
    }
}
