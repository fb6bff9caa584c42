//! What the names and marks of LaTeX, Unicode and plain notation mean.

use super::expr::{Binder, Domain, Function, Join, Relation, SetOperation};
use super::lexer::{Named, Token};

/// A function by any of its names.
pub(super) fn function(name: &str) -> Option<Named> {
    use Function as F;
    Some(Named::Plain(match name {
        "sin" => F::Sin,
        "cos" => F::Cos,
        "tan" | "tg" => F::Tan,
        "cot" | "ctg" | "cotg" => F::Cot,
        "sec" => F::Sec,
        "csc" | "cosec" => F::Csc,
        "arcsin" | "asin" => F::Arcsin,
        "arccos" | "acos" => F::Arccos,
        "arctan" | "atan" | "arctg" => F::Arctan,
        "arccot" | "acot" | "arcctg" => F::Arccot,
        "arcsec" | "asec" => F::Arcsec,
        "arccsc" | "acsc" => F::Arccsc,
        "sinh" | "sh" => F::Sinh,
        "cosh" | "ch" => F::Cosh,
        "tanh" | "th" => F::Tanh,
        "coth" => F::Coth,
        "sech" => F::Sech,
        "csch" => F::Csch,
        "arsinh" | "arcsinh" | "asinh" => F::Arsinh,
        "arcosh" | "arccosh" | "acosh" => F::Arcosh,
        "artanh" | "arctanh" | "atanh" => F::Artanh,
        "arcoth" | "arccoth" | "acoth" => F::Arcoth,
        "arsech" | "arcsech" | "asech" => F::Arsech,
        "arcsch" | "arccsch" | "acsch" => F::Arcsch,
        "abs" => F::Abs,
        "sgn" | "sign" | "signum" => F::Sign,
        "Re" => F::Re,
        "Im" => F::Im,
        "arg" => F::Arg,
        "floor" => F::Floor,
        "ceil" => F::Ceil,
        "min" => F::Min,
        "max" => F::Max,
        "gcd" | "hcf" => F::Gcd,
        "lcm" => F::Lcm,
        "factorial" => F::Factorial,
        "conj" => F::Conjugate,
        "ln" => return Some(Named::Ln),
        "log" => return Some(Named::Log),
        "lg" => return Some(Named::Lg),
        "lb" => return Some(Named::Lb),
        "exp" => return Some(Named::Exp),
        "sqrt" => return Some(Named::Sqrt),
        "cbrt" => return Some(Named::Cbrt),
        "det" => return Some(Named::Det),
        _ => return None,
    }))
}

/// Function names that people run together with their argument: `sinx`, `2xcosx`.
pub(super) const RUN_TOGETHER: [&str; 10] =
    ["arcsin", "arccos", "arctan", "sin", "cos", "tan", "cot", "sec", "csc", "ln"];

fn greek(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 40] = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "varrho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "Pi",
        "partial",
        "Upsilon",
    ];
    NAMES.iter().find(|known| **known == name).map(|known| match *known {
        "varepsilon" => "epsilon",
        "vartheta" => "theta",
        "varphi" => "phi",
        "varrho" => "rho",
        known => known,
    })
}

/// What a name means in any notation.
pub(super) fn word(name: &str) -> Option<Token<'static>> {
    if let Some(function) = function(name) {
        return Some(Token::Function(function));
    }
    Some(match name {
        "pi" => Token::Symbol("π"),
        "infty" | "inf" | "infinity" | "Infinity" | "Infty" | "infin" | "oo" => Token::Mark('∞'),
        "and" => Token::Separator(Join::And),
        "or" => Token::Separator(Join::Or),
        "mod" => Token::Mod,
        "ellipsis" => Token::Symbol("…"),
        name => Token::Symbol(greek(name)?),
    })
}

/// What a command without arguments means.
pub(super) fn command(name: &str) -> Option<Token<'static>> {
    if let Some(token) = word(name) {
        return Some(token);
    }
    Some(match name {
        "cdot" | "times" | "ast" | "cdotp" | "bullet" | "centerdot" => Token::Mark('*'),
        "div" | "slash" => Token::Mark('/'),
        "pm" => Token::Mark('±'),
        "mp" => Token::Mark('∓'),
        "circ" | "degree" | "degrees" => Token::Mark('°'),
        "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" => Token::Frac,
        "binom" | "dbinom" | "tbinom" => Token::Binom,
        "choose" => Token::Choose,
        "le" | "leq" | "leqslant" | "leqq" => Token::Relation(Relation::LessOrEqual),
        "ge" | "geq" | "geqslant" | "geqq" => Token::Relation(Relation::GreaterOrEqual),
        "lt" => Token::Relation(Relation::Less),
        "gt" => Token::Relation(Relation::Greater),
        "ne" | "neq" => Token::Relation(Relation::NotEqual),
        "eq" => Token::Relation(Relation::Equal),
        "approx" | "approxeq" | "thickapprox" | "doteq" => Token::Relation(APPROXIMATELY),
        "sim" => Token::Relation(Relation::Named("~", true)),
        "nsim" => Token::Relation(Relation::Named("≁", true)),
        "simeq" => Token::Relation(Relation::Named("≃", true)),
        "cong" => Token::Relation(Relation::Named("≅", true)),
        "ncong" => Token::Relation(Relation::Named("≇", true)),
        "equiv" => Token::Relation(CONGRUENT),
        "propto" => Token::Relation(Relation::Named("∝", false)),
        "perp" => Token::Relation(Relation::Named("⊥", true)),
        "parallel" => Token::Relation(Relation::Named("∥", true)),
        "subset" => Token::Relation(Relation::Named("⊂", false)),
        "subseteq" => Token::Relation(Relation::Named("⊆", false)),
        "supset" => Token::Relation(Relation::Named("⊃", false)),
        "supseteq" => Token::Relation(Relation::Named("⊇", false)),
        "to" | "rightarrow" | "longrightarrow" => Token::To,
        "mapsto" => Token::Relation(Relation::Named("↦", false)),
        "implies" | "Rightarrow" | "Longrightarrow" | "therefore" | "iff" | "Leftrightarrow" => {
            Token::Implies
        }
        "in" | "isin" => Token::Element,
        "cup" => Token::SetOperator(SetOperation::Union),
        "cap" => Token::SetOperator(SetOperation::Intersection),
        "setminus" | "smallsetminus" | "backslash" => Token::SetOperator(SetOperation::Difference),
        "emptyset" | "varnothing" => Token::EmptySet,
        "R" | "reals" | "Reals" => Token::Domain(Domain::Reals),
        "Z" => Token::Domain(Domain::Integers),
        "N" => Token::Domain(Domain::Naturals),
        "Q" => Token::Domain(Domain::Rationals),
        "C" => Token::Domain(Domain::Complexes),
        "vert" | "lvert" | "rvert" | "mid" => Token::Mark('|'),
        "Vert" | "lVert" | "rVert" => Token::Mark('‖'),
        "langle" => Token::Mark('⟨'),
        "rangle" => Token::Mark('⟩'),
        "lfloor" | "llcorner" => Token::Mark('⌊'),
        "rfloor" | "lrcorner" => Token::Mark('⌋'),
        "lceil" | "ulcorner" => Token::Mark('⌈'),
        "rceil" | "urcorner" => Token::Mark('⌉'),
        "lbrace" => Token::Mark('⦃'),
        "rbrace" => Token::Mark('⦄'),
        "lbrack" => Token::Mark('['),
        "rbrack" => Token::Mark(']'),
        "lgroup" | "lparen" => Token::Mark('('),
        "rgroup" | "rparen" => Token::Mark(')'),
        "prime" => Token::Mark('\''),
        "percent" => Token::Mark('%'),
        "colon" => Token::Mark(':'),
        "vee" | "lor" => Token::Separator(Join::Or),
        "wedge" | "land" => Token::Separator(Join::And),
        "sum" => Token::Operator(Binder::Sum),
        "prod" => Token::Operator(Binder::Product),
        "int" | "intop" | "smallint" => Token::Integral(1),
        "iint" => Token::Integral(2),
        "iiint" => Token::Integral(3),
        "lim" => Token::Limit,
        "bmod" => Token::Mod,
        "pmod" | "pod" => Token::Pmod,
        "ldots" | "dots" | "cdots" | "dotsc" | "dotsb" | "vdots" | "ddots" => Token::Symbol("…"),
        "exponentialE" => Token::Symbol("e"),
        "imaginaryI" | "imaginaryJ" | "imath" => Token::Symbol("i"),
        "jmath" => Token::Symbol("j"),
        "differentialD" => Token::Symbol("d"),
        "aleph" => Token::Symbol("aleph"),
        "angle" | "measuredangle" | "triangle" | "widehat" | "overline" | "overrightarrow" | "vec"
        | "hat" | "bar" | "tilde" | "overarc" | "dot" | "ddot" | "underline" | "overleftrightarrow"
        | "widetilde" => Token::Accent(accent(name)),
        _ => return None,
    })
}

fn accent(name: &str) -> &'static str {
    match name {
        "angle" | "measuredangle" => "∠",
        "triangle" => "△",
        "widehat" | "overarc" => "arc",
        "overline" | "bar" | "underline" | "overleftrightarrow" => "line",
        "overrightarrow" | "vec" => "vector",
        "hat" => "hat",
        "dot" => "dot",
        "ddot" => "ddot",
        _ => "tilde",
    }
}

/// `≈`.
pub(super) const APPROXIMATELY: Relation = Relation::Named("≈", true);
/// `≡`.
pub(super) const CONGRUENT: Relation = Relation::Named("≡", true);

/// The relation that `\not` makes of another.
pub(super) fn negated(relation: Relation) -> Option<Relation> {
    Some(match relation {
        Relation::Equal => Relation::NotEqual,
        Relation::Less => Relation::GreaterOrEqual,
        Relation::LessOrEqual => Relation::Greater,
        Relation::Greater => Relation::LessOrEqual,
        Relation::GreaterOrEqual => Relation::Less,
        Relation::Named("~", _) => Relation::Named("≁", true),
        Relation::Named("≅", _) => Relation::Named("≇", true),
        Relation::Named("≡", _) => Relation::Named("≢", true),
        _ => return None,
    })
}

/// The currency of a sign.
pub(super) const fn currency(c: char) -> Option<&'static str> {
    Some(match c {
        '€' => "euro",
        '£' => "sterling",
        '¥' | '￥' => "yen",
        '₹' => "rupee",
        _ => return None,
    })
}

/// Commands that change only how something looks.
pub(super) fn is_layout(name: &str) -> bool {
    const NAMES: [&str; 48] = [
        "left",
        "right",
        "mleft",
        "mright",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "quad",
        "qquad",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "limits",
        "nolimits",
        "boxed",
        "fbox",
        "middle",
        "thinspace",
        "nobreak",
        "allowbreak",
        "bf",
        "rm",
        "it",
        "hline",
        "normalsize",
        "large",
        "Large",
        "small",
        "enspace",
        "space",
        "medspace",
        "thickspace",
        "negthinspace",
        "boldsymbol",
        "pmb",
        "mathstrut",
        "bm",
        "mathop",
        "nonumber",
    ];
    NAMES.contains(&name)
}

/// Commands whose braces hold text.
pub(super) fn is_text(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "text",
        "textnormal",
        "textup",
        "mathrm",
        "textbf",
        "textit",
        "textrm",
        "mbox",
        "mathbf",
        "mathit",
        "operatorname",
        "textsf",
        "mathsf",
        "bold",
        "hbox",
        "texttt",
        "mathtt",
        "emph",
        "mathcal",
    ];
    NAMES.contains(&name)
}

/// The set that a blackboard letter names.
pub(super) fn blackboard(letter: &str) -> Option<Domain> {
    Some(match letter {
        "R" => Domain::Reals,
        "Z" => Domain::Integers,
        "N" => Domain::Naturals,
        "Q" => Domain::Rationals,
        "C" => Domain::Complexes,
        "P" => Domain::Primes,
        _ => return None,
    })
}

/// What a character that is neither letter nor digit of ASCII means.
pub(super) fn mark(c: char) -> Option<Token<'static>> {
    Some(match c {
        '+' | '/' | '^' | '_' | '!' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ',' | ';' | '%' | '\''
        | '&' | '⟨' | '⟩' | '⌊' | '⌋' | '⌈' | '⌉' | '±' | '∓' | '°' | '∞' | ':' | '‖' => {
            Token::Mark(c)
        }
        '-' | '−' | '–' | '—' | '‐' | '‑' => Token::Mark('-'),
        '*' | '·' | '•' | '∙' | '×' | '⋅' | '∗' | '✕' => Token::Mark('*'),
        '÷' | '∕' | '⁄' => Token::Mark('/'),
        '，' | '、' => Token::Mark(','),
        '；' => Token::Mark(';'),
        '（' => Token::Mark('('),
        '）' => Token::Mark(')'),
        '：' | '∶' => Token::Mark(':'),
        '％' => Token::Mark('%'),
        '〈' => Token::Mark('⟨'),
        '〉' => Token::Mark('⟩'),
        '=' | '＝' => Token::Relation(Relation::Equal),
        '<' | '＜' => Token::Relation(Relation::Less),
        '>' | '＞' => Token::Relation(Relation::Greater),
        '≤' | '⩽' | '≦' => Token::Relation(Relation::LessOrEqual),
        '≥' | '⩾' | '≧' => Token::Relation(Relation::GreaterOrEqual),
        '≠' => Token::Relation(Relation::NotEqual),
        '≈' => Token::Relation(APPROXIMATELY),
        '∼' => Token::Relation(Relation::Named("~", true)),
        '≅' => Token::Relation(Relation::Named("≅", true)),
        '≡' => Token::Relation(CONGRUENT),
        '⊂' => Token::Relation(Relation::Named("⊂", false)),
        '⊆' => Token::Relation(Relation::Named("⊆", false)),
        '∝' => Token::Relation(Relation::Named("∝", false)),
        '⊥' => Token::Relation(Relation::Named("⊥", true)),
        '∥' => Token::Relation(Relation::Named("∥", true)),
        '→' => Token::To,
        '⇒' | '⟹' | '⇔' | '∴' => Token::Implies,
        '∧' => Token::Separator(Join::And),
        '∨' => Token::Separator(Join::Or),
        '∈' => Token::Element,
        '∪' => Token::SetOperator(SetOperation::Union),
        '∩' => Token::SetOperator(SetOperation::Intersection),
        '∖' => Token::SetOperator(SetOperation::Difference),
        '∅' => Token::EmptySet,
        'ℝ' => Token::Domain(Domain::Reals),
        'ℤ' => Token::Domain(Domain::Integers),
        'ℕ' => Token::Domain(Domain::Naturals),
        'ℚ' => Token::Domain(Domain::Rationals),
        'ℂ' => Token::Domain(Domain::Complexes),
        '√' => Token::Sqrt,
        'º' | '˚' => Token::Mark('°'),
        '′' | '’' => Token::Mark('\''),
        '…' | '⋯' => Token::Symbol("…"),
        '∑' => Token::Operator(Binder::Sum),
        '∏' => Token::Operator(Binder::Product),
        '∫' => Token::Integral(1),
        '∂' => Token::Symbol("partial"),
        '∠' => Token::Accent("∠"),
        '△' => Token::Accent("△"),
        _ => return None,
    })
}

/// A Greek letter of Unicode, by its name in LaTeX.
pub(super) fn greek_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'π' => "π",
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'ε' | 'ϵ' => "epsilon",
        'ζ' => "zeta",
        'η' => "eta",
        'θ' | 'ϑ' => "theta",
        'κ' => "kappa",
        'λ' => "lambda",
        'μ' | 'µ' => "mu",
        'ν' => "nu",
        'ξ' => "xi",
        'ρ' => "rho",
        'σ' => "sigma",
        'τ' => "tau",
        'φ' | 'ϕ' => "phi",
        'χ' => "chi",
        'ψ' => "psi",
        'ω' => "omega",
        'Γ' => "Gamma",
        'Δ' => "Delta",
        'Θ' => "Theta",
        'Λ' => "Lambda",
        'Σ' => "Sigma",
        'Φ' => "Phi",
        'Ψ' => "Psi",
        'Ω' => "Omega",
        'ℓ' => "ell",
        'ℯ' => "e",
        'ⅈ' => "i",
        _ => return None,
    })
}

/// Numerator and denominator of a fraction that is one character.
pub(super) const fn vulgar_fraction(c: char) -> Option<(u8, u8)> {
    Some(match c {
        '½' => (1, 2),
        '⅓' => (1, 3),
        '⅔' => (2, 3),
        '¼' => (1, 4),
        '¾' => (3, 4),
        '⅕' => (1, 5),
        '⅖' => (2, 5),
        '⅗' => (3, 5),
        '⅘' => (4, 5),
        '⅙' => (1, 6),
        '⅚' => (5, 6),
        '⅛' => (1, 8),
        '⅜' => (3, 8),
        '⅝' => (5, 8),
        '⅞' => (7, 8),
        _ => return None,
    })
}
