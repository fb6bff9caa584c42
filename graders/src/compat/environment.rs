//! Where Math-Verify looks for answers in a text: formulas in their environments, boxes, and plain numbers
//! and sums, each after an announcement or, at last, anywhere.

use std::sync::LazyLock;

use super::pattern::{Budget, Found, Pattern};

/// The most formulas that are read as one answer when they follow each other.
pub(super) const MAX_JOINED: usize = 6;

/// What a match holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Up to [`MAX_JOINED`] formulas.
    Formulas,
    /// The text from a box to the last closing brace.
    Boxed,
    /// A number or a sum without LaTeX.
    Plain,
}

/// One way an answer can be written.
pub(super) struct Place {
    /// Smaller is looked at first; all places of one rank together.
    pub(super) rank: u16,
    pub(super) kind: Kind,
    pub(super) pattern: Pattern,
}

/// Every way, the ranks in order.
pub(super) static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let formulas = joined(false);
    let plain = format!("(?:{SUM}|{NUMBER})");
    // Without LaTeX a line's end ends an announcement.
    let line = "[^\\n]";
    let rows = [
        (0, Kind::Formulas, format!(r"(?i:final answer is):?\s*{formulas}\.?\s?I hope")),
        (0, Kind::Plain, format!(r"(?i:final answer is):?\s*{plain}\.?\s?I hope")),
        (50, Kind::Formulas, format!(r"(?i:final answer.{{0,100}}?)\s+is:?\s*{formulas}")),
        (50, Kind::Formulas, joined(true)),
        (50, Kind::Boxed, r"(?<c0>\\boxed\{.+\})".to_owned()),
        (50, Kind::Plain, format!(r"(?i:final answer{line}{{0,100}}?)\s+is:?{plain}")),
        (100, Kind::Formulas, format!(r"(?i:answer):.{{0,50}}?{formulas}")),
        (100, Kind::Plain, format!(r"(?i:answer):(?:{line}{{0,100}}=\s*|{line}{{0,50}}?){plain}(?!\s*=)")),
        (200, Kind::Formulas, format!(r"(?i:answer).{{0,50}}?{formulas}")),
        (200, Kind::Plain, format!(r"(?i:answer)(?:{line}{{0,100}}=\s*|{line}{{0,50}}?){plain}(?!\s*=)")),
        (300, Kind::Formulas, formulas.clone()),
        (300, Kind::Plain, SUM.to_owned()),
        (300, Kind::Plain, NUMBER.to_owned()),
    ];
    rows.into_iter()
        .map(|(rank, kind, source)| Place { rank, kind, pattern: Pattern::new(&source) })
        .collect()
});

/// Formulas that follow each other, joined by a comma or a word.
fn joined(boxed: bool) -> String {
    let blank = if boxed { r"\s*" } else { "" };
    let first = format!("(?:{})", formula(0, boxed));
    let next = |index| format!(r"{blank}(?:\s*(?:,?and|,?or|,)\s*{})?", formula(index, boxed));
    std::iter::once(first).chain((1..MAX_JOINED).map(next)).collect()
}

/// A formula in its environment, with a percent sign after it. With `boxed` it has to hold a box.
fn formula(index: usize, boxed: bool) -> String {
    let content = |one: &str| {
        if boxed { format!(r"{one}*?\\boxed\{{{one}+?\}}{one}*?") } else { format!("{one}+?") }
    };
    let number = r"-?\d+(?:[.,]\d+)?";
    let mut ways = [
        (r"(?<!\\)\$\$", r"(?:[^$]|\$(?!\$))", r"(?<!\\)\$\$"),
        (r"(?<!\\)\\\[", r"(?:[^\\]|\\(?!\]))", r"(?<!\\)\\\]"),
        (r"(?<![\\\d])\$", r"(?:\\\$|[^\n$])", r"(?<!\\)\$"),
        (r"(?<!\\)\\\(", r"(?:[^\\\n]|\\(?!\)))", r"(?<!\\)\\\)"),
        (r"\s\[", r"[^\n\]\[]", r"\]\s"),
    ]
    .map(|(open, one, close)| format!("{open}(?<c{index}>{}){close}", content(one)))
    .join("|");
    if !boxed {
        ways = format!(r"{ways}|(?<c{index}>-?\\frac\{{{number}\}}\{{{number}\}})");
    }
    format!(r"(?:{ways})\s*(?<p{index}>\\?%|[Pp]ercent|[Pp]ercentage|[Pp]ct)?")
}

/// Digits, points, blanks and signs that make a sum.
const SUM: &str = concat!(
    r"(?:^|\s|=)(?:\*\*)?(?<sum>-?\(?-?\d[\d.\s+\-*×/^()÷]*[+\-*×/^()÷][\d.\s+\-*×/^()÷]+\)?)",
    r"(?:\*\*)?(?:\.|,|:|\s|\)|\$|$)"
);

/// A number, with a currency sign before and a percent sign after it. It needs nothing after it.
const NUMBER: &str = concat!(
    r"(?:^|\s|=)(?:\*\*)?[$€£¥₹₽₪₩₫฿₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿]?(?<!\d)",
    r"(?:(?<int>-?[1-9]\d{0,2}(?:[ ,]\d\d\d)+)(?<dec>\.\d+)?|(?<int>-?\d+)(?<dec>[.,]\d+)",
    r"|(?<dec>\.\d+)|(?<int>-?\d+))",
    r"(?<pct>\s*(?:%|[Pp]ercent|\s*[Pp]ercentage|\s*[Pp]ct))?"
);

/// A match and the way it was found.
pub(super) struct Hit<'p> {
    pub(super) place: &'p Place,
    pub(super) found: Found,
}

/// The matches of one rank in the order in which they are tried: the one that ends last first, of those the
/// longest.
pub(super) fn hits(rank: u16, text: &[char], budget: &mut Budget) -> Vec<Hit<'static>> {
    let mut hits: Vec<Hit<'static>> = Vec::new();
    for place in PLACES.iter().filter(|place| place.rank == rank) {
        hits.extend(place.pattern.find_all(text, budget).into_iter().map(|found| Hit { place, found }));
    }
    hits.sort_by(|a, b| {
        b.found.end().cmp(&a.found.end()).then_with(|| a.found.start().cmp(&b.found.start()))
    });
    hits
}

/// The ranks in order.
pub(super) const RANKS: [u16; 5] = [0, 50, 100, 200, 300];
