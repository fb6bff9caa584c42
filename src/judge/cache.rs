//! Verdicts that were found lately, by the content of what decides them.
//!
//! A verdict is a function of rubric, task and completion, and of the models that a grader asks, so an equal question has an equal answer: the same batch
//! sent again after a lost reply, the same program written twice, a held-out task answered as before. Errors are not
//! kept: they say something about the judge at one moment. What took less time than it takes to find again is not
//! kept either.

use std::fmt;
use std::time::Duration;

use graders::{Alone, Completion, Detail, Resources, Rubric, Task, reference_hash};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Verdicts are kept from this much work on, unless it is said otherwise.
pub const MIN_WORK: Duration = Duration::from_micros(100);

/// What an entry takes besides its details: key, places, bookkeeping.
const ENTRY_BYTES: u64 = 256;
/// What a JSON value takes besides its text.
const VALUE_BYTES: u64 = 48;

type Key = [u8; 32];

/// Verdicts that were found lately.
pub struct VerdictCache {
    verdicts: Option<Cache<Key, Alone, Bytes>>,
    min_work: Duration,
}

/// What decides the verdicts of a group, besides the completions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question(Key);

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<Key, Alone> for Bytes {
    fn weight(&self, _: &Key, alone: &Alone) -> u64 {
        let outcome = |outcome: &graders::Outcome| match outcome {
            Ok(verdict) => detail_bytes(&verdict.detail),
            Err(error) => error.message.len() as u64,
        };
        ENTRY_BYTES + alone.iter().flatten().map(|found| ENTRY_BYTES + outcome(found)).sum::<u64>()
    }
}

fn detail_bytes(detail: &Detail) -> u64 {
    detail.iter().map(|(key, value)| key.len() as u64 + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> u64 {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(value_bytes).sum(),
            Value::Object(fields) => detail_bytes(fields),
        }
}

impl fmt::Debug for VerdictCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerdictCache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl VerdictCache {
    /// A cache of at most `max_bytes`, about; 0 keeps nothing. Verdicts that took less than `min_work` are not kept.
    pub fn new(max_bytes: u64, min_work: Duration) -> Self {
        let items = usize::try_from(max_bytes / (4 * ENTRY_BYTES)).unwrap_or(usize::MAX);
        let verdicts = (max_bytes > 0).then(|| Cache::with_weighter(items.max(1), max_bytes, Bytes));
        Self { verdicts, min_work }
    }

    /// A cache that keeps nothing.
    pub fn off() -> Self {
        Self::new(0, Duration::ZERO)
    }

    /// How many bytes it holds, about.
    pub fn bytes(&self) -> u64 {
        self.verdicts.as_ref().map_or(0, Cache::weight)
    }

    /// What decides the verdicts of a group; none where nothing is kept.
    pub(super) fn question(&self, rubric: &Rubric, task: &Task, resources: &Resources) -> Option<Question> {
        self.verdicts.as_ref()?;
        let versions = Value::from(rubric.grader_versions()).to_string();
        let circumstances = Value::from(rubric.circumstances(task, resources)).to_string();
        let parts = [rubric.hash(), &reference_hash(task), &versions, &circumstances];
        Some(Question(hash(&parts.map(str::as_bytes))))
    }

    /// The verdicts on `completion`: those that were found before, or those that `judge` finds now.
    pub(super) fn find(
        &self,
        question: Option<&Question>,
        completion: &Completion,
        judge: impl FnOnce() -> Alone,
    ) -> Alone {
        let (Some(verdicts), Some(question)) = (&self.verdicts, question) else { return judge() };
        let Completion { id: _, text, n_tokens, finish_reason } = completion;
        let n_tokens = n_tokens.map_or([0xff; 8], |n| u64::from(n).to_le_bytes());
        let reason = finish_reason.as_deref().map_or(&[0xff][..], str::as_bytes);
        let key = hash(&[&question.0, text.as_bytes(), &n_tokens, reason]);
        if let Some(known) = verdicts.get(&key) {
            metrics::counter!("gavel_verdict_cache_total", "result" => "hit").increment(1);
            return known;
        }
        let begun = std::time::Instant::now();
        let found = judge();
        let whole = found.iter().flatten().all(Result::is_ok);
        if whole && begun.elapsed() >= self.min_work {
            metrics::counter!("gavel_verdict_cache_total", "result" => "miss").increment(1);
            verdicts.insert(key, found.clone());
        }
        found
    }
}

/// SHA-256 of parts with their lengths, so that no two lists of parts are alike.
fn hash(parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use graders::{Answer, ErrorKind, GradeError, LanguageModel, ModelError, Reason, Verdict, preset};
    use serde_json::json;

    use super::*;

    fn rubric(name: &str) -> Rubric {
        Rubric::from_value(&preset::preset(name).unwrap()).unwrap()
    }

    #[test]
    fn an_equal_question_has_an_equal_answer_and_no_other_has() {
        let cache = VerdictCache::new(1 << 20, Duration::ZERO);
        let n_judged = Cell::new(0);
        let math = cache.question(&rubric("math"), &Task::with_reference("1"), &Resources::default());
        let questions = [
            math,
            cache.question(&rubric("math"), &Task::with_reference("2"), &Resources::default()),
            cache.question(&rubric("r1"), &Task::with_reference("1"), &Resources::default()),
        ];
        let length = Completion { n_tokens: Some(3), ..Completion::new("a") };
        let cut = Completion { finish_reason: Some("length".to_owned()), ..Completion::new("a") };
        let named = Completion { id: Some("x".to_owned()), ..Completion::new("a") };
        let find = |question: &Option<Question>, completion: &Completion| {
            cache.find(question.as_ref(), completion, || {
                n_judged.set(n_judged.get() + 1);
                vec![Some(Ok(Verdict::new(f64::from(n_judged.get()), Reason::Equivalent))), None]
            })
        };
        let mut found = Vec::new();
        for _ in 0..2 {
            for question in &questions {
                for completion in [&Completion::new("a"), &Completion::new("b"), &length, &cut] {
                    found.push(find(question, completion));
                }
            }
        }
        assert_eq!(n_judged.get(), 12);
        assert_eq!(found[..12], found[12..]);
        assert_eq!(find(&math, &named), found[0], "the name decides nothing");
    }

    /// A model that is never asked.
    struct Named(&'static str);

    impl LanguageModel for Named {
        fn revision(&self) -> String {
            self.0.to_owned()
        }

        fn ask(&self, _: &graders::Question) -> Result<Vec<Answer>, ModelError> {
            Err(ModelError::Unavailable(String::new()))
        }
    }

    #[test]
    fn another_model_or_prompt_is_another_question() {
        let cache = VerdictCache::new(1 << 20, Duration::ZERO);
        let spec = |model: &str| {
            let grader = json!({"type": "judge", "model": model});
            Rubric::from_value(&json!({"components": [{"name": "a", "grader": grader}]})).unwrap()
        };
        let with = |revision: &'static str| {
            let model: Arc<dyn LanguageModel> = Arc::new(Named(revision));
            let models = ["m", "n"].map(|name| (name.to_owned(), Arc::clone(&model)));
            Resources { language_models: models.into(), ..Resources::default() }
        };
        let task = |prompt: &str| Task {
            prompt: Some(graders::Prompt::Text(prompt.to_owned())),
            ..Task::with_reference("1")
        };
        let keys = [
            cache.question(&spec("m"), &task("p"), &with("1")),
            cache.question(&spec("m"), &task("p"), &with("2")),
            cache.question(&spec("m"), &task("q"), &with("1")),
            cache.question(&spec("n"), &task("p"), &with("1")),
            cache.question(&spec("m"), &task("p"), &Resources::default()),
        ]
        .map(|question| question.unwrap().0);
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
        assert_eq!(cache.question(&spec("m"), &task("p"), &with("1")).unwrap().0, keys[0]);
    }

    #[test]
    fn errors_and_cheap_verdicts_are_not_kept() {
        for (min_work, outcome) in [
            (Duration::ZERO, Err(GradeError::new(ErrorKind::SandboxFailed, ""))),
            (Duration::MAX, Ok(Verdict::new(1.0, Reason::Equivalent))),
        ] {
            let cache = VerdictCache::new(1 << 20, min_work);
            let question = cache.question(&rubric("math"), &Task::default(), &Resources::default());
            let n = Cell::new(0);
            for _ in 0..3 {
                cache.find(question.as_ref(), &Completion::new("a"), || {
                    n.set(n.get() + 1);
                    vec![Some(outcome.clone())]
                });
            }
            assert_eq!((n.get(), cache.bytes()), (3, 0));
        }
    }

    #[test]
    fn it_stays_within_its_bytes() {
        let cache = VerdictCache::new(1 << 20, Duration::ZERO);
        let question = cache.question(&rubric("math"), &Task::default(), &Resources::default());
        for n in 0..10_000 {
            cache.find(question.as_ref(), &Completion::new(n.to_string()), || {
                vec![Some(Ok(Verdict::new(0.0, Reason::Equivalent).with("text", "x".repeat(1000))))]
            });
        }
        assert!((1..=1 << 20).contains(&cache.bytes()), "{}", cache.bytes());
    }
}
