//! Extraction, seen through the `exact` grader: it says what was extracted and by which step.

use graders::{Completion, Prepared, Resources, Task, Verdict, build_grader};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

fn grade(grader: &Value, reference: &str, text: &str) -> Verdict {
    let grader = build_grader(grader).unwrap();
    let Prepared::Completion(judge) =
        grader.prepare(&Task::with_reference(reference), &Resources::default()).unwrap()
    else {
        panic!("not a grader of one completion")
    };
    judge.grade(&Completion::new(text)).unwrap()
}

fn extracted(steps: &[&str], text: &str) -> Option<(String, String)> {
    let verdict = grade(&json!({"type": "exact", "extract": steps}), "", text);
    let field = |key: &str| verdict.detail.get(key).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(field("extracted").is_none(), verdict.reason.name() == "no_answer");
    Some((field("extracted")?, field("extraction")?))
}

const ALL: [&str; 11] = [
    "answer_tag",
    "final_answer",
    "boxed",
    "hash",
    "answer_is",
    "bold",
    "last_formula",
    "last_number",
    "last_line",
    "bare",
    "whole",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

/// One row of `testdata/answers/extraction.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    #[serde(default = "marked")]
    steps: Vec<String>,
    expect: Option<String>,
    step: Option<String>,
}

/// What the graders of mathematics and numbers do by default.
fn marked() -> Vec<String> {
    ["answer_tag", "final_answer", "boxed", "hash", "answer_is"].map(str::to_owned).to_vec()
}

#[test]
fn every_row_of_the_table() {
    let table: Table = toml::from_str(include_str!("../../testdata/answers/extraction.toml")).unwrap();
    assert!(table.row.len() >= 60, "{} rows", table.row.len());
    let mut wrong = Vec::new();
    for row in &table.row {
        let steps: Vec<&str> = row.steps.iter().map(String::as_str).collect();
        let found = extracted(&steps, &row.text);
        let expected = row.expect.clone().zip(row.step.clone());
        assert_eq!(row.expect.is_some(), row.step.is_some(), "{:?}", row.text);
        if found != expected {
            wrong.push(format!("{:?}: expected {expected:?}, got {found:?}", row.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn golden_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/vectors/vectors.json")).unwrap();
    let cases = vectors["rewards"]["extraction"].as_array().unwrap();
    assert_eq!(cases.len(), 21);
    for case in cases {
        let step = match case["mode"].as_str().unwrap() {
            "boxed_last" => "boxed",
            "answer_tag_last" => "answer_tag",
            "gsm8k_hash" => "hash",
            "last_number" => "last_number",
            other => panic!("unknown mode {other}"),
        };
        let found = extracted(&[step], case["text"].as_str().unwrap());
        assert_eq!(found.map(|(text, _)| text).as_deref(), case["expected"].as_str(), "{case}");
    }
}

#[test]
fn each_step() {
    let rows: &[(&str, &str, Option<&str>)] = &[
        ("boxed", r"\boxed{ \boxed{b}}", Some("b")),
        ("boxed", r"\boxed{a \boxed{b}}", Some(r"a \boxed{b}")),
        ("boxed", r"\boxed{1} then \boxed{2", Some("1")),
        ("boxed", r"} } \boxed {3}", Some("3")),
        ("boxed", r"if (x) { \boxed{4}", Some("4")),
        ("boxed", r"$\boxed 5$.", Some("5")),
        ("boxed", r"\(\boxed 6\)", Some("6")),
        ("boxed", r"\boxedtext{7}", None),
        ("boxed", r"\\boxed{7}", Some("7")),
        ("hash", "#### 1,2", Some("1,2")),
        ("hash", "#### 12,345,678 ", Some("12345678")),
        ("hash", "#### 7\n##### deeper", Some("7")),
        ("hash", "####", None),
        ("answer_is", "So the answer is 5. I hope it is correct.", Some("5")),
        ("answer_is", "**Answer:** 3.5", Some("3.5")),
        ("answer_is", "**Final Answer**: **x = 2**.", Some("x = 2")),
        ("answer_is", "The answers are $2$ and $3$.", Some("$2$ and $3$")),
        ("answer_is", "Answer:\n\n42\nmore", Some("42")),
        ("answer_is", "the answer is 1. No, the answer is 2.", Some("2")),
        ("answer_is", "we answer it", None),
        ("bold", "The total is **123**. We used 2 steps.", Some("123")),
        ("bold", "2 ** 3", None),
        ("last_formula", "so $x$ and $y$ and \\(z\\) end", Some("z")),
        ("last_formula", "\\[a\\] $$b$$", Some("b")),
        ("last_formula", "it costs $5 and not $6", None),
        ("last_formula", r"a \$5 and $x$", Some("x")),
        ("last_formula", "only $open", None),
        ("last_number", "10-5", Some("5")),
        ("last_number", "it is -$4", Some("-4")),
        ("last_number", "about 3/4 of it", Some("3/4")),
        ("last_number", "1.5e-3 m", Some("1.5e-3")),
        ("last_number", "−7", Some("-7")),
        ("last_number", "x=.5", Some(".5")),
        ("last_line", "a\n b \n\n", Some("b")),
        ("last_line", " \n ", None),
        ("bare", " $x = 2$ ", Some("$x = 2$")),
        ("bare", "5 km", Some("5 km")),
        ("bare", "We find that $x = 2$.", None),
        ("whole", " a b ", Some("a b")),
        ("whole", "   ", None),
        ("whole", "<think> 5 </think> 6", Some("6")),
        ("whole", "<think> 5", None),
        ("whole", "a </think> b </think> c", Some("c")),
        ("boxed", r"<think>\boxed{1}</think> none", None),
        ("boxed", r"</think>\boxed{1}<think>\boxed{2}", Some("1")),
    ];
    for (step, text, expected) in rows {
        let found = extracted(&[step], text);
        assert_eq!(found.map(|(text, _)| text).as_deref(), *expected, "{step} on {text:?}");
    }
}

#[test]
fn the_first_step_that_finds_decides() {
    let text = r"\boxed{1} <answer>2</answer> #### 3";
    assert_eq!(extracted(&ALL, text), Some(("2".into(), "answer_tag".into())));
    assert_eq!(extracted(&["hash", "boxed"], text), Some(("3".into(), "hash".into())));
    assert_eq!(extracted(&["boxed", "last_number"], "it is 4"), Some(("4".into(), "last_number".into())));
    // An empty box is an answer that says nothing; no later step may save it.
    assert_eq!(extracted(&ALL, r"5 \boxed{}"), Some((String::new(), "boxed".into())));
}

#[test]
fn a_bad_list_is_refused_with_its_place() {
    for (steps, pointer) in [
        (json!([]), "/extract"),
        (json!(["boxed", "boxed"]), "/extract"),
        (json!(["boxed", "guess"]), "/extract/1"),
        (json!("boxed"), "/extract"),
    ] {
        let error = build_grader(&json!({"type": "exact", "extract": steps})).unwrap_err();
        assert_eq!(error.pointer, pointer, "{error}");
    }
    for (correct, incorrect) in [(0.0, 0.0), (-1.0, 1.0)] {
        let fields = json!({"type": "exact", "correct": correct, "incorrect": incorrect});
        assert_eq!(build_grader(&fields).unwrap_err().pointer, "/correct");
    }
}

#[test]
fn a_long_text_of_anything_ends() {
    for unit in [
        "{",
        "}",
        "\\",
        "$",
        "$$",
        "\\boxed{",
        "\\boxed 1 ",
        "\\boxed{1}",
        "\\boxed{1}, ",
        "\\boxed{1} and x = ",
        "\\boxed{1}no",
        "\\boxed x{ ",
        "\\boxed{{",
        "\\fbox{}}",
        "x_{",
        "**",
        "**a ** ",
        "**total:** ",
        "*_",
        "<!--",
        "<!-- -->",
        "```\n",
        "```python\n",
        "~~~`\n",
        "```x <!--\n```\n",
        "\\n",
        "answer: or ",
        "# Answer\n",
        "final answer: 1\n",
        "the final answer is ",
        "The a is 1 and ",
        "<|im_end|",
        "<|",
        "答案是",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "####",
        "#",
        "answer is ",
        "answer",
        "1",
        "1,",
        "1 ",
        "1/",
        "1e",
        "-",
        "\\(",
        "\\[ $",
        "é",
        "\n",
        " ",
    ] {
        let text = unit.repeat((1 << 18) / unit.len());
        for step in ALL {
            // Quadratic work would take many minutes here.
            let _ = extracted(&[step], &text);
        }
    }
}

proptest! {
    #[test]
    fn never_panics_and_never_invents(
        text in r"(\\boxed|The final answer is |\|\* |final answer|<\|im_end\|>|answer|“|”|\\\\|\{|\}|\*\*|<!--|-->|```|```c\n|~~~|and|=|\\n|<think>|<answer>|</answer>|</think>|####|\$|\\\(|\\\)|answer is|answer:|[0-9,./e-]|é|−| |\n|x){0,24}"
    ) {
        for step in ALL {
            if let Some((found, by)) = extracted(&[step], &text) {
                prop_assert_eq!(&by, step);
                // A list of boxes is joined with ", ".
                for c in found.chars().filter(|&c| !matches!(c, '-' | '…' | ',' | ' ')) {
                    prop_assert!(text.contains(c));
                }
            }
        }
        let _ = extracted(&ALL, &text);
    }

    #[test]
    fn any_text_at_all(text in any::<String>()) {
        for step in ALL {
            let _ = extracted(&[step], &text);
        }
    }
}
