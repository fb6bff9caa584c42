//! Units of measure: enough of them to tell metres from kilometres.

use dashu::rational::RBig;

use super::expr::Unit;

/// Name, what it measures, and how many base units it is, as numerator and denominator.
const UNITS: &[(&[&str], &str, u64, u64)] = &[
    (&["m", "meter", "metre"], "length", 1, 1),
    (&["km", "kilometer", "kilometre"], "length", 1000, 1),
    (&["cm", "centimeter", "centimetre"], "length", 1, 100),
    (&["mm", "millimeter", "millimetre"], "length", 1, 1000),
    (&["in", "inch", "inches"], "length", 254, 10_000),
    (&["ft", "foot", "feet"], "length", 3048, 10_000),
    (&["yd", "yard"], "length", 9144, 10_000),
    (&["mi", "mile"], "length", 1_609_344, 1000),
    (&["s", "sec", "second"], "time", 1, 1),
    (&["min", "minute"], "time", 60, 1),
    (&["h", "hr", "hour"], "time", 3600, 1),
    (&["day"], "time", 86_400, 1),
    (&["week"], "time", 604_800, 1),
    (&["g", "gram"], "mass", 1, 1),
    (&["kg", "kilogram"], "mass", 1000, 1),
    (&["mg", "milligram"], "mass", 1, 1000),
    (&["lb", "pound"], "mass", 45_359_237, 100_000),
    (&["L", "l", "liter", "litre"], "volume", 1, 1),
    (&["mL", "ml", "milliliter", "millilitre"], "volume", 1, 1000),
    (&["cent"], "money", 1, 100),
    (&["dollar", "usd", "USD"], "money", 1, 1),
];

/// Words that are no unit: after a number they say something else about it.
const NOT_UNITS: &[&str] = &[
    "if",
    "not",
    "is",
    "are",
    "was",
    "to",
    "than",
    "then",
    "but",
    "else",
    "maybe",
    "perhaps",
    "about",
    "at",
    "least",
    "most",
    "more",
    "less",
    "only",
    "because",
    "since",
    "when",
    "where",
    "for",
    "with",
    "or",
    "and",
    "nor",
    "mod",
    "wrong",
    "incorrect",
    "false",
    "approximately",
    "plus",
    "minus",
    "times",
    "over",
    "divided",
    "through",
    "until",
    "unless",
    "otherwise",
    "either",
    "between",
    "base",
];

fn lookup(name: &str) -> Option<Unit> {
    let find = |name: &str| UNITS.iter().find(|(names, ..)| names.contains(&name));
    let lower = name.to_lowercase();
    let found = find(name)
        .or_else(|| (name.len() > 3).then(|| find(&lower).or_else(|| find(lower.strip_suffix('s')?)))?)
        .or_else(|| find(name.strip_suffix('s').filter(|stem| stem.len() > 1)?));
    let (_, dimension, top, bottom) = found?;
    Some(Unit::Known { dimension, factor: RBig::from_parts((*top).into(), (*bottom).into()) })
}

/// Whether this is the name of a unit that is known.
pub(super) fn is_known(name: &str) -> bool {
    lookup(name).is_some() || matches!(name, "pct" | "deg" | "rad")
}

/// Whether the name measures angles.
pub(super) fn is_angle(name: &str) -> bool {
    matches!(name, "rad" | "radian" | "radians" | "deg" | "degree" | "degrees")
}

/// What a word multiplies a number by.
pub(super) fn multiplier(word: &str) -> Option<u64> {
    Some(match word {
        "thousand" => 1_000,
        "million" => 1_000_000,
        "billion" => 1_000_000_000,
        "trillion" => 1_000_000_000_000,
        _ => return None,
    })
}

/// The unit that some words name, or `None` when they cannot be one.
pub(super) fn unit(words: &str) -> Option<Unit> {
    let words = words.trim().trim_end_matches('.');
    if matches!(words, "%" | "percent" | "pct" | "per cent") {
        return Some(Unit::Percent);
    }
    if let Some(known) = lookup(words) {
        return Some(known);
    }
    let mut parts = words.split(|c: char| !c.is_ascii_alphabetic()).filter(|part| !part.is_empty());
    let refused = parts.clone().any(|part| NOT_UNITS.contains(&part.to_lowercase().as_str()));
    if refused || parts.clone().count() > 4 || parts.next().is_none() {
        return None;
    }
    let mut name =
        words.split_whitespace().collect::<Vec<_>>().join(" ").replace(" per ", "/").to_lowercase();
    if name.len() > 3 && name.ends_with('s') {
        name.pop();
    }
    Some(Unit::Named(name))
}
