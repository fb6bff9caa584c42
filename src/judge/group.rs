//! A group on its way through the judge: prepared once, its completions judged by any number of threads, finished
//! by the thread that judges the last of them.
//!
//! It never decides whose turn it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use graders::{Alone, GradeError, PreparedRubric, Resources, Reward, Rubric};

use super::cache::{Question, VerdictCache};
use super::{Judged, Request, guarded, lock, polite};

/// Who is told the result.
pub(super) type Done = Box<dyn FnOnce(Judged) + Send>;

/// A group being judged.
pub(super) struct Group {
    request: Request,
    cache: Arc<VerdictCache>,
    /// Ready for its completions, and what their verdicts are kept under.
    prepared: OnceLock<(PreparedRubric, Option<Question>)>,
    /// The next completion nobody has taken.
    next: AtomicUsize,
    /// Completions not judged yet; whoever judges the last one finishes the group.
    open: AtomicUsize,
    found: Vec<Mutex<Option<Alone>>>,
    done: Mutex<Option<Done>>,
}

impl Group {
    pub(super) fn new(request: Request, cache: Arc<VerdictCache>, done: Done) -> Self {
        let n = request.completions.len();
        Self {
            request,
            cache,
            prepared: OnceLock::new(),
            next: AtomicUsize::new(0),
            open: AtomicUsize::new(n.max(1)),
            found: (0..n).map(|_| Mutex::new(None)).collect(),
            done: Mutex::new(Some(done)),
        }
    }

    pub(super) fn is_prepared(&self) -> bool {
        self.prepared.get().is_some()
    }

    /// How many completions nobody has taken.
    pub(super) fn n_untaken(&self) -> usize {
        self.found.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Does what all completions share. When there is then nothing to judge, the group is finished.
    pub(super) fn prepare(&self, resources: &Resources) {
        let request = &self.request;
        request.control.begin();
        match polite::while_wanted(|| Ok(request.rubric.prepare(&request.task, resources))) {
            Ok(Ok(_)) if request.completions.is_empty() => self.finish(Ok(Vec::new())),
            Ok(Ok(prepared)) => {
                let question = self.cache.question(&request.rubric, &request.task, resources);
                let _ = self.prepared.set((prepared, question));
            }
            Ok(Err(error)) => self.finish(Err(error)),
            Err(error) => {
                let rewards =
                    all_failed(&request.rubric, request.completions.len(), &request.weights, &error);
                self.finish(Ok(rewards));
            }
        }
    }

    /// Judges completions that nobody has taken, until there are none or `is_over` says so.
    pub(super) fn judge_completions(&self, is_over: impl Fn() -> bool) {
        let Some((prepared, question)) = self.prepared.get() else { return };
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(completion) = self.request.completions.get(index) else { return };
            let alone = match self.request.control.stopped() {
                Some(error) => prepared.not_judged(&error),
                None => self.cache.find(question.as_ref(), completion, || {
                    polite::while_wanted(|| Ok(prepared.judge_alone(completion)))
                        .unwrap_or_else(|error| prepared.not_judged(&error))
                }),
            };
            *lock(&self.found[index]) = Some(alone);
            // The release of each decrement and the acquire of the last make every result visible to it.
            if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.judge_group(prepared);
            }
            if is_over() {
                return;
            }
        }
    }

    fn judge_group(&self, prepared: &PreparedRubric) {
        let Request { rubric, completions, weights, .. } = &self.request;
        let taken = |cell: &Mutex<Option<Alone>>| {
            lock(cell).take().expect("the last completion is judged after all others, this is a bug")
        };
        let found = self.found.iter().map(taken).collect();
        let rewards = polite::while_wanted(|| Ok(prepared.judge_group(completions, found, weights)))
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
