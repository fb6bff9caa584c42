//! The `math` grader: golden vectors, properties, and texts meant to hurt.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use graders::{Completion, Grader, Prepared, Resources, Task, TaskErrorKind, Verdict, build_grader};
use proptest::prelude::*;
use serde_json::{Value, json};

static WHOLE: LazyLock<std::sync::Arc<dyn Grader>> =
    LazyLock::new(|| build_grader(&json!({"type": "math", "extract": ["whole"]})).unwrap());

fn judge(reference: &str, answer: &str) -> Result<Verdict, TaskErrorKind> {
    let task = Task::with_reference(reference);
    match WHOLE.prepare(&task, &Resources::default()).map_err(|error| error.kind)? {
        Prepared::Completion(judge) => Ok(judge.grade(&Completion::new(answer)).unwrap()),
        Prepared::Group(_) => panic!("not a grader of groups"),
    }
}

fn accepts(reference: &str, answer: &str) -> bool {
    judge(reference, answer).unwrap_or_else(|kind| panic!("{reference}: {kind:?}")).score == Some(1.0)
}

#[test]
fn golden_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/vectors/vectors.json")).unwrap();
    let cases = vectors["rewards"]["math_equivalence"].as_array().unwrap();
    assert_eq!(cases.len(), 55);
    for case in cases {
        let (gold, answer) = (case["gold"].as_str().unwrap(), case["prediction"].as_str().unwrap());
        assert_eq!(accepts(gold, answer), case["expected"].as_bool().unwrap(), "{gold} | {answer}");
        let verdict = judge(gold, answer).unwrap();
        assert_eq!(verdict.detail["extraction"], "whole");
        assert_eq!(verdict.detail["extracted"], *answer);
    }
}

#[test]
fn a_reference_that_cannot_be_read_is_a_fault_of_the_data() {
    for reference in ["", "\\frac{1}{", "1 2 3", "4\\sqrt(2", "(1, 2", "\\unknown{3}"] {
        assert_eq!(judge(reference, "1").unwrap_err(), TaskErrorKind::InvalidReference, "{reference}");
    }
    assert!(judge("the midpoint of AB", "1").is_ok());
}

#[test]
fn nothing_hangs() {
    let megabyte = 1 << 20;
    let mut texts: Vec<String> = [
        "9^{9^{9^{9}}}",
        "9^9^9^9",
        "((10!)!)!",
        "10000000!",
        "1000000000!",
        "10^{10^{9}}",
        "1e999999999",
        "1e-999999999",
        "0.5e99999999999999999999",
        "2^{2^{100}}",
        "\\binom{10^{12}}{10^{11}}",
        "(x+1)^{100000}",
        "(x-1)^{6000}",
        "\\sin(10^{10^{10}})",
        "\\sin(10^{300})",
        "\\log\\log\\log\\log 2",
        "e^{e^{e^{e^{e}}}}",
        "\\sqrt[1000000]{2}",
        "\\sqrt[999999999999]{x}",
        "x^{1/999999937}",
        "\\gcd(10^{999},7^{999})",
        "\\tan(\\pi/2)",
        "\\ln 0",
        "0^0",
        "0^{-1}",
        "1/0",
        "\\frac{1}{x-x}",
        "\\ln(-1)",
        "\\sqrt{-1}^{i}",
        "i^{i^{i^{i}}}",
        "\\arcsin(10^9)",
        "\\lfloor\\pi^{100}\\rfloor",
        "2^{-100000}\\pi",
        "\\pi^{100000}",
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    for unit in [
        "9",
        "{",
        "}",
        "(",
        "[",
        "\\frac{1}{",
        "\\sqrt{",
        "-",
        "1+",
        "1,",
        "x^",
        "|",
        "!",
        "$",
        "\\{",
        "\\sin",
        "1/",
        "a",
        "word ",
    ] {
        for bytes in [60, 600, 4_000, 8_000, megabyte] {
            texts.push(unit.repeat(bytes / unit.len()));
        }
    }
    texts.push(format!("{}1{}", "(".repeat(3000), ")".repeat(3000)));
    texts.push(vec!["\\sin x"; 1000].join("+"));
    texts.push(vec!["\\sqrt{2}"; 900].join("+"));
    texts.push((1..60).map(|n| format!("\\sin {n}")).collect::<Vec<_>>().join(","));
    texts.push((1..64).map(|n| format!("\\frac{{1}}{{{n}x+1}}")).collect::<Vec<_>>().join("+"));
    // Generous, because tests run unoptimised beside others: what is feared here takes hours.
    let limit = Duration::from_secs(10);
    let mut slowest = (Duration::ZERO, String::new());
    for text in &texts {
        for reference in ["1", "x", "\\sqrt{2}+\\pi", "9^{9^{9^{9}}}", "2,3"] {
            for answer in [reference, text] {
                let start = Instant::now();
                let _ = judge(answer, text);
                let took = start.elapsed();
                let shown: String = text.chars().take(60).collect();
                assert!(took < limit, "{took:?} for {shown}");
                if took > slowest.0 {
                    slowest = (took, format!("{} bytes: {shown}", text.len()));
                }
            }
        }
    }
    println!("slowest {slowest:?}");
}

/// Expressions with a value that this test can compute by itself.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0_i64..50).prop_map(|n| n.to_string()),
        (1_i64..50, 1_i64..50).prop_map(|(a, b)| format!("\\frac{{{a}}}{{{b}}}")),
        Just("x".to_owned()),
        Just("y".to_owned()),
        Just("\\pi".to_owned()),
        (2_i64..20).prop_map(|n| format!("\\sqrt{{{n}}}")),
        (1_i64..20).prop_map(|n| format!("\\sin({n}x)")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), inner, 0..3_u8).prop_map(|(a, b, operator)| match operator {
            0 => format!("({a}) + ({b})"),
            1 => format!("({a}) - ({b})"),
            _ => format!("({a}) \\cdot ({b})"),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reflexive(a in expression()) {
        prop_assert!(accepts(&a, &a));
        prop_assert!(accepts(&a, &format!("({a}) + 0")), "{a}");
        prop_assert!(accepts(&a, &format!("\\frac{{2 \\cdot ({a})}}{{2}}")), "{a}");
    }

    #[test]
    fn a_shift_is_seen(a in expression(), shift in 1_i64..1000, scale in 0_u32..30) {
        let moved = format!("({a}) + \\frac{{{shift}}}{{10^{{{scale}}}}}");
        prop_assert!(!accepts(&a, &moved), "{moved}");
    }

    #[test]
    fn symmetric(a in expression(), b in expression()) {
        prop_assert_eq!(accepts(&a, &b), accepts(&b, &a), "{} | {}", a, b);
        let (left, right) = (format!("({a}) + ({b})"), format!("({b}) + ({a})"));
        prop_assert!(accepts(&left, &right), "{} | {}", a, b);
    }

    #[test]
    fn a_factor_on_both_sides_changes_nothing(a in expression(), b in expression(), p in 1_i64..50, q in 1_i64..50) {
        for (left, right) in [(&a, &b), (&a, &a)] {
            let scaled = |side: &str| format!("-\\frac{{{p}}}{{{q}}}\\left({side}\\right)");
            prop_assert_eq!(
                accepts(left, right),
                accepts(&scaled(left), &scaled(right)),
                "{} | {} times -{}/{}", left, right, p, q
            );
        }
    }

    #[test]
    fn dress_changes_nothing(a in expression(), b in expression()) {
        let dressed = b
            .replace("\\frac", "\\dfrac")
            .replace('(', "\\left(")
            .replace(')', "\\right)")
            .replace(" \\cdot ", " \\times ")
            .replace("\\sqrt", "\\displaystyle\\sqrt");
        for dress in [format!("$${dressed}$$"), format!("\\[ {dressed} \\]"), format!("\\boxed{{{dressed}}}"), format!("{{{dressed}}}\\,.")] {
            prop_assert_eq!(accepts(&a, &b), accepts(&a, &dress), "{} | {}", a, dress);
            prop_assert!(accepts(&b, &dress), "{} | {}", b, dress);
        }
    }

    #[test]
    fn rationals_decide_exactly(a in any::<i64>(), b in 1_i64.., c in any::<i64>(), d in 1_i64..) {
        let same = i128::from(a) * i128::from(d) == i128::from(c) * i128::from(b);
        prop_assert_eq!(accepts(&format!("\\frac{{{a}}}{{{b}}}"), &format!("{c}/{d}")), same);
        let (plain, scaled) = (format!("{a}/{b}"), format!("\\frac{{{}}}{{{}}}", i128::from(a) * 7, i128::from(b) * 7));
        prop_assert!(accepts(&plain, &scaled));
    }

    #[test]
    fn never_panics(
        text in r"(\\frac|\\sqrt|\\sin|\\log|\\pi|\\infty|\\pm|\\text\{ab\}|\\begin\{pmatrix\}|\\end\{pmatrix\}|\\\\|&|\{|\}|\(|\)|\[|\]|\||\^|_|!|%|°|,|;|=|<|≤|[+*/-]|[0-9]{1,3}|[a-z]|1e9|\.| |²|½){0,16}"
    ) {
        let _ = judge("1", &text);
        if let Ok(verdict) = judge(&text, &text) {
            prop_assert!(verdict.reason.name() == "equivalent" || verdict.reason.name() == "undecided"
                || verdict.reason.name() == "no_answer", "{} {}", text, verdict.reason);
        }
    }

    #[test]
    fn any_text_at_all(text in any::<String>()) {
        let _ = judge("1", &text);
        let _ = judge(&text, "1");
    }
}
