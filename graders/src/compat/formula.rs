//! The outer structure of LaTeX as text: items, sides of relations, brackets, words.

use std::sync::LazyLock;

use regex::Regex;

use super::python::strip;

/// How two sides stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Approximately,
}

impl Relation {
    /// The same relation read from the right, for those that the package turns around.
    pub(super) fn inverse(self) -> Option<Self> {
        match self {
            Self::Equal => Some(Self::Equal),
            Self::Less => Some(Self::Greater),
            Self::LessOrEqual => Some(Self::GreaterOrEqual),
            Self::Greater => Some(Self::Less),
            Self::GreaterOrEqual => Some(Self::LessOrEqual),
            Self::NotEqual | Self::Approximately => None,
        }
    }

    pub(super) fn latex(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "\\ne",
            Self::Less => "<",
            Self::LessOrEqual => "\\le",
            Self::Greater => ">",
            Self::GreaterOrEqual => "\\ge",
            Self::Approximately => "\\approx",
        }
    }
}

/// Signs of relations; those that begin with another come first.
const SIGNS: [(&str, Relation); 23] = [
    ("\\leqslant", Relation::LessOrEqual),
    ("\\geqslant", Relation::GreaterOrEqual),
    ("\\leqq", Relation::LessOrEqual),
    ("\\geqq", Relation::GreaterOrEqual),
    ("\\leq", Relation::LessOrEqual),
    ("\\geq", Relation::GreaterOrEqual),
    ("\\neq", Relation::NotEqual),
    ("\\approx", Relation::Approximately),
    ("\\le", Relation::LessOrEqual),
    ("\\ge", Relation::GreaterOrEqual),
    ("\\ne", Relation::NotEqual),
    ("\\lt", Relation::Less),
    ("\\gt", Relation::Greater),
    ("\\in", Relation::Equal),
    ("<=", Relation::LessOrEqual),
    (">=", Relation::GreaterOrEqual),
    ("!=", Relation::NotEqual),
    ("≤", Relation::LessOrEqual),
    ("≥", Relation::GreaterOrEqual),
    ("≠", Relation::NotEqual),
    ("<", Relation::Less),
    (">", Relation::Greater),
    ("=", Relation::Equal),
];

/// The parts of a text that stand in no brackets, each with its place: `visit` sees the rest of the text from
/// there and says how many bytes of it are a separator.
fn split<'t>(text: &'t str, mut separator: impl FnMut(&'t str) -> Option<usize>) -> Vec<&'t str> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if depth == 0
            && let Some(length) = separator(rest)
        {
            parts.push(&text[start..at]);
            at += length;
            start = at;
            continue;
        }
        let mut chars = rest.chars();
        let c = chars.next().unwrap_or_default();
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += c.len_utf8();
        if c == '\\' {
            // An escaped brace opens and closes like any; an environment holds its separators.
            if rest.starts_with("\\begin") {
                depth += 1;
            } else if rest.starts_with("\\end") {
                depth = depth.saturating_sub(1);
            }
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The items of a list: between commas, or semicolons. A comma between digits without a blank may be a
/// decimal one or one of thousands; it is taken for a separator all the same.
pub(super) fn items(text: &str) -> Vec<&str> {
    split(text, |rest| rest.starts_with([',', ';']).then_some(1))
}

/// The lists of a list of lists: between semicolons.
pub(super) fn groups(text: &str) -> Vec<&str> {
    split(text, |rest| rest.starts_with(';').then_some(1))
}

/// Both readings of a formula with one sign for plus and minus.
pub(super) fn signs(text: &str) -> Option<(String, String)> {
    let mark = if text.contains("\\pm") { "\\pm" } else { "±" };
    let (before, after) = text.split_once(mark)?;
    if after.contains(mark) || after.contains("\\mp") {
        return None;
    }
    Some((format!("{before} + {after}"), format!("{before} - {after}")))
}

/// The sides of a relation or chain and the signs between them.
pub(super) fn sides(text: &str) -> (Vec<&str>, Vec<Relation>) {
    let mut relations = Vec::new();
    let sides = split(text, |rest| {
        let (sign, relation) = SIGNS.iter().find(|(sign, _)| {
            rest.strip_prefix(sign).is_some_and(|after| {
                // A command ends where its letters do: `\left` is no relation.
                !sign.starts_with('\\') || !after.starts_with(|c: char| c.is_ascii_alphabetic())
            })
        })?;
        relations.push(*relation);
        Some(sign.len())
    });
    (sides, relations)
}

/// The sides between equals signs that belong to no other sign.
pub(super) fn equation_sides(text: &str) -> Vec<&str> {
    let mut sides = Vec::new();
    let (mut start, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        if c == '=' && !matches!(before, '\\' | '<' | '>' | '!') {
            sides.push(&text[start..at]);
            start = at + 1;
        }
        before = c;
    }
    sides.push(&text[start..]);
    sides
}

/// What stands in brackets that hold the whole text.
pub(super) fn inside<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let inner = strip(text).strip_prefix(open)?.strip_suffix(close)?;
    let mut depth = 0_usize;
    for c in inner.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    (depth == 0).then_some(inner)
}

fn regex(source: &str) -> Regex {
    Regex::new(source).expect("the pattern is a constant, a failure is a bug")
}

/// The text in the words of our parser, as the package's parser reads it: small letters that each are a name,
/// degrees dropped, a logarithm to base 10, a number before a number in brackets a mixed one. `None` where
/// that parser gives up and ours would not.
pub(super) fn simplified(latex: &str) -> Option<String> {
    static REFUSED: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            // Roots of negative numbers are complex there, and a root needs its braces.
            r"\\sqrt\[[^\]]*\]\s*(?:[^{\s]|\{\s*-)",
            r"|[0-9]\s+[0-9]+\s*/|[0-9]\s*_|",
            r"\?|\\begin\{cases\}|",
            r"\\overline\{[0-9]|\\lg\b|\\(?:operatorname\{)?a(?:sin|cos|tan)\b|~",
            r"|\^\s*[+-]|[^\x00-\x7fα-ωΑ-Ω∪∩∅≤≥≠×÷−]|\\(?:forall|exists|neg|land|lor)\b"
        ))
    });
    static LAYOUT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\\(?:quad|qquad|limits|displaystyle)|\\[,;:!> ]|~|\^\s*\{?\\circ\}?"));
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\\(?:ln|log)_\{?e\}?([^a-zA-Z]|$)", "\\ln $1"),
            (r"\\log(\s*[^\s_a-zA-Z]|\s+[a-zA-Z])", "\\log_{10} $1"),
            (r"\\([()])", "$1"),
            (r"\\[lr]?vert", "|"),
            (r"\\(?:lbrack|lgroup)", "("),
            (r"\\(?:rbrack|rgroup)", ")"),
            (r"\\lbrace", "\\{"),
            (r"\\rbrace", "\\}"),
            (r"\\ulcorner", "\\lceil "),
            (r"\\urcorner", "\\rceil "),
            (r"\\llcorner", "\\lfloor "),
            (r"\\lrcorner", "\\rfloor "),
            (r"\\(lceil|rceil|lfloor|rfloor)([a-zA-Z])", "\\$1 $2"),
            (r"\\mod\b", "\\bmod"),
            (r"\{([^{}]*)\\choose([^{}]*)\}", "\\binom{$1}{$2}"),
            (r"∪", "\\cup "),
            (r"∩", "\\cap "),
            (r"π", "\\pi "),
            (r"∅", "\\emptyset "),
            (r"\\exponentialE", "e"),
            (r"\\(floor|ceil)\(([^()]*)\)", "\\l$1 $2\\r$1 "),
            (r"([0-9a-zA-Z}])\s*:\s*([0-9a-zA-Z\\])", "$1/$2"),
            // What is read as a mixed number.
            (
                r"(^|[^0-9.}a-zA-Z)])([0-9]+)\s*\(\s*([0-9]+|\\frac\{[0-9]+\}\{[0-9]+\})\s*\)([^^]|$)",
                "$1($2+$3)$4",
            ),
        ]
        .map(|(from, to)| (regex(from), to))
        .into()
    });
    let matrix = latex.contains("\\begin{");
    static RAISED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\^(\{[^{}]*\}|[0-9a-zA-Z])\s*_(\{[^{}]*\}|[0-9a-zA-Z])"));
    let latex = &RAISED.replace_all(latex, "_$2^$1");
    if REFUSED.is_match(latex) || (!matrix && latex.contains("\\\\")) {
        return None;
    }
    let mut text = LAYOUT.replace_all(latex, " ").into_owned();
    for (from, to) in RULES.iter() {
        text = from.replace_all(&text, *to).into_owned();
    }
    Some(spelled(&rounded(&bracketed(&text))))
}

/// Braces around a list are a set, unless they are an argument.
fn bracketed(text: &str) -> String {
    static SETS: LazyLock<Regex> = LazyLock::new(|| regex(r"(^|[^a-zA-Z}\]^_\\])\{([^{}]*,[^{}]*)\}"));
    SETS.replace_all(text, "$1\\{$2\\}").into_owned()
}

/// Square brackets and braces around a single term as round ones.
fn rounded(text: &str) -> String {
    static SQUARE: LazyLock<Regex> = LazyLock::new(|| regex(r"(^|[^\\t])\[([^\[\](),;]*)\]"));
    static CURLY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\\\{([^{}(),;=<>]*)\\\}(\s*\\\{)([^{}(),;=<>]*)\\\}"));
    let text = SQUARE.replace_all(text, "$1($2)");
    CURLY.replace_all(&text, "($1)($3)").into_owned()
}

/// Whether a text ends with an operator that takes bounds, and not with a name that takes an index.
fn is_operator(text: &str) -> bool {
    ["\\sum", "\\prod", "\\int", "\\lim", "\\log", "\\max", "\\min"]
        .iter()
        .any(|operator| text.trim_end().ends_with(operator))
}

/// Commands whose argument is a word.
const WORDED: [&str; 8] = ["text", "operatorname", "mathrm", "begin", "end", "mathbb", "mbox", "mathcal"];

/// Letters made small and set apart, so that none of them make a word: the package reads `sin x` as a product
/// of four names. `d` and a letter are one name outside of calculus, and `i` is a name like any.
fn spelled(text: &str) -> String {
    static DERIVATIVE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\\frac\s*\{\s*d[^{}]*\}\s*\{\s*d|\\int|\\partial"));
    // A letter before one sign in brackets is a function of it.
    static APPLIED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\s*(?:\(\s*([a-zA-Z0-9])\s*\)|\{\s*\(\s*([a-zA-Z0-9])\s*\)\s*\})"));
    let calculus = DERIVATIVE.is_match(text);
    let mut out = String::with_capacity(2 * text.len());
    let mut rest = text;
    // Whether what was written last is a letter of its own.
    let mut named = false;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            named = false;
            let letters = rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let mut end = 1 + letters;
            let name = &rest[1..end];
            if letters == 0 {
                end += rest[1..].chars().next().map_or(0, char::len_utf8);
            } else if WORDED.contains(&name) && rest[end..].trim_start().starts_with('{') {
                end += rest[end..].find('}').map_or(0, |close| close + 1);
            }
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if let Some(inner) = rest.strip_prefix('{').filter(|_| c == '_' && !is_operator(&out))
            && let Some(end) = inner.find('}').filter(|end| !inner[..*end].contains(['{', '\\', '=']))
        {
            // An index is part of its name.
            let index = inner[..end].chars().filter_map(|c| match c {
                '+' => Some('p'),
                '-' => Some('m'),
                c => c.is_ascii_alphanumeric().then(|| c.to_ascii_lowercase()),
            });
            out.push_str("_{");
            out.extend(index);
            out.push('}');
            rest = &inner[end + 1..];
            continue;
        }
        if !c.is_ascii_alphabetic() {
            if c.is_ascii_digit() && out.ends_with(|c: char| c.is_ascii_lowercase()) && named {
                out.push_str(" \\cdot ");
            }
            named = false;
            out.push(c);
            if c == '_' && rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                out.extend(['{', rest.as_bytes()[0].to_ascii_lowercase().into(), '}']);
                rest = &rest[1..];
            }
            continue;
        }
        let after_letter = out.ends_with(|c: char| c.is_ascii_alphanumeric());
        let next = rest.chars().next().filter(char::is_ascii_alphabetic);
        if after_letter && out.ends_with(|c: char| c.is_ascii_alphabetic()) {
            out.push(' ');
        }
        named = true;
        match (c.to_ascii_lowercase(), next) {
            ('d', Some(next)) if !calculus => {
                out.extend(['d', '_', '{', next.to_ascii_lowercase(), '}']);
                rest = &rest[1..];
            }
            ('d', Some(next)) => {
                out.extend(['d', next.to_ascii_lowercase()]);
                rest = &rest[1..];
            }
            ('i', _) => out.push_str("i_{0}"),
            (small, _) => out.push(small),
        }
        if let Some(found) = APPLIED.captures(rest) {
            let sign = found.get(1).or_else(|| found.get(2)).map_or("", |sign| sign.as_str());
            out.extend(["_{of", &sign.to_ascii_lowercase(), "}"]);
            rest = &rest[found[0].len()..];
            named = false;
        }
    }
    out
}

/// The name that a text command or an overline holds, if there is nothing else.
pub(super) fn word(text: &str) -> Option<String> {
    let text = strip(text);
    let line = ["\\overline{", "\\overrightarrow{", "\\vec{"].iter().find(|line| text.starts_with(**line));
    if line.is_some() {
        return text.ends_with('}').then(|| text.to_lowercase());
    }
    let text = inside(text, "(", ")").unwrap_or(text);
    let inner = strip(text).strip_prefix("\\text")?;
    let inner = strip(inner).strip_prefix('{')?.strip_suffix('}')?;
    if inner.contains(['{', '}']) {
        return None;
    }
    let word: String = inner.chars().filter(|c| c.is_alphanumeric()).collect();
    Some(word.to_lowercase())
}

/// Words inside a formula as the names that the package takes them for.
pub(super) fn words_as_names(text: &str) -> String {
    static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"\\(?:text|mbox)\s*\{([^{}]*)\}"));
    WORD.replace_all(text, |found: &regex::Captures<'_>| {
        let word: String = found[1].chars().filter(char::is_ascii_alphanumeric).collect();
        format!(" w_{{{}}}", word.to_ascii_lowercase())
    })
    .into_owned()
}

/// Notation that the package's parser reads although ours may not, in a form of which equal texts are the
/// same formula; `None` for anything else.
pub(super) fn opaque(text: &str) -> Option<String> {
    static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"\\(?:int|lim|sum|prod|gcd|lcm|max|min|bmod|cup|cap|setminus|partial",
            r"|mathbb|det|angle|triangle)\b",
            r"|\\frac\s*\{\s*d|\\operatorname\{(?:gcd|lcm|max|min)\}|\\begin\{[pbBvV]?matrix\}",
        ))
    });
    static SHORT: LazyLock<Regex> = LazyLock::new(|| regex(r"([\^_])\{([0-9a-zA-Z])\}"));
    if !KNOWN.is_match(text) || text.ends_with(['+', '-', '*', '/', '^', '_', '=', '(', '\\']) {
        return None;
    }
    let plain = SHORT.replace_all(text, "$1$2").replace("\\operatorname{gcd}", "\\gcd");
    let plain = plain.replace("\\operatorname{lcm}", "\\lcm").replace("\\,", "");
    Some(plain.chars().filter(|c| !c.is_whitespace() && *c != '*').collect())
}

/// The letters of a product of letters, as [`simplified`] spells them.
pub(super) fn letters(text: &str) -> Option<String> {
    let plain = text.replace("i_{0}", "i").replace("d_{", "d{");
    let mark = |c: &char| c.is_whitespace() || matches!(c, '*' | '{' | '}' | '(' | ')');
    let letters: String = plain.chars().filter(|c| !mark(c)).collect();
    (!letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(letters)
}

/// Whether a formula is one name.
pub(super) fn is_single_name(text: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"^\s*(?:[a-df-z]|\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|varphi|psi|omega|rho",
            r"|sigma|tau))(?:_\{?[0-9a-z]+\}?)?\s*$"
        ))
    });
    NAME.is_match(text)
}

/// The one letter that is a formula's only name.
pub(super) fn only_name(text: &str) -> Option<String> {
    static LETTER: LazyLock<Regex> = LazyLock::new(|| regex(r"\\[a-zA-Z]+|([a-z])"));
    let mut letters: Vec<&str> =
        LETTER.captures_iter(text).filter_map(|found| found.get(1).map(|name| name.as_str())).collect();
    letters.dedup();
    match letters.as_slice() {
        [only] if names(text) == 1 && !text.contains('_') => Some((*only).to_owned()),
        _ => None,
    }
}

/// The formula with a number for its only name.
pub(super) fn with_name(text: &str, name: &str, value: i64) -> String {
    static TOKEN: LazyLock<Regex> = LazyLock::new(|| regex(r"\\[a-zA-Z]+|[a-z]"));
    TOKEN
        .replace_all(
            text,
            |found: &regex::Captures<'_>| {
                if found[0] == *name { format!("({value})") } else { found[0].to_owned() }
            },
        )
        .into_owned()
}

/// How many different names a formula holds.
pub(super) fn names(text: &str) -> usize {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"\\(alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|varphi|psi|omega|rho|sigma|tau)\b",
            r"|\\[a-zA-Z]+|([a-df-z](?:_\{?[0-9a-z]+\}?)?)"
        ))
    });
    let mut names: Vec<&str> = NAME
        .captures_iter(text)
        .filter_map(|found| found.get(1).or_else(|| found.get(2)).map(|name| name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Whether a side holds names, products and quotients of them, and applied names, but no number.
pub(super) fn names_only(text: &str) -> bool {
    static NAMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^(?:\s|[a-zA-Z(){}'*/]|_\{?[0-9a-zA-Z, ]*\}?|\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda",
            r"|mu|phi|varphi|psi|omega|rho|sigma|tau|frac|overline|text|mathrm|cdot|times)\b)+$"
        ))
        .expect("the pattern is a constant, a failure is a bug")
    });
    NAMES.is_match(text)
}
