//! Made-up completions: the mix, and what each kind looks like.

use std::collections::BTreeMap;

use gavel::tasks::{Dress, environment, environments, labelled_completions, sample_completions};
use graders::Task;

use super::generation::some;

#[test]
fn the_same_arguments_give_the_same_completions() {
    let environment = environment("word_problem").unwrap();
    let task = &some("word_problem", 1)[0];
    let one = sample_completions(environment, task, 8, 1).unwrap();
    assert_eq!(one, sample_completions(environment, task, 8, 1).unwrap());
    assert_eq!(one[..3], sample_completions(environment, task, 3, 1).unwrap(), "a prefix of a longer list");
    assert_ne!(one, sample_completions(environment, task, 8, 2).unwrap());
}

#[test]
fn about_half_is_right_and_every_kind_occurs() {
    for environment in environments() {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let (mut right, mut all) = (0, 0);
        for task in some(environment.name(), 500) {
            for sample in labelled_completions(*environment, &task, 8, 3).unwrap() {
                *kinds.entry(format!("{:?}", sample.dress)).or_default() += 1;
                right += usize::from(sample.right);
                all += 1;
                check(&task, environment.name(), &sample);
            }
        }
        assert!((45..=55).contains(&(100 * right / all)), "{right} of {all}");
        let expected = if environment.name() == "countdown" { 9 } else { 11 };
        assert_eq!(kinds.len(), expected, "{kinds:?}");
    }
}

fn check(task: &Task, environment: &str, sample: &gavel::tasks::Sample) {
    let completion = &sample.completion;
    let text = completion.text.as_str();
    assert_eq!(completion.finish_reason.as_deref() == Some("length"), sample.dress == Dress::Truncated);
    assert!(completion.n_tokens.unwrap() >= 1);
    let closed = text.contains("</answer>");
    match sample.dress {
        Dress::Tagged | Dress::Wrong | Dress::OtherForm | Dress::BoxedInTag | Dress::Hedged => {
            assert!(text.ends_with("</answer>"), "{text}");
        }
        Dress::TrailingText => assert!(closed && !text.ends_with("</answer>")),
        Dress::Boxed => assert!(!closed && text.contains("\\boxed{")),
        Dress::Truncated | Dress::NoAnswer | Dress::Garbage => assert!(!closed && !text.contains("\\boxed")),
        Dress::Empty => assert!(text.is_empty()),
    }
    if environment != "countdown" && sample.dress == Dress::Tagged {
        let answer = format!("<answer>{}</answer>", task.reference.as_ref().unwrap().as_str().unwrap());
        assert!(text.ends_with(&answer));
    }
}
