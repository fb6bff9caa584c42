//! The judge: a task and its completions in, rewards out, on a bounded pool of threads of its own.
//!
//! An HTTP request, a line of `gavel grade` and the learner's own group all come through here; there is no
//! second way to a reward. The judge never knows who asked.
//!
//! How many groups wait is for the caller to bound (the server does so by admission): the judge takes what it
//! is given, oldest first, and spreads a group over idle threads only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use graders::{
    Alone, Completion, ErrorKind, Explanation, GradeError, Grader, Prepared, PreparedRubric, Resources,
    Reward, Rubric, Task, TaskError,
};

/// Stack of a grading thread, in bytes. Parsers bound their depth well below it.
const STACK_BYTES: usize = 16 << 20;

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
        guarded(|| match self.grader.prepare(&self.task, resources)? {
            Prepared::Completion(judge) => Ok(judge.explain(&self.completion)?),
            Prepared::Group(_) => Err(Unexplained::Group),
        })?
    }
}

/// Lets a caller stop a judgement that nobody waits for any more.
#[derive(Debug, Default)]
pub struct Control {
    /// Completions not begun by then are not judged.
    pub deadline: Option<Instant>,
    cancelled: AtomicBool,
}

impl Control {
    /// With a deadline.
    pub fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, cancelled: AtomicBool::new(false) }
    }

    /// Completions not begun yet are not judged.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
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

/// Judges groups on its own threads. Dropping it lets the threads finish what they began.
#[derive(Debug)]
pub struct Judge {
    work: Sender<Work>,
    n_threads: usize,
}

/// What waits for a thread.
enum Work {
    Group(Arc<Job>),
    Inquiry(Box<dyn FnOnce(&Resources) + Send>),
}

impl Judge {
    /// Starts `n_threads` threads, at least one.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(n_threads: usize, resources: Resources) -> std::io::Result<Self> {
        let n_threads = n_threads.max(1);
        let (work, waiting) = unbounded();
        let (help_wanted, shared) = unbounded();
        let resources = Arc::new(resources);
        for index in 0..n_threads {
            let worker = Worker {
                waiting: waiting.clone(),
                help_wanted: help_wanted.clone(),
                shared: shared.clone(),
                n_threads,
                resources: Arc::clone(&resources),
            };
            thread::Builder::new()
                .name(format!("judge-{index}"))
                .stack_size(STACK_BYTES)
                .spawn(move || worker.run())?;
        }
        Ok(Self { work, n_threads })
    }

    /// How many threads judge.
    pub fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Judges a group; `done` is called with the result on a judging thread and should do little.
    pub fn submit(&self, request: Request, done: impl FnOnce(Judged) + Send + 'static) {
        let n = request.completions.len();
        let job = Job {
            request,
            prepared: OnceLock::new(),
            next: AtomicUsize::new(0),
            open: AtomicUsize::new(n.max(1)),
            found: (0..n).map(|_| Mutex::new(None)).collect(),
            done: Mutex::new(Some(Box::new(done))),
        };
        self.work.send(Work::Group(Arc::new(job))).expect("the threads outlive the judge, this is a bug");
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
}

impl Judge {
    /// Explains a verdict; `done` is called with the result on a judging thread and should do little.
    pub fn explain(&self, inquiry: Inquiry, done: impl FnOnce(Explained) + Send + 'static) {
        let answer = move |resources: &Resources| {
            let explained = inquiry.answer(resources);
            let _ = guarded(|| done(explained));
        };
        self.work
            .send(Work::Inquiry(Box::new(answer)))
            .expect("the threads outlive the judge, this is a bug");
    }
}

type Done = Box<dyn FnOnce(Judged) + Send>;

struct Job {
    request: Request,
    prepared: OnceLock<PreparedRubric>,
    /// The next completion nobody has taken.
    next: AtomicUsize,
    /// Completions not judged yet; whoever judges the last one finishes the group.
    open: AtomicUsize,
    found: Vec<Mutex<Option<Alone>>>,
    done: Mutex<Option<Done>>,
}

struct Worker {
    waiting: Receiver<Work>,
    /// Where a thread that has begun a group asks the others to join in.
    help_wanted: Sender<Arc<Job>>,
    shared: Receiver<Arc<Job>>,
    n_threads: usize,
    resources: Arc<Resources>,
}

impl Worker {
    fn run(&self) {
        loop {
            // Groups already begun come first: the oldest request is answered first.
            if let Ok(job) = self.shared.try_recv() {
                job.judge_completions();
                continue;
            }
            crossbeam_channel::select! {
                recv(self.shared) -> job => if let Ok(job) = job { job.judge_completions() },
                recv(self.waiting) -> job => match job {
                    Ok(Work::Group(job)) => self.begin(&job),
                    Ok(Work::Inquiry(answer)) => answer(&self.resources),
                    Err(_) => return,
                },
            }
        }
    }

    fn begin(&self, job: &Arc<Job>) {
        let request = &job.request;
        let prepared = guarded(|| request.rubric.prepare(&request.task, &self.resources));
        let prepared = match prepared {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => return job.finish(Err(error)),
            Err(error) => {
                let rewards =
                    all_failed(&request.rubric, request.completions.len(), &request.weights, &error);
                return job.finish(Ok(rewards));
            }
        };
        let _ = job.prepared.set(prepared);
        if request.completions.is_empty() {
            return job.finish(Ok(Vec::new()));
        }
        for _ in 1..request.completions.len().min(self.n_threads) {
            let _ = self.help_wanted.send(Arc::clone(job));
        }
        job.judge_completions();
    }
}

impl Job {
    fn judge_completions(&self) {
        let Some(prepared) = self.prepared.get() else { return };
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(completion) = self.request.completions.get(index) else { return };
            let alone = match self.request.control.stopped() {
                Some(error) => prepared.not_judged(&error),
                None => guarded(|| prepared.judge_alone(completion))
                    .unwrap_or_else(|error| prepared.not_judged(&error)),
            };
            *lock(&self.found[index]) = Some(alone);
            // The release of each decrement and the acquire of the last make every result visible to it.
            if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.judge_group(prepared);
            }
        }
    }

    fn judge_group(&self, prepared: &PreparedRubric) {
        let Request { rubric, completions, weights, .. } = &self.request;
        let taken = |cell: &Mutex<Option<Alone>>| {
            lock(cell).take().expect("the last completion is judged after all others, this is a bug")
        };
        let found = self.found.iter().map(taken).collect();
        let rewards = guarded(|| prepared.judge_group(completions, found, weights))
            .unwrap_or_else(|error| all_failed(rubric, completions.len(), weights, &error));
        self.finish(Ok(rewards));
    }

    fn finish(&self, judged: Judged) {
        let done = lock(&self.done).take();
        if let Some(done) = done {
            let _ = guarded(|| done(judged));
        }
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

fn all_failed(rubric: &Arc<Rubric>, n: usize, weights: &[f64], error: &GradeError) -> Vec<Reward> {
    let name = |component: &graders::Component| Arc::clone(&component.name);
    let components: Vec<_> = rubric
        .components()
        .iter()
        .zip(weights)
        .map(|(component, weight)| graders::ComponentReward {
            name: name(component),
            weight: *weight,
            outcome: Err(error.clone()),
        })
        .collect();
    let fault = graders::RewardError {
        component: rubric.components().first().map_or_else(|| "".into(), name),
        kind: error.kind,
        message: error.message.clone(),
    };
    vec![Reward { total: Err(fault), components }; n]
}
