//! `detectable_format:*`: lists, highlights, sections, titles, JSON.

use std::sync::LazyLock;

use regex::Regex;
use serde::de::IgnoredAny;

use super::arguments::Arguments;
use super::response::{compiled, strip};
use super::{Check, Parse};
use crate::error::TaskError;

pub(super) const TYPES: &[(&str, Parse)] = &[
    ("detectable_format:number_bullet_lists", number_bullet_lists),
    ("detectable_format:constrained_response", constrained_response),
    ("detectable_format:number_highlighted_sections", number_highlighted_sections),
    ("detectable_format:multiple_sections", multiple_sections),
    ("detectable_format:json_format", json_format),
    ("detectable_format:title", title),
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

fn constrained_response(_: &mut Arguments<'_>) -> Result<Check, TaskError> {
    const OPTIONS: [&str; 3] = ["My answer is yes.", "My answer is no.", "My answer is maybe."];
    Ok(Box::new(|response| OPTIONS.iter().any(|option| response.text().contains(option))))
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

fn json_format(_: &mut Arguments<'_>) -> Result<Check, TaskError> {
    Ok(Box::new(|response| {
        let mut text = strip(response.text());
        for fence in ["```json", "```Json", "```JSON", "```"] {
            text = text.strip_prefix(fence).unwrap_or(text);
        }
        text = text.strip_suffix("```").unwrap_or(text);
        // Values that are ignored are read without recursion, so that no nesting is too deep.
        serde_json::from_str::<IgnoredAny>(strip(text)).is_ok()
    }))
}

fn title(_: &mut Arguments<'_>) -> Result<Check, TaskError> {
    static TITLE: LazyLock<Regex> = LazyLock::new(|| compiled(r"<<[^\n]+>>"));
    Ok(Box::new(|response| {
        TITLE.find_iter(response.text()).any(|found| {
            let title = found.as_str().trim_start_matches('<').trim_end_matches('>');
            !strip(title).is_empty()
        })
    }))
}
