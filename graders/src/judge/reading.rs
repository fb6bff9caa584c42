//! What a language model's answer says: how likely each allowed answer is. What is none of them is never guessed.

use crate::opinion::{Answer, Question, Read};

/// The least probability that all allowed answers have together. Below it the model wants to say something else.
const MIN_MASS: f64 = 0.5;
/// How far rounding may lift a probability above 1.
const ROUNDING: f64 = 1e-3;
/// The longest piece of an unreadable answer that a message quotes, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// How likely each answer of `question` is by `answer`, adding up to 1.
///
/// # Errors
/// Says what was found instead.
pub(super) fn probabilities(question: &Question, answer: &Answer) -> Result<Vec<f64>, String> {
    match question.read {
        Read::Logprobs => from_logprobs(&question.answers, answer),
        Read::Verdict => from_text(&question.answers, &answer.text),
    }
}

/// Adds up the tokens that begin one answer each. Blanks before a word and its case make no other answer of it.
fn from_logprobs(answers: &[String], answer: &Answer) -> Result<Vec<f64>, String> {
    if answer.first_token.is_empty() {
        return Err("the model gave no log-probabilities; a model without them needs `read: \"verdict\"`".to_owned());
    }
    let mut sums = vec![0.0; answers.len()];
    let mut all = 0.0;
    for found in &answer.first_token {
        if found.logprob.is_nan() {
            return Err("a log-probability is not a number".to_owned());
        }
        let probability = found.logprob.exp();
        all += probability;
        let word = found.token.trim_start_matches([' ', '\t', '\n', '▁', 'Ġ', 'Ċ']).trim_end();
        if let Some(place) = answers.iter().position(|answer| answer.eq_ignore_ascii_case(word)) {
            sums[place] += probability;
        }
    }
    if all > 1.0 + ROUNDING {
        return Err(format!("the probabilities of the first token add up to {all:.3}"));
    }
    let mass: f64 = sums.iter().sum();
    if mass < MIN_MASS {
        return Err(format!(
            "only {mass:.3} of the probability is on {}; the model begins with {:?}",
            answers.join(", "),
            excerpt(&likeliest(answer))
        ));
    }
    Ok(sums.into_iter().map(|sum| sum / mass).collect())
}

fn likeliest(answer: &Answer) -> String {
    let most = answer.first_token.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob));
    most.map_or_else(String::new, |token| token.token.clone())
}

/// The text must be one answer, with a full stop at most.
fn from_text(answers: &[String], text: &str) -> Result<Vec<f64>, String> {
    let said = text.trim();
    let word = said.strip_suffix('.').unwrap_or(said);
    match answers.iter().position(|answer| answer.eq_ignore_ascii_case(word)) {
        Some(place) => Ok((0..answers.len()).map(|at| f64::from(u8::from(at == place))).collect()),
        None => Err(format!("expected one of {}, found {:?}", answers.join(", "), excerpt(said))),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opinion::TokenLogprob;

    fn question(read: Read) -> Question {
        let answers = vec!["yes".to_owned(), "no".to_owned()];
        Question { messages: Vec::new(), answers, read, n_votes: 1, seed: 0 }
    }

    fn tokens(tokens: &[(&str, f64)]) -> Answer {
        let token = |(token, p): &(&str, f64)| TokenLogprob { token: (*token).to_owned(), logprob: p.ln() };
        Answer { text: "yes".to_owned(), first_token: tokens.iter().map(token).collect() }
    }

    #[test]
    fn tokens_of_one_word_are_added_up() {
        for (found, yes) in [
            (&[("yes", 0.5), (" Yes", 0.25), ("No", 0.25)][..], Some(0.75)),
            (&[("▁YES", 0.4), ("Ġno", 0.4), ("maybe", 0.2)], Some(0.5)),
            (&[("no", 1.0)], Some(0.0)),
            (&[("no", 1.0), ("yes", 0.0)], Some(0.0)),
            (&[("yes", 0.3), ("The", 0.7)], None),
            (&[("yesterday", 0.9), ("nothing", 0.1)], None),
            (&[("yes", 0.9), ("no", 0.9)], None),
            (&[("yes", f64::NAN)], None),
            (&[], None),
        ] {
            let read = probabilities(&question(Read::Logprobs), &tokens(found));
            match yes {
                Some(yes) => assert!((read.unwrap()[0] - yes).abs() < 1e-12, "{found:?}"),
                None => assert!(read.is_err(), "{found:?}"),
            }
        }
    }

    #[test]
    fn only_a_verdict_is_a_verdict() {
        for (text, yes) in [
            ("yes", Some(1.0)),
            (" No.\n", Some(0.0)),
            ("YES", Some(1.0)),
            ("yes no", None),
            ("yes, it is", None),
            ("\"yes\"", None),
            ("The answer is yes", None),
            ("<think>yes</think>", None),
            ("", None),
            (".", None),
        ] {
            let answer = Answer { text: text.to_owned(), ..Answer::default() };
            assert_eq!(probabilities(&question(Read::Verdict), &answer).ok().map(|p| p[0]), yes, "{text:?}");
        }
    }
}
