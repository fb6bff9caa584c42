//! Input that asks for more work than there is.

use super::super::super::expr::{Binder, Side, Value};
use super::super::super::parser;
use super::super::resolve;
use super::super::tidy::size;
use super::node;

/// The largest result, in parts: the two ends of an antiderivative or a sum of terms.
const MAX_SIZE: usize = 4_000;

#[test]
fn hostile_input_is_bounded() {
    let repeated = |part: &str, join: &str, n: usize| vec![part; n].join(join);
    let bodies = [
        repeated("\\sin(x)", "", 40),
        repeated("(1+x)", "", 200),
        repeated("\\frac{1}{1+x^2}", "+", 100),
        repeated("\\frac{x}{1+x^3}", "", 60),
        repeated("\\sqrt{1+x}", "\\cdot ", 50),
        repeated("e^{x}\\ln x", "+", 60),
        (1..40).map(|n| format!("\\sin({n}x)\\cos({n}x+1)")).collect::<Vec<_>>().join("+"),
        (1..12).map(|n| format!("(x+{n})^{{{n}}}")).collect::<Vec<_>>().concat(),
        (1..14).map(|n| format!("\\sin({n}x)")).collect::<Vec<_>>().concat(),
        (1..30).map(|n| format!("\\frac{{1}}{{x-{n}/7}}")).collect::<Vec<_>>().join("+"),
        format!("{}x{}", "\\sin(".repeat(20), ")".repeat(20)),
        format!("{}x{}", "e^{".repeat(20), "}".repeat(20)),
        "(1+x)^{10^{30}}".to_owned(),
        "x^{x^{x^{x}}}".to_owned(),
        "(x^{31}+3x^{17}+\\pi)^{31}".to_owned(),
        "\\frac{x^{30}+1}{x^{31}-x^{7}+1}".to_owned(),
        "\\frac{1}{x^{12}-7x^{5}+3}".to_owned(),
        "\\tan(x)^{30}".to_owned(),
        "\\frac{\\sin(\\tan x)-\\tan(\\sin x)}{\\arcsin(\\arctan x)-\\arctan(\\arcsin x)}".to_owned(),
        "\\ln(\\ln(\\ln(x)))".to_owned(),
        "x!".to_owned(),
        "(x!)!".to_owned(),
        "\\frac{e^{x^2}\\sqrt{x^3+1}\\ln(x+1)}{\\arctan(x)+\\cos(x)^2}".to_owned(),
    ];
    let ends = [(None, None), (Some("0"), Some("1")), (Some("1"), Some("\\infty")), (Some("a"), Some("b"))];
    let wide = [(Some("1"), Some("10000")), (Some("1"), Some("10^{40}")), (Some("1"), Some("n"))];
    for body in &bodies {
        let Some(Value::Expr(parsed)) = parser::parse(body) else { continue };
        let mut nodes = Vec::new();
        for (from, to) in ends.iter().chain(&wide) {
            for binder in [Binder::Integral, Binder::Sum, Binder::Product] {
                nodes.push(node(binder, "x", parsed.clone(), *from, *to));
            }
        }
        for to in ["0", "1", "\\infty", "a"] {
            nodes.push(node(Binder::Limit(Side::Both), "x", parsed.clone(), None, Some(to)));
        }
        for order in [1, 2, 16, u32::MAX] {
            nodes.push(node(Binder::Derivative(order), "x", parsed.clone(), None, None));
        }
        for node in nodes {
            let resolved = resolve(node.clone());
            assert!(size(&resolved) <= MAX_SIZE.max(size(&node)), "{node:?}");
        }
    }
}
