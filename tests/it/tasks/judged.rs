//! The environments' own rubrics judge their completions as the environments say: the oracle is right, wrong
//! answers and hedges are not, and an answer in another dress is the same answer.

use std::sync::Arc;

use gavel::tasks::{Environment, Place, Split, environments, labelled_completions};
use graders::{Completion, Progress, Resources, Rubric, Task};

/// Tasks of each level.
const N_TASKS: u64 = 40;

/// The accuracy of each completion by the environment's rubric.
fn accuracies(environment: &dyn Environment, task: &Task, completions: &[Completion]) -> Vec<f64> {
    let rubric = Arc::new(Rubric::from_value(&environment.rubric()).unwrap());
    let weights = rubric.weights(&Progress::default()).unwrap();
    let prepared = rubric.prepare(task, &Resources::default()).unwrap();
    let rewards = prepared.score(completions, &weights);
    let first = rewards.iter().map(|reward| &reward.components[0]);
    first.map(|accuracy| accuracy.outcome.as_ref().unwrap().score.unwrap()).collect()
}

fn each_task(mut visit: impl FnMut(&dyn Environment, &Task, &str)) {
    for environment in environments() {
        for level in environment.levels() {
            for index in 0..N_TASKS {
                let place = Place { split: Split::Train, seed: 11, index, level: level.number };
                let task = environment.generate(&place).unwrap();
                visit(*environment, &task, &format!("{} {place:?}", environment.name()));
            }
        }
    }
}

#[test]
fn oracles_are_right_and_attackers_are_not() {
    each_task(|environment, task, place| {
        let oracle = Completion::new(environment.oracle(task).unwrap());
        assert_eq!(
            accuracies(environment, task, std::slice::from_ref(&oracle)),
            [1.0],
            "{place}: {oracle:?} for {task:?}"
        );
        let mut attacks: Vec<_> = (0..8).map(|k| environment.wrong(task, k).unwrap()).collect();
        attacks.push(environment.hedge(task).unwrap());
        attacks.push(String::new());
        attacks.push("<think></think><answer></answer>".to_owned());
        for text in attacks {
            let attack = Completion::new(text);
            assert_eq!(
                accuracies(environment, task, std::slice::from_ref(&attack)),
                [0.0],
                "{place}: {attack:?} for {task:?}"
            );
        }
    });
}

#[test]
fn labelled_completions_are_judged_as_their_labels_say() {
    let mut n_right = 0;
    let mut n = 0;
    each_task(|environment, task, place| {
        let samples = labelled_completions(environment, task, 16, 5).unwrap();
        let completions: Vec<_> = samples.iter().map(|sample| sample.completion.clone()).collect();
        for (sample, accuracy) in samples.iter().zip(accuracies(environment, task, &completions)) {
            assert_eq!(accuracy, f64::from(sample.right), "{place}: {sample:?} for {:?}", task.reference);
            n_right += usize::from(sample.right);
            n += 1;
        }
    });
    assert!(n_right > n / 4 && n_right < 3 * n / 4, "{n_right} of {n} are right");
}
