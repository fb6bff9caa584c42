//! `detectable_format:*`: lists, highlights, sections, titles, JSON.

use std::sync::LazyLock;

use regex::Regex;
use serde::de::IgnoredAny;

use super::arguments::Arguments;
use super::response::{Response, compiled, strip};
use super::{Check, Type};
use crate::error::TaskError;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("detectable_format:number_bullet_lists", Type::WithArguments(number_bullet_lists)),
    ("detectable_format:constrained_response", Type::Plain(constrained_response)),
    ("detectable_format:number_highlighted_sections", Type::WithArguments(number_highlighted_sections)),
    ("detectable_format:multiple_sections", Type::WithArguments(multiple_sections)),
    ("detectable_format:json_format", Type::Plain(json_format)),
    ("detectable_format:title", Type::Plain(title)),
];

fn number_bullet_lists(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    static STAR: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?m)^\s*\*[^*].*$"));
    static DASH: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?m)^\s*-.*$"));
    let number = arguments.count("num_bullets")?;
    Ok(Box::new(move |response| {
        let text = response.text();
        STAR.find_iter(text).count() + DASH.find_iter(text).count() == number
    }))
}

fn constrained_response(response: &Response<'_>) -> bool {
    const OPTIONS: [&str; 3] = ["My answer is yes.", "My answer is no.", "My answer is maybe."];
    OPTIONS.iter().any(|option| response.text().contains(option))
}

fn number_highlighted_sections(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    static SINGLE: LazyLock<Regex> = LazyLock::new(|| compiled(r"\*[^\n*]*\*"));
    static DOUBLE: LazyLock<Regex> = LazyLock::new(|| compiled(r"\*\*[^\n*]*\*\*"));
    let bound = arguments.count("num_highlights")?;
    Ok(Box::new(move |response| {
        let filled = |regex: &Regex| {
            let highlights = regex.find_iter(response.text());
            highlights.filter(|found| !strip(found.as_str().trim_matches('*')).is_empty()).count()
        };
        filled(&SINGLE) + filled(&DOUBLE) >= bound
    }))
}

fn multiple_sections(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let splitter = regex::escape(strip(arguments.text("section_spliter")?));
    let header = Regex::new(&format!(r"{splitter}\s?\d+"))
        .map_err(|_| arguments.error("section_spliter", "this text is too long for a splitter".to_owned()))?;
    let bound = arguments.count("num_sections")?;
    Ok(Box::new(move |response| header.find_iter(response.text()).take(bound).count() >= bound))
}

fn json_format(response: &Response<'_>) -> bool {
    let mut text = strip(response.text());
    for fence in ["```json", "```Json", "```JSON", "```"] {
        text = text.strip_prefix(fence).unwrap_or(text);
    }
    text = text.strip_suffix("```").unwrap_or(text);
    // Values that are ignored are read without recursion, so that no nesting is too deep.
    serde_json::from_str::<IgnoredAny>(strip(text)).is_ok()
}

fn title(response: &Response<'_>) -> bool {
    static TITLE: LazyLock<Regex> = LazyLock::new(|| compiled(r"<<[^\n]+>>"));
    TITLE.find_iter(response.text()).any(|found| {
        let title = found.as_str().trim_start_matches('<').trim_end_matches('>');
        !strip(title).is_empty()
    })
}
