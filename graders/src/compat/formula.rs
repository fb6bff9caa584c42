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

/// The text as the package's parser sees it: without layout, with small letters, up to a line break outside a
/// matrix, `\log` to base 10.
pub(super) fn simplified(latex: &str) -> String {
    static LAYOUT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\\(?:quad|qquad|limits|displaystyle)\b|\\[,;:!> ]|~")
            .expect("the pattern is a constant, a failure is a bug")
    });
    static LOG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\\(?:log|lg)(\s*[^\s_a-zA-Z]|\s+[a-zA-Z])").expect("the pattern is a constant, a failure is a bug")
    });
    let cut = match latex.find("\\\\") {
        Some(at) if !latex.contains("\\begin") => &latex[..at],
        _ => latex,
    };
    let text = LAYOUT.replace_all(cut, " ");
    let text = LOG.replace_all(&text, "\\log_{10} $1");
    let mut out = String::with_capacity(text.len());
    let mut in_command = false;
    for c in text.chars() {
        in_command = c == '\\' || (in_command && c.is_ascii_alphabetic());
        out.push(if in_command { c } else { c.to_ascii_lowercase() });
    }
    out
}

/// The word that a text command holds, if there is nothing else.
pub(super) fn word(text: &str) -> Option<String> {
    let inner = strip(text).strip_prefix("\\text")?;
    let inner = strip(inner).strip_prefix('{')?.strip_suffix('}')?;
    if inner.contains(['{', '}']) {
        return None;
    }
    Some(inner.to_lowercase())
}

/// The letters of a product of letters.
pub(super) fn letters(text: &str) -> Option<String> {
    let letters: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '*' | '{' | '}')).collect();
    (!letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(letters)
}

/// Whether a side holds names, products and quotients of them, and applied names, but no number.
pub(super) fn names_only(text: &str) -> bool {
    static NAMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^(?:\s|[a-zA-Z(){}'*]|_\{?[0-9a-zA-Z, ]*\}?|\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda",
            r"|mu|phi|varphi|psi|omega|rho|sigma|tau|frac|overline|text|mathrm|cdot|times)\b)+$"
        ))
        .expect("the pattern is a constant, a failure is a bug")
    });
    NAMES.is_match(text)
}
