//! Tasks are a pure function of their place, and splits share nothing.

use std::collections::{BTreeMap, BTreeSet};

use gavel::tasks::{Draw, Place, Split, environment, environment_names, environments};
use graders::{Prompt, Task, content_hash};

fn at(split: Split, seed: u64, index: u64, level: u8) -> Place {
    Place { split, seed, index, level }
}

pub(super) fn prompt(task: &Task) -> &str {
    match task.prompt.as_ref().unwrap() {
        Prompt::Text(text) => text,
        Prompt::Messages(_) => panic!("these environments ask in plain text"),
    }
}

/// Tasks of every level, in turn.
pub(super) fn some(name: &str, n: u64) -> Vec<Task> {
    let environment = environment(name).unwrap();
    let levels = environment.levels();
    (0..n)
        .map(|index| {
            let level = levels[(index % levels.len() as u64) as usize].number;
            environment.generate(&at(Split::Train, 7, index, level)).unwrap()
        })
        .collect()
}

/// A changed hash means that a published place now names another task: raise the environment's version.
#[test]
fn tasks_are_the_same_for_ever() {
    let golden: BTreeMap<(&str, u8), &str> = GOLDEN.iter().map(|(n, l, hash)| ((*n, *l), *hash)).collect();
    let mut found = Vec::new();
    for environment in environments() {
        for level in environment.levels() {
            let tasks: Vec<_> = (0..20)
                .map(|index| {
                    let place = at(Split::ALL[(index % 3) as usize], 42, index, level.number);
                    serde_json::to_value(environment.generate(&place).unwrap()).unwrap()
                })
                .collect();
            let hash = content_hash(&tasks.into())[..16].to_owned();
            found.push((environment.name(), level.number, hash));
        }
    }
    let differ: Vec<_> =
        found.iter().filter(|(n, l, hash)| golden.get(&(*n, *l)) != Some(&hash.as_str())).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(golden.len(), found.len());
}

const GOLDEN: &[(&str, u8, &str)] = &[
    ("arithmetic", 1, "25a3faeb6ced4220"),
    ("arithmetic", 2, "7eefc1e6423f5fb7"),
    ("arithmetic", 3, "3f983ff5d1886cfd"),
    ("arithmetic", 4, "7e16e269f7b3d312"),
    ("arithmetic", 5, "72442e1068f75d6c"),
    ("column_addition", 1, "f0949329a8060816"),
    ("column_addition", 2, "776377068bb98718"),
    ("column_addition", 3, "d72dd9c6a2bc58a1"),
    ("column_addition", 4, "95ed53b80549b301"),
    ("countdown", 1, "a137b8f97af5a426"),
    ("countdown", 2, "5d2044c64e7be5fc"),
    ("countdown", 3, "a09e9c109635901d"),
    ("countdown", 4, "291ef1fb8b601866"),
    ("countdown", 5, "70aa48941d1d7ea0"),
    ("countdown", 6, "5a45ddd2018f9149"),
    ("word_problem", 1, "4544a2faf575f6ab"),
    ("word_problem", 2, "7cd8386080e62bca"),
    ("word_problem", 3, "5a4a9c46a91cc2ae"),
    ("word_problem", 4, "f8eca130ca628076"),
    ("word_problem", 5, "52dff59e8ae52ad5"),
];

#[test]
fn names_lead_to_environments() {
    assert_eq!(
        environment_names().collect::<Vec<_>>(),
        ["arithmetic", "column_addition", "countdown", "word_problem"]
    );
    for name in environment_names() {
        assert_eq!(environment(name).unwrap().name(), name);
    }
    assert!(environment("chess").is_none());
}

#[test]
fn an_unknown_level_is_an_error_that_names_the_known_ones() {
    let error = environment("arithmetic").unwrap().generate(&at(Split::Train, 0, 0, 9)).unwrap_err();
    assert_eq!(error.to_string(), "arithmetic has no level 9; its levels are 1, 2, 3, 4, 5");
}

/// The problems of the splits are disjoint, also where the seeds are the same or follow each other.
fn splits_share_no_problem(name: &str) {
    let environment = environment(name).unwrap();
    let levels = environment.levels();
    let mut seen: BTreeMap<String, Split> = BTreeMap::new();
    for split in Split::ALL {
        for index in 0..10_000 {
            let level = levels[(index % levels.len() as u64) as usize].number;
            let task = environment.generate(&at(split, index % 3, index, level)).unwrap();
            let other = seen.insert(problem(&task), split);
            assert!(other.is_none_or(|other| other == split), "{}", prompt(&task));
        }
    }
}

#[test]
fn splits_share_no_arithmetic() {
    splits_share_no_problem("arithmetic");
}

#[test]
fn splits_share_no_countdown() {
    splits_share_no_problem("countdown");
}

#[test]
fn splits_share_no_story() {
    splits_share_no_problem("word_problem");
}

/// What a model could remember: the numbers of a puzzle, or the whole text.
fn problem(task: &Task) -> String {
    match task.metadata.get("numbers") {
        Some(numbers) => {
            let mut numbers: Vec<i64> = serde_json::from_value(numbers.clone()).unwrap();
            numbers.sort_unstable();
            format!("{numbers:?} {}", task.metadata["target"])
        }
        None => prompt(task).to_owned(),
    }
}

/// Adding the index to the seed would make (42, 1) and (43, 0) one task.
#[test]
fn seeds_do_not_slide_into_each_other() {
    for environment in environments() {
        let level = environment.levels().last().unwrap().number;
        let tasks = |seed: u64| -> Vec<String> {
            (0..50)
                .map(|index| problem(&environment.generate(&at(Split::Train, seed, index, level)).unwrap()))
                .collect()
        };
        let (one, two): (BTreeSet<_>, BTreeSet<_>) =
            (tasks(42).into_iter().collect(), tasks(43).into_iter().collect());
        assert!(one.len() >= 49, "{} repeats itself", environment.name());
        assert!(one.intersection(&two).count() <= 1, "{}", environment.name());
    }
}

#[test]
fn the_place_is_written_into_the_metadata() {
    let task = environment("countdown").unwrap().generate(&at(Split::Test, 3, 9, 2)).unwrap();
    assert_eq!(task.metadata["environment"], "countdown");
    assert_eq!(task.metadata["environment_version"], 1);
    assert_eq!(task.metadata["split"], "test");
    assert_eq!(task.metadata["level"], 2);
}

#[test]
fn every_template_comes_up_in_every_split_and_keeps_its_number_of_steps() {
    let environment = environment("word_problem").unwrap();
    let mut seen: BTreeMap<Split, BTreeSet<String>> = BTreeMap::new();
    for split in Split::ALL {
        for level in 1..=5 {
            for index in 0..600 {
                let task = environment.generate(&at(split, 1, index, level)).unwrap();
                let template = task.metadata["template"].as_str().unwrap().to_owned();
                let working = task.metadata["working"].as_array().unwrap();
                assert_eq!(task.metadata["steps"], working.len(), "{template}");
                seen.entry(split).or_default().insert(template);
            }
        }
    }
    let counts: Vec<usize> = seen.values().map(BTreeSet::len).collect();
    assert_eq!(counts, [TEMPLATES; 3]);
}

const TEMPLATES: usize = 70;

#[test]
fn distractors_come_with_the_level() {
    let environment = environment("word_problem").unwrap();
    for (level, allowed) in [(1, 0..=0), (2, 0..=0), (3, 0..=1), (4, 1..=1), (5, 2..=2)] {
        for index in 0..100 {
            let task = environment.generate(&at(Split::Train, 5, index, level)).unwrap();
            assert!(allowed.contains(&task.metadata["distractors"].as_i64().unwrap()));
        }
    }
}

/// The text of a story is well formed: no placeholder left, sentences begin and end as they should, and what is
/// counted agrees with its number.
#[test]
fn stories_read_well() {
    for task in some("word_problem", 4_000) {
        let text = prompt(&task);
        let (story, instruction) = text.split_once("\n\n").unwrap();
        assert!(instruction.contains("<think>") && instruction.contains("<answer>"));
        assert!(story.ends_with('?') || story.ends_with('.'), "{story}");
        for wrong in [
            "{", "}", "  ", " ,", "..", " a a", " a e", " a i", " a o", "$0 ", "$-", " -", " 0 ", " no ",
            "/1",
        ] {
            assert!(!story.contains(wrong), "`{wrong}` in: {story}");
        }
        for sentence in story.split(['.', '?']).map(str::trim).filter(|s| !s.is_empty()) {
            let first = sentence.chars().next().unwrap();
            assert!(!first.is_lowercase(), "{story}");
        }
        let words: Vec<&str> = story.split_whitespace().collect();
        for pair in words.windows(2) {
            if pair[0] == "1" || pair[0].eq_ignore_ascii_case("one") {
                let plural = ["marbles", "apples", "days", "hours", "weeks", "years", "friends", "minutes"];
                assert!(!plural.contains(&pair[1].trim_end_matches(['.', ',', '?'])), "{story}");
            }
        }
    }
}

/// Generation gives up after 4,096 draws; this is why it never does. The rarest split takes one draw in eight, and
/// of the others at most nine in ten may be refused.
#[test]
fn no_template_refuses_more_than_nine_draws_in_ten() {
    for environment in environments() {
        // Templates and kinds follow the choice; there are no more of them.
        let choices = if environment.name() == "word_problem" { TEMPLATES as u64 } else { 5 };
        for level in environment.levels() {
            for choice in 0..choices {
                let accepted = (0..200_u64)
                    .filter(|n| {
                        let mut draw = Draw::new(&[b"acceptance", &n.to_le_bytes()]);
                        environment.propose(level, choice, &mut draw).is_some()
                    })
                    .count();
                assert!(
                    accepted > 20,
                    "{} level {} choice {choice}: {accepted} of 200",
                    environment.name(),
                    level.number
                );
            }
        }
    }
}
