//! `combination:*` and `startend:*`: the shape of the response as a whole.

use super::arguments::Arguments;
use super::length::filled_pieces;
use super::response::{Response, strip};
use super::{Check, Type};
use crate::error::TaskError;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("combination:two_responses", Type::Plain(two_responses)),
    ("combination:repeat_prompt", Type::WithArguments(repeat_prompt)),
    ("startend:end_checker", Type::WithArguments(end_checker)),
    ("startend:quotation", Type::Plain(quotation)),
];

fn two_responses(response: &Response<'_>) -> bool {
    let pieces = filled_pieces(response.text().split("******"));
    pieces.is_some_and(|pieces| matches!(pieces.as_slice(), [first, second] if first != second))
}

fn repeat_prompt(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let prompt = strip(arguments.text("prompt_to_repeat")?).to_lowercase();
    Ok(Box::new(move |response| strip(response.lower()).starts_with(&prompt)))
}

fn end_checker(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let phrase = strip(arguments.text("end_phrase")?).to_lowercase();
    Ok(Box::new(move |response| strip(response.lower()).trim_matches('"').ends_with(&phrase)))
}

fn quotation(response: &Response<'_>) -> bool {
    let text = strip(response.text());
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}
