//! `word_problem`: short stories with one number as answer, from templates, after the idea of GSM-Symbolic
//! (arXiv:2410.05229): names, things and numbers change, the reasoning stays.
//!
//! A template draws its numbers, does the arithmetic exactly and tells the story; where the numbers make no
//! sense (nothing left, a part of a person) it is drawn again.

mod collections;
mod distractors;
mod measures;
mod scene;
mod school;
mod shopping;
mod travel;
mod words;
mod work;

use graders::{Prompt, Task, TaskError};
use serde_json::{Map, Value};

use self::distractors::{Topic, distractor};
use self::scene::{Kind, Scene, Size, Story};
use super::draw::Draw;
use super::environment::{Environment, Level, Proposal, numeric_rubric};
use super::numeric::NumericTask;

/// Tasks told as stories.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordProblem;

const LEVELS: &[Level] = &[
    Level { number: 1, summary: "1 to 2 steps, small whole numbers" },
    Level { number: 2, summary: "2 to 3 steps, numbers up to 40" },
    Level { number: 3, summary: "2 to 4 steps, numbers up to 90, prices with cents, up to one distractor" },
    Level { number: 4, summary: "3 to 5 steps, numbers up to 250, one distractor" },
    Level { number: 5, summary: "4 to 6 steps, numbers up to 900, two distractors" },
];

/// What a level asks of templates and numbers.
struct Knobs {
    steps: (usize, usize),
    size: Size,
    distractors: (i64, i64),
}

const KNOBS: &[Knobs] = &[
    Knobs {
        steps: (1, 2),
        size: Size { some: (4, 20), few: (2, 9), cents: 100, dollars: 12 },
        distractors: (0, 0),
    },
    Knobs {
        steps: (2, 3),
        size: Size { some: (6, 40), few: (2, 10), cents: 50, dollars: 12 },
        distractors: (0, 0),
    },
    Knobs {
        steps: (2, 4),
        size: Size { some: (10, 90), few: (2, 12), cents: 25, dollars: 20 },
        distractors: (0, 1),
    },
    Knobs {
        steps: (3, 5),
        size: Size { some: (20, 250), few: (3, 15), cents: 5, dollars: 30 },
        distractors: (1, 1),
    },
    Knobs {
        steps: (4, 6),
        size: Size { some: (50, 900), few: (3, 24), cents: 5, dollars: 60 },
        distractors: (2, 2),
    },
];

/// A kind of story.
struct Template {
    /// The stable name.
    name: &'static str,
    /// Operations from the numbers in the text to the answer.
    steps: usize,
    /// What the story is about, so that no distractor meddles with it.
    about: Topic,
    tell: fn(&mut Scene<'_>) -> Option<Story>,
}

const fn template(
    name: &'static str,
    steps: usize,
    about: Topic,
    tell: fn(&mut Scene<'_>) -> Option<Story>,
) -> Template {
    Template { name, steps, about, tell }
}

fn templates() -> impl Iterator<Item = &'static Template> {
    [
        shopping::TEMPLATES,
        collections::TEMPLATES,
        travel::TEMPLATES,
        work::TEMPLATES,
        school::TEMPLATES,
        measures::TEMPLATES,
    ]
    .into_iter()
    .flatten()
}

impl Environment for WordProblem {
    fn name(&self) -> &'static str {
        "word_problem"
    }

    fn version(&self) -> u32 {
        1
    }

    fn description(&self) -> &'static str {
        "Everyday stories with one number as answer, in one to six steps, with and without distracting facts."
    }

    fn levels(&self) -> &'static [Level] {
        LEVELS
    }

    fn rubric(&self) -> Value {
        numeric_rubric()
    }

    fn propose(&self, level: &Level, choice: u64, draw: &mut Draw) -> Option<Proposal> {
        let knobs = KNOBS.get(usize::from(level.number).checked_sub(1)?)?;
        let fitting: Vec<&Template> = templates()
            .filter(|template| (knobs.steps.0..=knobs.steps.1).contains(&template.steps))
            .collect();
        let template = fitting.get((choice % fitting.len().max(1) as u64) as usize)?;
        let story = (template.tell)(&mut Scene::new(draw, knobs.size))?;
        let distractors = draw.between(knobs.distractors.0, knobs.distractors.1);
        Some(proposal(template, story, distractors, draw))
    }

    fn oracle(&self, task: &Task) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.oracle())
    }

    fn wrong(&self, task: &Task, k: usize) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.wrong(k))
    }

    fn hedge(&self, task: &Task) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.hedge())
    }
}

fn proposal(template: &Template, mut story: Story, distractors: i64, draw: &mut Draw) -> Proposal {
    let mut topics = vec![template.about];
    for _ in 0..distractors {
        let (topic, sentence) = distractor(&topics, &story, draw);
        topics.push(topic);
        // Never first, where it would introduce someone before the story does.
        let at = 1 + draw.index(story.sentences.len());
        story.sentences.insert(at.min(story.sentences.len()), sentence);
    }
    let (form, reference) = match story.kind {
        Kind::Whole => ("the number, without a unit,", story.answer.decimal()),
        Kind::Dollars => ("the amount in dollars, without the dollar sign,", story.answer.money()),
        Kind::Fraction => ("the fraction in lowest terms, such as 3/4,", story.answer.to_string()),
    };
    let prompt = format!(
        "{} {}\n\nThink step by step between <think> and </think>. Then write {form} and nothing else between <answer> \
         and </answer>.",
        story.sentences.join(" "),
        story.question
    );
    // Names and things are no part of it: the same numbers in the same template are the same problem.
    let numbers = story.numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let identity = format!("{}:{numbers}", template.name);
    let metadata = Map::from_iter([
        ("template".to_owned(), template.name.into()),
        ("steps".to_owned(), template.steps.into()),
        ("distractors".to_owned(), distractors.into()),
        ("working".to_owned(), story.working.into()),
    ]);
    let task = Task {
        prompt: Some(Prompt::Text(prompt)),
        reference: Some(reference.into()),
        metadata,
        ..Task::default()
    };
    Proposal { task, identity }
}
