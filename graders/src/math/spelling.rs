//! How names, functions, relations and units are spelled in LaTeX.
//!
//! The spelling is the inverse of what [`super::lexer`] and [`super::terms`] make of a name, so that what is
//! printed reads as what it was.

use std::fmt::Write as _;

use super::expr::{Domain, Function, Join, Relation, SetOperation, Unit};
use super::units;

/// Names of symbols that are commands.
const COMMANDS: [&str; 37] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta",
    "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar", "Pi", "partial", "Upsilon", "aleph",
];

/// Units in words, so that no single letter is taken for a variable: the base unit of each dimension, then
/// those that are no multiple of it by a power of ten alone.
const UNITS: [&str; 44] = [
    "meter", "second", "gram", "liter", "dollar", "km", "cm", "mm", "kg", "mg", "mL", "minute", "hour",
    "day", "week", "inch", "feet", "yard", "mile", "pound", "cent", "m^2", "cm^2", "km^2", "m^3", "cm^3",
    "m/s", "km/h", "m/s^2", "g/m^3", "m^3/s", "dollar/s", "newton", "joule", "watt", "pascal", "hertz",
    "volt", "ampere", "ohm", "mole", "kelvin", "month", "year",
];

/// The marks over or before a name, as the parser calls them, and their commands.
const ACCENTS: [(&str, &str); 9] = [
    ("∠", "\\angle"),
    ("△", "\\triangle"),
    ("arc", "\\widehat"),
    ("line", "\\overline"),
    ("vector", "\\vec"),
    ("hat", "\\hat"),
    ("dot", "\\dot"),
    ("ddot", "\\ddot"),
    ("tilde", "\\tilde"),
];

/// A variable's name, and whether it may be the base of a power as it stands.
pub(super) fn variable(name: &str) -> (String, bool) {
    if let Some(unit) = name.strip_prefix("\\unit ") {
        return (unit_words(unit), false);
    }
    if let Some(bold) = name.strip_prefix("\\bold ") {
        return (format!("\\mathbf{{{bold}}}"), true);
    }
    match name {
        "\\log" => return ("\\log".to_owned(), false),
        "\\left" => return (String::new(), true),
        "…" => return ("\\ldots".to_owned(), true),
        _ => {}
    }
    for (accent, command) in ACCENTS {
        if let Some(inner) =
            name.strip_prefix('\\').and_then(|rest| rest.strip_prefix(accent)?.strip_prefix(' '))
        {
            let bare = matches!(accent, "∠" | "△");
            let inner = plain(inner);
            return (
                if bare { format!("{command} {inner}") } else { format!("{command}{{{inner}}}") },
                !bare,
            );
        }
    }
    if let Some(quotient) = derivative(name) {
        return (quotient, false);
    }
    let words = name.contains(' ') || (name.chars().count() > 1 && name.chars().all(char::is_alphabetic));
    if words && !COMMANDS.contains(&name) && !name.chars().all(char::is_uppercase) {
        return (text(name), false);
    }
    (plain(name), !name.contains('^'))
}

/// A name with the marks and the subscript it may have: `x`, `x'`, `alpha_1`, `12_5`.
pub(super) fn plain(name: &str) -> String {
    let (stem, index) = match name.split_once('_') {
        Some((stem, index)) => (stem, Some(index)),
        None => (name, None),
    };
    let (stem, inverse) = match stem.strip_suffix("^-1") {
        Some(stem) => (stem, "^{-1}"),
        None => (stem, ""),
    };
    let letters = stem.trim_end_matches('\'');
    let mut out = if COMMANDS.contains(&letters) { format!("\\{letters}") } else { letters.to_owned() };
    out.push_str(&stem[letters.len()..]);
    out.push_str(inverse);
    // The index of a function is written by whoever knows it.
    if let Some(index) = index.filter(|index| !index.is_empty()) {
        let primes = &index[index.trim_end_matches('\'').len()..];
        let index = index.trim_end_matches('\'');
        let word = index.chars().count() > 1 && index.chars().all(|c| c.is_ascii_alphabetic());
        let index = if COMMANDS.contains(&index) {
            format!("\\{index}")
        } else if word && !index.chars().all(char::is_uppercase) {
            text(index)
        } else {
            index.to_owned()
        };
        let _ = write!(out, "_{{{index}}}{primes}");
    }
    out
}

/// `dy/dx` and `d2y/dx2` as quotients.
fn derivative(name: &str) -> Option<String> {
    let (top, bottom) = name.strip_prefix('d')?.split_once("/d")?;
    let order: String = top.chars().take_while(char::is_ascii_digit).collect();
    let (inner, variable) = (top.strip_prefix(&order)?, bottom.strip_suffix(&order)?);
    let raised = if order.is_empty() { String::new() } else { format!("^{{{order}}}") };
    Some(format!("\\frac{{d{raised} {}}}{{d {}{raised}}}", plain(inner), plain(variable)))
}

/// Words.
pub(super) fn text(words: &str) -> String {
    // Commands among the words are kept as they were written.
    if words.contains(['\\', '{', '}']) { words.to_owned() } else { format!("\\text{{{words}}}") }
}

/// A unit after a number.
pub(super) fn unit(unit: &Unit) -> String {
    match unit {
        Unit::Percent => "\\%".to_owned(),
        Unit::Named(name) => unit_words(name),
        known @ Unit::Known { dimension, .. } => {
            let name = UNITS.iter().find(|name| units::unit(name).as_ref() == Some(known));
            unit_words(name.unwrap_or(dimension))
        }
    }
}

/// The name of a unit, or of the base unit of what is measured.
fn unit_words(name: &str) -> String {
    let base = UNITS.iter().find(|unit| {
        matches!(units::unit(unit), Some(Unit::Known { dimension, factor })
            if dimension == name && factor == dashu::rational::RBig::ONE)
    });
    let mut out = String::new();
    for (place, part) in base.copied().unwrap_or(name).split('^').enumerate() {
        if place == 0 {
            let _ = write!(out, "\\text{{ {part}}}");
            continue;
        }
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').len();
        let (exponent, rest) = part.split_at(digits);
        let _ = write!(out, "^{{{exponent}}}");
        let _ = match rest.strip_prefix('/') {
            Some(rest) => write!(out, " / \\text{{{rest}}}"),
            None if rest.is_empty() => Ok(()),
            None => write!(out, "\\text{{{rest}}}"),
        };
    }
    out
}

/// The command of a function whose arguments follow in brackets; `None` for those with a notation of their own.
pub(super) const fn function(function: Function) -> Option<&'static str> {
    use Function as F;
    Some(match function {
        F::Sin => "\\sin",
        F::Cos => "\\cos",
        F::Tan => "\\tan",
        F::Cot => "\\cot",
        F::Sec => "\\sec",
        F::Csc => "\\csc",
        F::Arcsin => "\\arcsin",
        F::Arccos => "\\arccos",
        F::Arctan => "\\arctan",
        F::Arccot => "\\operatorname{arccot}",
        F::Arcsec => "\\operatorname{arcsec}",
        F::Arccsc => "\\operatorname{arccsc}",
        F::Sinh => "\\sinh",
        F::Cosh => "\\cosh",
        F::Tanh => "\\tanh",
        F::Coth => "\\coth",
        F::Sech => "\\operatorname{sech}",
        F::Csch => "\\operatorname{csch}",
        F::Arsinh => "\\operatorname{arsinh}",
        F::Arcosh => "\\operatorname{arcosh}",
        F::Artanh => "\\operatorname{artanh}",
        F::Arcoth => "\\operatorname{arcoth}",
        F::Arsech => "\\operatorname{arsech}",
        F::Arcsch => "\\operatorname{arcsch}",
        F::Ln => "\\ln",
        F::Sign => "\\operatorname{sgn}",
        F::Re => "\\operatorname{Re}",
        F::Im => "\\operatorname{Im}",
        F::Arg => "\\arg",
        F::Min => "\\min",
        F::Max => "\\max",
        F::Gcd => "\\gcd",
        F::Lcm => "\\operatorname{lcm}",
        F::Log
        | F::Abs
        | F::Conjugate
        | F::Floor
        | F::Ceil
        | F::Factorial
        | F::DoubleFactorial
        | F::Binomial
        | F::Modulo => return None,
    })
}

/// A relation.
pub(super) fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "=",
        Relation::NotEqual => "\\neq",
        Relation::Less => "<",
        Relation::LessOrEqual => "\\leq",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => "\\geq",
        Relation::Named(name, _) => match name {
            "~" => "\\sim",
            "≁" => "\\nsim",
            "≃" => "\\simeq",
            "≅" => "\\cong",
            "≇" => "\\ncong",
            "≡" => "\\equiv",
            "≢" => "\\not\\equiv",
            "≈" => "\\approx",
            "∝" => "\\propto",
            "⊥" => "\\perp",
            "∥" => "\\parallel",
            "⊂" => "\\subset",
            "⊆" => "\\subseteq",
            "⊃" => "\\supset",
            "⊇" => "\\supseteq",
            "↦" => "\\mapsto",
            other => other,
        },
    }
}

/// A set operation.
pub(super) const fn operation(operation: SetOperation) -> &'static str {
    match operation {
        SetOperation::Union => "\\cup",
        SetOperation::Intersection => "\\cap",
        SetOperation::Difference => "\\setminus",
    }
}

/// A set with a letter of its own.
pub(super) const fn domain(domain: Domain) -> &'static str {
    match domain {
        Domain::Naturals => "\\mathbb{N}",
        Domain::Integers => "\\mathbb{Z}",
        Domain::Rationals => "\\mathbb{Q}",
        Domain::Reals => "\\mathbb{R}",
        Domain::Complexes => "\\mathbb{C}",
        Domain::Primes => "\\mathbb{P}",
    }
}

/// What stands between the items of a list.
pub(super) const fn join(join: Join) -> &'static str {
    match join {
        Join::Comma => ", ",
        Join::And => " \\text{ and } ",
        Join::Or => " \\text{ or } ",
    }
}
