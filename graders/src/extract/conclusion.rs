//! The value that a sentence ends with: "The area of the triangle is $7$."

use super::formula;

/// Words that open a sentence which states a value.
const OPENERS: [&str; 9] = ["the", "thus", "hence", "so", "therefore", "it", "we", "this", "finally"];
/// Words right before the value.
const COPULAS: [&str; 8] = ["is", "are", "equals", "be", "get", "obtain", "find", "have"];
/// Words that make the value a part of what is stated.
const QUALIFIERS: [&str; 20] = [
    "that", "whose", "such", "where", "which", "who", "if", "when", "not", "no", "all", "every", "each",
    "any", "except", "unless", "or", "only", "least", "most",
];

/// The formula or number that a sentence concludes with, when it is what the sentence states: it follows the
/// sentence's only `is` or the like at once, no other number stands in the sentence, and nothing qualifies it.
pub(super) fn of(sentence: &str) -> Option<&str> {
    let sentence = sentence.trim().trim_end_matches(['.', '*', '_', ' ']);
    let (before, value) = match formula::formulas(sentence).last() {
        Some(last) if last.end == sentence.len() => (&sentence[..last.start], last.content),
        _ => {
            let (before, word) = sentence.rsplit_once(char::is_whitespace)?;
            (before, Some(word.trim_matches(['*', '_'])).filter(|word| is_number(word))?)
        }
    };
    let before = before.to_lowercase();
    let words = || before.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let opened = words().next().is_some_and(|word| OPENERS.contains(&word));
    let copula = words().next_back().is_some_and(|word| COPULAS.contains(&word));
    let single = words().filter(|word| COPULAS.contains(word)).count() == 1;
    let qualified = words().any(|word| QUALIFIERS.contains(&word) || word.contains(char::is_numeric));
    (opened && copula && single && !qualified).then_some(value)
}

/// Whether a word is written as a number, with its currency and per cent signs.
fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-', '−', '$', '\\', '€', '£']).trim_end_matches(['%', '\\']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conclusions() {
        for (sentence, value) in [
            ("The area is $7$.", Some("7")),
            ("The volume of $ABCD$ is 1,200.", Some("1,200")),
            ("Thus we obtain \\[ x = 5 \\]", Some("x = 5")),
            ("The price is **$12.50**", Some("$12.50")),
            ("The share is 40%", Some("40%")),
            ("The area is not $7$.", None),
            ("The area is at least 7.", None),
            ("The area is greater than 7", None),
            ("The $3$ is $7$", None),
            ("The first is $a$ and the second is $7$", None),
            ("The numbers whose last digit is $3$", None),
            ("all integers except $0$", None),
            ("The area is large", None),
            ("The area is $7$ or more", None),
            ("7", None),
        ] {
            assert_eq!(of(sentence), value, "{sentence:?}");
        }
    }
}
