//! Answers printed back as LaTeX: the forms built from expressions.

use super::expr::{Expr, Relation, Unit, Value};
use super::latex::{Place, Printer};
use super::spelling;

/// An answer as LaTeX, as it was read.
pub(super) fn value(value: &Value) -> String {
    let mut printer = Printer::new();
    printer.value(value);
    printer.out
}

impl Printer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Expr(expr) => self.expr(expr, Place::Alone),
            Value::Quantity(expr, unit) => self.quantity(expr, unit),
            Value::Tuple { open, close, items } => {
                let bars = std::mem::take(&mut self.bars);
                self.write(&format!("\\left{open}"));
                self.values(items, ", ");
                self.write(&format!("\\right{close}"));
                self.bars = bars;
            }
            Value::Set(items) if items.is_empty() => self.write("\\emptyset"),
            Value::Set(items) => self.set(|printer| printer.values(items, ", ")),
            Value::List(items, join) => self.values(items, spelling::join(*join)),
            Value::Combined(operation, parts) => {
                for (place, part) in parts.iter().enumerate() {
                    if place > 0 {
                        self.write(&format!(" {} ", spelling::operation(*operation)));
                    }
                    match part {
                        Value::Combined(..) => self.bracketed(|printer| printer.value(part)),
                        part => self.value(part),
                    }
                }
            }
            Value::Domain(domain) => self.write(spelling::domain(*domain)),
            Value::Builder { element, conditions } => self.set(|printer| {
                printer.expr(element, Place::Alone);
                printer.write(" \\mid ");
                printer.values(conditions, ", ");
            }),
            Value::Element(element, set) => {
                self.expr(element, Place::Alone);
                self.write(" \\in ");
                self.value(set);
            }
            Value::Matrix(rows) => self.rows("pmatrix", rows, |printer, row| {
                for (place, cell) in row.iter().enumerate() {
                    printer.write(if place == 0 { "" } else { " & " });
                    printer.expr(cell, Place::Alone);
                }
            }),
            Value::Chain { sides, relations } => self.chain(sides, relations),
            Value::Named(name, value) => {
                self.value(name);
                self.write(" = ");
                self.value(value);
            }
            Value::System(lines) => self.rows("cases", lines, Self::value),
            Value::Piecewise(branches) => self.rows("cases", branches, |printer, (value, condition)| {
                printer.expr(value, Place::Alone);
                match condition {
                    Some(condition) => {
                        printer.write(" & \\text{if } ");
                        printer.value(condition);
                    }
                    None => printer.write(" & \\text{otherwise}"),
                }
            }),
            Value::Congruence { left, right, modulus } => {
                if let Some(left) = left {
                    self.expr(left, Place::Alone);
                    self.write(" \\equiv ");
                }
                self.expr(right, Place::Alone);
                self.write(" \\pmod");
                self.braced(|printer| printer.expr(modulus, Place::Alone));
            }
            Value::Ratio(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    self.write(if place == 0 { "" } else { " : " });
                    self.expr(part, Place::Alone);
                }
            }
            Value::Text(words) => self.write(&spelling::text(words)),
        }
    }

    fn values(&mut self, items: &[Value], join: &str) {
        for (place, item) in items.iter().enumerate() {
            self.write(if place == 0 { "" } else { join });
            self.value(item);
        }
    }

    fn set(&mut self, print: impl FnOnce(&mut Self)) {
        let bars = std::mem::replace(&mut self.bars, 1);
        self.write("\\{");
        print(self);
        self.write("\\}");
        self.bars = bars;
    }

    fn quantity(&mut self, expr: &Expr, unit: &Unit) {
        match unit {
            // The mark stands on a single number; a sign stays before it.
            Unit::Percent => match expr {
                Expr::Number(n) if n.is_int() => self.expr(expr, Place::Alone),
                expr => self.expr(expr, Place::Base),
            },
            Unit::Known { .. } | Unit::Named(_) => self.expr(expr, Place::Alone),
        }
        self.write(&spelling::unit(unit));
    }

    fn chain(&mut self, sides: &[Expr], relations: &[Relation]) {
        for (place, side) in sides.iter().enumerate() {
            if let Some(relation) = place.checked_sub(1).and_then(|before| relations.get(before)) {
                self.write(&format!(" {} ", spelling::relation(*relation)));
            }
            self.expr(side, Place::Alone);
        }
    }

    fn rows<T>(&mut self, environment: &str, rows: &[T], mut print: impl FnMut(&mut Self, &T)) {
        let bars = std::mem::take(&mut self.bars);
        self.write(&format!("\\begin{{{environment}}} "));
        for (place, row) in rows.iter().enumerate() {
            self.write(if place == 0 { "" } else { " \\\\ " });
            print(self, row);
        }
        self.write(&format!(" \\end{{{environment}}}"));
        self.bars = bars;
    }
}

#[cfg(test)]
mod tests {
    use dashu::rational::RBig;
    use proptest::prelude::*;

    use super::super::compare::{Context, values};
    use super::super::expr::{Expr, Function, Value};
    use super::super::latex::MAX_CHARS;
    use super::super::modular::Finding;
    use super::super::policy::Policy;
    use super::super::reading;
    use super::value;

    /// What is wrong with how `text` is printed, if anything.
    fn fault(text: &str, policy: &Policy) -> Option<String> {
        let Ok(read) = reading::value(text) else { return Some(format!("{text}: not read")) };
        let printed = value(&read);
        let Ok(again) = reading::value(&printed) else {
            return Some(format!("{text}: {printed} is not read"));
        };
        let found = values(&read, &again, &mut Context::new(policy));
        (!found.is_equal()).then(|| format!("{text}: printed as {printed}: {found:?}"))
    }

    #[test]
    fn what_is_printed_reads_as_the_same() {
        let policy = Policy::default();
        let faults: Vec<String> = TEXTS.iter().filter_map(|text| fault(text, &policy)).collect();
        assert!(TEXTS.len() >= 100);
        assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), TEXTS.len(), faults.join("\n"));
    }

    const TEXTS: &[&str] = &[
        "0",
        "-7",
        "1/2",
        "-\\frac{3}{4}",
        "3.14159",
        "0.001",
        "1,234,567",
        "2.5e-7",
        "6.02e23",
        "0.\\overline{36}",
        "1\\frac{2}{3}",
        "2^{10}",
        "2^{-3}",
        "10^{-5}",
        "3 \\cdot 10^{-5}",
        "9^{9^{9}}",
        "(-2)^{3}",
        "-2^4",
        "\\frac{1}{0}",
        "x",
        "x'",
        "x_1",
        "x_{max1}",
        "\\alpha_2",
        "AB",
        "a_{n+1}",
        "a_n",
        "f(x)",
        "f^{-1}(x)",
        "F(x, y)",
        "f'(x)",
        "x+1",
        "x-1",
        "-x-1",
        "a-(b-c)",
        "a-(b+c)",
        "2x",
        "2 e",
        "2ex",
        "3xy^2",
        "x^2y^3",
        "2(x+1)",
        "(x+1)(x-1)",
        "f (x+1)",
        "x(y+1)",
        "-(x+1)",
        "-2(x+1)",
        "\\frac{x+1}{x-1}",
        "\\frac{-x}{2}",
        "\\frac{1}{x^2}",
        "x^{-1}",
        "x^{-1/2}",
        "x^{1/2}",
        "x^{n+1}",
        "x^{-n}",
        "(x+1)^2",
        "(2x)^{-2}",
        "(x^2)^3",
        "e^{-x}",
        "e^{i\\pi}",
        "\\frac{a}{\\frac{b}{c}}",
        "\\sqrt{2}",
        "\\sqrt[3]{x+1}",
        "\\frac{\\sqrt{3}}{2}",
        "\\sqrt{x}^3",
        "2\\sqrt{3}+1",
        "2\\pi",
        "\\frac{\\pi}{6}",
        "3+4i",
        "-i",
        "i^2",
        "90^\\circ",
        "2x^\\circ",
        "\\sin x",
        "\\sin 30^\\circ",
        "\\sin^2 x + \\cos^2 x",
        "\\sin^{-1} x",
        "\\frac{1}{\\sin x}",
        "\\sin x \\cos y",
        "(\\sin x)^{-2}",
        "\\tan\\frac{x}{2}",
        "\\arcsin(x)",
        "\\operatorname{arcsec} x",
        "\\sinh x",
        "\\ln x",
        "\\ln^2 x",
        "\\log x",
        "\\log_2 x",
        "\\log_{2}^{3} x",
        "\\log_3(x+1)",
        "\\lg 5",
        "|x|",
        "|x-|y||",
        "2|x|y",
        "\\lfloor x \\rfloor",
        "\\lceil \\frac{x}{2} \\rceil",
        "n!",
        "(n+1)!",
        "(n!)!",
        "n!!",
        "-3!",
        "\\frac{n!}{k!}",
        "\\binom{n}{k}",
        "\\binom{10}{3}",
        "\\min(a, b)",
        "\\max(1,2,3)",
        "\\gcd(12, 18)",
        "\\operatorname{lcm}(4, 6)",
        "7 \\bmod 3",
        "-7 \\bmod 3",
        "-(7 \\bmod 3)",
        "1 + 17 \\bmod 5",
        "\\operatorname{sgn}(x)",
        "\\infty",
        "-\\infty",
        "\\sum_{k=1}^{n} k",
        "\\sum_{k=1}^{n} (k+1)",
        "\\sum_{k=1}^{\\infty} \\frac{1}{k^2} + 1",
        "2\\sum_{k=0}^{5} k",
        "\\prod_{j=1}^{4} j^2",
        "\\int x^2 dx",
        "\\int_0^1 2x\\,dx",
        "\\int_{-1}^{1} \\frac{1}{x} dx + 3",
        "\\int \\sin(t) dt",
        "\\int_0^1 \\int_0^x y dy dx",
        "\\lim_{x \\to 0} \\frac{\\sin x}{x}",
        "\\lim_{x \\to -\\infty} e^x",
        "\\lim_{x \\to 0^+} \\ln x",
        "\\lim_{h \\to \\frac{\\pi}{2}^{-}} h",
        "\\frac{d}{dx} x^2",
        "\\frac{d^2}{dx^2} (x^3+1)",
        "\\frac{dy}{dx}",
        "\\frac{d^2y}{dx^2}",
        "12_5",
        "1010_2",
        "2A_{16}",
        "\\mathbf{i} + 2\\mathbf{j}",
        "\\vec{v}",
        "\\overline{AB}",
        "\\angle ABC",
        "\\hat{x}",
        "\\triangle ABC",
        "50\\%",
        "12.5\\%",
        "-5\\%",
        "x\\%",
        "5 \\text{ km}",
        "5 \\text{ meters}",
        "3 \\text{ eggs}",
        "20 \\text{ minutes}",
        "9.8 \\text{ m/s}^2",
        "\\frac{1}{2} \\text{ cm}",
        "x = 3 \\text{ eggs}",
        "y + 1 = 3 \\text{ apples}",
        "100 \\text{ dollars}",
        "x + 5 = 2 \\text{ km}",
        "x = 5",
        "y = x + 1",
        "f(x) = x^2",
        "x < 3",
        "1 < x \\leq 2",
        "x \\neq 0",
        "x \\geq -\\frac{1}{2}",
        "x \\approx 0.577",
        "AB \\parallel CD",
        "a \\equiv 3 \\pmod{7}",
        "3 \\pmod{5}",
        "x \\in [0, 1)",
        "\\text{area} = 12",
        "(1, 2)",
        "[0, 1)",
        "(-\\infty, 3]",
        "(1, 2, 3)",
        "(x+1, y)",
        "\\{1, 2, 3\\}",
        "\\emptyset",
        "1, 2, 3",
        "1, 200",
        "x = 1, y = 2",
        "1 \\text{ or } 2",
        "3 \\text{ and } 4",
        "x=1,y=2 \\text{ or } x=3,y=4",
        "(0, 1) \\cup (2, \\infty)",
        "\\mathbb{R} \\setminus \\{0\\}",
        "(A \\cup B) \\cap C",
        "\\mathbb{Z}",
        "\\{x \\mid x > 2\\}",
        "\\{x \\in \\mathbb{R} : |x| < 3\\}",
        "\\{(x, y) \\mid x + y = 1\\}",
        "\\begin{pmatrix} 1 & 2 \\\\ -x & \\frac{1}{2} \\end{pmatrix}",
        "\\begin{bmatrix} 1 \\\\ 2 \\end{bmatrix}",
        "\\begin{cases} x + y = 1 \\\\ x - y = 3 \\end{cases}",
        "\\begin{cases} x & x > 0 \\\\ -x & \\text{otherwise} \\end{cases}",
        "3 : 4",
        "1 : 2 : 3",
        "12:30",
        "\\text{east}",
        "yes",
        "1, 2, \\ldots, n",
        "A = \\{1, 2\\}",
        "(x, y) = (1, 2)",
        "\\pm 3",
        "d/e",
        "\\frac{d}{dk}",
        "x^{2^n}",
        "\\frac{x}{y} \\cdot \\frac{z}{w}",
        "0.5x",
        "1.25(x+1)",
        "x \\cdot 2",
        "2^x 3^x",
        "0 \\cdot x",
    ];

    #[test]
    fn it_looks_as_people_write_it() {
        let rows = [
            ("a-b", "a - b"),
            ("-1*x+3", "-x + 3"),
            ("2*x*y", "2x y"),
            ("x/2", "\\frac{x}{2}"),
            ("3/(4x)", "\\frac{3}{4x}"),
            ("-(1/2)x^(-2)", "-\\frac{1}{2x^{2}}"),
            ("sin(x)^2", "\\sin^{2}(x)"),
            ("1e-7", "0.0000001"),
            ("3.14", "3.14"),
            ("0.5", "\\frac{1}{2}"),
            ("50%", "50\\%"),
            ("5km", "5\\text{ km}"),
            ("(x+1)^2", "(x + 1)^{2}"),
            ("(1/2)^x", "\\left(\\frac{1}{2}\\right)^{x}"),
            ("]0,1]", "\\left(0, 1\\right]"),
            ("12_5", "12_{5}"),
            ("\\vec i", "\\mathbf{i}"),
            ("x>=2", "x \\geq 2"),
            ("30°", "30^{\\circ}"),
        ];
        for (text, latex) in rows {
            assert_eq!(value(&reading::value(text).unwrap()), latex, "{text}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let long = vec!["x_{1}+1"; 500].join("+");
        let printed = value(&reading::value(&long).unwrap());
        assert_eq!(printed.chars().count(), MAX_CHARS + 1);
        assert!(printed.ends_with('…'));
        let mut deep = Expr::Variable("x".into());
        for _ in 0..2_000 {
            deep = Expr::Power(Box::new(Expr::integer(2)), Box::new(deep));
        }
        let printed = value(&Value::Expr(deep));
        assert!(printed.contains('…') && printed.len() < MAX_CHARS, "{printed}");
    }

    fn expressions() -> impl Strategy<Value = Expr> {
        let leaf = prop_oneof![
            (-30_i64..30).prop_map(Expr::integer),
            (-9_i64..9, 1_u8..9).prop_map(|(a, b)| Expr::Number(RBig::from_parts(a.into(), b.into()))),
            (1_i64..9_999).prop_map(|a| Expr::Number(RBig::from_parts(a.into(), 1_000_u16.into()))),
            prop::sample::select(vec!["x", "y", "n", "a_1", "alpha", "x'", "AB", "e_1", "f", "d"])
                .prop_map(|name| Expr::Variable(name.into())),
            Just(Expr::Pi),
            Just(Expr::Euler),
            Just(Expr::Imaginary),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let functions = prop::sample::select(vec![
                Function::Sin,
                Function::Arctan,
                Function::Ln,
                Function::Abs,
                Function::Floor,
                Function::Cosh,
                Function::Factorial,
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::sum),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::product),
                (inner.clone(), -3_i64..4)
                    .prop_map(|(base, n)| Expr::Power(Box::new(base), Box::new(Expr::integer(n)))),
                (inner.clone(), inner.clone())
                    .prop_map(|(base, exponent)| Expr::Power(Box::new(base), Box::new(exponent))),
                (2_u32..4, inner.clone()).prop_map(|(degree, inner)| Expr::Root(degree, Box::new(inner))),
                (functions, inner.clone())
                    .prop_map(|(function, argument)| Expr::Call(function, vec![argument])),
                (inner.clone(), inner.clone()).prop_map(|(n, k)| Expr::Call(Function::Modulo, vec![n, k])),
                inner.clone().prop_map(|argument| Expr::Apply("f".into(), vec![argument])),
                // An index that is one letter or number alone may be part of the name.
                inner.prop_map(|index| {
                    let index = Expr::sum(vec![index, Expr::Variable("n".into())]);
                    Expr::Apply("a_".into(), vec![index])
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_made_up_is_printed_as_it_is(made in expressions()) {
            let made = Value::Expr(made);
            let printed = value(&made);
            let again = reading::value(&printed);
            prop_assert!(again.is_ok(), "{} is not read: {:?}", printed, made);
            let policy = Policy::default();
            let found = values(&made, &again.unwrap(), &mut Context::new(&policy));
            // What has no value anywhere, such as the root of a division by zero, cannot be shown equal.
            prop_assert_ne!(found.finding, Finding::Different, "{}: {:?}", printed, made);
        }
    }
}
