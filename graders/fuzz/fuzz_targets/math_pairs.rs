//! Both sides at once: the first line is the reference, the rest the answer. A text equals itself or is left
//! open, the verdict does not depend on the order, and an explanation agrees with it.
#![no_main]

use std::sync::{Arc, OnceLock};

use graders::{Completion, GradeCompletion, Grader, Prepared, Reason, Resources, Task, build_grader};

static GRADER: OnceLock<Arc<dyn Grader>> = OnceLock::new();

fn judge(reference: &str) -> Option<Box<dyn GradeCompletion>> {
    let config = serde_json::json!({"type": "math", "extract": ["whole"], "policy": {"equations": "restated"}});
    let grader = GRADER.get_or_init(|| build_grader(&config).expect("a grader"));
    match grader.prepare(&Task::with_reference(reference), &Resources::default()) {
        Ok(Prepared::Completion(judge)) => Some(judge),
        _ => None,
    }
}

graders_fuzz::libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (left, right) = text.split_once('\n').unwrap_or((&text, &text));
    let reason = |reference: &str, answer: &str| {
        let judge = judge(reference)?;
        let completion = Completion::new(answer);
        let verdict = judge.grade(&completion).expect("a verdict");
        let explained = judge.explain(&completion).expect("an explanation");
        assert_eq!(verdict, explained.verdict, "{reference:?} {answer:?}");
        // Of a reference that is a sentence, what it states is compared, the answer stands as it is.
        let read = explained.reference.first().map(|side| side.text.clone());
        let same = read.is_some() && read == explained.answer.map(|side| side.text);
        Some((verdict.reason, same))
    };
    for side in [left, right] {
        if let Some((found, true)) = reason(side, side) {
            assert_ne!(found, Reason::Different, "{side:?} differs from itself");
        }
    }
    let (forth, back) = (reason(left, right), reason(right, left));
    let bare = |side: &str| reason(side, side).is_some_and(|(_, same)| same);
    if let (Some((forth, _)), Some((back, _))) = (forth, back)
        && bare(left)
        && bare(right)
    {
        let accepted = |reason| reason == Reason::Equivalent;
        assert_eq!(accepted(forth), accepted(back), "{left:?} {right:?}: {forth} {back}");
    }
});
