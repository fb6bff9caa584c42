//! Tests of the identity engine: what is proved, what is told apart and what stays open.

use super::super::expr::{Binder, Bound, Value};
use super::super::parser::{UNNAMED_BASE, parse};
use super::*;

pub(super) fn expr(text: &str) -> Expr {
    match parse(text) {
        Some(Value::Expr(expr)) => expr.with_variable(UNNAMED_BASE, &Expr::Euler),
        other => panic!("{text}: {other:?}"),
    }
}

fn judged(a: &Expr, b: &Expr) -> (Finding, &'static str) {
    let outcome = compare(a, b, &mut Fuel::full());
    (outcome.finding, outcome.method)
}

/// The rows that are judged otherwise than expected, either way round.
fn wrong(rows: &[(&str, &str)], expected: Finding) -> Vec<String> {
    let mut wrong = Vec::new();
    for (a, b) in rows {
        let (x, y) = (expr(a), expr(b));
        for found in [judged(&x, &y), judged(&y, &x)] {
            if found.0 != expected {
                wrong.push(format!("{a} | {b}: {found:?}"));
            }
        }
    }
    wrong
}

/// Proved in the prime fields, without balls.
const PROVED: &[(&str, &str)] = &[
    ("(x+1)^2", "x^2+2x+1"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\frac{x}{x}", "1"),
    ("(x-a)^{6000}", "(a-x)^{6000}"),
    (r"e^{x+y}", r"e^x e^y"),
    (r"e^{2x}", r"(e^x)^2"),
    (r"e^{(x+y)^2}", r"e^{x^2}e^{2xy}e^{y^2}"),
    (r"2^{x+1}", r"2\cdot 2^x"),
    (r"4^x", r"2^{2x}"),
    (r"2^x\cdot 3^x", r"6^x"),
    (r"2^x", r"e^{x\ln 2}"),
    (r"x^{n+1}", r"x\cdot x^n"),
    (r"(xy)^n", r"x^n y^n"),
    (r"\frac{x^n}{x^m}", r"x^{n-m}"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    (r"\sec^2 x", r"1+\tan^2 x"),
    (r"\cos(3x)", r"4\cos^3 x-3\cos x"),
    (r"\sin(x+y)", r"\sin x\cos y+\cos x\sin y"),
    (r"\sin(x+\frac{\pi}{2})", r"\cos x"),
    (r"\tan(\pi-x)", r"-\tan x"),
    (r"\frac{1-\cos x}{\sin x}", r"\tan\frac{x}{2}"),
    (r"\cosh^2 x-\sinh^2 x", "1"),
    (r"\tanh x", r"\frac{e^{2x}-1}{e^{2x}+1}"),
    (r"e^{ix}", r"\cos x+i\sin x"),
    (r"e^{i\pi}", "-1"),
    (r"\cosh(ix)", r"\cos x"),
    (r"\sin\frac{\pi}{3}", r"\frac{\sqrt{3}}{2}"),
    (r"\cos\frac{\pi}{7}\cos\frac{2\pi}{7}\cos\frac{3\pi}{7}", r"\frac{1}{8}"),
    (r"\cos\frac{\pi}{5}", r"\frac{1+\sqrt{5}}{4}"),
    (r"\sin\frac{\pi}{12}", r"\frac{\sqrt{6}-\sqrt{2}}{4}"),
    (r"\tan\frac{\pi}{8}", r"\sqrt{2}-1"),
    (r"\tan\frac{3\pi}{11}+4\sin\frac{2\pi}{11}", r"\sqrt{11}"),
    (r"\sin(2\pi)", "0"),
    (r"\cos\frac{2\pi}{7}+\cos\frac{4\pi}{7}+\cos\frac{6\pi}{7}", r"-\frac{1}{2}"),
    (r"\sin\frac{\pi}{7}\sin\frac{2\pi}{7}\sin\frac{3\pi}{7}", r"\frac{\sqrt{7}}{8}"),
    (r"\ln 8", r"3\ln 2"),
    (r"\ln 6", r"\ln 2+\ln 3"),
    (r"\log_2 8", "3"),
    (r"\log_4 x", r"\frac{1}{2}\log_2 x"),
    (r"\log_2 3\cdot\log_3 4", "2"),
    (r"\ln(xy)", r"\ln x+\ln y"),
    (r"\ln\frac{x}{y}", r"\ln x-\ln y"),
    (r"\ln x^2", r"2\ln x"),
    (r"\ln x^2", r"2\ln|x|"),
    (r"\ln\sqrt{x}", r"\frac{\ln x}{2}"),
    (r"\ln(e^x)", "x"),
    (r"e^{\ln x}", "x"),
    (r"e^{\ln(x+1)}", "x+1"),
    (r"e^{2\ln x}", "x^2"),
    (r"e^{x\ln x}", "x^x"),
    (r"\ln\frac{x+1}{x-1}", r"\ln(x+1)-\ln(x-1)"),
    (r"2^{\log_2 x}", "x"),
    (r"\ln(2x+2)", r"\ln 2+\ln(x+1)"),
    (r"\sqrt{x}\sqrt{x}", "x"),
    (r"\sqrt{xy}", r"\sqrt{x}\sqrt{y}"),
    (r"\sqrt{\frac{1}{n}}", r"\frac{1}{\sqrt{n}}"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\sqrt{8x}", r"2\sqrt{2}\sqrt{x}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    (r"\sqrt{x^2}", "|x|"),
    (r"\sqrt{(x-1)^2}", "|x-1|"),
    (r"\sqrt{4x^2+4}", r"2\sqrt{x^2+1}"),
    (r"\frac{x}{\sqrt{x}}", r"\sqrt{x}"),
    (r"\frac{x+1}{\sqrt{x+1}}", r"\sqrt{x+1}"),
    (r"x^{1/2}x^{1/3}", r"x^{5/6}"),
    (r"\sqrt[3]{-8x}", r"-2\sqrt[3]{x}"),
    (r"\sqrt[3]{x^3}", "x"),
    (r"\sqrt[4]{4}", r"\sqrt{2}"),
    (r"|xy|", r"|x||y|"),
    (r"|x-y|", r"|y-x|"),
    (r"|x|^2", "x^2"),
    (r"|-3x|", "3|x|"),
    (r"\max(\frac{9x}{4},z)", r"\max(z,\frac{9x}{4})"),
    (r"\max(a,b)+\min(a,b)", "a+b"),
    (r"\max(a,b)", r"\frac{a+b+|a-b|}{2}"),
    (r"\sin(\arcsin x)", "x"),
    (r"\cos(\arcsin x)", r"\sqrt{1-x^2}"),
    (r"\tan(\arctan x)", "x"),
    (r"\sin(\arctan x)", r"\frac{x}{\sqrt{1+x^2}}"),
    (r"\cos(2\arctan x)", r"\frac{1-x^2}{1+x^2}"),
    (r"\arcsin\frac{1}{2}", r"\frac{\pi}{6}"),
    (r"\arctan\sqrt{3}", r"\frac{\pi}{3}"),
    (r"\arccos x", r"\frac{\pi}{2}-\arcsin x"),
    (r"\arccos(-\frac{\sqrt{2}}{2})", r"\frac{3\pi}{4}"),
    (r"\arctan(-x)", r"-\arctan x"),
    (r"\lfloor x+2\rfloor", r"\lfloor x\rfloor+2"),
    (r"\lceil x\rceil", r"-\lfloor -x\rfloor"),
    (r"\lfloor x-y-x+y+\frac{7}{2}\rfloor", "3"),
    (r"\frac{(n+1)!}{n!}", "n+1"),
    (r"\frac{(n+2)!}{(n+2)(n+1)}", "n!"),
    (r"\binom{n}{k}", r"\binom{n}{n-k}"),
    (r"\binom{n}{k}", r"\frac{n!}{k!(n-k)!}"),
    (r"\binom{n+1}{k}", r"\binom{n}{k}+\binom{n}{k-1}"),
    ("(1+i)^2", "2i"),
    (r"\frac{1+i}{1-i}", "i"),
    (r"i^i", r"i^i\cdot 1"),
    ("2^{2005}", r"2\cdot 2^{2004}"),
    (r"\frac{1}{2004!}", r"\frac{2005}{2005!}"),
    (r"10^{10^{20}}\cdot 10", r"10^{10^{20}+1}"),
    (r"\sqrt{2}\sqrt{3}", r"\sqrt{6}"),
    (r"2^{\frac{1}{1000000}}\cdot 2^{\frac{999999}{1000000}}", "2"),
    (r"\frac{\ln x}{\ln 10}", r"\log_{10} x"),
    (r"C e^{-2x}", r"\frac{C}{e^{2x}}"),
    (r"9^{9^{9^9}}+1", r"1+9^{9^{9^9}}"),
];

/// Only balls can show these, as far as is known here.
const CONFIRMED: &[(&str, &str)] = &[
    (r"\sqrt{x^2-2x+1}", "|1-x|"),
    (r"\sqrt{5+2\sqrt{6}}", r"\sqrt{2}+\sqrt{3}"),
    (r"\sqrt[3]{2+\sqrt{5}}+\sqrt[3]{2-\sqrt{5}}", "1"),
    (r"\frac{1}{\sqrt{x+1}-\sqrt{x}}", r"\sqrt{x+1}+\sqrt{x}"),
    (r"(\sqrt{x+1}+1)^2", r"x+2+2\sqrt{x+1}"),
    (r"\arctan 1+\arctan 2+\arctan 3", r"\pi"),
    (r"4\arctan\frac{1}{5}-\arctan\frac{1}{239}", r"\frac{\pi}{4}"),
    (
        r"\cos\frac{2\pi}{17}",
        r"\frac{-1+\sqrt{17}+\sqrt{34-2\sqrt{17}}+2\sqrt{17+3\sqrt{17}-\sqrt{34-2\sqrt{17}}-2\sqrt{34+2\sqrt{17}}}}{16}",
    ),
    (r"\ln(\sqrt{2}+1)", r"-\ln(\sqrt{2}-1)"),
    (r"\sqrt[3]{7+5\sqrt{2}}", r"1+\sqrt{2}"),
];

const DIFFERENT: &[(&str, &str)] = &[
    ("x", "y"),
    ("(x+1)^2", "x^2+x+1"),
    ("(x-a)^{6000}", "(a-x)^{5999}"),
    ("(x+1)^{100000}", "(x+1)^{100001}"),
    (r"\sqrt{x^2}", "x"),
    (r"\sqrt{x^2}", "-x"),
    ("|x|", "x"),
    (r"|x|y", "xy"),
    (r"|x||y|", "xy"),
    (r"e^{\frac{1}{2}\ln x^2}", "x"),
    (r"\ln(x+y)", r"\ln x+\ln y"),
    (r"\ln x-\ln y", r"\ln(x-y)"),
    (r"\sqrt{x+y}", r"\sqrt{x}+\sqrt{y}"),
    (r"\sin(2x)", r"\sin x\cos x"),
    (r"\sin x", r"\cos x"),
    (r"\sin x", "x"),
    (r"\arcsin(\sin x)", "x"),
    (r"\arctan(\tan x)", "x"),
    (r"\sin\frac{\pi}{3}", r"\frac{\sqrt{2}}{2}"),
    (r"\cos\frac{\pi}{7}\cos\frac{2\pi}{7}", r"\frac{1}{8}"),
    (r"\pi", "3.14159265358979"),
    (r"\pi", r"\frac{355}{113}"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"),
    (r"\sqrt{10^{40}+1}", "10^{20}"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    ("10^{-20}", "10^{-21}"),
    ("9^{9^{9^9}}", "1"),
    ("9^{9^{9^9}}", "9^{9^{9^8}}"),
    ("5^{5^{5^5}}", "5^{5^{5}}"),
    (r"\frac{5^{5^{5^{5^5}}-4}-5}{16}", "1"),
    ("(10^9)!", "42"),
    (r"\binom{10^{12}}{10^{11}}", "1"),
    ("2^{1/1000000}", "1"),
    ("2^{2^{100}}", "2^{2^{99}}"),
    ("e^x", "x^e"),
    (r"e^{ix}", r"\cos x-i\sin x"),
    ("e^{i\\pi}", "1"),
    ("(1+i)^2", "-2i"),
    (r"\lfloor x\rfloor", "x"),
    (r"\lfloor x+\frac{1}{2}\rfloor", r"\lfloor x\rfloor"),
    (r"\max(a,b)", r"\min(a,b)"),
    (r"\max(x,100)", "100"),
    (r"|x-10000000|", "10000000-x"),
    (r"\sqrt{(x-30000)^2}", "30000-x"),
    (r"x+10^{-40}", "x"),
    (r"x+10^{-30}\sin x", "x"),
    (r"\binom{n}{3}", r"\binom{n}{2}"),
    ("n!", "n^2"),
    (r"(-1)^n", r"(-1)^{n+1}"),
    (r"(-1)^n", "1"),
    (r"\cos(n\pi)", "1"),
    (r"\sin(n\pi)", "n"),
    (r"n+(n-1)(n-2)(n-3)(n-4)(n-5)(n-6)", "n"),
    (r"x^n", r"x^{n+1}"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{5}}"),
    (r"\ln 6", r"\ln 2\cdot\ln 3"),
    (r"\log_2 3", r"\log_3 2"),
    (r"\tan 89.99", r"\tan 90"),
    ("0", r"10^{-30}\sin 1"),
    ("0", r"e^{-500}"),
    (r"\sqrt[3]{x^2}", "x"),
    ("0.3333333333333333333333333333", r"\frac{1}{3}"),
];

const UNKNOWN: &[(&str, &str)] = &[
    (r"2^{2^{100}}", r"\log_{32}(\log_{16}(\log_8(\log_4(\log_2 x))))"),
    ("9^{9^{9^9}}", "9^{9^{9^9}}+1"),
    (r"\sin(10^{10^{10}})", r"\frac{1}{2}"),
    (r"\frac{1}{x-x}", r"\frac{2}{x-x}"),
    (r"\lfloor x\rfloor+\lfloor x+\frac{1}{2}\rfloor", r"\lfloor 2x\rfloor"),
    (r"\ln(x-1)+\ln(-x)", r"\ln(-x)+\ln(x-1)+0\cdot\ln(0)"),
];

const WHOLE: &[(&str, &str)] = &[
    ("(-1)^{2n}", "1"),
    (r"\sin(n\pi)", "0"),
    (r"\cos(n\pi)", "(-1)^n"),
    (r"n+\sin(\pi n)", "n"),
    (r"\cos(2\pi n+\frac{\pi}{3})", r"\frac{1}{2}"),
    (r"\sin\frac{(2n+1)\pi}{2}", "(-1)^n"),
    (r"(-1)^{n+k}", r"(-1)^{n-k}"),
    (r"\frac{1-(-1)^n}{2}", r"\sin^2\frac{n\pi}{2}"),
    (r"e^{2\pi i n}", "1"),
];

#[test]
fn identities_are_proved() {
    let found = wrong(PROVED, Finding::Equal);
    assert!(found.is_empty(), "{found:#?}");
    let numeric: Vec<_> = PROVED.iter().filter(|(a, b)| judged(&expr(a), &expr(b)).1 == "numeric").collect();
    assert!(numeric.is_empty(), "{numeric:#?}");
}

#[test]
fn identities_are_confirmed() {
    let found = wrong(CONFIRMED, Finding::Equal);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn differences_are_shown() {
    let found = wrong(DIFFERENT, Finding::Different);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn doubts_stay() {
    let found = wrong(UNKNOWN, Finding::Unknown);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn whole_variables_have_more_identities() {
    let found = wrong(WHOLE, Finding::Equal);
    assert!(found.is_empty(), "{found:#?}");
    for (a, b) in WHOLE.iter().filter(|(a, _)| !a.contains('i') || a.contains("sin")) {
        let real = |text: &str| expr(text).with_variable("n", &Expr::Variable("x".into()));
        let (a, b) = (real(a), real(b));
        assert_ne!(judged(&a, &b).0, Finding::Equal, "{a:?} {b:?}");
    }
}

#[test]
fn proportions_are_seen() {
    for (f, g, expected) in [
        ("2x-4", "6-3x", Finding::Equal),
        ("x^2-1", "x-1", Finding::Different),
        (r"y-750\cdot 1.5^x", r"2y-1500(1+\frac{1}{2})^x", Finding::Equal),
        (r"y-\ln x^2", r"3y-6\ln|x|", Finding::Equal),
        ("|x|", "x", Finding::Different),
        (r"|x|+\sqrt{y}", r"x+\sqrt{y}", Finding::Different),
        (r"\sin(2x)-y", r"y-2\sin x\cos x", Finding::Equal),
        (r"e^x-y", r"e^{2x}-y^2", Finding::Different),
    ] {
        let found = proportional(&expr(f), &expr(g), &mut Fuel::full());
        assert_eq!(found, expected, "{f} | {g}");
    }
    let sign = |f: &str, g: &str| quotient_sign(&expr(f), &expr(g), &mut Fuel::full());
    assert_eq!(sign("2x-4", "6-3x"), Some(Sign::Negative));
    assert_eq!(sign(r"\sqrt{x}", r"3\sqrt{x}"), Some(Sign::Positive));
}

fn applied(name: &str, argument: &str) -> Expr {
    Expr::Apply(name.into(), vec![expr(argument)])
}

fn series(variable: &str, body: &str, to: &str) -> Expr {
    Expr::Bound(Box::new(Bound {
        binder: Binder::Sum,
        variable: variable.into(),
        body: expr(body),
        from: Some(Expr::integer(1)),
        to: Some(expr(to)),
    }))
}

#[test]
fn what_only_the_problem_defines_is_a_variable() {
    let sum = |parts: Vec<Expr>| Expr::Sum(parts);
    for (a, b, expected) in [
        (applied("f", "x+1"), applied("f", "1+x"), Finding::Equal),
        (applied("f", "2x"), applied("f", "x+x"), Finding::Equal),
        (applied("f", "x"), applied("g", "x"), Finding::Different),
        (applied("f", "x"), applied("f", "y"), Finding::Different),
        (applied("f", r"\sqrt{x^2}"), applied("f", "x"), Finding::Unknown),
        (
            sum(vec![applied("f", "x"), expr("1")]),
            sum(vec![applied("f", "x"), expr("2")]),
            Finding::Different,
        ),
        (series("k", "k^2", "n"), series("j", "j^2", "n"), Finding::Equal),
        (series("k", "k^2", "n"), series("k", "k^2", "m"), Finding::Unknown),
        (series("k", r"\sqrt{k^2}", "n"), series("k", "k", "n"), Finding::Unknown),
        (series("k", "n", "n"), series("n", "n", "n"), Finding::Unknown),
        (
            sum(vec![series("k", "a_k", "n"), expr("x")]),
            sum(vec![expr("x"), series("k", "a_k", "n")]),
            Finding::Equal,
        ),
    ] {
        assert_eq!(judged(&a, &b).0, expected, "{a:?} {b:?}");
    }
}

#[test]
fn functions_without_notation_here() {
    let call = |function: Function, arguments: &[&str]| {
        Expr::Call(function, arguments.iter().map(|argument| expr(argument)).collect())
    };
    use Function as F;
    for (a, b, expected) in [
        (call(F::Gcd, &["2.4", "3.6"]), expr("6/5"), Finding::Equal),
        (call(F::Gcd, &["12", "x"]), call(F::Gcd, &["x", "12"]), Finding::Equal),
        (call(F::Gcd, &[r"\sqrt{2}", "1"]), expr("1"), Finding::Unknown),
        (call(F::Modulo, &["-7", "3"]), expr("2"), Finding::Equal),
        (call(F::DoubleFactorial, &["7"]), expr("105"), Finding::Equal),
        (call(F::Sign, &["-3x"]), call(F::Sign, &["x"]).negated(), Finding::Equal),
        (call(F::Sign, &["x"]), expr("1"), Finding::Different),
        (call(F::Conjugate, &["3+4i"]), expr("3-4i"), Finding::Equal),
        (call(F::Re, &["(1+2i)^2"]), expr("-3"), Finding::Equal),
        (call(F::Conjugate, &["z"]), expr("z"), Finding::Different),
        (call(F::Arg, &["i"]), expr(r"\frac{\pi}{2}"), Finding::Equal),
        (call(F::Arcsec, &["x"]), call(F::Arccos, &["1/x"]), Finding::Equal),
        (call(F::Arsinh, &["x"]), expr(r"\ln(x+\sqrt{x^2+1})"), Finding::Equal),
        (call(F::Artanh, &["x"]), expr(r"\frac{1}{2}\ln\frac{1+x}{1-x}"), Finding::Equal),
        (call(F::Coth, &["x"]), expr(r"\frac{\cosh x}{\sinh x}"), Finding::Equal),
        (Expr::Call(F::Tan, vec![call(F::Arccot, &["x"])]), expr("1/x"), Finding::Equal),
        (call(F::Csch, &["x"]), call(F::Sech, &["x"]), Finding::Different),
        (Expr::Infinity, Expr::product(vec![Expr::integer(2), Expr::Infinity]), Finding::Unknown),
        (Expr::Infinity.negated(), Expr::product(vec![Expr::Infinity, Expr::integer(-1)]), Finding::Equal),
        (Expr::Infinity, Expr::Infinity.negated(), Finding::Different),
        (Expr::Infinity, expr("10^{1000}"), Finding::Different),
        (Expr::sum(vec![Expr::Infinity, Expr::Infinity.negated()]), expr("0"), Finding::Unknown),
    ] {
        assert_eq!(judged(&a, &b).0, expected, "{a:?} {b:?}");
        assert_eq!(judged(&b, &a).0, expected, "{b:?} {a:?}");
    }
}

#[test]
fn a_difference_comes_with_a_witness() {
    let witness = |a: &str, b: &str| {
        let mut fuel = Fuel::full();
        fuel.explain = true;
        assert_eq!(compare(&expr(a), &expr(b), &mut fuel).finding, Finding::Different, "{a} {b}");
        fuel.witness.unwrap_or_else(|| panic!("{a} | {b} has no witness"))
    };
    let constants = witness(r"\sqrt{2}", r"\sqrt{3}");
    assert_eq!(constants.point, []);
    assert_eq!(constants.values, ("1.41421".to_owned(), "1.73205".to_owned()));
    let exact = witness("1/2", "1/3");
    assert_eq!(exact.values, ("0.5".to_owned(), "0.333333".to_owned()));
    let point = witness(r"x^2+\sin y", r"x^2-\sin y");
    assert_eq!(point.point.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    assert_ne!(point.values.0, point.values.1);
    let close = witness(r"e^{\pi\sqrt{163}}", "262537412640768744");
    assert_ne!(close.values.0, close.values.1);
}

#[test]
fn hostile_pairs_end_soon() {
    let nested = |open: &str, close: &str, n: usize| format!("{}x{}", open.repeat(n), close.repeat(n));
    let sines = |numbers: &mut dyn Iterator<Item = u32>| {
        numbers.map(|n| format!(r"\sin({n}x)")).collect::<Vec<_>>().join("+")
    };
    let roots = (1..60).map(|n| format!(r"\sqrt{{{n}+\sqrt{{{n}}}}}")).collect::<Vec<_>>().join("+");
    for (a, b) in [
        (nested("e^{", "}", 40), nested("e^{", "+0x}", 40)),
        (nested(r"\sin(", ")", 20), nested(r"\cos(", ")", 20)),
        (nested(r"\sqrt{1+", "}", 20), nested(r"\sqrt{", "+1}", 20)),
        (nested(r"\ln(1+", ")", 20), nested(r"\ln(", "+1)", 20)),
        (format!("{}1", r"\sin 1+".repeat(300)), format!("1{}", r"+\sin 1".repeat(300))),
        (format!("{}1", r"\ln(x+1)\cdot".repeat(200)), format!("1{}", r"\cdot\ln(1+x)".repeat(200))),
        (roots, "7".to_owned()),
        (sines(&mut (1..60)), sines(&mut (1..60).rev())),
        (nested("2^{", "}", 40), nested("3^{", "}", 40)),
    ] {
        let (Some(Value::Expr(a)), Some(Value::Expr(b))) = (parse(&a), parse(&b)) else { continue };
        // That it returns is what counts.
        let _ = judged(&a, &b);
    }
}
