//! Rows of operators with the values they have, and of those that have none.

mod hostile;
mod integrals;

use super::super::compare;
use super::super::expr::{Binder, Bound, Expr, Side, Value};
use super::super::modular::Finding;
use super::super::parser;
use super::super::policy::Policy;
use super::resolve;

fn expr(text: &str) -> Expr {
    match parser::parse(text) {
        Some(Value::Expr(expr)) => expr,
        other => panic!("{text}: {other:?}"),
    }
}

fn node(binder: Binder, variable: &str, body: Expr, from: Option<&str>, to: Option<&str>) -> Expr {
    let (from, to) = (from.map(expr), to.map(expr));
    Expr::Bound(Box::new(Bound { binder, variable: variable.into(), body, from, to }))
}

fn compared(found: &Expr, expected: &str) -> Finding {
    compare::expressions(&expr(expected), found, &mut compare::Context::new(&Policy::default())).finding
}

fn check(rows: &[(String, Expr, &str)]) {
    let mut failures = Vec::new();
    for (name, node, expected) in rows {
        let found = resolve(node.clone());
        let unresolved = found.any(&|part| matches!(part, Expr::Bound(_)));
        let bad = match *expected {
            "" => !unresolved,
            expected => unresolved || compared(&found, expected) != Finding::Equal,
        };
        if bad {
            let shown = if unresolved { "unresolved".to_owned() } else { format!("{found:?}") };
            failures.push(format!("{name} = {expected:?}: {shown}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

/// The body, the ends and the value; no value for what stays as it is.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn ranged(binder: Binder, variable: &str, rows: &[Row]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(body, from, to, expected)| {
            let name = format!("{binder:?} of {body} from {from} to {to}");
            (name, node(binder, variable, expr(body), Some(from), Some(to)), *expected)
        })
        .collect();
    check(&rows);
}

#[test]
fn finite_sums() {
    let rows: [Row; 30] = [
        ("k", "1", "100", "5050"),
        ("k^2", "1", "n", "n(n+1)(2n+1)/6"),
        ("k^3", "1", "n", "n^2(n+1)^2/4"),
        ("k", "a", "b", "(b-a+1)(a+b)/2"),
        ("(2k-1)", "1", "n", "n^2"),
        ("k^{12}", "1", "3", "535538"),
        ("k", "1", "10^{15}", "10^{15}(10^{15}+1)/2"),
        ("2^k", "0", "n", "2^{n+1}-1"),
        ("a r^k", "0", "n-1", "a(1-r^n)/(1-r)"),
        ("k x^k", "1", "n", "(x-(n+1)x^{n+1}+n x^{n+2})/(1-x)^2"),
        ("k\\cdot 2^k", "1", "10", "18434"),
        ("\\frac{1}{k(k+1)}", "1", "n", "n/(n+1)"),
        ("\\frac{1}{k(k+1)}", "1", "999999", "999999/1000000"),
        ("\\frac{1}{(2k-1)(2k+1)}", "1", "n", "n/(2n+1)"),
        ("\\frac{1}{k(k+1)(k+2)}", "1", "n", "1/4-\\frac{1}{2(n+1)(n+2)}"),
        ("\\frac{1}{k}", "1", "4", "25/12"),
        ("\\frac{1}{k}", "1", "30", "9304682830147/2329089562800"),
        ("c", "1", "3", "3c"),
        ("c", "1", "n", "cn"),
        ("k", "5", "4", "0"),
        ("k!", "0", "4", "34"),
        ("\\sqrt{k}", "1", "3", "1+\\sqrt{2}+\\sqrt{3}"),
        ("x^k", "0", "3", "1+x+x^2+x^3"),
        ("\\binom{10}{k}", "0", "10", "1024"),
        ("\\sin(k x)", "1", "2", "\\sin(x)+\\sin(2x)"),
        ("(-1)^k k", "1", "50", "25"),
        ("3^{-k}", "1", "n", "(1-3^{-n})/2"),
        ("\\frac{1}{k^2}", "1", "n", ""),
        ("\\frac{1}{k}", "1", "10^9", ""),
        ("\\frac{1}{k-3}", "1", "10", ""),
    ];
    ranged(Binder::Sum, "k", &rows);
}

#[test]
fn binomial_sums() {
    let binomial = |rest: &str| {
        let choose = Expr::Call(super::super::expr::Function::Binomial, vec![expr("n"), expr("k")]);
        Expr::product(vec![choose, expr(rest)])
    };
    let rows: Vec<_> = [
        ("1", "2^n"),
        ("x^k y^{n-k}", "(x+y)^n"),
        ("k", "n\\cdot 2^{n-1}"),
        ("k^2", "n(n+1)\\cdot 2^{n-2}"),
        ("2^k", "3^n"),
        ("(-1)^k", ""),
    ]
    .map(|(rest, expected)| {
        (rest.to_owned(), node(Binder::Sum, "k", binomial(rest), Some("0"), Some("n")), expected)
    })
    .to_vec();
    check(&rows);
}

#[test]
fn products() {
    let rows: [Row; 15] = [
        ("k", "1", "n", "n!"),
        ("k", "1", "5", "120"),
        ("c", "1", "n", "c^n"),
        ("2k", "1", "n", "2^n n!"),
        ("\\frac{k+1}{k}", "1", "n", "n+1"),
        ("(1-\\frac{1}{k^2})", "2", "n", "(n+1)/(2n)"),
        ("(1-\\frac{1}{k^2})", "2", "\\infty", "1/2"),
        ("2^k", "1", "n", "2^{n(n+1)/2}"),
        ("k", "3", "2", "1"),
        ("k^2", "1", "4", "576"),
        ("\\frac{k^2}{k^2-1}", "2", "\\infty", "2"),
        ("(1-\\frac{1}{k})", "1", "n", ""),
        ("k", "1", "\\infty", ""),
        ("(1+\\frac{1}{k})", "1", "\\infty", ""),
        ("(k-3)", "a", "n", ""),
    ];
    ranged(Binder::Product, "k", &rows);
}

#[test]
fn infinite_sums() {
    let rows: [Row; 52] = [
        ("(1/2)^n", "0", "\\infty", "2"),
        ("\\frac{1}{3^n}", "1", "\\infty", "1/2"),
        ("x^n", "0", "\\infty", "1/(1-x)"),
        ("a r^n", "0", "\\infty", "a/(1-r)"),
        ("n x^n", "1", "\\infty", "x/(1-x)^2"),
        ("\\frac{n}{2^n}", "1", "\\infty", "2"),
        ("\\frac{n^2}{2^n}", "1", "\\infty", "6"),
        ("\\frac{1}{n^2}", "1", "\\infty", "\\pi^2/6"),
        ("\\frac{1}{n^4}", "1", "\\infty", "\\pi^4/90"),
        ("\\frac{1}{n^6}", "1", "\\infty", "\\pi^6/945"),
        ("\\frac{1}{n^2}", "3", "\\infty", "\\pi^2/6-5/4"),
        ("\\frac{1}{(2n+1)^2}", "0", "\\infty", "\\pi^2/8"),
        ("\\frac{(-1)^{n+1}}{n}", "1", "\\infty", "\\ln 2"),
        ("\\frac{(-1)^{n+1}}{n^2}", "1", "\\infty", "\\pi^2/12"),
        ("\\frac{(-1)^n}{2n+1}", "0", "\\infty", "\\pi/4"),
        ("\\frac{(-1)^n}{3n+1}", "0", "\\infty", "\\pi\\sqrt{3}/9+\\frac{1}{3}\\ln 2"),
        ("\\frac{1}{n!}", "0", "\\infty", "e"),
        ("\\frac{1}{n!}", "2", "\\infty", "e-2"),
        ("\\frac{n}{n!}", "1", "\\infty", "e"),
        ("\\frac{n^2}{n!}", "0", "\\infty", "2e"),
        ("\\frac{x^n}{n!}", "0", "\\infty", "e^x"),
        ("\\frac{2^n}{(n+1)!}", "0", "\\infty", "(e^2-1)/2"),
        ("\\frac{(-1)^n x^{2n+1}}{(2n+1)!}", "0", "\\infty", "\\sin(x)"),
        ("\\frac{(-1)^n x^{2n}}{(2n)!}", "0", "\\infty", "\\cos(x)"),
        ("\\frac{x^{2n}}{(2n)!}", "0", "\\infty", "\\cosh(x)"),
        ("\\frac{(-1)^n \\pi^{2n}}{(2n)!}", "0", "\\infty", "-1"),
        ("\\frac{x^n}{n}", "1", "\\infty", "-\\ln(1-x)"),
        ("\\frac{1}{n\\cdot 2^n}", "1", "\\infty", "\\ln 2"),
        ("\\frac{(-1)^n x^{2n+1}}{2n+1}", "0", "\\infty", "\\arctan(x)"),
        ("\\frac{1}{n(n+1)}", "1", "\\infty", "1"),
        ("\\frac{1}{n(n+3)}", "1", "\\infty", "11/18"),
        ("\\frac{1}{4n^2-1}", "1", "\\infty", "1/2"),
        ("\\frac{1}{n(2n+1)}", "1", "\\infty", "2-2\\ln 2"),
        ("\\frac{1}{n^2(n+1)}", "1", "\\infty", "\\pi^2/6-1"),
        ("\\frac{1}{n}-\\frac{1}{n+1}", "1", "\\infty", "1"),
        ("\\frac{\\cos(n\\pi)}{n}", "1", "\\infty", "-\\ln 2"),
        ("\\frac{2^n+3^n}{6^n}", "1", "\\infty", "3/2"),
        ("\\frac{n+1}{n^2(n+2)^2}", "1", "\\infty", "5/16"),
        ("(-2)^n", "0", "\\infty", ""),
        ("n!x^n", "0", "\\infty", ""),
        ("\\ln(1+\\frac{1}{n})", "1", "\\infty", ""),
        ("\\frac{2^n}{n}", "1", "\\infty", ""),
        ("\\frac{(-1)^n n}{n+1}", "1", "\\infty", ""),
        ("\\frac{1}{n-5}-\\frac{1}{n-4}", "1", "\\infty", ""),
        ("\\frac{1}{n}", "1", "\\infty", ""),
        ("n", "1", "\\infty", ""),
        ("2^n", "0", "\\infty", ""),
        ("(-1)^n", "0", "\\infty", ""),
        ("\\frac{1}{n^3}", "1", "\\infty", ""),
        ("\\frac{1}{n^2}", "0", "\\infty", ""),
        ("\\frac{1}{\\sqrt{n}}", "1", "\\infty", ""),
        ("\\frac{n}{n+1}", "1", "\\infty", ""),
    ];
    ranged(Binder::Sum, "n", &rows);
}

#[test]
fn limits() {
    let rows: [(&str, &str, &str); 74] = [
        ("\\frac{\\sin x}{x}", "0", "1"),
        ("\\frac{x^2-1}{x-1}", "1", "2"),
        ("\\frac{1-\\cos x}{x^2}", "0", "1/2"),
        ("\\frac{e^x-1}{x}", "0", "1"),
        ("\\frac{\\ln(1+x)}{x}", "0", "1"),
        ("\\frac{\\tan x-x}{x^3}", "0", "1/3"),
        ("\\frac{x-\\sin x}{x^3}", "0", "1/6"),
        ("\\frac{\\sqrt{1+x}-1}{x}", "0", "1/2"),
        ("\\frac{\\arctan x}{x}", "0", "1"),
        ("\\frac{\\arcsin(2x)}{x}", "0", "2"),
        ("\\frac{a^x-1}{x}", "0", "\\ln(a)"),
        ("\\frac{\\sin(ax)}{\\sin(bx)}", "0", "a/b"),
        ("\\frac{x^2-a^2}{x-a}", "a", "2a"),
        ("\\frac{\\sqrt{x}-2}{x-4}", "4", "1/4"),
        ("\\frac{\\sqrt[3]{x}-2}{x-8}", "8", "1/12"),
        ("x^2+1", "3", "10"),
        ("\\cos x", "\\pi", "-1"),
        ("\\frac{\\cos x}{x-\\pi/2}", "\\pi/2", "-1"),
        ("\\frac{3x^2+1}{2x^2-5}", "\\infty", "3/2"),
        ("\\frac{x}{x^2+1}", "\\infty", "0"),
        ("\\frac{x^3}{x^2+1}", "\\infty", "\\infty"),
        ("\\frac{x^3}{x^2+1}", "-\\infty", "-\\infty"),
        ("(1+\\frac{1}{x})^x", "\\infty", "e"),
        ("(1+\\frac{a}{x})^{bx}", "\\infty", "e^{ab}"),
        ("(1-\\frac{2}{x})^{3x+1}", "\\infty", "e^{-6}"),
        ("(1+x)^{1/x}", "0", "e"),
        ("(\\cos x)^{1/x^2}", "0", "e^{-1/2}"),
        ("\\sqrt{x^2+x}-x", "\\infty", "1/2"),
        ("\\sqrt{x^2+x}+x", "-\\infty", "-1/2"),
        ("\\frac{\\ln x}{x}", "\\infty", "0"),
        ("\\frac{x^5}{e^x}", "\\infty", "0"),
        ("\\frac{e^x}{x^9}", "\\infty", "\\infty"),
        ("x^{1/x}", "\\infty", "1"),
        ("\\frac{\\ln(x^2+1)}{\\ln x}", "\\infty", "2"),
        ("\\arctan x", "\\infty", "\\pi/2"),
        ("\\arctan x", "-\\infty", "-\\pi/2"),
        ("\\tanh x", "\\infty", "1"),
        ("\\frac{e^x-e^{-x}}{e^x+e^{-x}}", "-\\infty", "-1"),
        ("\\frac{\\sin x}{x}", "\\infty", "0"),
        ("x\\sin(1/x)", "0", "0"),
        ("\\frac{(-1)^x}{x}", "\\infty", "0"),
        ("(\\frac{1}{2})^x", "\\infty", "0"),
        ("\\frac{x!}{x^x}", "\\infty", "0"),
        ("\\frac{2^x}{x!}", "\\infty", "0"),
        ("\\frac{x+\\sin x}{x}", "\\infty", "1"),
        ("\\frac{1}{x^2}", "0", "\\infty"),
        ("\\ln(x+1)-\\ln(x)", "\\infty", "0"),
        ("\\frac{(t+x)^3-t^3}{x}", "0", "3t^2"),
        ("\\frac{\\sin(t+x)-\\sin t}{x}", "0", "\\cos(t)"),
        ("\\frac{\\sqrt{t+x}-\\sqrt{t}}{x}", "0", "\\frac{1}{2\\sqrt{t}}"),
        ("\\frac{\\lfloor x\\rfloor}{x}", "\\infty", "1"),
        ("\\frac{1}{x}-\\frac{1}{\\sin x}", "0", "0"),
        ("\\frac{1}{x^2}-\\frac{1}{\\sin^2 x}", "0", "-1/3"),
        ("\\frac{(x!)^{1/x}}{x}", "\\infty", "1/e"),
        ("x(\\sqrt{x^2+1}-x)", "\\infty", "1/2"),
        ("\\frac{(\\ln x)^2}{\\sqrt{x}}", "\\infty", "0"),
        ("x^{1/\\ln x}", "\\infty", "e"),
        ("x^{\\ln x}", "\\infty", "\\infty"),
        ("(2^x+3^x)^{1/x}", "\\infty", "3"),
        ("\\frac{x^n-1}{x-1}", "1", "n"),
        ("\\frac{\\binom{2x}{x}\\sqrt{x}}{4^x}", "\\infty", "1/\\sqrt{\\pi}"),
        ("\\frac{e^x-e^{-x}-2x}{x-\\sin x}", "0", "2"),
        ("e^x-e^{x+1/x^2}", "\\infty", "-\\infty"),
        ("x\\sin x", "\\infty", ""),
        ("x-\\lfloor x\\rfloor", "\\infty", ""),
        ("e^{\\sin x}", "\\infty", ""),
        ("\\frac{1}{\\sin x}", "\\infty", ""),
        ("\\frac{1}{x}", "0", ""),
        ("\\sin x", "\\infty", ""),
        ("(-1)^x", "\\infty", ""),
        ("\\frac{|x|}{x}", "0", ""),
        ("\\sin(1/x)", "0", ""),
        ("\\arctan(1/x)", "0", ""),
        ("r^x", "\\infty", ""),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(body, to, expected)| {
            let name = format!("lim of {body} at {to}");
            (name, node(Binder::Limit(Side::Both), "x", expr(body), None, Some(to)), *expected)
        })
        .collect();
    check(&rows);
}

#[test]
fn limits_from_one_side() {
    let rows: Vec<_> = [
        ("x\\ln x", "0", Side::Above, "0"),
        ("x^x", "0", Side::Above, "1"),
        ("\\frac{1}{x}", "0", Side::Above, "\\infty"),
        ("\\frac{1}{x}", "0", Side::Below, "-\\infty"),
        ("\\ln x", "0", Side::Above, "-\\infty"),
        ("e^{1/x}", "0", Side::Below, "0"),
        ("e^{1/x}", "0", Side::Above, "\\infty"),
        ("\\frac{|x|}{x}", "0", Side::Below, "-1"),
        ("\\sqrt{x}\\ln x", "0", Side::Above, "0"),
        ("\\frac{1}{1+e^{1/x}}", "0", Side::Below, "1"),
        ("\\arctan(1/x)", "0", Side::Below, "-\\pi/2"),
        ("\\tan x", "\\pi/2", Side::Below, "\\infty"),
        ("\\arcsin x", "1", Side::Below, "\\pi/2"),
        ("\\sqrt{x}", "0", Side::Below, ""),
        ("\\cos(1/x)", "0", Side::Above, ""),
    ]
    .map(|(body, to, side, expected)| {
        let name = format!("lim of {body} at {to} from {side:?}");
        (name, node(Binder::Limit(side), "x", expr(body), None, Some(to)), expected)
    })
    .to_vec();
    check(&rows);
}

#[test]
fn derivatives() {
    let rows: Vec<_> = [
        ("x^3", 1, None, "3x^2"),
        ("x^5", 3, None, "60x^2"),
        ("x^n", 1, None, "n x^{n-1}"),
        ("\\sin(x^2)", 1, None, "2x\\cos(x^2)"),
        ("\\sin x", 2, None, "-\\sin x"),
        ("e^{2x}", 10, None, "1024e^{2x}"),
        ("x^x", 1, None, "x^x(\\ln x+1)"),
        ("a^x", 1, None, "a^x\\ln a"),
        ("\\ln|x|", 1, None, "1/x"),
        ("\\frac{x}{x^2+1}", 1, None, "\\frac{1-x^2}{(x^2+1)^2}"),
        ("\\sqrt{x^2+1}", 1, None, "\\frac{x}{\\sqrt{x^2+1}}"),
        ("\\arctan(x)", 1, None, "\\frac{1}{1+x^2}"),
        ("\\arcsin(x)", 1, None, "\\frac{1}{\\sqrt{1-x^2}}"),
        ("\\tan x", 1, None, "1+\\tan^2(x)"),
        ("\\sec x", 1, None, "\\sec(x)\\tan(x)"),
        ("\\log_2(x)", 1, None, "\\frac{1}{x\\ln 2}"),
        ("x^2y+y^3", 1, None, "2xy"),
        ("x^3", 1, Some("2"), "12"),
        ("\\cos x", 1, Some("\\pi/2"), "-1"),
        ("\\tanh x", 1, None, "1-\\tanh^2(x)"),
        ("|x|", 1, None, ""),
        ("\\lfloor x\\rfloor", 1, None, ""),
        ("x^{20}", 17, None, ""),
    ]
    .map(|(body, order, at, expected)| {
        let name = format!("derivative {order} of {body} at {at:?}");
        (name, node(Binder::Derivative(order), "x", expr(body), None, at), expected)
    })
    .to_vec();
    check(&rows);
}

#[test]
fn unknown_functions_stay() {
    let applied = Expr::Apply("f".into(), vec![Expr::Variable("x".into())]);
    let rows = [
        (Binder::Integral, Some("0"), Some("1")),
        (Binder::Integral, None, None),
        (Binder::Sum, Some("1"), Some("3")),
        (Binder::Limit(Side::Both), None, Some("0")),
        (Binder::Derivative(1), None, None),
    ]
    .map(|(binder, from, to)| {
        let expected = if binder == Binder::Sum { "0" } else { "" };
        (format!("{binder:?}"), node(binder, "x", applied.clone(), from, to), expected)
    });
    for (name, node, expected) in rows {
        let found = resolve(node.clone());
        // A short sum is written out, whatever its terms are.
        assert_eq!(found == node, expected.is_empty(), "{name}: {found:?}");
    }
}
