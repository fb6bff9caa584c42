//! Math-Verify's pipeline: find formulas and numbers, rewrite them, parse what can be parsed, compare.
//!
//! The finding and rewriting follow the package. Its parser and computer algebra system are replaced by those
//! of the `math` grader, which prove what they accept; the looser rules of the package stand around them:
//! rounding to six decimals, letters without case, sets that answer tuples, equations cut to their last side,
//! text that is parsed only up to where it stops making sense.

use std::sync::LazyLock;

use regex::Regex;

use super::environment::{self, Hit, Kind, MAX_JOINED};
use super::normal::{Boxes, MAX_FORMULA_BYTES, normal};
use super::pattern::Budget;
use super::python::{last_chars, strip};
use super::reading::{Reading, read, same};

/// The steps that one verdict may take in finding and rewriting.
const STEPS: u32 = 1_000_000;
/// How much of the end of a completion is looked at, in characters.
const MAX_CHARS: usize = 1 << 16;
/// The most places that are tried in one text.
const MAX_TRIED: usize = 32;

/// What was made of a text: the formula that could be read, and the first that was tried, as text.
struct Parsed {
    reading: Option<Reading>,
    first: Option<String>,
}

/// Whether the package takes the completion for the reference, and what it found in the completion.
pub(super) fn score(reference: &str, completion: &str) -> (bool, Option<String>) {
    let gold = parse(reference);
    let found = parse(completion);
    let texts = match (&gold.first, &found.first) {
        (Some(a), Some(b)) => !strip(a).is_empty() && strip(a) == strip(b),
        _ => false,
    };
    let equal =
        texts || matches!((&gold.reading, &found.reading), (Some(gold), Some(answer)) if same(gold, answer));
    let shown = found.reading.map(|reading| reading.to_string()).or(found.first);
    (equal, shown)
}

/// The first answer of the highest rank that can be read.
fn parse(text: &str) -> Parsed {
    let chars: Vec<char> = last_chars(text, MAX_CHARS).chars().collect();
    let mut budget = Budget(STEPS);
    let mut first = None;
    let mut tried = 0;
    for rank in environment::RANKS {
        for hit in environment::hits(rank, &chars, &mut budget) {
            tried += 1;
            if tried > MAX_TRIED {
                return Parsed { reading: None, first };
            }
            let (reading, shown) = match hit.place.kind {
                Kind::Plain => plain(&hit, &chars),
                Kind::Formulas | Kind::Boxed => formulas(&hit, &chars, &mut budget),
            };
            if first.is_none() && !shown.is_empty() {
                first = Some(shown);
            }
            if reading.is_some() {
                return Parsed { reading, first };
            }
        }
    }
    Parsed { reading: None, first }
}

/// The formulas of a match: one, or the set of several.
fn formulas(hit: &Hit<'_>, text: &[char], budget: &mut Budget) -> (Option<Reading>, String) {
    let boxes = if hit.place.kind == Kind::Boxed { Boxes::Last } else { Boxes::All };
    let (mut readings, mut shown) = (Vec::new(), Vec::new());
    for index in 0..MAX_JOINED {
        let Some(content) = hit.place.pattern.group(&hit.found, &format!("c{index}"), text) else { continue };
        let percent = hit.place.pattern.group(&hit.found, &format!("p{index}"), text).is_some();
        let content: String = content.iter().collect();
        if !budget.spend(u32::try_from(4 * content.len()).unwrap_or(u32::MAX)) {
            return (None, String::new());
        }
        let latex = normal(&content, boxes, budget);
        let reading = if latex.len() > MAX_FORMULA_BYTES { None } else { read(&latex) };
        readings.push(reading.map(|reading| if percent { reading.percent() } else { reading }));
        shown.push(latex);
    }
    if readings.len() > 1 && readings.iter().all(Option::is_some) {
        return (Some(Reading::joined(readings.into_iter().flatten())), shown.join(" and "));
    }
    (readings.into_iter().next().flatten(), shown.into_iter().next().unwrap_or_default())
}

/// A number or a sum without LaTeX.
fn plain(hit: &Hit<'_>, text: &[char]) -> (Option<Reading>, String) {
    let group = |name| {
        let chars = hit.place.pattern.group(&hit.found, name, text)?;
        Some(chars.iter().collect::<String>())
    };
    let (whole, fraction) = (group("int"), group("dec"));
    if whole.is_none() && fraction.is_none() {
        let sum = group("sum").unwrap_or_default();
        let reading = is_arithmetic(&sum).then(|| Reading::sum(&sum));
        return (reading, sum);
    }
    let whole = whole.unwrap_or_default().replace([',', ' '], "");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let number = format!("{whole}{}", fraction.unwrap_or_default().replace(',', "."));
    let reading = Reading::number(&number);
    (Some(if group("pct").is_some() { reading.percent() } else { reading }), number)
}

/// Whether Python would evaluate the text: no product without a sign, no number with a leading zero.
fn is_arithmetic(sum: &str) -> bool {
    static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"[0-9]+\.?[0-9]*|\.[0-9]+|\*\*|//|[-+*/^()]|\S")
            .expect("the pattern is a constant, a failure is a bug")
    });
    let (mut depth, mut wants_operand) = (0_u32, true);
    for token in TOKENS.find_iter(sum) {
        let token = token.as_str();
        let number = token.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        match token {
            "+" | "-" => wants_operand = true,
            "*" | "/" | "^" | "**" | "//" if !wants_operand => wants_operand = true,
            "(" if wants_operand => depth += 1,
            ")" if !wants_operand && depth > 0 => depth -= 1,
            _ if number && wants_operand => {
                let octal = token.len() > 1 && token.starts_with('0') && !token.contains('.');
                if token == "." || (octal && token.bytes().any(|byte| byte != b'0')) {
                    return false;
                }
                wants_operand = false;
            }
            _ => return false,
        }
    }
    depth == 0 && !wants_operand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_evaluates_only_written_signs() {
        for (sum, expected) in [
            ("1/2", true),
            ("2*(3+4)", true),
            ("-2^-1", true),
            ("2(3)", false),
            ("1 2", false),
            ("(1", false),
            ("01+1", false),
            ("3 ×4", false),
            ("1+", false),
        ] {
            assert_eq!(is_arithmetic(sum), expected, "{sum}");
        }
    }

    #[test]
    fn the_highest_rank_decides() {
        for (text, expected) in [
            ("So $x=3$ and the final answer is $7$. I hope it is correct. $9$", "7"),
            ("\\boxed{5} then $6$", "5"),
            ("The answer is 12 or 13.", "12"),
            ("We have 3 and then 4 apples", "4"),
            ("It costs $1,200.", "1200"),
            ("$\\frac12$ or 4", "4"),
        ] {
            assert_eq!(score("1", text).1.as_deref(), Some(expected), "{text}");
        }
    }
}
