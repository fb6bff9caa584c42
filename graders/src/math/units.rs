//! Units of measure: enough of them to tell metres from kilometres.

use dashu::rational::RBig;

use super::expr::Unit;

/// Names, what they measure, and how many base units each is, as numerator and denominator.
const UNITS: &[(&[&str], &str, u64, u64)] = &[
    (&["m", "meter", "metre"], "length", 1, 1),
    (&["km", "kilometer", "kilometre"], "length", 1000, 1),
    (&["dm", "decimeter", "decimetre"], "length", 1, 10),
    (&["cm", "centimeter", "centimetre"], "length", 1, 100),
    (&["mm", "millimeter", "millimetre"], "length", 1, 1000),
    (&["μm", "um", "micrometer", "micrometre", "micron"], "length", 1, 1_000_000),
    (&["nm", "nanometer", "nanometre"], "length", 1, 1_000_000_000),
    (&["in", "inch", "inches"], "length", 254, 10_000),
    (&["ft", "foot", "feet"], "length", 3048, 10_000),
    (&["yd", "yard"], "length", 9144, 10_000),
    (&["mi", "mile"], "length", 1_609_344, 1000),
    (&["s", "sec", "second"], "time", 1, 1),
    (&["ms", "millisecond"], "time", 1, 1000),
    (&["min", "minute"], "time", 60, 1),
    (&["h", "hr", "hour"], "time", 3600, 1),
    (&["day"], "time", 86_400, 1),
    (&["week"], "time", 604_800, 1),
    (&["month"], "months", 1, 1),
    (&["yr", "year"], "months", 12, 1),
    (&["decade"], "months", 120, 1),
    (&["century", "centuries"], "months", 1200, 1),
    (&["g", "gram"], "mass", 1, 1),
    (&["kg", "kilogram"], "mass", 1000, 1),
    (&["mg", "milligram"], "mass", 1, 1000),
    (&["t", "tonne"], "mass", 1_000_000, 1),
    (&["lb", "pound"], "mass", 45_359_237, 100_000),
    (&["oz", "ounce"], "mass", 45_359_237, 1_600_000),
    (&["L", "l", "liter", "litre"], "volume", 1, 1000),
    (&["mL", "ml", "milliliter", "millilitre"], "volume", 1, 1_000_000),
    (&["gal", "gallon"], "volume", 3_785_411_784, 1_000_000_000_000),
    (&["quart"], "volume", 946_352_946, 1_000_000_000_000),
    (&["pint"], "volume", 473_176_473, 1_000_000_000_000),
    (&["acre"], "area", 40_468_564_224, 10_000_000),
    (&["ha", "hectare"], "area", 10_000, 1),
    (&["mph"], "speed", 44_704, 100_000),
    (&["kph", "kmph"], "speed", 5, 18),
    (&["N", "newton"], "force", 1, 1),
    (&["J", "joule"], "energy", 1, 1),
    (&["kJ", "kilojoule"], "energy", 1000, 1),
    (&["MJ", "megajoule"], "energy", 1_000_000, 1),
    (&["kWh"], "energy", 3_600_000, 1),
    (&["W", "watt"], "power", 1, 1),
    (&["kW", "kilowatt"], "power", 1000, 1),
    (&["MW", "megawatt"], "power", 1_000_000, 1),
    (&["Pa", "pascal"], "pressure", 1, 1),
    (&["kPa", "kilopascal"], "pressure", 1000, 1),
    (&["atm"], "pressure", 101_325, 1),
    (&["Hz", "hertz"], "frequency", 1, 1),
    (&["kHz"], "frequency", 1000, 1),
    (&["MHz"], "frequency", 1_000_000, 1),
    (&["V", "volt"], "voltage", 1, 1),
    (&["ampere", "amp"], "current", 1, 1),
    (&["mA"], "current", 1, 1000),
    (&["ohm", "Ω"], "resistance", 1, 1),
    (&["mol", "mole"], "amount", 1, 1),
    (&["K", "kelvin"], "temperature", 1, 1),
    (&["cent", "¢"], "money", 1, 100),
    (&["dollar", "usd", "USD"], "money", 1, 1),
];

/// What a quotient of two dimensions measures.
const QUOTIENTS: &[(&str, &str, &str)] = &[
    ("length", "time", "speed"),
    ("speed", "time", "acceleration"),
    ("mass", "volume", "density"),
    ("volume", "time", "flow"),
    ("money", "time", "wage"),
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

fn single(name: &str) -> Option<(&'static str, RBig)> {
    let find = |name: &str| UNITS.iter().find(|(names, ..)| names.contains(&name));
    let lower = name.to_lowercase();
    let found = find(name)
        .or_else(|| (name.len() > 3).then(|| find(&lower).or_else(|| find(lower.strip_suffix('s')?)))?)
        .or_else(|| find(name.strip_suffix('s').filter(|stem| stem.len() > 1)?));
    let (_, dimension, top, bottom) = found?;
    Some((dimension, RBig::from_parts((*top).into(), (*bottom).into())))
}

/// One unit, or a square or cube of one.
fn power(name: &str) -> Option<(&'static str, RBig)> {
    let name = name.trim();
    let (stem, exponent) =
        if let Some(stem) = name.strip_prefix("square ").or_else(|| name.strip_prefix("sq ")) {
            (stem, 2)
        } else if let Some(stem) = name.strip_prefix("cubic ") {
            (stem, 3)
        } else if let Some(stem) = name.strip_suffix("^2").or_else(|| name.strip_suffix(" squared")) {
            (stem, 2)
        } else if let Some(stem) = name.strip_suffix("^3").or_else(|| name.strip_suffix(" cubed")) {
            (stem, 3)
        } else {
            (name, 1)
        };
    let (dimension, factor) = single(stem.trim())?;
    Some(match (exponent, dimension) {
        (1, _) => (dimension, factor),
        (2, "length") => ("area", &factor * &factor),
        (3, "length") => ("volume", &factor * &factor * &factor),
        (2, "time") => ("time^2", &factor * &factor),
        _ => return None,
    })
}

fn lookup(name: &str) -> Option<Unit> {
    let lower = name.replace(" per ", "/");
    let (dimension, factor) = match lower.split_once('/') {
        None => power(&lower)?,
        Some((top, bottom)) => {
            let ((over, x), (under, y)) = (power(top)?, power(bottom)?);
            // Metres per second squared.
            let (over, under) =
                if under == "time^2" && over == "length" { ("speed", "time") } else { (over, under) };
            let (.., measured) = QUOTIENTS.iter().find(|(a, b, _)| (*a, *b) == (over, under))?;
            (*measured, x / y)
        }
    };
    Some(Unit::Known { dimension, factor })
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
