//! Integrals with and without ends.

use super::super::super::expr::{Binder, Expr};
use super::super::super::identity::Fuel;
use super::super::super::modular::Finding;
use super::super::{is_antiderivative, resolve};
use super::{Row, check, expr, node, ranged};

#[test]
fn antiderivatives() {
    let mut failures = Vec::new();
    let rows = [
        ("x^2", "x^3/3+C"),
        ("x^n", "\\frac{x^{n+1}}{n+1}+C"),
        ("\\frac{1}{x}", "\\ln|x|+C"),
        ("\\frac{1}{2x+3}", "\\frac{1}{2}\\ln|2x+3|+C"),
        ("\\sqrt{x}", "\\frac{2}{3}x^{3/2}+C"),
        ("(3x+1)^5", "(3x+1)^6/18+C"),
        ("e^{3x}", "e^{3x}/3+C"),
        ("x e^x", "(x-1)e^x+C"),
        ("x^3e^{-x}", "-(x^3+3x^2+6x+6)e^{-x}+C"),
        ("2^x", "2^x/\\ln 2+C"),
        ("\\sin(3x)", "-\\cos(3x)/3+C"),
        ("x\\sin x", "\\sin x-x\\cos x+C"),
        ("e^x\\cos x", "e^x(\\sin x+\\cos x)/2+C"),
        ("e^{ax}\\sin(bx)", "\\frac{e^{ax}(a\\sin(bx)-b\\cos(bx))}{a^2+b^2}+C"),
        ("\\sin^2 x", "x/2-\\sin(2x)/4+C"),
        ("\\cos^3 x", "\\sin x-\\sin^3(x)/3+C"),
        ("\\sin x\\cos x", "\\sin^2(x)/2+C"),
        ("\\tan x", "-\\ln|\\cos x|+C"),
        ("\\sec^2 x", "\\tan x+C"),
        ("\\tan^2 x", "\\tan x-x+C"),
        ("\\sec x\\tan x", "\\sec x+C"),
        ("\\sec x", "\\ln|\\sec x+\\tan x|+C"),
        ("\\frac{1}{\\sin x\\cos x}", "\\ln|\\tan x|+C"),
        ("\\frac{1}{2+\\cos x}", "\\frac{2}{\\sqrt{3}}\\arctan(\\tan(x/2)/\\sqrt{3})+C"),
        ("\\frac{1}{1+x^2}", "\\arctan x+C"),
        ("\\frac{1}{x^2+a^2}", "\\frac{1}{a}\\arctan(x/a)+C"),
        ("\\frac{1}{x^2-1}", "\\frac{1}{2}\\ln|\\frac{x-1}{x+1}|+C"),
        ("\\frac{1}{x^2-2}", "\\frac{1}{2\\sqrt{2}}\\ln|\\frac{x-\\sqrt{2}}{x+\\sqrt{2}}|+C"),
        ("\\frac{x}{x^2+1}", "\\frac{1}{2}\\ln(x^2+1)+C"),
        ("\\frac{x^3}{x^2+1}", "x^2/2-\\frac{1}{2}\\ln(x^2+1)+C"),
        ("\\frac{1}{(x^2+1)^2}", "\\frac{x}{2(x^2+1)}+\\frac{1}{2}\\arctan x+C"),
        ("\\frac{1}{x(x+1)^2}", "\\ln|x|-\\ln|x+1|+\\frac{1}{x+1}+C"),
        ("\\frac{1}{x^4+5x^2+4}", "\\frac{1}{3}\\arctan x-\\frac{1}{6}\\arctan(x/2)+C"),
        ("\\frac{1}{\\sqrt{1-x^2}}", "\\arcsin x+C"),
        ("\\frac{1}{\\sqrt{a^2-x^2}}", "\\arcsin(x/|a|)+C"),
        ("\\frac{1}{\\sqrt{x^2+1}}", "\\ln(x+\\sqrt{x^2+1})+C"),
        ("\\sqrt{4-x^2}", "\\frac{x}{2}\\sqrt{4-x^2}+2\\arcsin(x/2)+C"),
        ("\\frac{x}{\\sqrt{x^2+1}}", "\\sqrt{x^2+1}+C"),
        ("\\frac{x}{\\sqrt{x+1}}", "\\frac{2}{3}(x-2)\\sqrt{x+1}+C"),
        ("\\frac{1}{x\\sqrt{x+1}}", "\\ln|\\frac{\\sqrt{x+1}-1}{\\sqrt{x+1}+1}|+C"),
        ("\\ln x", "x\\ln x-x+C"),
        ("x^2\\ln x", "\\frac{x^3}{3}\\ln x-\\frac{x^3}{9}+C"),
        ("\\ln^2 x", "x\\ln^2(x)-2x\\ln(x)+2x+C"),
        ("\\frac{\\ln x}{x}", "\\ln^2(x)/2+C"),
        ("\\frac{1}{x\\ln x}", "\\ln|\\ln x|+C"),
        ("x^n\\ln x", "\\frac{x^{n+1}}{n+1}(\\ln x-\\frac{1}{n+1})+C"),
        ("\\arctan x", "x\\arctan x-\\frac{1}{2}\\ln(1+x^2)+C"),
        ("\\arcsin x", "x\\arcsin x+\\sqrt{1-x^2}+C"),
        ("x\\arctan x", "\\frac{(x^2+1)\\arctan x-x}{2}+C"),
        ("x e^{x^2}", "e^{x^2}/2+C"),
        ("x^3e^{x^2}", "\\frac{(x^2-1)e^{x^2}}{2}+C"),
        ("e^{\\sin x}\\cos x", "e^{\\sin x}+C"),
        ("\\frac{e^x}{1+e^x}", "\\ln(1+e^x)+C"),
        ("\\frac{1}{1+e^x}", "x-\\ln(1+e^x)+C"),
        ("e^{\\sqrt{x}}", "2(\\sqrt{x}-1)e^{\\sqrt{x}}+C"),
        ("\\sinh x", "\\cosh x+C"),
        ("(x+1)\\ln x", "(\\frac{x^2}{2}+x)\\ln x-\\frac{x^2}{4}-x+C"),
    ];
    for (body, family) in rows {
        let node = node(Binder::Integral, "x", expr(body), None, None);
        let Expr::Bound(bound) = &node else { continue };
        let given = is_antiderivative(bound, &expr(family), &mut Fuel::full());
        let found = resolve(node.clone());
        let unresolved = found.any(&|part| matches!(part, Expr::Bound(_)));
        let own = is_antiderivative(bound, &found, &mut Fuel::full());
        if given != Finding::Equal || unresolved || own != Finding::Equal {
            failures.push(format!("∫ {body}: {given:?} {own:?} {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn candidates_that_are_no_antiderivatives() {
    for (body, candidate) in [
        ("x^2", "x^3/3"),
        ("x^2", "x^3+C"),
        ("x^2", "C x^3/3"),
        ("x^2", "x^3/3+x"),
        ("x^2", "x^3/3+2C"),
        ("C x", "C x^2/2+C"),
        ("\\sin x", "\\cos x+C"),
        ("\\frac{1}{x}", "\\frac{-1}{x^2}+C"),
    ] {
        let Expr::Bound(bound) = node(Binder::Integral, "x", expr(body), None, None) else { continue };
        let found = is_antiderivative(&bound, &expr(candidate), &mut Fuel::full());
        assert_eq!(found, Finding::Different, "∫ {body} = {candidate}");
    }
}

#[test]
fn integrals_without_a_rule() {
    let rows: Vec<_> =
        ["e^{x^2}", "\\frac{\\sin x}{x}", "x^x", "\\frac{1}{\\ln x}", "\\lfloor x\\rfloor", "\\sqrt{1+x^4}"]
            .map(|body| (body.to_owned(), node(Binder::Integral, "x", expr(body), None, None), ""))
            .to_vec();
    check(&rows);
}

#[test]
fn definite_integrals() {
    let rows: [Row; 75] = [
        ("x^2", "0", "3", "9"),
        ("x^2", "3", "0", "-9"),
        ("x^2", "a", "b", "(b^3-a^3)/3"),
        ("e^{cx}", "a", "b", "(e^{bc}-e^{ac})/c"),
        ("t x", "0", "1", "t/2"),
        ("\\frac{1}{x}", "1", "t", "\\ln t"),
        ("\\frac{1}{x}", "1", "e", "1"),
        ("\\frac{1}{x}", "-2", "-1", "-\\ln 2"),
        ("\\frac{1}{1+x^2}", "0", "1", "\\pi/4"),
        ("\\frac{1}{1+x^2}", "-\\infty", "\\infty", "\\pi"),
        ("\\frac{1}{x^2}", "1", "\\infty", "1"),
        ("\\sin x", "0", "\\pi", "2"),
        ("\\sin^2 x", "0", "2\\pi", "\\pi"),
        ("x\\sin x", "0", "\\pi", "\\pi"),
        ("\\cos^4 x", "0", "\\pi/2", "3\\pi/16"),
        ("\\tan x", "0", "\\pi/4", "\\frac{1}{2}\\ln 2"),
        ("\\sec^2 x", "0", "\\pi/4", "1"),
        ("e^{-x}", "0", "\\infty", "1"),
        ("x^5e^{-x}", "0", "\\infty", "120"),
        ("e^{-x}\\cos x", "0", "\\infty", "1/2"),
        ("e^{-x^2}", "-\\infty", "\\infty", "\\sqrt{\\pi}"),
        ("e^{-x^2}", "0", "\\infty", "\\sqrt{\\pi}/2"),
        ("e^{-x^2/2}", "-\\infty", "\\infty", "\\sqrt{2\\pi}"),
        ("x^2e^{-x^2}", "-\\infty", "\\infty", "\\sqrt{\\pi}/2"),
        ("e^{-x^2+x}", "-\\infty", "\\infty", "\\sqrt{\\pi}e^{1/4}"),
        ("x^3e^{-x^2}", "0", "\\infty", "1/2"),
        ("e^{-ax^2}", "-\\infty", "\\infty", "\\sqrt{\\pi/a}"),
        ("\\frac{\\sin x}{x}", "0", "\\infty", "\\pi/2"),
        ("\\frac{\\sin(3x)}{x}", "-\\infty", "\\infty", "\\pi"),
        ("\\ln x", "1", "e", "1"),
        ("\\ln x", "0", "1", "-1"),
        ("x\\ln x", "0", "1", "-1/4"),
        ("\\frac{1}{\\sqrt{x}}", "0", "4", "4"),
        ("\\sqrt{x}", "0", "4", "16/3"),
        ("\\sqrt{4-x^2}", "-2", "2", "2\\pi"),
        ("\\sqrt{2-x^2}", "-\\sqrt{2}", "\\sqrt{2}", "\\pi"),
        ("\\frac{1}{\\sqrt{1-x^2}}", "0", "1", "\\pi/2"),
        ("\\frac{1}{\\sqrt{1-x^2}}", "0", "1/2", "\\pi/6"),
        ("\\frac{x}{x^2+1}", "0", "1", "\\frac{1}{2}\\ln 2"),
        ("\\frac{1}{x^2+x+1}", "0", "1", "\\frac{\\pi}{3\\sqrt{3}}"),
        ("\\frac{1}{x^3+1}", "0", "\\infty", "\\frac{2\\pi}{3\\sqrt{3}}"),
        ("\\frac{x^2}{(x^2+1)^2}", "-\\infty", "\\infty", "\\pi/2"),
        ("\\frac{1}{e^x+1}", "0", "\\infty", "\\ln 2"),
        ("|x|", "-1", "2", "5/2"),
        ("|x-1|", "0", "3", "5/2"),
        ("x e^{-x^2}", "0", "1", "(1-e^{-1})/2"),
        ("\\arctan x", "0", "1", "\\pi/4-\\frac{1}{2}\\ln 2"),
        ("\\frac{\\ln x}{x^2}", "1", "\\infty", "1"),
        ("\\sin(5x)\\cos(3x)", "0", "\\pi/2", "1/2"),
        ("\\frac{1}{2+\\cos x}", "0", "\\pi/2", "\\frac{\\pi}{3\\sqrt{3}}"),
        ("x", "2", "2", "0"),
        ("\\frac{1}{x^2}", "-1", "1", ""),
        ("\\frac{1}{x}", "-1", "1", ""),
        ("\\frac{1}{x}", "0", "1", ""),
        ("\\frac{1}{x}", "1", "\\infty", ""),
        ("\\frac{1}{x-2}", "0", "3", ""),
        ("\\frac{1}{(x-\\sqrt{2})^2}", "0", "2", ""),
        ("\\tan x", "0", "\\pi", ""),
        ("\\sec^2 x", "0", "\\pi", ""),
        ("\\sin x", "0", "\\infty", ""),
        ("e^{x}", "0", "\\infty", ""),
        ("\\frac{1}{x\\ln x}", "1", "2", ""),
        ("\\frac{1}{5+4\\cos x}", "0", "2\\pi", ""),
        ("\\frac{1}{1+\\sin^2 x}", "0", "\\pi", ""),
        ("\\frac{1}{\\sqrt[3]{x}}", "-1", "1", ""),
        ("\\ln|x|", "-2", "2", "4\\ln 2-4"),
        ("\\frac{1}{x^2-1}", "0", "\\infty", ""),
        ("\\frac{1}{x^4-5x^2+1}", "0", "1", ""),
        ("x", "-\\infty", "\\infty", ""),
        ("\\frac{x}{x^2+1}", "-\\infty", "\\infty", ""),
        ("e^{ax^2}", "-\\infty", "\\infty", "\\sqrt{-\\pi/a}"),
        ("e^{x^2}", "-\\infty", "\\infty", ""),
        ("e^{x^2}", "0", "1", ""),
        ("\\frac{1}{2+\\cos x}", "0", "2\\pi", ""),
        ("\\frac{1}{\\sin x}", "-1", "1", ""),
    ];
    ranged(Binder::Integral, "x", &rows);
}

#[test]
fn derivatives_of_integrals() {
    let integral = |body: &str, from: Option<&str>, to: Option<&str>, of: &str| {
        let body = node(Binder::Integral, of, expr(body), from, to);
        node(Binder::Derivative(1), "x", body, None, None)
    };
    check(&[
        ("by its end".to_owned(), integral("e^{t^2}", Some("0"), Some("x"), "t"), "e^{x^2}"),
        (
            "by both ends".to_owned(),
            integral("\\sin(t^2)", Some("x"), Some("x^2"), "t"),
            "2x\\sin(x^4)-\\sin(x^2)",
        ),
        ("of a family".to_owned(), integral("e^{x^2}", None, None, "x"), "e^{x^2}"),
        ("of a parameter".to_owned(), integral("e^{xt^2}", Some("0"), Some("1"), "t"), ""),
    ]);
}
