//! What Math-Verify makes of one formula, and when two of them are the same to it.

use std::fmt;
use std::sync::LazyLock;

use dashu::base::Abs;
use dashu::integer::IBig;
use dashu::rational::RBig;
use regex::Regex;

use super::formula::{self, Relation};
use super::number::{ROUNDING, is_unsolvable, is_whole, rounded};
use super::python::strip;
use crate::math;

/// A formula that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A number in digits.
    Number(String),
    /// LaTeX, or a sum in plain signs.
    Formula(String),
    /// Notation that only the package reads, as text of which equal ones are the same.
    Opaque(String),
    /// A word, which the package takes for one name.
    Word(String),
    /// So many hundredths.
    Percent(Box<Reading>),
    /// A list in its brackets.
    Items(Bracket, Vec<Reading>),
    /// Sides and the relations between them.
    Chain(Vec<Reading>, Vec<Relation>),
}

/// What holds a list together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// Braces or nothing: a set.
    Set,
    /// Round or square brackets around three or more, which keep their order.
    Tuple,
    /// Two ends, and whether each is open.
    Interval(bool, bool),
}

/// How deep lists may stand in lists.
const MAX_DEPTH: usize = 4;
/// The most items that are read.
const MAX_READ_ITEMS: usize = 128;
/// The most items of a list, so that all pairs may be compared.
const MAX_ITEMS: usize = 12;

impl Reading {
    pub(super) fn number(digits: &str) -> Self {
        Self::Number(digits.to_owned())
    }

    /// A sum as Python writes it.
    pub(super) fn sum(text: &str) -> Self {
        Self::Formula(text.replace("**", "^").replace('\n', " "))
    }

    pub(super) fn percent(self) -> Self {
        Self::Percent(Box::new(self))
    }

    /// Several answers as one set; sets among them are poured together.
    pub(super) fn joined(readings: impl Iterator<Item = Self>) -> Self {
        let mut items = Vec::new();
        for reading in readings {
            match reading {
                Self::Items(Bracket::Set, inner) => items.extend(inner),
                other => items.push(other),
            }
        }
        Self::Items(Bracket::Set, items)
    }

    /// Whether this is a number written in digits with a point.
    fn is_float(&self) -> bool {
        match self {
            Self::Number(digits) => digits.contains('.'),
            Self::Percent(inner) => inner.is_float(),
            _ => false,
        }
    }

    /// The value, if it is written as a number or is one by rational arithmetic.
    fn rational(&self) -> Option<RBig> {
        match self {
            Self::Number(digits) | Self::Formula(digits) => math::rational(digits),
            Self::Percent(inner) => Some(inner.rational()? / RBig::from(100)),
            Self::Opaque(_) | Self::Word(_) | Self::Items(..) | Self::Chain(..) => None,
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Self], between: &str| {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    f.write_str(between)?;
                }
                write!(f, "{item}")?;
            }
            Ok(())
        };
        match self {
            Self::Number(text) | Self::Formula(text) | Self::Opaque(text) => f.write_str(text),
            Self::Word(text) => write!(f, "\\text{{{text}}}"),
            Self::Percent(inner) => write!(f, "{inner}\\%"),
            Self::Items(bracket, items) => {
                let (open, close) = match bracket {
                    Bracket::Set => ("\\{", "\\}"),
                    Bracket::Tuple => ("(", ")"),
                    Bracket::Interval(left, right) => {
                        (if *left { "(" } else { "[" }, if *right { ")" } else { "]" })
                    }
                };
                f.write_str(open)?;
                list(f, items, ", ")?;
                f.write_str(close)
            }
            Self::Chain(sides, relations) => {
                for (index, side) in sides.iter().enumerate() {
                    if let Some(relation) = index.checked_sub(1).and_then(|before| relations.get(before)) {
                        write!(f, " {} ", relation.latex())?;
                    }
                    write!(f, "{side}")?;
                }
                Ok(())
            }
        }
    }
}

/// What the package makes of rewritten LaTeX, or `None` where its parser gives up.
pub(super) fn read(latex: &str) -> Option<Reading> {
    if let Some(reading) = read_whole(latex) {
        return Some(reading);
    }
    // When a chain of equations cannot be read, its last side may be.
    let sides = formula::equation_sides(latex);
    if sides.len() > 2 && !latex.contains([',', ';']) { read_whole(sides.last()?) } else { None }
}

fn read_whole(latex: &str) -> Option<Reading> {
    static THOUSANDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?\s*$")
            .expect("the pattern is a constant, a failure is a bug")
    });
    if THOUSANDS.is_match(latex) {
        return Some(Reading::Number(strip(&latex.replace(',', "")).to_owned()));
    }
    read_part(&formula::simplified(latex)?, MAX_DEPTH)
}

fn read_part(text: &str, depth: usize) -> Option<Reading> {
    let text = strip(text);
    if text.is_empty() {
        return None;
    }
    if text == "\\emptyset" {
        return Some(Reading::Items(Bracket::Set, Vec::new()));
    }
    let groups = formula::groups(text);
    if groups.len() > 1 {
        let lists = groups.iter().map(|group| match formula::items(group) {
            items if items.len() == 1 => read_part(group, depth.checked_sub(1)?),
            items => list(Bracket::Tuple, &items, depth.checked_sub(1)?),
        });
        return Some(Reading::Items(Bracket::Set, lists.collect::<Option<_>>()?));
    }
    let items = formula::items(text);
    if items.len() > 1 {
        return list(Bracket::Set, &items, depth);
    }
    if let Some(inner) = formula::inside(text, "\\{", "\\}") {
        if strip(inner).is_empty() {
            return Some(Reading::Items(Bracket::Set, Vec::new()));
        }
        return list(Bracket::Set, &formula::items(inner), depth);
    }
    for (open, close, left, right) in
        [("(", ")", true, true), ("[", "]", false, false), ("(", "]", true, false), ("[", ")", false, true)]
    {
        if let Some(inner) = formula::inside(text, open, close) {
            let items = formula::items(inner);
            match items.len() {
                2 => return list(Bracket::Interval(left, right), &items, depth),
                3.. if left == right => return list(Bracket::Tuple, &items, depth),
                _ => {}
            }
        }
    }
    let (sides, relations) = formula::sides(text);
    if !relations.is_empty() {
        return chain(&sides, relations, depth);
    }
    if let Some(inner) = text.strip_suffix("\\%").or_else(|| text.strip_suffix('%')) {
        return Some(read_part(inner, depth.checked_sub(1)?)?.percent());
    }
    if let Some(word) = formula::word(text) {
        return Some(Reading::Word(word));
    }
    if is_digits(text) {
        return Some(Reading::number(text));
    }
    if let Some((plus, minus)) = formula::signs(text) {
        let depth = depth.checked_sub(1)?;
        return Some(Reading::Items(Bracket::Set, vec![read_part(&plus, depth)?, read_part(&minus, depth)?]));
    }
    let text = formula::words_as_names(text);
    if math::equal(&text, &text).is_some() {
        return Some(Reading::Formula(text));
    }
    formula::opaque(&text).map(Reading::Opaque)
}

fn list(bracket: Bracket, items: &[&str], depth: usize) -> Option<Reading> {
    if items.len() > MAX_READ_ITEMS {
        return None;
    }
    let depth = depth.checked_sub(1)?;
    let items: Vec<Reading> = items.iter().map(|item| read_part(item, depth)).collect::<Option<_>>()?;
    Some(Reading::Items(bracket, items))
}

fn chain(sides: &[&str], relations: Vec<Relation>, depth: usize) -> Option<Reading> {
    let depth = depth.checked_sub(1)?;
    let sides: Vec<Reading> = sides.iter().map(|side| read_part(side, depth)).collect::<Option<_>>()?;
    if let ([left, right], [Relation::Approximately]) = (sides.as_slice(), relations.as_slice()) {
        return Some(if is_name(left) { right.clone() } else { left.clone() });
    }
    Some(Reading::Chain(sides, relations))
}

fn is_digits(text: &str) -> bool {
    static DIGITS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)$")
            .expect("the pattern is a constant, a failure is a bug")
    });
    DIGITS.is_match(text)
}

/// Whether a side is made of names only, so that an equation with it is an assignment.
fn is_name(side: &Reading) -> bool {
    match side {
        Reading::Word(_) => true,
        Reading::Formula(text) => formula::names_only(text),
        Reading::Items(_, items) => items.iter().all(is_name),
        Reading::Number(_) | Reading::Opaque(_) | Reading::Percent(_) | Reading::Chain(..) => false,
    }
}

/// An equation or a chain of them.
fn equation(reading: &Reading) -> Option<&[Reading]> {
    match reading {
        Reading::Chain(sides, relations) if relations.iter().all(|r| *r == Relation::Equal) => Some(sides),
        _ => None,
    }
}

/// What comparing two answers may cost: each question to the engine one, and one more for every so many
/// bytes.
const MAX_WORK: usize = 60;
const BYTES_OF_WORK: usize = 128;

/// What is left of it.
struct Work(usize);

impl Work {
    /// Equal to the engine of the `math` grader.
    fn equal(&mut self, a: &str, b: &str) -> bool {
        let cost = 1 + (a.len() + b.len()) / BYTES_OF_WORK;
        let Some(left) = self.0.checked_sub(cost) else { return false };
        self.0 = left;
        math::equal(a, b) == Some(true)
    }
}

/// Whether the package takes the two for the same. Not symmetric: the reference's form decides.
pub(super) fn same(gold: &Reading, answer: &Reading) -> bool {
    same_at(gold, answer, MAX_DEPTH, &mut Work(MAX_WORK))
}

fn same_at(gold: &Reading, answer: &Reading, depth: usize, work: &mut Work) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let (left, right) = (equation(gold), equation(answer));
    let assigns = |sides: &[Reading]| sides.first().is_some_and(is_name);
    match (left, right) {
        (None, Some(sides)) => return sides.last().is_some_and(|last| same_at(gold, last, depth, work)),
        (Some(sides), None) if assigns(sides) => {
            return sides.last().is_some_and(|last| same_at(last, answer, depth, work));
        }
        (Some(gold), Some(answer)) => return same_equations(gold, answer, depth, work),
        _ => {}
    }
    match (gold, answer) {
        (Reading::Chain(a, p), Reading::Chain(b, q)) => same_chains((a, p), (b, q), work),
        // A relation may be answered by its set, a set not by a relation.
        (Reading::Chain(..), Reading::Items(..)) => proved(gold, answer, work),
        (Reading::Chain(..), _) | (_, Reading::Chain(..)) => false,
        (Reading::Items(a, x), Reading::Items(b, y)) => same_lists((*a, x), (*b, y), depth, work),
        (Reading::Items(Bracket::Set, x), other) => {
            matches!(x.as_slice(), [x] if same_at(x, other, depth, work))
        }
        (other, Reading::Items(Bracket::Set, x)) => {
            matches!(x.as_slice(), [x] if same_at(other, x, depth, work))
        }
        (Reading::Items(..), _) | (_, Reading::Items(..)) => proved(gold, answer, work),
        (Reading::Word(a), Reading::Word(b)) | (Reading::Opaque(a), Reading::Opaque(b)) => a == b,
        (Reading::Word(word), Reading::Formula(text)) | (Reading::Formula(text), Reading::Word(word)) => {
            formula::letters(text).is_some_and(|letters| letters.eq_ignore_ascii_case(word))
        }
        (Reading::Word(_) | Reading::Opaque(_), _) | (_, Reading::Word(_) | Reading::Opaque(_)) => false,
        // A single name is compared as text.
        (Reading::Formula(a), Reading::Formula(b))
            if formula::is_single_name(a) || formula::is_single_name(b) =>
        {
            let bare = |text: &str| text.replace(['{', '}', '(', ')', ' '], "");
            bare(a) == bare(b)
        }
        _ => same_values(gold, answer, work),
    }
}

/// Equal to the engine of the `math` grader.
fn proved(a: &Reading, b: &Reading, work: &mut Work) -> bool {
    work.equal(&a.to_string(), &b.to_string())
}

fn same_equations(gold: &[Reading], answer: &[Reading], depth: usize, work: &mut Work) -> bool {
    let ends = |sides: &[Reading]| match sides {
        [first, .., last] => Some((first.clone(), last.clone())),
        _ => None,
    };
    let (Some((a, b)), Some((c, d))) = (ends(gold), ends(answer)) else { return false };
    if (same_at(&a, &c, depth, work) && same_at(&b, &d, depth, work))
        || (same_at(&a, &d, depth, work) && same_at(&b, &c, depth, work))
    {
        return true;
    }
    if same_differences((&a, &b), (&c, &d), work) || same_differences((&a, &b), (&d, &c), work) {
        return true;
    }
    let unsolvable = is_unsolvable((&a, &b)) && is_unsolvable((&c, &d));
    // The package solves for one of the names and compares what comes out. With a single name that fails, and
    // without any both solutions are empty.
    let whole = |a, b| Reading::Chain(vec![a, b], vec![Relation::Equal]);
    let (gold, answer) = (whole(a, b), whole(c, d));
    match (formula::names(&gold.to_string()), formula::names(&answer.to_string())) {
        (0, 0) => true,
        (1, 1) => unsolvable,
        (0 | 1, _) | (_, 0 | 1) => false,
        _ => proved(&gold, &answer, work),
    }
}

/// Whether two relations say the same of the difference of their sides.
fn same_differences((a, b): (&Reading, &Reading), (c, d): (&Reading, &Reading), work: &mut Work) -> bool {
    work.equal(&format!("({a})-({b})"), &format!("({c})-({d})"))
}

/// Chains of relations are the same link by link, each as it is or turned around.
fn same_chains(gold: (&[Reading], &[Relation]), answer: (&[Reading], &[Relation]), work: &mut Work) -> bool {
    if gold.1.len() != answer.1.len() {
        return false;
    }
    let links = gold.0.windows(2).zip(gold.1).zip(answer.0.windows(2).zip(answer.1));
    let mut all = true;
    for ((left, p), (right, q)) in links {
        let ([a, b], [c, d]) = (left, right) else { return false };
        all &= (p == q && same_differences((a, b), (c, d), work))
            || (p.inverse() == Some(*q) && same_differences((a, b), (d, c), work));
    }
    all
}

fn same_lists(
    gold: (Bracket, &[Reading]),
    answer: (Bracket, &[Reading]),
    depth: usize,
    work: &mut Work,
) -> bool {
    use Bracket::{Interval, Set, Tuple};
    let ((a, x), (b, y)) = (gold, answer);
    let open = Interval(true, true);
    match (a, b) {
        (Interval(..), Interval(..)) => a == b && in_order(x, y, depth, work),
        // The reference's form decides whether order counts. An open interval is a pair, which the package
        // cannot tell apart.
        (Tuple, Set | Tuple) => in_order(x, y, depth, work),
        (Set, Set | Tuple) => matched(x, y, depth, work),
        _ if a == open => in_order(x, y, depth, work),
        _ if b == open => matched(x, y, depth, work),
        _ => false,
    }
}

fn in_order(x: &[Reading], y: &[Reading], depth: usize, work: &mut Work) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same_at(x, y, depth, work))
}

/// Whether the two hold the same items in any order.
fn matched(x: &[Reading], y: &[Reading], depth: usize, work: &mut Work) -> bool {
    if x.len() > MAX_ITEMS || y.len() > MAX_ITEMS {
        return in_order(x, y, depth, work);
    }
    let (x, y) = (distinct(x), distinct(y));
    let mut left: Vec<&Reading> = y;
    x.len() == left.len()
        && x.iter().all(|item| match left.iter().position(|other| same_at(item, other, depth, work)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}

fn distinct(items: &[Reading]) -> Vec<&Reading> {
    let mut kept: Vec<&Reading> = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

fn same_values(gold: &Reading, answer: &Reading, work: &mut Work) -> bool {
    let whole = |reading: &Reading| match reading {
        Reading::Number(digits) if !digits.contains('.') => Some(digits.clone()),
        Reading::Percent(inner) => match &**inner {
            Reading::Number(digits) if !digits.contains('.') => Some(digits.clone()),
            _ => None,
        },
        _ => None,
    };
    let (x, y) = (gold.rational(), answer.rational());
    // Whole numbers are the same with and without a percent sign.
    if let (Some(a), Some(b)) = (whole(gold), whole(answer)) {
        return a.trim_start_matches('0') == b.trim_start_matches('0') || (x.is_some() && x == y);
    }
    if gold.is_float() || answer.is_float() {
        if let (Some(x), Some(y)) = (&x, &y) {
            // A whole number is never rounded, and differs from any other.
            let whole = (!gold.is_float() && is_whole(x)) || (!answer.is_float() && is_whole(y));
            return if whole { x == y } else { rounded(x) == rounded(y) };
        }
        let (float, other) = if gold.is_float() { (x.clone(), answer) } else { (y.clone(), gold) };
        if let Some(float) = float {
            let other = format!("\\lfloor {ROUNDING} \\cdot ({other}) + \\frac{{1}}{{2}} \\rfloor");
            return work.equal(&rounded(&float).to_string(), &other);
        }
    }
    if let (Some(x), Some(y)) = (&x, &y) {
        // Expressions whose difference vanishes at 15 digits after the point are the same.
        let literal = matches!(gold, Reading::Number(_)) || matches!(answer, Reading::Number(_));
        let tiny = RBig::from_parts(IBig::from(1), dashu::integer::UBig::from(10_u32).pow(15));
        return x == y || (!literal && (x - y).abs() < tiny);
    }
    match (gold, answer) {
        (Reading::Percent(_), _) | (_, Reading::Percent(_)) => {
            let plain = |reading: &Reading| match reading {
                Reading::Percent(inner) => format!("\\frac{{{inner}}}{{100}}"),
                other => other.to_string(),
            };
            work.equal(&plain(gold), &plain(answer))
        }
        _ => proved(gold, answer, work),
    }
}
