//! Expressions printed back as LaTeX: how a text was read.
//!
//! What is printed reads as the same value again. Brackets stand only where they are needed, negative powers
//! become fractions, and `-1` times something its sign. [`super::layout`] prints the forms built from
//! expressions.

use dashu::base::{Sign, UnsignedAbs};
use dashu::rational::RBig;

use super::expr::{Binder, Bound, Expr, Function, Side};
use super::parser::UNNAMED_BASE;
use super::quotient::{Part, Quotient, decimal, negative_power};
use super::spelling;

/// The longest text that is printed, in characters; the rest is an ellipsis.
pub(super) const MAX_CHARS: usize = 4_000;
/// The deepest nesting that is printed.
const MAX_DEPTH: u32 = 160;
/// Where an expression stands; each place needs brackets around what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// On its own.
    Alone,
    /// What follows a sum sign or a minus.
    Term,
    /// One of several factors.
    Factor,
    /// Under an exponent or before a mark.
    Base,
}

/// Prints up to [`MAX_CHARS`].
pub(super) struct Printer {
    pub(super) out: String,
    /// Characters that may still be printed.
    left: usize,
    cut: bool,
    depth: u32,
    /// Open integrals, in which a `d` before a letter would be a differential.
    integrals: u32,
    /// Open bars, in which another bar would close them.
    pub(super) bars: u32,
}

impl Printer {
    pub(super) const fn new() -> Self {
        Self { out: String::new(), left: MAX_CHARS, cut: false, depth: 0, integrals: 0, bars: 0 }
    }

    pub(super) fn write(&mut self, text: &str) {
        if self.cut {
            return;
        }
        match text.char_indices().nth(self.left) {
            None => {
                self.left -= text.chars().count();
                self.out.push_str(text);
            }
            Some((end, _)) => {
                self.out.push_str(&text[..end]);
                self.out.push('…');
                self.cut = true;
            }
        }
    }

    /// What `print` prints, apart.
    fn apart(&mut self, print: impl FnOnce(&mut Self)) -> String {
        let before = std::mem::take(&mut self.out);
        print(self);
        std::mem::replace(&mut self.out, before)
    }

    pub(super) fn bracketed(&mut self, print: impl FnOnce(&mut Self)) {
        let bars = std::mem::take(&mut self.bars);
        let inside = self.apart(print);
        self.bars = bars;
        let tall = inside.contains("\\frac") || inside.contains("\\int") || inside.contains("\\sum");
        let (open, close) = if tall { ("\\left(", "\\right)") } else { ("(", ")") };
        if !self.cut {
            self.write(open);
        }
        self.out.push_str(&inside);
        self.write(close);
    }

    pub(super) fn braced(&mut self, print: impl FnOnce(&mut Self)) {
        let bars = std::mem::take(&mut self.bars);
        self.write("{");
        print(self);
        self.write("}");
        self.bars = bars;
    }

    pub(super) fn expr(&mut self, expr: &Expr, place: Place) {
        if self.cut {
            return;
        }
        if self.depth >= MAX_DEPTH {
            self.write("…");
            self.cut = true;
            return;
        }
        self.depth += 1;
        if rank(expr) < place {
            self.bracketed(|printer| printer.bare(expr));
        } else {
            self.bare(expr);
        }
        self.depth -= 1;
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Number(n) => self.number(n),
            Expr::Pi => self.write("\\pi"),
            Expr::Euler => self.write("e"),
            Expr::Imaginary => self.write("i"),
            Expr::Infinity => self.write("\\infty"),
            Expr::Variable(name) if self.integrals > 0 && &**name == "d" => self.write("{d}"),
            Expr::Variable(name) => self.write(&spelling::variable(name).0),
            Expr::Sum(terms) => self.sum(terms),
            Expr::Degree | Expr::Product(_) => self.product(expr),
            Expr::Power(base, exponent) => match negative_power(base, exponent) {
                Some(_) => self.product(expr),
                None => self.power(base, exponent),
            },
            Expr::Root(degree, inner) => {
                self.write("\\sqrt");
                if *degree != 2 {
                    self.write(&format!("[{degree}]"));
                }
                self.braced(|printer| printer.expr(inner, Place::Alone));
            }
            Expr::Call(function, arguments) => self.call(*function, arguments),
            Expr::Apply(name, arguments) => self.apply(name, arguments),
            Expr::Bound(bound) => self.bound(bound),
        }
    }

    fn number(&mut self, n: &RBig) {
        if n.numerator().sign() == Sign::Negative {
            self.write("-");
        }
        let magnitude = n.numerator().unsigned_abs();
        if n.denominator().is_one() {
            self.write(&magnitude.to_string());
        } else if let Some(decimal) = decimal(n) {
            self.write(&decimal);
        } else {
            self.write(&format!("\\frac{{{magnitude}}}{{{}}}", n.denominator()));
        }
    }

    fn sum(&mut self, terms: &[Expr]) {
        if terms.is_empty() {
            self.write("0");
        }
        for (place, term) in terms.iter().enumerate() {
            let first = place == 0;
            match term {
                Expr::Sum(_) => {
                    self.write(if first { "" } else { " + " });
                    self.expr(term, Place::Term);
                }
                term => {
                    let quotient = Quotient::of(term);
                    self.write(match (first, quotient.negative) {
                        (true, false) => "",
                        (true, true) => "-",
                        (false, false) => " + ",
                        (false, true) => " - ",
                    });
                    self.quotient(&quotient);
                }
            }
            if self.cut {
                return;
            }
        }
    }

    fn product(&mut self, expr: &Expr) {
        let quotient = Quotient::of(expr);
        if quotient.negative {
            self.write("-");
        }
        self.quotient(&quotient);
    }

    /// A quotient without its sign.
    fn quotient(&mut self, quotient: &Quotient<'_>) {
        let Quotient { negative, degrees, top, bottom } = quotient;
        // `\frac{d…}{d…}` is a derivative.
        let is_d = |parts: &[Part<'_>]| matches!(parts.first(), Some(Part::Whole(Expr::Variable(name))) if matches!(&**name, "d" | "partial"));
        let derivative = is_d(top) && is_d(bottom);
        if bottom.is_empty() {
            let place = if *negative { Place::Factor } else { Place::Term };
            self.parts(top, *degrees, place);
        } else if derivative {
            self.parts(top, *degrees, Place::Factor);
            self.write(" / ");
            self.bracketed(|printer| printer.parts(bottom, 0, Place::Alone));
        } else {
            self.write("\\frac");
            self.braced(|printer| printer.parts(top, *degrees, Place::Alone));
            self.braced(|printer| printer.parts(bottom, 0, Place::Alone));
        }
    }

    /// Factors side by side; one alone stands at `place`.
    fn parts(&mut self, parts: &[Part<'_>], degrees: usize, place: Place) {
        let place = if parts.len() + degrees > 1 { Place::Factor } else { place };
        // The first degree is a mark on a number, or else on one.
        let marked =
            parts.iter().position(|part| matches!(part, Part::Number(_) | Part::Whole(Expr::Variable(_))));
        let mut written = String::new();
        if parts.is_empty() && degrees == 0 {
            self.write("1");
            return;
        }
        for (at, part) in parts.iter().enumerate() {
            let mut text = self.apart(|printer| printer.part(part, place));
            if degrees > 0 && marked == Some(at) {
                text.push_str("^{\\circ}");
            }
            Self::factor(&mut written, &text);
        }
        let open = if marked.is_some() { degrees.saturating_sub(1) } else { degrees };
        for _ in 0..open.min(MAX_CHARS) {
            Self::factor(&mut written, "1^{\\circ}");
        }
        self.out.push_str(&written);
    }

    fn factor(written: &mut String, text: &str) {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let after_number = digit(written.chars().next_back());
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let letter = first.is_some_and(|c| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'))
            && matches!(second, None | Some('^'));
        if written.is_empty() {
        } else if digit(first) || text.starts_with("\\frac") || text.starts_with("\\infty") {
            written.push_str(" \\cdot ");
        } else if !(after_number && written != "0" && (letter || first == Some('(')))
            && !text.starts_with("\\text{ ")
        {
            written.push(' ');
        }
        written.push_str(text);
    }

    fn part(&mut self, part: &Part<'_>, place: Place) {
        match part {
            Part::Number(n) => self.write(&n.to_string()),
            Part::Decimal(n) => self.number(n),
            Part::Whole(expr) => self.expr(expr, place),
            Part::Raised(base, exponent) => {
                self.expr(base, Place::Base);
                self.write("^");
                self.braced(|printer| printer.number(exponent));
            }
        }
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) {
        let whole =
            matches!(exponent, Expr::Number(n) if n.is_int() && n.numerator().sign() == Sign::Positive);
        match base {
            Expr::Call(function, arguments) if whole && arguments.len() == 1 => {
                if let Some(name) = spelling::function(*function) {
                    self.write(name);
                    self.write("^");
                    self.braced(|printer| printer.expr(exponent, Place::Alone));
                    return self.arguments(arguments);
                }
                self.expr(base, Place::Base);
            }
            base => self.expr(base, Place::Base),
        }
        self.write("^");
        self.braced(|printer| printer.expr(exponent, Place::Alone));
    }

    fn arguments(&mut self, arguments: &[Expr]) {
        self.bracketed(|printer| printer.listed(arguments));
    }

    pub(super) fn listed(&mut self, items: &[Expr]) {
        for (place, item) in items.iter().enumerate() {
            self.write(if place == 0 { "" } else { ", " });
            self.expr(item, Place::Alone);
        }
    }

    fn call(&mut self, function: Function, arguments: &[Expr]) {
        if let Some(name) = spelling::function(function) {
            self.write(name);
            return self.arguments(arguments);
        }
        match (function, arguments) {
            (Function::Log, [base, argument]) => {
                self.write("\\log");
                if !matches!(base, Expr::Variable(name) if &**name == UNNAMED_BASE) {
                    self.write("_");
                    self.braced(|printer| printer.expr(base, Place::Alone));
                }
                self.arguments(std::slice::from_ref(argument));
            }
            (Function::Abs, [argument]) => {
                let inner = self.bars > 0;
                self.write(if inner { "{\\left|" } else { "\\left|" });
                self.bars += 1;
                self.expr(argument, Place::Alone);
                self.bars -= 1;
                self.write(if inner { "\\right|}" } else { "\\right|" });
            }
            (Function::Floor, [argument]) => self.between("\\lfloor ", argument, " \\rfloor"),
            (Function::Ceil, [argument]) => self.between("\\lceil ", argument, " \\rceil"),
            (Function::Conjugate, [argument]) => {
                self.write("\\overline");
                self.braced(|printer| printer.expr(argument, Place::Alone));
            }
            (Function::Factorial | Function::DoubleFactorial, [argument]) => {
                self.expr(argument, Place::Base);
                self.write(if function == Function::Factorial { "!" } else { "!!" });
            }
            (Function::Binomial, [n, k]) => {
                self.write("\\binom");
                self.braced(|printer| printer.expr(n, Place::Alone));
                self.braced(|printer| printer.expr(k, Place::Alone));
            }
            (Function::Modulo, [left, right]) => {
                self.expr(left, Place::Factor);
                self.write(" \\bmod ");
                self.expr(right, Place::Factor);
            }
            // No parser makes these.
            _ => {
                self.write("\\operatorname{unknown}");
                self.arguments(arguments);
            }
        }
    }

    fn between(&mut self, open: &str, inner: &Expr, close: &str) {
        let bars = std::mem::take(&mut self.bars);
        self.write(open);
        self.expr(inner, Place::Alone);
        self.write(close);
        self.bars = bars;
    }

    fn apply(&mut self, name: &str, arguments: &[Expr]) {
        if let Some(stem) = name.strip_suffix('_') {
            self.write(&spelling::plain(stem));
            self.write("_");
            // What would be a mere name is a value in braces of its own.
            let named = match arguments {
                [Expr::Number(n)] => n.is_int(),
                [Expr::Variable(name)] => name.len() > 1,
                _ => false,
            };
            return self.braced(|printer| {
                if named {
                    printer.braced(|printer| printer.listed(arguments));
                } else {
                    printer.listed(arguments);
                }
            });
        }
        if name != "\\point" {
            self.write(&spelling::plain(name));
        }
        // White space before the bracket would make it a product.
        self.arguments(arguments);
    }

    fn bound(&mut self, bound: &Bound) {
        let name = spelling::plain(&bound.variable);
        match bound.binder {
            Binder::Sum | Binder::Product => {
                self.write(if bound.binder == Binder::Sum { "\\sum_{" } else { "\\prod_{" });
                self.write(&name);
                if let Some(from) = &bound.from {
                    self.write(" = ");
                    self.expr(from, Place::Alone);
                }
                self.write("}");
                self.end("^", bound.to.as_ref());
                self.write(" ");
                self.expr(&bound.body, Place::Term);
            }
            Binder::Integral => {
                self.write("\\int");
                self.end("_", bound.from.as_ref());
                self.end("^", bound.to.as_ref());
                self.write(" ");
                self.integrals += 1;
                self.expr(
                    &without_differential(&bound.body),
                    Place::Factor.min(rank(&bound.body).max(Place::Term)),
                );
                self.integrals -= 1;
                // `dm` would be a unit.
                let run = matches!(&*name, "x" | "y" | "z" | "t" | "u" | "v" | "w" | "r");
                self.write(if run { " \\, d" } else { " \\, d " });
                self.write(&name);
            }
            Binder::Limit(side) => {
                self.write(&format!("\\lim_{{{name} \\to "));
                match &bound.to {
                    Some(to) => self.point(to),
                    None => self.write("…"),
                }
                self.write(match side {
                    Side::Both => "",
                    Side::Below => "^{-}",
                    Side::Above => "^{+}",
                });
                self.write("} ");
                self.expr(&bound.body, Place::Term);
            }
            Binder::Derivative(order) => {
                let raised = if order == 1 { String::new() } else { format!("^{{{order}}}") };
                let at = bound.to.as_ref();
                self.write(if at.is_some() { "\\left. " } else { "" });
                self.write(&format!("\\frac{{d{raised}}}{{d {name}{raised}}} "));
                self.expr(&bound.body, Place::Factor);
                if let Some(at) = at {
                    self.write(&format!(" \\right|_{{{name} = "));
                    self.expr(at, Place::Alone);
                    self.write("}");
                }
            }
        }
    }

    fn end(&mut self, mark: &str, end: Option<&Expr>) {
        if let Some(end) = end {
            self.write(mark);
            self.braced(|printer| printer.expr(end, Place::Alone));
        }
    }

    /// Where a limit goes: a sign, then one unit.
    fn point(&mut self, to: &Expr) {
        let quotient = Quotient::of(to);
        self.write(if quotient.negative { "-" } else { "" });
        let simple = matches!(quotient.top.as_slice(), [] | [Part::Number(_) | Part::Whole(_)])
            && quotient.bottom.is_empty()
            && quotient.degrees == 0
            && !matches!(to, Expr::Sum(_));
        if simple {
            self.quotient(&quotient);
        } else {
            self.braced(|printer| printer.quotient(&quotient));
        }
    }
}

/// The body of an integral without the factor that its differential was read as.
fn without_differential(body: &Expr) -> Expr {
    match body {
        Expr::Product(factors) => match factors.split_last() {
            Some((last, rest)) if *last == Expr::integer(1) && !rest.is_empty() => {
                Expr::product(rest.to_vec())
            }
            _ => body.clone(),
        },
        other => other.clone(),
    }
}

/// The highest place at which an expression needs no brackets.
fn rank(expr: &Expr) -> Place {
    match expr {
        Expr::Sum(_) => Place::Alone,
        Expr::Product(_) | Expr::Bound(_) | Expr::Call(Function::Modulo, _) => Place::Term,
        Expr::Number(n) if n.numerator().sign() == Sign::Negative => Place::Term,
        Expr::Number(n) if n.denominator().is_one() || decimal(n).is_some() => Place::Base,
        Expr::Variable(name) if spelling::variable(name).1 => Place::Base,
        Expr::Call(
            Function::Abs | Function::Floor | Function::Ceil | Function::Binomial | Function::Conjugate,
            _,
        ) => Place::Base,
        Expr::Number(_) | Expr::Variable(_) | Expr::Degree | Expr::Power(..) | Expr::Call(..) => {
            Place::Factor
        }
        Expr::Pi | Expr::Euler | Expr::Imaginary | Expr::Infinity | Expr::Root(..) | Expr::Apply(..) => {
            Place::Base
        }
    }
}
