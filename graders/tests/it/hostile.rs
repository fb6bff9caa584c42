//! What a model can write to hurt the judge: every text gets a verdict, soon, on a thread's usual stack.

use std::time::{Duration, Instant};

use graders::{Completion, MAX_TEXT_BYTES, Prepared, Resources, Task, Verdict, build_grader};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A quarter of the longest text, because tests run unoptimized; `benches/forms.rs` measures the whole.
const BYTES: usize = MAX_TEXT_BYTES / 4;
/// Far above what an unoptimized build needs, far below what quadratic work would take.
const SOON: Duration = Duration::from_secs(5);

/// Every grader of this group that judges one completion alone.
fn graders() -> Vec<Value> {
    let mut graders = vec![
        json!({"type": "code"}),
        json!({"type": "code", "unfenced": "whole_text", "strip_thinking": false}),
        json!({"type": "code", "unfenced": "heuristic", "blocks": "join", "unclosed": "take", "strip_thinking": false}),
        json!({"type": "countdown"}),
        json!({"type": "json"}),
        json!({"type": "json", "fences": "strip", "score": "fields", "forbid_duplicate_keys": true}),
        json!({"type": "length", "rule": "limit", "max": 10, "unit": "characters"}),
        json!({"type": "length", "rule": "soft_overlong", "l_max": 100, "l_cache": 50, "unit": "words"}),
        json!({"type": "repetition"}),
        json!({"type": "repetition", "n": 8}),
        json!({"type": "repetition", "n": 7, "unit": "characters"}),
        json!({"type": "repetition", "n": 2, "unit": "lines"}),
    ];
    for style in ["think_answer", "open_r1", "trl_think", "tag_count", "open_instruct", "grpo_zero"] {
        graders.push(json!({"type": "format", "style": style, "assume_open_think": style == "trl_think"}));
    }
    graders
}

fn task() -> Task {
    serde_json::from_value(json!({
        "metadata": {"numbers": [1, 2, 3], "target": 6},
        "reference": {"a": [1, {"b": null}]},
        "schema": {
            "properties": {"a": {"$ref": "#"}, "b": {"pattern": "^(a+)+$"}},
            "items": {"anyOf": [{"$ref": "#"}, {"type": "number"}]},
            "uniqueItems": true
        },
        "tests": {"language": "python", "cases": [{"stdout": "1"}]}
    }))
    .unwrap()
}

/// Prepared once, because schemas take longest to compile.
fn judges() -> Vec<(Value, Prepared)> {
    let prepare = |grader: Value| {
        let prepared = build_grader(&grader).unwrap().prepare(&task(), &Resources::default()).unwrap();
        (grader, prepared)
    };
    graders().into_iter().map(prepare).collect()
}

/// The verdict, or `None` where the missing sandbox is rightly missed.
fn verdict(grader: &Value, judge: &Prepared, text: &str) -> Option<Verdict> {
    let Prepared::Completion(judge) = judge else { panic!("{grader} judges groups") };
    match judge.grade(&Completion::new(text)) {
        Ok(verdict) => Some(verdict),
        Err(error) => {
            assert_eq!((grader["type"].as_str(), error.kind.name()), (Some("code"), "sandbox_unavailable"));
            None
        }
    }
}

#[test]
fn a_long_hostile_text_is_judged_soon() {
    let judges = judges();
    let fill = |part: &str| part.repeat(BYTES / part.len());
    let numbers = Value::from((0..35_000).collect::<Vec<u32>>()).to_string();
    let texts = [
        fill("["),
        fill("{\"a\":"),
        fill("[[],"),
        format!("[{}0]", fill("0,").split_at(BYTES - 8).0),
        numbers,
        format!("{{{}\"z\":0}}", fill("\"a\":0,").split_at(BYTES / 6 * 6 - 60).0),
        format!("{{\"b\":\"{}!\"}}", fill("a").split_at(BYTES - 20).0),
        format!("1{}", fill("0")),
        format!("0.{}1", fill("0")),
        fill("```"),
        fill("```python\n"),
        fill("~~~\n```\n"),
        fill("`"),
        fill("<think>"),
        fill("</think>"),
        fill("</think>\n"),
        fill("<think>\n</think>\n<answer>\n</answer>"),
        fill("</think> \n<answer>"),
        format!("<answer>{}</answer>", fill("(").split_at(BYTES - 30).0),
        format!("<answer>{}1</answer>", fill("9*").split_at(BYTES - 30).0),
        format!("<answer>{}</answer>", "9".repeat(4000)),
        fill("\n"),
        fill("a "),
        fill("\u{10ffff}"),
        fill("\u{0}"),
        fill("İ"),
    ];
    for text in &texts {
        for (grader, judge) in &judges {
            let start = Instant::now();
            if let Some(verdict) = verdict(grader, judge, text) {
                assert!(verdict.score.is_some_and(f64::is_finite));
                let detail = serde_json::to_string(&verdict.detail).unwrap();
                assert!(detail.len() < 10_000, "{grader}: {} bytes of detail", detail.len());
            }
            let took = start.elapsed();
            let shown: String = text.chars().take(20).collect();
            assert!(took < SOON, "{grader} on {shown:?}…: {took:?}");
        }
    }
}

/// The deepest document under schemas that need most stack and most repeated looks for each level. Tests run
/// on two megabytes, as threads of a pool do.
#[test]
fn the_deepest_document_fits_the_stack() {
    type Wrap = fn(Value) -> Value;
    let wraps: [(&str, Wrap); 8] = [
        ("allOf", |inner| json!({"allOf": [inner]})),
        ("anyOf", |inner| json!({"anyOf": [false, inner]})),
        ("oneOf", |inner| json!({"oneOf": [inner, false]})),
        ("not", |inner| json!({"not": {"not": inner}})),
        ("if", |inner| json!({"if": inner, "else": false})),
        ("then", |inner| json!({"if": true, "then": inner})),
        ("dependentSchemas", |inner| json!({"dependentSchemas": {"x": inner}})),
        ("unevaluatedProperties", |inner| json!({"anyOf": [inner], "unevaluatedProperties": false})),
    ];
    let nested = |depth: usize| format!("{}1{}", "{\"x\":".repeat(depth), "}".repeat(depth));
    for (name, wrap) in wraps {
        let mut schema = json!({"properties": {"x": {"$ref": "#"}}});
        // As many as are taken: each `not` here is two, and looking for what is unevaluated multiplies.
        let times = match name {
            "not" => 15,
            "unevaluatedProperties" => 6,
            _ => 30,
        };
        for _ in 0..times {
            schema = wrap(schema);
        }
        let task = Task { schema: Some(schema), ..Task::default() };
        let judge =
            build_grader(&json!({"type": "json"})).unwrap().prepare(&task, &Resources::default()).unwrap();
        let Prepared::Completion(judge) = judge else { panic!() };
        let start = Instant::now();
        let reason = |depth| judge.grade(&Completion::new(nested(depth))).unwrap().reason.name();
        assert_eq!(reason(64), "valid_json", "{name}");
        assert_eq!(reason(65), "too_large", "{name}");
        assert!(start.elapsed() < SOON, "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn schemas_that_would_take_for_ever_are_refused_or_end() {
    let prepare = |schema: Value| {
        let task = Task { schema: Some(schema), ..Task::default() };
        build_grader(&json!({"type": "json"})).unwrap().prepare(&task, &Resources::default())
    };
    // Each definition asks for the next one twice: 2²⁰ paths.
    let mut definitions = serde_json::Map::new();
    for level in 0..20 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"properties": {"x": next, "y": next}}));
    }
    definitions.insert("d20".to_owned(), json!(true));
    let error = prepare(json!({"$defs": definitions, "$ref": "#/$defs/d0"})).err().unwrap();
    assert!(error.message.contains("parts"), "{error}");

    // What is left unevaluated is asked for again at each of many levels.
    let mut nested = json!(true);
    for _ in 0..10 {
        nested = json!({"anyOf": [nested], "unevaluatedItems": false});
    }
    let error = prepare(nested).err().unwrap();
    assert!(error.message.contains("parts"), "{error}");

    // A recursive one that asks twice at each level, on a document that is wrong at the bottom.
    let twice = json!({"allOf": [{"properties": {"x": {"$ref": "#"}}}, {"properties": {"x": {"$ref": "#"}}}], "type": "object"});
    let Ok(Prepared::Completion(judge)) = prepare(twice) else { panic!() };
    let text = format!("{}1{}", "{\"x\":".repeat(60), "}".repeat(60));
    let start = Instant::now();
    assert_eq!(judge.grade(&Completion::new(text)).unwrap().reason.name(), "schema_violation");
    assert!(start.elapsed() < SOON);

    // A long list against many alternatives is more work than one document may cost.
    let alternatives: Vec<Value> = (0..1000).map(|number| json!({"const": number + 10})).collect();
    let Ok(Prepared::Completion(judge)) = prepare(json!({"items": {"anyOf": alternatives}})) else {
        panic!()
    };
    let text = format!("[{}0]", "1009,".repeat(60_000));
    let verdict = judge.grade(&Completion::new(text)).unwrap();
    assert_eq!((verdict.reason.name(), verdict.detail.contains_key("values")), ("too_large", true));
    let text = format!("[{}0]", "0,".repeat(70_000));
    let verdict = judge.grade(&Completion::new(text)).unwrap();
    assert_eq!((verdict.reason.name(), verdict.detail.contains_key("values")), ("too_large", false));
}

/// Text made of the pieces that the parsers look for.
fn tagged_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "\n",
        " ",
        "```",
        "python",
        "json",
        "{",
        "}",
        "[",
        "]",
        "\"a\"",
        ":",
        ",",
        "1",
        "2",
        "+",
        "*",
        "/",
        "-",
        "(",
        ")",
        "é",
        "\u{0}",
        "~~~",
        "1e999",
        "-0",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_text_gets_the_same_verdict_twice(text in prop_oneof![any::<String>(), tagged_text()]) {
        for (grader, judge) in judges() {
            let first = verdict(&grader, &judge, &text);
            if let Some(verdict) = &first {
                prop_assert!(verdict.score.is_some_and(|score| (-1.0..=1.0).contains(&score)), "{}", grader);
            }
            prop_assert_eq!(first, verdict(&grader, &judge, &text), "{}", grader);
        }
    }

    #[test]
    fn a_document_equals_itself(text in "[ -~]{0,20}", number in any::<f64>().prop_filter("finite", |x| x.abs() < 9e15)) {
        let gold = json!({"text": text, "list": [number, null, {}], "nested": {"a/b": [], "~": true}});
        let task = Task::with_reference(gold.clone());
        let judge = build_grader(&json!({"type": "json", "score": "fields", "extra_penalty": 1})).unwrap();
        let Prepared::Completion(judge) = judge.prepare(&task, &Resources::default()).unwrap() else { panic!() };
        prop_assert_eq!(judge.grade(&Completion::new(gold.to_string())).unwrap().score, Some(1.0));
        // The same number written in another way is the same number.
        let other = gold.to_string().replace(&json!(number).to_string(), &format!("{number:e}"));
        prop_assert_eq!(judge.grade(&Completion::new(other)).unwrap().score, Some(1.0));
    }

    #[test]
    fn counting_ngrams_agrees_with_a_set_of_them(words in prop::collection::vec(0u8..4, 0..40), n in 1usize..9) {
        let text = words.iter().map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ");
        let grader = json!({"type": "repetition", "n": n});
        let score = crate::grading::score(&grader, &Task::default(), &text);
        let total = words.windows(n).count();
        let distinct = words.windows(n).collect::<std::collections::HashSet<_>>().len();
        let expected = if total == 0 { 0.0 } else { distinct as f64 / total as f64 - 1.0 };
        prop_assert!((score - expected).abs() < 1e-9);
    }

    #[test]
    fn wide_ngrams_agree_with_a_set_of_them(text in "[aé\u{10000}-\u{10002}]{0,40}", n in 7usize..9) {
        let grader = json!({"type": "repetition", "n": n, "unit": "characters"});
        let score = crate::grading::score(&grader, &Task::default(), &text);
        let characters: Vec<char> = text.chars().collect();
        let total = characters.windows(n).count();
        let distinct = characters.windows(n).collect::<std::collections::HashSet<_>>().len();
        let expected = if total == 0 { 0.0 } else { distinct as f64 / total as f64 - 1.0 };
        prop_assert!((score - expected).abs() < 1e-9);
    }
}
