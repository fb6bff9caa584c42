//! The sandbox and the models as the judge's threads see them: before each run or question they let others have a
//! turn, and stop when nobody waits for the result any more. While a model is asked another thread works in the place
//! of the one that waits. Each run is counted.
//!
//! It changes nothing of what a run or an answer is or gives.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use graders::{
    Answer, ErrorKind, GradeError, LanguageModel, ModelError, Question, RewardItem, RewardModel,
};
use sandboxes::{
    Call, Examination, Execution, Language, Limits, Program, Sandbox, SandboxError, TestProgram,
};

use super::turns::Turns;
use super::{Control, guarded};

/// How long a thread works for one request while others wait: far more than a change costs, far less than anybody
/// notices.
pub(super) const SLICE: Duration = Duration::from_millis(2);

thread_local! {
    /// What this thread is working for.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// A thread's work for one request, from when it was its turn.
#[derive(Clone)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    control: Arc<Control>,
    since: Cell<Instant>,
    stopped: RefCell<Option<GradeError>>,
}

impl Turn {
    pub(super) fn new(turns: &Arc<Turns>, control: &Arc<Control>) -> Self {
        Self {
            turns: Arc::clone(turns),
            control: Arc::clone(control),
            since: Cell::new(Instant::now()),
            stopped: RefCell::new(None),
        }
    }

    /// Marks what the calling thread does in `work` as this turn's.
    pub(super) fn take(self, work: impl FnOnce(&dyn Fn() -> bool)) {
        let (turns, control, since) = (Arc::clone(&self.turns), Arc::clone(&self.control), self.since.get());
        TURN.with_borrow_mut(|turn| *turn = Some(self));
        work(&|| since.elapsed() >= SLICE && turns.others_wait(&control));
        TURN.with_borrow_mut(|turn| *turn = None);
    }
}

/// Lets others have a turn if this thread has had its own, and says whether to go on.
fn checkpoint() -> Result<(), GradeError> {
    // The borrow must end before the thread waits: it is this thread's alone, but a guest's host functions run here.
    let Some(turn) = TURN.with_borrow(Clone::clone) else { return Ok(()) };
    if let Some(error) = turn.control.stopped() {
        return Err(stopped(error));
    }
    if turn.since.get().elapsed() < SLICE {
        return Ok(());
    }
    turn.turns.pause(&turn.control);
    begin_slice();
    turn.control.stopped().map_or(Ok(()), |error| Err(stopped(error)))
}

/// Remembers why this thread's work was told to stop.
fn stopped(error: GradeError) -> GradeError {
    TURN.with_borrow(|turn| {
        if let Some(turn) = turn {
            *turn.stopped.borrow_mut() = Some(error.clone());
        }
    });
    error
}

fn begin_slice() {
    TURN.with_borrow(|turn| {
        if let Some(turn) = turn {
            turn.since.set(Instant::now());
        }
    });
}

/// Who waits for what the calling thread is doing; `None` on threads that are not the judge's. What waits for another
/// server ends its wait when [`Control::ended`] does.
pub fn patience() -> Option<Arc<Control>> {
    TURN.with_borrow(|turn| turn.as_ref().map(|turn| Arc::clone(&turn.control)))
}

/// Waits for another server's answer while another thread works in this one's place.
fn aside<T>(wait: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    checkpoint().map_err(|error| ModelError::Unavailable(error.message))?;
    let Some(turn) = TURN.with_borrow(Clone::clone) else { return wait() };
    let answered = turn.turns.away(&turn.control, wait);
    begin_slice();
    match (answered, turn.control.stopped()) {
        // Whatever became of the call, this is why.
        (Err(_), Some(error)) => Err(ModelError::Unavailable(stopped(error).message)),
        (answered, _) => answered,
    }
}

/// Does `work`, which may run programs and ask models. When it was told to stop between two of them its result is the reason for
/// that, whatever it made of it; a panic is an error too.
pub(super) fn while_wanted<T, E: From<GradeError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let result = guarded(work);
    let stopped = TURN.with_borrow(|turn| turn.as_ref().and_then(|turn| turn.stopped.borrow_mut().take()));
    match stopped {
        Some(error) => Err(error.into()),
        None => result?,
    }
}

/// A sandbox that lets others have a turn.
pub(super) struct Polite {
    inner: Arc<dyn Sandbox>,
}

impl Polite {
    pub(super) fn around(inner: Arc<dyn Sandbox>) -> Arc<dyn Sandbox> {
        Arc::new(Self { inner })
    }

    fn wait_for_turn(language: Language) -> Result<(), SandboxError> {
        checkpoint().map_err(|error| SandboxError::Failed { language, message: error.message })
    }
}

impl Sandbox for Polite {
    fn languages(&self) -> Vec<Language> {
        self.inner.languages()
    }

    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        Self::wait_for_turn(program.language)?;
        let executed = self.inner.run(program, stdin, limits);
        count(program.language, executed.as_ref());
        executed
    }

    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        Self::wait_for_turn(program.language)?;
        let executed = self.inner.call(program, call, limits);
        count(program.language, executed.as_ref());
        executed
    }

    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        Self::wait_for_turn(program.language)?;
        let examined = self.inner.examine(program, tests, limits);
        count(program.language, examined.as_ref().map(|examination| &examination.program));
        examined
    }
}

/// A language model that is waited for aside.
pub(super) struct PoliteModel(Arc<dyn LanguageModel>);

impl PoliteModel {
    pub(super) fn around(model: Arc<dyn LanguageModel>) -> Arc<dyn LanguageModel> {
        Arc::new(Self(model))
    }
}

impl LanguageModel for PoliteModel {
    fn revision(&self) -> String {
        self.0.revision()
    }

    fn ask(&self, question: &Question) -> Result<Vec<Answer>, ModelError> {
        aside(|| self.0.ask(question))
    }
}

/// A reward model that is waited for aside.
pub(super) struct PoliteRewards(Arc<dyn RewardModel>);

impl PoliteRewards {
    pub(super) fn around(model: Arc<dyn RewardModel>) -> Arc<dyn RewardModel> {
        Arc::new(Self(model))
    }
}

impl RewardModel for PoliteRewards {
    fn revision(&self) -> String {
        self.0.revision()
    }

    fn score(&self, items: &[RewardItem]) -> Result<Vec<Option<f64>>, ModelError> {
        aside(|| self.0.score(items))
    }
}

/// Counts a run. The labels are closed sets.
fn count(language: Language, executed: Result<&Execution, &SandboxError>) {
    let language = language.name();
    let ending = match executed {
        Ok(execution) => execution.ending.name(),
        Err(SandboxError::Unavailable { .. }) => ErrorKind::SandboxUnavailable.name(),
        Err(SandboxError::Unsupported { .. }) => "unsupported",
        Err(SandboxError::Failed { .. }) => ErrorKind::SandboxFailed.name(),
    };
    metrics::counter!("gavel_executions_total", "language" => language, "ending" => ending).increment(1);
    if let Ok(execution) = executed {
        metrics::histogram!("gavel_execution_seconds", "language" => language)
            .record(execution.time.as_secs_f64());
        metrics::histogram!("gavel_execution_fuel", "language" => language)
            .record(execution.fuel_used as f64);
    }
}
