//! `detectable_content:*` and `punctuation:*`.

use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::response::{Response, compiled, strip};
use super::{Check, Type};
use crate::error::TaskError;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("detectable_content:number_placeholders", Type::WithArguments(number_placeholders)),
    ("detectable_content:postscript", Type::WithArguments(postscript)),
    ("punctuation:no_comma", Type::Plain(no_comma)),
];

fn number_placeholders(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| compiled(r"\[.*?\]"));
    let bound = arguments.count("num_placeholders")?;
    Ok(Box::new(move |response| PLACEHOLDER.find_iter(response.text()).take(bound).count() >= bound))
}

fn postscript(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    // The text is in lower case.
    static PS: LazyLock<Regex> = LazyLock::new(|| compiled(r"p\.\s?s\."));
    static PPS: LazyLock<Regex> = LazyLock::new(|| compiled(r"p\.\s?p\.\s?s"));
    Ok(match strip(arguments.text("postscript_marker")?) {
        "P.S." => Box::new(|response| PS.is_match(response.lower())),
        "P.P.S" => Box::new(|response| PPS.is_match(response.lower())),
        other => {
            let marker = other.to_lowercase();
            Box::new(move |response| response.lower().contains(&marker))
        }
    })
}

fn no_comma(response: &Response<'_>) -> bool {
    !response.text().contains(',')
}
