//! How Math-Verify rewrites LaTeX before it is parsed (`normalize_latex` of latex2sympy2-extended 1.11.0,
//! with the settings that Math-Verify uses): boxes are opened, units and layout removed, shorthands written
//! out.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::pattern::{Budget, Pattern};
use super::python::strip;

/// Which boxes count when a text holds several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boxes {
    All,
    /// The last one, and those before it that belong to it.
    Last,
}

/// The most boxes that are opened in one text.
const MAX_BOXES: usize = 256;

fn regex(source: &str) -> Regex {
    Regex::new(source).expect("the pattern is a constant, a failure is a bug")
}

/// The longest formula that is rewritten and read, in bytes.
pub(super) const MAX_FORMULA_BYTES: usize = 1 << 12;

/// The normal form of a formula. One that is too long stays as it is.
pub(super) fn normal(text: &str, boxes: Boxes, budget: &mut Budget) -> String {
    let text = opened(text, boxes);
    if text.len() > MAX_FORMULA_BYTES {
        return text;
    }
    let text = without_layout(text, budget);
    let mut text = without_units(text);
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    if text == "0.5" {
        "\\frac{1}{2}".clone_into(&mut text);
    }
    let text = well_formed(text);
    strip(&text).to_owned()
}

/// The contents of the boxes, or the text itself when there are none.
fn opened(text: &str, boxes: Boxes) -> String {
    let mut found: Vec<&str> = Vec::new();
    let (mut limit, mut earlier) = (text.len(), text.len());
    let mut last_start: Option<usize> = None;
    while found.len() < MAX_BOXES {
        let before = &text[..earlier];
        let boxed = before.rfind("\\boxed").map(|at| (at, at + "\\boxed".len()));
        let framed = before.rfind("\\fbox").map(|at| (at, at + "\\fbox".len()));
        let Some((start, after)) = boxed.max(framed) else { break };
        let Some(inside) = text.get(after..limit) else { break };
        let content = inside.trim_start_matches(super::python::is_space);
        if content.is_empty() {
            break;
        }
        let open = limit - content.len();
        let Some(end) = closing(content) else {
            // An open box reaches to the end, if it is the first that is met.
            if found.is_empty() {
                found.push(&text[open..]);
            }
            break;
        };
        let held = strip(&content[1..end]);
        if boxes == Boxes::Last
            && let Some(next) = last_start
            && !belongs(text.get(open + end + 1..next).unwrap_or_default(), held, found.last().copied())
        {
            break;
        }
        if found.last() != Some(&held) {
            found.push(held);
        }
        last_start = Some(start);
        (limit, earlier) = (start, start);
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.reverse();
    found.join(",")
}

/// Where the brace closes that a text begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (c == '}').then_some(at);
        }
    }
    None
}

/// Whether a box belongs to the next one: they stand close, or are joined by a comma or a word.
fn belongs(between: &str, held: &str, next: Option<&str>) -> bool {
    static JOINED: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:and|or)\b|,|;"));
    let count = between.chars().take(70).count();
    count < 10 || (next.is_some_and(|next| next != held) && count < 70 && JOINED.is_match(between))
}

/// One pass of replacements, of which the first that fits at a place is made.
struct Rewrite {
    pattern: Pattern,
    by: Vec<&'static str>,
}

impl Rewrite {
    fn new(rules: &[(&str, &'static str)]) -> Self {
        let ways: Vec<String> =
            rules.iter().enumerate().map(|(index, (from, _))| format!("(?<r{index}>{from})")).collect();
        Self { pattern: Pattern::new(&ways.join("|")), by: rules.iter().map(|(_, to)| *to).collect() }
    }

    fn run(&self, text: &str, budget: &mut Budget) -> String {
        self.pattern.replace_all(text, budget, |found, chars| {
            self.by
                .iter()
                .enumerate()
                .find(|(index, _)| self.pattern.group(found, &format!("r{index}"), chars).is_some())
                .map_or_else(String::new, |(_, by)| (*by).to_owned())
        })
    }
}

fn without_layout(mut text: String, budget: &mut Budget) -> String {
    static OPEN: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"\\m?left(\\\{|\{|\\\||\||\[|\(|\\rbracl|\\lgroup|\\lbrace|\\lbrack|\\l?vert|\\lceil|\\lfloor",
            r"|\\langle|\\llcorner|\\ulcorner)"
        ))
    });
    static CLOSE: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"\\m?right(\\\}|\}|\\\||\||\]|\)|\\rbrack|\\rgroup|\\rbrace|\\r?vert|\\rceil|\\rfloor",
            r"|\\rangle|\\lrcorner|\\urcorner)"
        ))
    });
    static FALLING: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\(([a-zA-Z0-9+\-*/\\ ]+?)\)_\{([a-zA-Z0-9+\-*/\\ ]+?)\}"));
    static REMOVED: LazyLock<Rewrite> = LazyLock::new(|| {
        Rewrite::new(&[
            (r"\\mathrm\{th\}", ""),
            (r"\\!\s*", ""),
            (r"\\text\s*\{\s*\}", ""),
            (r"\\\$", ""),
            (r"\$", ""),
            (r#"(?<!\\)["']"#, ""),
            (r"\\displaystyle", ""),
        ])
    });
    static REPLACED: LazyLock<Rewrite> = LazyLock::new(|| {
        Rewrite::new(&[
            (r"\\math(?:rm|it|bf)", "\\text"),
            (r"\\text(?:normal|bf|it|rm)", "\\text"),
            (r"\\[dtc]frac", "\\frac"),
            (r"\s\.", " 0."),
            (r"\{\.", "{0."),
            (r"\~=", "\\approx"),
            (r"\s*\{\s*,\s*\}", ","),
            (r"(?<![a-zA-Z]),?\s*(?:and|or)(?![a-zA-Z])", ","),
            (r",?\s*\\text\{\s*(?:and|or)\s*\}", ","),
            (r"(?<!\\)\\\s", " "),
            (r"infinity", "\\infty"),
            (r",?\\ldots", " "),
            (r"\s*\bpercentage\b", "\\%"),
            (r"\\text\{percentage\}", "%"),
            (r"\s*\bpercent\b", "\\%"),
            (r"\\text\{percent\}", "%"),
            (r"\s*\bpct\b", "\\%"),
            (r"\\text\{pct\}", "%"),
            (r"(?<!\\)inf(?!inity)", "\\infty"),
            (r" sqrt", "\\sqrt"),
        ])
    });
    for (from, to) in [
        ("\\mathrm{T}", "T"),
        ("\\mathrm{d}", "d"),
        ("{\\rm d}", "d"),
        ("\\left[\\begin{matrix}", "\\begin{bmatrix}"),
        ("\\end{matrix}\\right]", "\\end{bmatrix}"),
    ] {
        text = text.replace(from, to);
    }
    let text = OPEN.replace_all(&text, "$1");
    let text = CLOSE.replace_all(&text, "$1");
    let text = FALLING.replace_all(&text, |found: &Captures<'_>| {
        format!("\\frac{{({0})!}}{{(({0})-({1}))!}}", &found[1], &found[2])
    });
    let text = REMOVED.run(&text, budget);
    let text = REPLACED.run(&text, budget).replace(['\n', '\t'], " ");
    if text.contains("matrix") {
        return text;
    }
    static DOUBLED: LazyLock<Regex> = LazyLock::new(|| regex(r"\\\\([a-zA-Z])"));
    DOUBLED.replace_all(&text, "\\$1").into_owned()
}

/// What counts as a unit at the end of an answer, as parts of a pattern in which a point is any character.
/// Single letters are among them, so that `2t` is read as 2.
const UNITS: &str = concat!(
    r"integerpoint|feet|sue|digit|pound|meal|edge|student|children ticket|multiple|east|degree|mph|kmph|ft",
    r"|m square| m east|sq m|deg|mile|q .|monkey|prime|ratio|profit of rs|rd|o|gm|p . m|lb|tile|per|dm|lt",
    r"|gain|ab|way|west|[a-h] .|t|h|no change|men|soldier|pie|bc|excess|st|inches|noon|cent|by|gal|kmh|c",
    r"|acre|rise|a . m|th|π r 2|sq|mark|l|toy|coin|sq . m|gallon|° f|profit|minw|yr|women|am|pm|hr|cu cm",
    r"|square|v â € ™|are|rupee|rounds|cubic|cc|mtr|s|ohm|number|day|hour|minute|min|second|man|woman|sec",
    r"|cube|mt|sq inch|mp|∏ cm ³|hectare|more|unit|cu . m|cm 2|rs .|rs|kg|g|month|km|m|cm|mm|apple|liter",
    r"|loss|yard|pure|year|increase|decrease|d|less|Surface|litre|pi sq m|s .|metre|meter|inch",
);

fn without_units(mut text: String) -> String {
    static WORDS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\\(?:text|mbox)\{.*?\}(?:\^[0-9]|\{\^[0-9]\})?$"));
    static UNIT: LazyLock<Regex> =
        LazyLock::new(|| regex(&format!(r"([0-9]|\}}|\s)\s*(?:{UNITS})(?:s|es)?\s*$")));
    let shorter = strip(&WORDS.replace(&text, "")).to_owned();
    if !shorter.is_empty() {
        text = shorter;
    }
    for _ in 0..2 {
        let shorter = UNIT.replace(&text, "$1").into_owned();
        if !shorter.is_empty() {
            text = shorter;
        }
    }
    text
}

/// Shorthands written out. A root of round brackets comes out with two backslashes, at which the parser
/// stops.
fn well_formed(mut text: String) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\^\s?\((.*?)\)", "^{$1}"),
            (r"sqrt\s?\((.*?)\)", "\\sqrt{$1}"),
            (r"\\frac\s?([0-9])\s?([0-9]+)", "\\frac{$1}{$2}"),
            (r"\\log_\s?([0-9])\s?([0-9]+)", "\\log_{$1}{$2}"),
            (r"\\frac\s?\{(.*?)\}\s?([0-9])", "\\frac{$1}{$2}"),
            (r"\\frac\s?([0-9])\s?\{(.*?)\}", "\\frac{$1}{$2}"),
            (r"\\sqrt\s?([0-9])", "\\sqrt{$1}"),
        ]
        .map(|(from, to)| (regex(from), to))
        .into()
    });
    for (from, to) in RULES.iter() {
        text = from.replace_all(&text, *to).into_owned();
    }
    text = text.replace(" sqrt", "\\sqrt");
    text = braced_roots(&text);
    text = braced_fractions(text);
    match slash(&text) {
        Some(fraction) => fraction,
        None => text,
    }
}

fn braced_roots(text: &str) -> String {
    let mut parts = text.split("\\sqrt");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("\\sqrt");
        let part = part.trim_start_matches(super::python::is_space);
        let mut rest = part.chars();
        match rest.next() {
            Some(first) if !matches!(first, '{' | '[') => {
                out.extend(['{', first, '}']);
                out.push_str(rest.as_str());
            }
            _ => out.push_str(part),
        }
    }
    out
}

fn braced_fractions(text: String) -> String {
    let mut parts = text.split("\\frac");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("\\frac");
        let part = part.trim_start_matches(super::python::is_space);
        let mut rest = part.chars();
        match (rest.next(), rest.next()) {
            (Some('{'), _) => {
                out.push_str(part);
                continue;
            }
            (_, None) | (None, _) => return text,
            (Some(first), Some('{')) => out.extend(['{', first, '}', '{']),
            (Some(first), Some(second)) => out.extend(['{', first, '}', '{', second, '}']),
        }
        out.push_str(rest.as_str());
    }
    out
}

fn slash(text: &str) -> Option<String> {
    super::hendrycks_math::slash_as_fraction(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (text, expected) in [
            ("\\boxed{5}", "5"),
            ("2t", "2"),
            ("10\\text{ cm}", "10"),
            ("5\\text{ m}^2", "5"),
            ("\\dfrac12", "\\frac{1}{2}"),
            ("4\\sqrt(2)", "4\\\\sqrt{2}"),
            ("50 percent", "50\\%"),
            ("1\\text{ and }2", "1,2"),
            (".5", "\\frac{1}{2}"),
            ("3/4", "\\frac{3}{4}"),
            ("\\left(1, 2\\right)", "(1, 2)"),
            ("\\text{even}", "\\text{even}"),
            ("10{,}000", "10,000"),
        ] {
            assert_eq!(normal(text, Boxes::All, &mut Budget(100_000)), expected, "{text}");
        }
    }

    #[test]
    fn boxes_are_joined_when_they_stand_together() {
        let far = "x".repeat(80);
        for (text, all, last) in [
            (String::from("\\boxed{1} and \\boxed{2}"), "1,2", "1,2"),
            (format!("\\boxed{{1}} {far} \\boxed{{2}}"), "1,2", "2"),
            (String::from("\\boxed{1}\\boxed{1}"), "1", "1"),
            (String::from("\\boxed{1"), "{1", "{1"),
        ] {
            assert_eq!(opened(&text, Boxes::All), all, "{text}");
            assert_eq!(opened(&text, Boxes::Last), last, "{text}");
        }
    }
}
