//! The graders that read words: `instruct` and `language`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use graders::{
    Completion, GradeCompletion, Instruction, MAX_TEXT_BYTES, Prepared, Reason, Resources, Task, TaskError,
    Verdict, build_grader,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

fn prepare(grader: &Value, task: &Task) -> Result<Box<dyn GradeCompletion>, TaskError> {
    match build_grader(grader).unwrap().prepare(task, &Resources::default())? {
        Prepared::Completion(judge) => Ok(judge),
        Prepared::Group(_) => panic!("not a group grader"),
    }
}

fn grade(grader: &Value, task: &Task, text: &str) -> Verdict {
    prepare(grader, task).unwrap().grade(&Completion::new(text)).unwrap()
}

fn instructed(instructions: Value) -> Task {
    Task { instructions: serde_json::from_value(instructions).unwrap(), ..Task::default() }
}

fn vectors(name: &str) -> Value {
    let path = "testdata/vectors/vectors.json";
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all["rewards"][name].clone()
}

/// An argument for each of the 25 types.
fn every_type() -> Vec<Instruction> {
    let list = json!([
        {"id": "keywords:existence", "kwargs": {"keywords": ["a", "(b"]}},
        {"id": "keywords:frequency", "kwargs": {"keyword": "a*", "frequency": 3, "relation": "at least"}},
        {"id": "keywords:forbidden_words", "kwargs": {"forbidden_words": ["a", "c++"]}},
        {"id": "keywords:letter_frequency", "kwargs": {"letter": "e", "let_frequency": 3, "let_relation": "less than"}},
        {"id": "language:response_language", "kwargs": {"language": "en"}},
        {"id": "length_constraints:number_sentences", "kwargs": {"num_sentences": 2, "relation": "less than"}},
        {"id": "length_constraints:number_paragraphs", "kwargs": {"num_paragraphs": 2}},
        {"id": "length_constraints:number_words", "kwargs": {"num_words": 4, "relation": "at least"}},
        {"id": "length_constraints:nth_paragraph_first_word",
            "kwargs": {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "a"}},
        {"id": "detectable_content:number_placeholders", "kwargs": {"num_placeholders": 1}},
        {"id": "detectable_content:postscript", "kwargs": {"postscript_marker": "P.S."}},
        {"id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 1}},
        {"id": "detectable_format:constrained_response"},
        {"id": "detectable_format:number_highlighted_sections", "kwargs": {"num_highlights": 1}},
        {"id": "detectable_format:multiple_sections", "kwargs": {"section_spliter": "Part", "num_sections": 1}},
        {"id": "detectable_format:json_format"},
        {"id": "detectable_format:title"},
        {"id": "combination:two_responses"},
        {"id": "combination:repeat_prompt", "kwargs": {"prompt_to_repeat": "a"}},
        {"id": "startend:end_checker", "kwargs": {"end_phrase": "a"}},
        {"id": "startend:quotation"},
        {"id": "change_case:capital_word_frequency", "kwargs": {"capital_frequency": 1, "capital_relation": "at least"}},
        {"id": "change_case:english_capital"},
        {"id": "change_case:english_lowercase"},
        {"id": "punctuation:no_comma"},
    ]);
    serde_json::from_value(list).unwrap()
}

#[test]
fn ifeval_vectors_agree() {
    #[derive(Deserialize)]
    struct Case {
        instruction_id: String,
        kwargs: serde_json::Map<String, Value>,
        text: String,
        expected: bool,
    }
    let cases: Vec<Case> = serde_json::from_value(vectors("ifeval")).unwrap();
    assert_eq!(cases.len(), 75);
    let mut wrong = String::new();
    for case in cases {
        let instruction = Instruction { id: case.instruction_id, kwargs: case.kwargs };
        let task = Task { instructions: vec![instruction.clone()], ..Task::default() };
        let verdict = grade(&json!({"type": "instruct"}), &task, &case.text);
        if verdict.score != Some(f64::from(u8::from(case.expected))) {
            writeln!(wrong, "{instruction:?} on {:?}: expected {}", case.text, case.expected).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn language_vectors_agree() {
    #[derive(Deserialize)]
    struct Case {
        text: String,
        target: String,
        words: Vec<String>,
        expected: Option<f64>,
    }
    let cases: Vec<Case> = serde_json::from_value(vectors("language_consistency_script")).unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let grader = json!({"type": "language", "language": case.target, "method": "script", "min_words": 1});
        let verdict = grade(&grader, &Task::default(), &case.text);
        assert_eq!(verdict.score, case.expected, "{}: {:?}", case.text, verdict.detail);
        assert_eq!(verdict.detail["words"], json!(case.words.len()), "{}", case.text);
    }
}

/// The test sentences: language and text.
fn sentences() -> Vec<(String, String)> {
    let path = "testdata/language/sentences.tsv";
    let file = std::fs::read_to_string(path).unwrap();
    let rows = file.lines().map(|line| line.split_once('\t').unwrap());
    rows.map(|(tag, text)| (tag.to_owned(), text.to_owned())).collect()
}

#[test]
fn sentences_are_identified() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = String::new();
    for (tag, text) in sentences() {
        let grader = json!({"type": "language", "language": tag, "min_words": 1});
        let verdict = grade(&grader, &Task::default(), &text);
        let entry = counts.entry(tag.clone()).or_default();
        entry.1 += 1;
        if verdict.reason == Reason::Consistent {
            entry.0 += 1;
        } else {
            writeln!(wrong, "{tag} {} {:?} {text}", verdict.reason, verdict.detail).unwrap();
        }
    }
    let (right, all) = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{right} of {all}: {counts:?}\n{wrong}");
    assert!(all >= 300 && counts.len() >= 12);
    assert!(right * 100 >= all * 98, "{right} of {all}\n{wrong}");
    for tag in ["en", "fr", "de", "es", "it", "pt", "nl"] {
        assert!(counts[tag].0 * 100 >= counts[tag].1 * 95, "{tag}\n{wrong}");
    }
}

#[test]
fn a_chain_of_thought_scores_by_its_language() {
    let mut by_tag: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tag, text) in sentences() {
        by_tag.entry(tag).or_default().push(text);
    }
    let math = [
        "$x^2 + y^2 = \\frac{1}{2}$",
        "\\[ \\int_0^1 f(x) dx \\]",
        "`print(total)`",
        "3 * 4 = 12",
        "\\(a_n\\)",
    ];
    let thought = |sentences: &[String]| {
        let mut text = String::from("<think>\n");
        for (sentence, math) in sentences.iter().zip(math.iter().cycle()) {
            writeln!(text, "{sentence} {math}\n").unwrap();
        }
        text + "</think>\n<answer>Bonjour tout le monde, voici la réponse</answer>"
    };
    let tags: Vec<&String> = by_tag.keys().collect();
    for ((tag, sentences), next) in by_tag.iter().zip(tags.iter().cycle().skip(1)) {
        let text = thought(sentences);
        let score = |target: &str| {
            let verdict = grade(&json!({"type": "language", "language": target}), &Task::default(), &text);
            verdict.score.unwrap()
        };
        assert!(score(tag) >= 0.9, "{tag}: {}", score(tag));
        for other in [next.as_str(), "en", "fr"] {
            assert!(other == tag || score(other) <= 0.1, "{tag} as {other}: {}", score(other));
        }
    }
}

/// The pointer of the error that `instructions` give.
fn pointer(instructions: Value) -> String {
    match prepare(&json!({"type": "instruct"}), &instructed(instructions)) {
        Ok(_) => panic!("no error"),
        Err(error) => {
            assert!(!error.message.is_empty());
            error.pointer
        }
    }
}

#[test]
fn wrong_instructions_are_pointed_at() {
    let words = |kwargs: Value| json!([{"id": "length_constraints:number_words", "kwargs": kwargs}]);
    let at = "/instructions/0/kwargs/";
    assert_eq!(pointer(json!([])), "/instructions");
    assert_eq!(pointer(json!(vec![json!({"id": "startend:quotation"}); 33])), "/instructions");
    assert_eq!(pointer(json!([{"id": "startend:quotation"}, {"id": "nonsense"}])), "/instructions/1/id");
    assert_eq!(pointer(words(json!({"relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": null, "relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": "3", "relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": -3, "relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": 2.5, "relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": 1e300, "relation": "at least"}))), format!("{at}num_words"));
    assert_eq!(pointer(words(json!({"num_words": 3}))), format!("{at}relation"));
    assert_eq!(pointer(words(json!({"num_words": 3, "relation": "at most"}))), format!("{at}relation"));
    assert_eq!(
        pointer(words(json!({"num_words": 3, "relation": "at least", "n/a": 1}))),
        format!("{at}n~1a")
    );
    let quotation = json!([{"id": "startend:quotation", "kwargs": {"num_words": 3}}]);
    assert_eq!(pointer(quotation), format!("{at}num_words"));
    let keywords = |keywords: Value| json!([{"id": "keywords:existence", "kwargs": {"keywords": keywords}}]);
    assert_eq!(pointer(keywords(json!([]))), format!("{at}keywords"));
    assert_eq!(pointer(keywords(json!("word"))), format!("{at}keywords"));
    assert_eq!(pointer(keywords(json!(["a", " "]))), format!("{at}keywords/1"));
    assert_eq!(pointer(keywords(json!(["a", "(a{999}){999}"]))), format!("{at}keywords/1"));
    let letter = |letter: &str| {
        json!([{"id": "keywords:letter_frequency",
            "kwargs": {"letter": letter, "let_frequency": 3, "let_relation": "at least"}}])
    };
    assert_eq!(pointer(letter("ab")), format!("{at}letter"));
    let paragraph = json!([{"id": "length_constraints:nth_paragraph_first_word",
        "kwargs": {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}}]);
    assert_eq!(pointer(paragraph), format!("{at}nth_paragraph"));
    let language = json!([{"id": "language:response_language", "kwargs": {"language": "tlh"}}]);
    assert_eq!(pointer(language), format!("{at}language"));
}

#[test]
fn arguments_of_other_types_may_be_null() {
    let task =
        instructed(json!([{"id": "startend:quotation", "kwargs": {"num_words": null, "relation": null}}]));
    assert_eq!(grade(&json!({"type": "instruct"}), &task, "\"a\"").score, Some(1.0));
}

#[test]
fn a_language_must_be_named_and_known() {
    let error = prepare(&json!({"type": "language"}), &Task::default()).err().unwrap();
    assert_eq!(error.pointer, "/language");
    let task = Task { language: Some("xx".to_owned()), ..Task::default() };
    let error = prepare(&json!({"type": "language"}), &task).err().unwrap();
    assert_eq!(error.pointer, "/language");
    assert!(error.message.contains("de, el, en"), "{}", error.message);
    let error = build_grader(&json!({"type": "language", "language": "xx"})).unwrap_err();
    assert_eq!(error.pointer, "/language");
    let error = build_grader(&json!({"type": "language", "min_words": 0})).unwrap_err();
    assert_eq!(error.pointer, "/min_words");
}

#[test]
fn the_detail_names_every_instruction() {
    let task = instructed(json!([{"id": "startend:quotation"}, {"id": "punctuation:no_comma"}]));
    let verdict = grade(&json!({"type": "instruct"}), &task, "plain");
    let expected = json!([
        {"id": "startend:quotation", "followed": false},
        {"id": "punctuation:no_comma", "followed": true},
    ]);
    assert_eq!(verdict.detail["instructions"], expected);
    assert_eq!((verdict.score, verdict.reason), (Some(0.5), Reason::PartlyFollowed));
}

/// Texts that make careless scanners rescan: openings without an end, ends without an opening, long runs.
const TRAPS: &[&str] = &[
    "`",
    "```\n",
    "``a",
    "$",
    "$ $a",
    "\\[",
    "\\(",
    "\\begin{",
    "\\end{",
    "<",
    "<a",
    "www.",
    "://",
    "https://",
    "*",
    "**",
    "***",
    "* \n",
    "\n",
    "- ",
    "[",
    "<<",
    "<<a",
    "a.",
    ". ",
    "...",
    "Dr. ",
    "1. ",
    "\n1. ",
    "'",
    "\"",
    "\\",
    "{",
    "[[",
    "a ",
    "ab ",
    "wort ",
    "mot. ",
    "字",
    "かな",
    "слово ",
    "ไ",
    "\u{301}",
    "\u{200d}",
    "SECTION 1",
    "A'S ",
    "</think>",
    "<think>",
    "é",
    "ﬀ",
    "ǅ",
    "P. S.",
    ":a",
    ",",
    "--",
    "a\u{1c}",
    "\r\n",
    "٣",
    "Ⅷ",
];

#[test]
fn every_grader_ends_on_long_runs_of_anything() {
    /// Of one kind; all kinds together make up [`MAX_TEXT_BYTES`].
    const RUN_BYTES: usize = 1 << 12;
    let all = Task { instructions: every_type(), language: Some("en".to_owned()), ..Task::default() };
    assert_eq!(all.instructions.len(), 25);
    let graders = [json!({"type": "instruct"}), json!({"type": "language"})];
    for grader in graders {
        let judge = prepare(&grader, &all).unwrap();
        let runs: Vec<String> = TRAPS.iter().map(|trap| trap.repeat(RUN_BYTES / trap.len())).collect();
        let mut all = runs.concat().repeat(8);
        all.truncate(all.floor_char_boundary(MAX_TEXT_BYTES));
        assert_eq!(all.len(), MAX_TEXT_BYTES);
        for text in runs.into_iter().chain([all]) {
            if let Some(score) = judge.grade(&Completion::new(text)).unwrap().score {
                assert!((0.0..=1.0).contains(&score), "{score}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_a_verdict(
        text in prop_oneof![
            any::<String>(),
            proptest::collection::vec(proptest::sample::select(TRAPS), 0..64).prop_map(|parts| parts.concat()),
            proptest::collection::vec(prop_oneof![
                proptest::sample::select(TRAPS).prop_map(str::to_owned), any::<String>(),
            ], 0..16).prop_map(|parts| parts.concat()),
        ],
        mode in proptest::sample::select(&["strict", "loose"]),
        part in proptest::sample::select(&["thinking", "answer", "all"]),
        language in proptest::sample::select(&["en", "fr", "ja", "zh", "th", "ru", "sw"]),
    ) {
        let task = Task { instructions: every_type(), ..Task::default() };
        let fraction = grade(&json!({"type": "instruct", "mode": mode}), &task, &text).score.unwrap();
        prop_assert!((0.0..=1.0).contains(&fraction));
        let all = grade(&json!({"type": "instruct", "mode": mode, "score": "all"}), &task, &text).score.unwrap();
        prop_assert!(all <= fraction);
        // What the strict reading follows, the loose one does too.
        let strict = grade(&json!({"type": "instruct"}), &task, &text).score.unwrap();
        prop_assert!(mode == "strict" || strict <= fraction);
        for method in ["script", "words"] {
            let grader = json!({"type": "language", "language": language, "part": part, "method": method});
            let verdict = grade(&grader, &Task::default(), &text);
            if let Some(score) = verdict.score {
                prop_assert!((0.0..=1.0).contains(&score));
            } else {
                prop_assert_eq!(verdict.reason, Reason::TooShort);
            }
        }
    }

    #[test]
    fn what_is_not_prose_changes_nothing(
        index in 0..300_usize,
        insert in proptest::sample::select(&[
            " $a + b = mot$ ", " `let mots = 3;` ", " \\(\\frac{le}{la}\\) ", "\n```python\nune = 'phrase'\n```\n",
            " https://exemple.fr/une/page ", " <balise> ", " 12345 ", " \\[ le \\text{mot} \\] ",
        ]),
    ) {
        let (tag, sentence) = sentences().swap_remove(index);
        let grader = json!({"type": "language", "language": tag, "part": "all"});
        let plain = grade(&grader, &Task::default(), &sentence);
        let with = grade(&grader, &Task::default(), &format!("{insert}{sentence}{insert}"));
        prop_assert_eq!(plain, with);
    }
}
